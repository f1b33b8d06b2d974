"""The evaluation: which methods are judged on what, and that it can be repeated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.color import merge_chroma, rgb_to_lab
from tests.conftest import MODEL_CHROMA, write_model
from tests.steerable import write_steerable_model
from training import corpus
from training.baselines import locate, look_up_hints
from training.errors import CorpusError
from training.evaluate import (
    ORIGINAL,
    Method,
    Original,
    SetResult,
    evaluate,
    generate_test_sets,
    load_models,
    read_test_sets,
)

HINTS = ["1 hint", "5 hints", "10 hints", "50 hints"]
PALETTES = ["true palette", "true palette without shares", "random palette of the book"]


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Two of a corpus, without flat shapes at this size, and one of two that are equally light."""
    shapes = np.full((48, 40, 3), (60, 122, 75), np.uint8)
    shapes[:, 30:] = (40, 110, 200)
    return [*(corpus.generate_picture("geometric", 3, index, 48, 40) for index in (0, 1)), shapes]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A folder with a model that takes everything, and one with models that take little."""
    new, old = tmp_path_factory.mktemp("new"), tmp_path_factory.mktemp("old")
    write_steerable_model(new, "v12")
    write_model(old, "v12")
    write_steerable_model(old, "v2", ("lightness", "palette"), ("chroma",))
    return [new, old]


@pytest.fixture(scope="module")
def result(folders: list[Path], pictures: list[np.ndarray]) -> SetResult:
    return evaluate(load_models(folders), {"some": pictures})["some"]


def test_load_models_same_name_in_another_folder(folders: list[Path]) -> None:
    models = load_models(folders)

    assert list(models) == ["v12", "v2", str(folders[1] / "v12")]
    assert models["v2"].card_path == folders[1] / "v2.json"
    assert models["v12"].card_path == folders[0] / "v12.json"


def test_evaluate_asks_each_model_for_what_it_can_do(
    result: SetResult, folders: list[Path]
) -> None:
    tasks: dict[str, list[str]] = {}
    for name, task in result.scores:
        tasks.setdefault(name, []).append(task)

    assert tasks == {
        "original": [""],
        "grey": [""],
        "mean colour": [""],
        "lightness table": ["true palette", "random palette of the book"],
        "hint table": HINTS,
        "Levin et al. 2004": HINTS,
        "v12": ["automatic", "best of 8", *PALETTES, *HINTS],
        "v2": ["automatic", *PALETTES],
        str(folders[1] / "v12"): ["automatic"],
    }


def test_evaluate_scores_every_picture(result: SetResult, pictures: list[np.ndarray]) -> None:
    for scores in result.scores.values():
        assert all(values.shape == (len(pictures),) for values in scores.values())
    assert "hint_error" in result.scores[Method("v12", "5 hints")]
    assert "palette_obedience" in result.scores[Method("v2", "true palette")]
    assert not result.scores[Method("v12", "automatic")].keys() & {
        "hint_error",
        "palette_obedience",
    }


def test_evaluate_original_is_perfect(result: SetResult) -> None:
    scores = result.scores[ORIGINAL]
    assert not scores["ciede2000"].any()
    np.testing.assert_array_equal(scores["leak"], [np.nan, np.nan, 0])
    assert (scores["psnr"] == 100).all()


def test_evaluate_counts_borders_of_equal_lightness(result: SetResult) -> None:
    assert result.borders == (48, 48)


def test_evaluate_true_hints_hold_where_they_are(result: SetResult) -> None:
    """A hint is one of many for the table; for Levin's method it is a constraint."""
    assert (result.scores[Method("hint table", "1 hint")]["hint_error"] < 0.5).all()
    assert (result.scores[Method("Levin et al. 2004", "50 hints")]["hint_error"] < 0.5).all()
    assert (result.scores[Method("grey")]["ciede2000"] > 1).all()


def test_evaluate_best_of_8_is_never_worse_than_the_first(result: SetResult) -> None:
    best = result.scores[Method("v12", "best of 8")]["ciede2000"]
    automatic = result.scores[Method("v12", "automatic")]["ciede2000"]
    assert (best <= automatic).all()
    assert (best < automatic).any()


