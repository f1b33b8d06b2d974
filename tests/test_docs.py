"""What the documentation names exists: links, targets, settings, commands, modules, numbers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import typer.main

from service.card import ModelCard
from service.cli import KEY_VARIABLE
from service.settings import PREFIX, Settings
from training.__main__ import app
from training.recipes import RECIPES, Recipe

ROOT = Path(__file__).parents[1]
NOT_OURS = {"runs", "build", "dist"}

README = ROOT / "README.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
TRAINING = ROOT / "docs" / "training.md"


def markdown_files() -> Iterator[Path]:
    for child in sorted(ROOT.iterdir()):
        if child.is_dir() and child.name not in NOT_OURS and not child.name.startswith("."):
            yield from sorted(child.rglob("*.md"))
        elif child.suffix == ".md":
            yield child


DOCUMENTS = list(markdown_files())
each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def prose(document: Path) -> str:
    """All but fenced code."""
    return re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(document: Path) -> list[str]:
    """Lines of fenced and indented code, comments taken off, and code in the text."""
    text = document.read_text()
    fences = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    (\S.*)", text, flags=re.MULTILINE)
    lines = [line for code in fences for line in code.splitlines()] + indented
    return [line.partition(" #")[0] for line in lines] + re.findall(r"`([^`\n]+)`", prose(document))


def headings(document: Path) -> set[str]:
    """Anchors of a document's headings, as forges make them."""
    titles = re.findall(r"^#+ (.+)", prose(document), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def section(document: Path, title: str) -> str:
    return prose(document).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def table_rows(text: str) -> list[list[str]]:
    return [row.split(" | ") for row in re.findall(r"^\| (.+) \|$", text, flags=re.MULTILINE)]


@each_document
def test_relative_links_resolve(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = document.parent / path if path else document
        assert target.exists(), link
        if anchor:
            assert anchor in headings(target), link


@each_document
def test_make_targets_and_variables_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    for command in commands(document):
        for target, rest in re.findall(r"(?:^|[\s;&|])make ([a-z][\w-]*)(.*)", command):
            assert target in targets, command
            for variable in re.findall(r"\b([A-Z]+)=", rest):
                assert f"$({variable})" in makefile, command


@each_document
def test_settings_exist(document: Path) -> None:
    settings = {PREFIX + name.upper() for name in Settings.model_fields} | {KEY_VARIABLE}
    named = re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", document.read_text())
    assert set(named) <= settings


@each_document
def test_uploaded_files_exist(document: Path) -> None:
    for command in commands(document):
        for path in re.findall(r"=@([^\s'\"]+)", command):
            if command.startswith("curl"):
                assert (ROOT / path).exists(), command


@each_document
def test_no_path_of_a_machine(document: Path) -> None:
    roots = r"(?:home|root|work|tmp|opt|mnt|usr|var|Users)"
    assert not re.findall(rf"(?<![\w.~:/])/{roots}/\S*", document.read_text())


@each_document
def test_training_commands_parse(document: Path) -> None:
    group = typer.main.get_command(app)
    for command in commands(document):
        _, found, line = command.partition("python -m training ")
        if found and "--help" not in line:
            name, *arguments = shlex.split(line)
            group.commands[name].make_context(name, arguments)


def test_training_document_shows_every_command() -> None:
    group = typer.main.get_command(app)
    shown = " ".join(commands(TRAINING))
    assert [name for name in group.commands if f"python -m training {name}" not in shown] == [
        "train"  # by `make train`
    ]


def test_readme_begins_with_what_to_do_and_a_picture() -> None:
    beginning = README.read_text().splitlines()[:25]

    assert any(line.startswith("make serve") for line in beginning)
    assert sum(line.startswith("curl ") for line in beginning) == 1
    assert any(re.match(r"!\[.+\]\(.+\)", line) for line in beginning)


@each_document
def test_nothing_is_left_to_fill_in(document: Path) -> None:
    assert not re.findall(r"@@|TODO|FIXME|TBD|XXX", document.read_text())


def test_module_tables_name_every_module() -> None:
    rows = table_rows(prose(ARCHITECTURE))
    named = [row[0].strip("`") for row in rows if row[0].endswith(".py`")]
    modules = [
        path.relative_to(ROOT).as_posix()
        for package in ("service", "training")
        for path in (ROOT / package).rglob("*.py")
    ]
    assert sorted(named) == sorted(modules)


def show(choice: bool | int | float | str | tuple[int, ...]) -> str:
    """A choice of a recipe as the table writes it."""
    if isinstance(choice, bool):
        return "yes" if choice else "no"
    if isinstance(choice, tuple):
        return ", ".join(map(show, choice))
    return f"{choice:,}" if isinstance(choice, int) else str(choice)


def test_recipe_table_has_every_choice() -> None:
    _, *rows = table_rows(section(TRAINING, "Recipes"))
    table = {name.split("`")[1]: shown for name, *shown in rows if "`" in name}
    for field in fields(Recipe):
        if field.name != "name":
            choices = [getattr(recipe, field.name) for recipe in RECIPES.values()]
            assert table[field.name] == [show(choice) for choice in choices], field.name


def test_card_table_has_every_field() -> None:
    text = section(TRAINING, "Export")
    assert [name for name in ModelCard.model_fields if f"`{name}`" not in text] == []
