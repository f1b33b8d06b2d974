"""Who may import whom: `training` may import `service`, never the reverse."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "service").rglob("*.py"))

TRAINING_ONLY = {
    "training",
    "tests",
    # Of the `training` extra: a service is installed without them.
    "cv2",
    "keras",
    "matplotlib",
    "onnx",
    "scipy",
    "skimage",
    "tensorflow",
    "tf2onnx",
}


def imported_packages(module: Path) -> set[str]:
    """Top-level names of all that a module imports, at any depth of its code."""
    packages = set()
    for node in ast.walk(ast.parse(module.read_text())):
        match node:
            case ast.Import(names=names):
                packages |= {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module=str(name), level=0):
                packages.add(name.partition(".")[0])
    return packages


def test_imported_packages_finds_every_form(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("import a.b, c\nfrom d.e import f\nfrom . import g\ndef h():\n    import i\n")

    assert imported_packages(module) == {"a", "c", "d", "i"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_service_imports_nothing_of_training(module: Path) -> None:
    assert not imported_packages(module) & TRAINING_ONLY
