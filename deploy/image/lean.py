"""`lean.py FOLDER`: take out of installed packages what a service never loads.

The rules name what is left out, and why that can be missed. What they leave is
proven by `rehearse.py`, which runs the service without it, and by the build,
which fails when a rule no longer finds anything: packages change.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Rule:
    """What can be missed.

    Parameters
    ----------
    what : str
    patterns : tuple of str
        As `pathlib.Path.glob` has them; folders go with all that is in them.
    """

    what: str
    patterns: tuple[str, ...]


RULES = (
    Rule(
        "the engine for programs in C: ONNX Runtime's Python module has its own inside",
        ("onnxruntime/capi/libonnxruntime.so*",),
    ),
    Rule(
        "converting, quantising and training of models",
        (
            "onnxruntime/transformers",
            "onnxruntime/quantization",
            "onnxruntime/tools",
            "onnxruntime/datasets",
            "onnxruntime/backend",
        ),
    ),
    Rule("what only those would load", ("google/protobuf", "google/_upb", "flatbuffers")),
    Rule(
        "colouring programs in hundreds of languages: no help page has one",
        ("pygments/lexers/[a-z]*.py",),
    ),
    Rule(
        "NumPy's Fortran and packaging tools",
        ("numpy/f2py", "numpy/distutils", "numpy/_pyinstaller"),
    ),
    Rule("tests of packages", ("**/tests", "numpy/conftest.py")),
    Rule(
        "types, for tools that read code",
        ("**/*.pyi", "pydantic/mypy.py"),
    ),
    Rule(
        "what compilers need to build against packages",
        ("numpy/_core/include", "**/*.a", "**/*.pyx", "**/*.pxd"),
    ),
    Rule("commands of packages", ("../../../bin",)),
)


def main() -> None:
    """Apply all rules, and print what each gave."""
    folder = Path(sys.argv[1])
    for rule in RULES:
        freed = remove(folder, rule)
        sys.stdout.write(f"{freed / 1e6:6.1f} MB  {rule.what}\n")


def remove(folder: Path, rule: Rule) -> int:
    """Delete what a rule names.

    Returns
    -------
    freed : int
        Bytes.

    Raises
    ------
    SystemExit
        When one of its patterns finds nothing.
    """
    freed = 0
    for pattern in rule.patterns:
        found = list(folder.glob(pattern))
        if not found:
            raise SystemExit(
                f"{pattern}: there is no such thing in {folder}; is the rule outdated?"
            )
        for path in found:
            freed += sum(file.lstat().st_size for file in files_of(path))
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    return freed


def files_of(path: Path) -> Iterator[Path]:
    """List a file, or all files of a folder."""
    if path.is_dir():
        yield from (file for file in path.rglob("*") if file.is_file())
    elif path.exists():
        yield path


if __name__ == "__main__":
    main()
