"""The image: what goes into it, and what is left out."""

from __future__ import annotations

import re
import shlex
from fnmatch import translate
from pathlib import Path

import pytest

from deploy.image.lean import RULES, Rule, remove
from deploy.image.rehearse import compile_into
from service import __version__
from tests.deploy.files import ROOT, run, tool

DOCKERFILE = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))


def copied_paths() -> list[str]:
    """What the Dockerfile takes from the checkout."""
    paths = []
    for line in re.findall(r"^COPY (.+)", INSTRUCTIONS, flags=re.MULTILINE):
        words = shlex.split(line)
        if not words[0].startswith("--from"):
            paths += words[:-1]
    return paths


def is_sent(path: str) -> bool:
    """Tell whether `.dockerignore` lets a file through: the last line that fits decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip().removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        # `**/` is any number of folders, also none; a folder goes with all that is in it.
        anywhere = pattern.startswith("**/")
        expression = (
            translate(pattern.removeprefix("**/")).removesuffix(r"\Z").replace(".*", "[^/]*")
        )
        prefix = "(?:.*/)?" if anywhere else ""
        if re.fullmatch(f"{prefix}{expression}(?:/.*)?", path):
            sent = line.startswith("!")
    return sent


def test_dockerfile_has_no_findings() -> None:
    run(tool("hadolint"), "Dockerfile")


@pytest.mark.parametrize("path", copied_paths())
def test_copied_path_exists_and_is_sent(path: str) -> None:
    files = [ROOT / path] if (ROOT / path).is_file() else list((ROOT / path).rglob("*.*"))
    names = [file.relative_to(ROOT).as_posix() for file in files if "__pycache__" not in str(file)]
    assert names
    assert [name for name in names if not is_sent(name)] == []


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        ".env",
        "keys.txt",
        "service/.env",
        "service/__pycache__/app.cpython-311.pyc",
        "service/routes/__pycache__/page.cpython-311.pyc",
        "models/v12.keras",
        "runs/train/v1/weights.npz",
        "tests/conftest.py",
        "bench/load.py",
        "docs/api.md",
        "requirements/keys",
    ],
)
def test_dockerignore_keeps_back_what_no_image_needs(path: str) -> None:
    assert not is_sent(path)


def test_commands_are_lists_so_that_signals_arrive() -> None:
    commands = re.findall(r"^\s*(?:CMD|ENTRYPOINT) (.+)", INSTRUCTIONS, flags=re.MULTILINE)

    assert len(commands) >= 3
    assert all(command.startswith('["') for command in commands)


def test_every_image_runs_as_somebody_without_rights() -> None:
    _, *stages = re.split(r"^FROM ", INSTRUCTIONS, flags=re.MULTILINE)

    for stage in stages[1:]:
        assert "\nUSER 65532:65532\n" in stage


def test_image_says_the_version_of_the_service() -> None:
    assert set(re.findall(r"^ARG VERSION=(.+)", DOCKERFILE, re.MULTILINE)) == {__version__}


def test_service_is_what_is_built_when_nothing_is_named() -> None:
    assert re.findall(r"^FROM .+ AS (\w+)", DOCKERFILE, re.MULTILINE)[-1] == "service"


def test_nothing_is_made_for_one_processor_alone() -> None:
    assert not re.search(r"x86|amd64|arm64|aarch64|--platform", DOCKERFILE)


def test_requirements_have_hashes_and_no_index() -> None:
    for name in ("serve.txt", "train.txt"):
        text = (ROOT / "requirements" / name).read_text()
        packages = re.findall(r"^[a-z].*\\\n(?:    --hash=sha256:[0-9a-f]{64}.*\n)+", text, re.M)
        assert "".join(packages) == text
        assert "://" not in text


def test_remove_deletes_files_and_folders_and_counts_bytes(tmp_path: Path) -> None:
    (tmp_path / "package" / "tests").mkdir(parents=True)
    (tmp_path / "package" / "tests" / "test_it.py").write_text("12345")
    (tmp_path / "package" / "types.pyi").write_text("123")
    (tmp_path / "package" / "kept.py").write_text("")

    freed = remove(tmp_path, Rule("what is not needed", ("**/tests", "**/*.pyi")))

    assert freed == 8
    assert [file.name for file in tmp_path.rglob("*")] == ["package", "kept.py"]


def test_remove_fails_when_nothing_is_found(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no\.such: there is no such thing"):
        remove(tmp_path, Rule("gone", ("no.such",)))


def test_rules_say_why() -> None:
    assert all(rule.what and rule.patterns for rule in RULES)


def test_compile_puts_modules_where_the_image_looks(tmp_path: Path) -> None:
    source = tmp_path / "app" / "module.py"
    source.parent.mkdir()
    source.write_text("x = 1\n")

    compile_into(tmp_path, source)
    (compiled,) = (tmp_path / "app" / "__pycache__").iterdir()
    first = compiled.read_bytes()
    source.touch()
    compile_into(tmp_path, source)

    # No time and no path of the build is in it: the flag says that it is never checked.
    assert first[4:8] == b"\x01\x00\x00\x00"
    assert compiled.read_bytes() == first
    assert str(tmp_path).encode() not in first
    assert b"/app/module.py" in first


def test_compile_puts_the_standard_library_beside_it(tmp_path: Path) -> None:
    source = Path(re.__file__)

    compile_into(tmp_path, source)

    compiled = tmp_path / source.parent.relative_to("/") / "__pycache__"
    assert [file.name.partition(".")[0] for file in compiled.iterdir()] == ["__init__"]