def test_evaluate_one_colour_has_one_hue(result: SetResult, folders: list[Path]) -> None:
    """The plain model paints `MODEL_CHROMA` everywhere."""
    scores = result.scores[Method(str(folders[1] / "v12"), "automatic")]
    assert np.hypot(*MODEL_CHROMA) > 5
    assert scores["hue_entropy"].max() < 0.5
    np.testing.assert_allclose(scores["flat_spread"], [np.nan, np.nan, 0], atol=0.1)
    assert scores["lightness_error"].max() < 0.3


def test_evaluate_again_gives_the_same(
    result: SetResult, folders: list[Path], pictures: list[np.ndarray]
) -> None:
    again = evaluate(load_models(folders), {"some": pictures})["some"]

    assert again.borders == result.borders
    for method, scores in result.scores.items():
        for measure, values in scores.items():
            np.testing.assert_array_equal(again.scores[method][measure], values)


def test_evaluate_scores_of_hints_are_means_over_draws(
    result: SetResult, pictures: list[np.ndarray]
) -> None:
    original = Original.study(pictures[0], 0)
    chroma = [look_up_hints(original.lightness, hints[:5]) for hints in original.hints]
    colored = [np.asarray(merge_chroma(original.lightness, plane), np.uint8) for plane in chroma]
    differences = [original.difference(rgb) for rgb in colored]

    assert len(set(differences)) == 3
    scores = result.scores[Method("hint table", "5 hints")]
    assert scores["ciede2000"][0] == pytest.approx(np.mean(differences))


def test_study_hints_are_true_colours_of_different_pixels(pictures: list[np.ndarray]) -> None:
    original = Original.study(pictures[0], 0)

    assert original.hints.shape == (3, 50, 5)
    assert not np.array_equal(original.hints[0], original.hints[1])
    for hints in original.hints:
        pixels = locate(hints, *original.lightness.shape)
        assert len(set(zip(*pixels, strict=True))) == 50
        np.testing.assert_array_equal(hints[:, 2:4], original.lab[pixels][:, 1:])
        assert (hints[:, 4] == 1).all()
    other = Original.study(pictures[0], 1)
    assert not np.array_equal(original.hints, other.hints)


def test_study_picture_of_few_pixels_has_a_hint_for_each() -> None:
    original = Original.study(np.full((3, 4, 3), 90, np.uint8), 0)
    assert original.hints.shape == (3, 12, 5)


def test_difference_is_that_of_the_pictures(pictures: list[np.ndarray]) -> None:
    original = Original.study(pictures[0], 0)
    assert original.difference(pictures[0]) == 0
    assert original.difference(255 - pictures[0]) > 5


def test_generate_test_sets_of_each_kind() -> None:
    sets = generate_test_sets(1)
    assert {name: [picture.shape for picture in drawn] for name, drawn in sets.items()} == {
        "geometric": [(256, 256, 3)],
        "fluid": [(256, 256, 3)],
    }


def test_read_test_sets_folder_of_folders(tmp_path: Path) -> None:
    for index, kind in enumerate(("fluid", "fluid", "geometric")):
        folder = tmp_path / "pictures" / kind
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (400, 96), (index, 90, 10)).save(folder / f"{index}.png")
    (tmp_path / "pictures" / "notes.txt").write_text("skipped")

    test_sets = read_test_sets(tmp_path / "pictures")

    assert {name: len(pictures) for name, pictures in test_sets.items()} == {
        "pictures/fluid": 2,
        "pictures/geometric": 1,
    }
    assert test_sets["pictures/fluid"][0].shape == (61, 256, 3)


def test_read_test_sets_keeps_small_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    (rgb,) = read_test_sets(tmp_path)[tmp_path.name]
    np.testing.assert_allclose(rgb_to_lab(rgb)[0, 0], (53.24, 80.09, 67.20), atol=0.02)
    assert rgb.shape == (20, 30, 3)


def test_read_test_sets_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "[notes].txt").write_text("no picture")
    with pytest.raises(CorpusError, match=r"needs pictures\. Received: none in "):
        read_test_sets(tmp_path)
