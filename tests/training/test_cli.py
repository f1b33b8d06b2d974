"""The training commands as a user meets them: help, refusals in one line, files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main
from PIL import Image
from typer.testing import CliRunner

from service.colorizer import Registry
from tests.conftest import write_model
from training.__main__ import app, main

GROUP: Any = typer.main.get_command(app)

Call = Callable[..., str]
"""Runs a command that must fail with exit status 1; returns what it said."""


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def run_and_fail(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 1
        said = capsys.readouterr()
        assert said.out == ""
        errors = [line for line in said.err.splitlines() if "error:" in line]
        assert len(errors) == 1
        return errors[0]

    return run_and_fail


def complain(*arguments: object) -> str:
    """Run a command whose arguments are wrong; return what it said, in one line."""
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(value) for value in arguments])
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    return " ".join(result.stderr.split())


# Help


def test_help_lists_every_command() -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["--help"])

    assert result.exit_code == 0
    for name, command in GROUP.commands.items():
        assert name in result.stdout
        assert command.help.partition("\n")[0] in result.stdout


@pytest.mark.parametrize("name", GROUP.commands)
def test_help_describes_every_option(name: str) -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [name, "--help"])

    assert result.exit_code == 0
    for parameter in GROUP.commands[name].params:
        assert all(option in result.stdout for option in parameter.opts)
        assert parameter.help in result.stdout


# Arguments that are wrong in themselves


def test_corpus_unknown_kind_names_it_and_the_known_ones(tmp_path: Path) -> None:
    said = complain("corpus", "--kind", "cubist", "--out", tmp_path)

    assert "'--kind'" in said
    assert "'cubist' is not one of 'geometric', 'fluid'" in said


def test_fit_unknown_model_names_it_and_the_known_ones(tmp_path: Path) -> None:
    said = complain("fit", "v3", "--out", tmp_path)

    assert "'v3' is not one of 'v1', 'v2', 'v12'" in said


@pytest.mark.parametrize(
    ("arguments", "option", "rule"),
    [
        (("corpus", "--kind", "fluid", "--count", 0), "--count", "greater than or equal to 1"),
        (("corpus", "--kind", "fluid", "--side", 5000), "--side", "less than or equal to 4096"),
        (("corpus", "--kind", "fluid", "--seed", -1), "--seed", "greater than or equal to 0"),
        (("fit", "v1", "--count", 2), "--count", "greater than or equal to 3"),
        (("train", "--epochs", 0), "--epochs", "greater than or equal to 1"),
        (("train", "--epochs", "many"), "--epochs", "valid integer"),
        (("evaluate", "--count", 0), "--count", "greater than or equal to 1"),
    ],
)
def test_number_out_of_range_names_option_and_rule(
    arguments: tuple[object, ...], option: str, rule: str, tmp_path: Path
) -> None:
    said = complain(*arguments, "--out", tmp_path / "out")

    assert f"'{option}'" in said
    assert rule in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (("corpus", "--kind", "fluid"), "--out"),
        (("corpus", "--out", "there"), "--kind"),
        (("fit", "v1"), "--out"),
        (("export",), "run"),
    ],
)
def test_missing_argument_is_named(arguments: tuple[str, ...], missing: str) -> None:
    said = complain(*arguments)

    assert "Missing" in said
    assert missing in said


def test_ablate_unknown_change_names_it_and_the_known_ones(tmp_path: Path) -> None:
    said = complain("ablate", "--only", "cubist", "--out", tmp_path / "out")

    assert "--only" in said
    assert "must be of standard, deep, " in said
    assert "Received: cubist" in said
    assert not (tmp_path / "out").exists()


# Folders that cannot serve


def test_fit_corpus_that_does_not_exist(refuse: Call, tmp_path: Path) -> None:
    said = refuse("fit", "v1", "--out", tmp_path / "run", "--corpus", tmp_path / "nowhere")

    assert said == f"error: a corpus must be a folder. Received: {tmp_path / 'nowhere'}"
    assert not (tmp_path / "run").exists()


def test_fit_corpus_with_markup_in_its_name(refuse: Call, tmp_path: Path) -> None:
    """Rich would take the brackets for a style, and break long lines."""
    folder = tmp_path / "[bold]" / ("long" * 40) / "[/red]"

    said = refuse("fit", "v1", "--out", tmp_path / "run", "--corpus", folder)

    assert said == f"error: a corpus must be a folder. Received: {folder}"


def test_fit_corpus_without_pictures(refuse: Call, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")

    said = refuse("fit", "v1", "--out", tmp_path / "run", "--corpus", tmp_path)

    assert said == (
        "error: a corpus needs at least 3 pictures. "
        f"Received: 0 readable ones of 1 files in {tmp_path}"
    )


def test_corpus_folder_that_is_a_file(refuse: Call, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")

    said = refuse("corpus", "--kind", "fluid", "--count", 1, "--out", path)

    assert said.startswith("error: ")
    assert str(path) in said
    assert path.read_text() == "mine"


@pytest.mark.parametrize("command", ["evaluate", "gallery"])
@pytest.mark.parametrize("folder", ["empty", "nowhere"])
def test_models_folder_without_models(
    command: str, folder: str, refuse: Call, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()

    said = refuse(command, "--models", tmp_path / folder, "--out", tmp_path / "out")

    assert said == f"error: {tmp_path / folder}: no *.onnx file in this folder"
    assert not (tmp_path / "out").exists()


def test_gallery_model_that_is_missing(refuse: Call, tmp_path: Path) -> None:
    write_model(tmp_path, "v1")
    Image.new("RGB", (40, 40), "red").save(tmp_path / "red.png")

    said = refuse(
        *("gallery", "--models", tmp_path, "--samples", tmp_path, "--out", tmp_path / "out.jpg")
    )

    assert said == "error: `model` must be one of v1. Received: v2"


def test_evaluate_corpus_that_does_not_exist(
    refuse: Call, models_dir: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "nowhere"

    said = refuse(
        *("evaluate", "--models", models_dir, "--corpus", missing, "--out", tmp_path / "out")
    )

    assert said == f"error: a corpus must be a folder. Received: {missing}"


@pytest.mark.parametrize("command", [("export",), ("curves", "--out", "curves.png")])
def test_run_folder_without_a_run(command: tuple[str, ...], refuse: Call, tmp_path: Path) -> None:
    said = refuse(*command, tmp_path)

    assert said == f"error: no training was started in {tmp_path}: run.json is missing"


# Files that are written


def test_corpus_writes_as_many_pictures_as_asked(tmp_path: Path) -> None:
    out = tmp_path / "corpus"

    result = CliRunner().invoke(
        app, ["corpus", "--kind", "geometric", "--count", "2", "--side", "32", "--out", str(out)]
    )

    assert (result.exit_code, result.exception) == (0, None)
    assert [path.name for path in sorted(out.glob("*.png"))] == [
        "geometric-00000.png",
        "geometric-00001.png",
    ]
    with Image.open(out / "geometric-00001.png") as image:
        assert image.size == (32, 32)


def test_samples_writes_colour_and_grey(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["samples", "--out", str(tmp_path)])

    assert (result.exit_code, result.exception) == (0, None)
    assert len(list(tmp_path.glob("*-grey.jpg"))) == 8
    assert len(list(tmp_path.glob("*.jpg"))) == 16


def test_gallery_writes_a_picture(tmp_path: Path) -> None:
    for name in ("v1", "v2", "v12"):
        write_model(tmp_path, name)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "red.png")
    out = tmp_path / "results" / "gallery.png"

    result = CliRunner().invoke(
        app, ["gallery", "--models", str(tmp_path), "--samples", str(tmp_path), "--out", str(out)]
    )

    assert (result.exit_code, result.exception) == (0, None)
    with Image.open(out) as image:
        assert image.format == "PNG"


def test_evaluate_folder_prints_the_report_it_writes(models_dir: Path, tmp_path: Path) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    pictures.mkdir()
    Image.radial_gradient("L").convert("RGB").resize((32, 32)).save(pictures / "gradient.png")

    result = CliRunner().invoke(
        app,
        ["evaluate", "--models", str(models_dir), "--corpus", str(pictures), "--out", str(out)],
    )

    assert (result.exit_code, result.exception) == (0, None)
    assert result.stdout.strip() == (out / "evaluation.md").read_text().strip()
    assert "## pictures (1 pictures)" in result.stdout


def test_evaluate_writes_cards_only_of_generated_pictures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("training.evaluate.EVALUATION_SIDE", 48)
    for name in ("v1", "v12"):
        write_model(tmp_path, name)
    folders = ["--models", str(tmp_path), "--out", str(tmp_path / "out")]

    complaint = complain("evaluate", *folders, "--corpus", tmp_path, "--write-cards")
    assert "cards tell of generated pictures, not of those of --corpus" in complaint

    result = CliRunner().invoke(app, ["evaluate", *folders, "--count", "1", "--write-cards"])
    assert (result.exit_code, result.exception) == (0, None)
    for colorizer in Registry.load(tmp_path, intra_op_threads=1):
        assert {"geometric_automatic_colorfulness_ratio", "fluid_automatic_colorfulness_ratio"} <= (
            colorizer.card.evaluation.keys()
        )


def test_evaluate_several_folders_of_models(models_dir: Path, tmp_path: Path) -> None:
    write_model(tmp_path, "v12")
    Image.radial_gradient("L").convert("RGB").resize((32, 32)).save(tmp_path / "gradient.png")

    result = CliRunner().invoke(
        app,
        [
            *("evaluate", "--models", str(models_dir), "--models", str(tmp_path)),
            *("--corpus", str(tmp_path), "--out", str(tmp_path / "out")),
        ],
    )

    assert (result.exit_code, result.exception) == (0, None)
    for name in ("v1", "v12", tmp_path / "v12"):
        assert f"| {name}, automatic |" in result.stdout


def test_curves_writes_a_picture(finished_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "curves.png"

    result = CliRunner().invoke(app, ["curves", str(finished_run), "--out", str(out)])

    assert (result.exit_code, result.exception) == (0, None)
    with Image.open(out) as image:
        assert image.format == "PNG"
