"""What an evaluation comes to: figures by hand, tables, JSON and cards."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from service.card import ModelCard
from service.colorizer import Registry
from tests.conftest import write_model
from training.evaluate import ORIGINAL, Method, SetResult, load_models
from training.report import write_cards, write_report
from training.summary import (
    COLUMNS,
    compare,
    compare_with_rivals,
    cross,
    equally_light_percent,
    estimate_mean,
    headline,
    summarize,
)

TABLE = Method("lightness table", "true palette")
PLACED = Method("v12", "true palette")
AUTOMATIC = Method("v12", "automatic")


def scores_of(
    ciede2000: list[float], colorfulness: float, **others: float
) -> dict[str, np.ndarray]:
    values = {"psnr": 20, "flat_spread": math.nan, "leak": 1, "hue_entropy": 2, **others}
    return {
        "ciede2000": np.array(ciede2000, float),
        "colorfulness": np.full(len(ciede2000), colorfulness),
        "lightness_error": np.zeros(len(ciede2000)),
        **{key: np.full(len(ciede2000), float(value)) for key, value in values.items()},
    }


def result_of(*ciede2000: float, borders: tuple[int, int] = (1, 8)) -> SetResult:
    """A set where the model is half as far from the original as the table."""
    of_table = [2 * value for value in ciede2000]
    scores = {
        ORIGINAL: scores_of([0] * len(ciede2000), 50),
        TABLE: scores_of(of_table, 40, palette_obedience=100),
        AUTOMATIC: scores_of([30] * len(ciede2000), 60),
        PLACED: scores_of(list(ciede2000), 45, palette_obedience=98.5),
    }
    return SetResult(scores, borders)


RESULTS = {"geometric": result_of(4, 6, 5), "fluid": result_of(8)}


def test_summarize_means_and_what_does_not_apply() -> None:
    summary = summarize(RESULTS["geometric"], PLACED)

    assert list(summary) == list(COLUMNS)
    assert summary["ciede2000"] == 5
    assert summary["colorfulness_ratio"] == pytest.approx(0.9)
    assert summary["palette_obedience"] == 98.5
    assert math.isnan(summary["flat_spread"])
    assert math.isnan(summary["hint_error"])


def test_summarize_leaves_out_pictures_that_cannot_be_measured() -> None:
    result = result_of(1, 2, 3)
    result.scores[PLACED]["flat_spread"] = np.array([1, math.nan, 3])
    assert summarize(result, PLACED)["flat_spread"] == 2


def test_summarize_grey_originals_have_no_ratio() -> None:
    result = result_of(1)
    result.scores[ORIGINAL]["colorfulness"] = np.zeros(1)
    assert math.isnan(summarize(result, PLACED)["colorfulness_ratio"])


def test_estimate_mean_of_many_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(1).normal(10, 2, 400)
    estimate = estimate_mean(values)

    margin = 1.96 * values.std() / 20
    assert estimate.value == values.mean()
    assert estimate.lowest == pytest.approx(values.mean() - margin, abs=0.02)
    assert estimate.highest == pytest.approx(values.mean() + margin, abs=0.02)
    assert estimate_mean(values) == estimate


def test_compare_pairs_pictures() -> None:
    """Always a quarter less, however much pictures differ: nothing is uncertain."""
    rival = np.random.default_rng(1).uniform(1, 30, 20)
    assert compare(0.75 * rival, rival) == pytest.approx((-25, -25, -25))


def test_compare_interval_holds_the_difference() -> None:
    rng = np.random.default_rng(1)
    rival = rng.uniform(9, 11, 50)
    estimate = compare(rival * rng.uniform(0.8, 1.1, 50), rival)
    assert -12 < estimate.lowest < estimate.value < estimate.highest < 0


def test_compare_perfect_rival_is_not_a_number() -> None:
    assert all(math.isnan(part) for part in compare(np.ones(3), np.zeros(3)))


def test_compare_with_rivals_only_what_has_some() -> None:
    result = RESULTS["geometric"]
    assert list(compare_with_rivals(result, PLACED)) == ["lightness table"]
    assert compare_with_rivals(result, PLACED)["lightness table"].value == -50
    assert compare_with_rivals(result, AUTOMATIC) == {}
    assert compare_with_rivals(result, TABLE) == {}


def test_cross_on_each_set_and_on_both() -> None:
    table = cross(RESULTS)

    assert list(table) == [AUTOMATIC, TABLE, PLACED]
    assert table[PLACED] == {"geometric": 5, "fluid": 8, "both": (4 + 6 + 5 + 8) / 4}
    assert cross({"real": RESULTS["fluid"]})[PLACED] == {"real": 8}
    assert list(cross({**RESULTS, "real": result_of(1)})[PLACED])[-1] == "all"


def test_headline_of_what_the_model_can_do() -> None:
    assert headline(RESULTS, "v12") == {
        "geometric_automatic_colorfulness_ratio": 1.2,
        "geometric_true_palette_ciede2000": 5.0,
        "fluid_automatic_colorfulness_ratio": 1.2,
        "fluid_true_palette_ciede2000": 8.0,
    }


def test_equally_light_percent() -> None:
    assert equally_light_percent(RESULTS["geometric"]) == 12.5
    assert math.isnan(equally_light_percent(result_of(1, borders=(0, 0))))


def test_write_report_markdown(tmp_path: Path) -> None:
    markdown = write_report(RESULTS, tmp_path / "out")

    assert (tmp_path / "out" / "evaluation.md").read_text() == markdown
    assert "| v12, true palette | 5.00 | 8.00 | 5.75 |" in markdown
    assert "## geometric (3 pictures)" in markdown
    assert "| v12, true palette | -50.0 (-50.0 to -50.0) | – | – |" in markdown
    assert "12.5 % are between shapes" in markdown
    row = "8.00 (8.00 to 8.00) | 20.00 | 0.90 | – | 1.00 | 2.00 | 0.00 | – | 98.50"
    assert f"| v12, true palette | {row} |" in markdown
    tables = [line for line in markdown.splitlines() if line.startswith("|  | CIEDE2000")]
    assert tables == ["|  | " + " | ".join(COLUMNS.values()) + " |"] * 2


def test_write_report_json(tmp_path: Path) -> None:
    write_report(RESULTS, tmp_path)

    report = json.loads((tmp_path / "evaluation.json").read_text())
    assert report["cross"]["v12, true palette"] == {"geometric": 5, "fluid": 8, "both": 5.75}
    geometric = report["sets"]["geometric"]
    assert geometric["pictures"] == 3
    assert geometric["equally_light_borders_percent"] == 12.5
    placed = geometric["methods"]["v12, true palette"]
    assert placed["flat_spread"] is None
    assert placed["ciede2000"] == 5
    lowest, highest = placed["ciede2000_interval"]
    assert 4 <= lowest < 5 < highest <= 6
    difference = {"value": -50, "lowest": -50, "highest": -50}
    assert placed["ciede2000_percent_against"] == {"lightness table": difference}


def test_write_report_what_is_not_a_number_is_left_empty(tmp_path: Path) -> None:
    """Grey originals: the table is perfect, no shapes meet, nothing has a ratio."""
    result = result_of(0, borders=(0, 0))
    result.scores[ORIGINAL]["colorfulness"] = np.zeros(1)

    markdown = write_report({"grey": result}, tmp_path)

    assert "No two flat shapes meet in these pictures." in markdown
    assert "nan" not in markdown
    report = json.loads((tmp_path / "evaluation.json").read_text())["sets"]["grey"]
    assert report["equally_light_borders_percent"] is None
    against = report["methods"]["v12, true palette"]["ciede2000_percent_against"]
    assert against == {"lightness table": {"value": None, "lowest": None, "highest": None}}


def test_write_report_without_models_compares_nothing(tmp_path: Path) -> None:
    result = RESULTS["fluid"]
    baselines = {key: value for key, value in result.scores.items() if key.name != "v12"}
    markdown = write_report({"fluid": SetResult(baselines, (0, 0))}, tmp_path)
    assert "against what needs no network" not in markdown


def test_write_cards_adds_the_headline(tmp_path: Path) -> None:
    before = write_model(tmp_path, "v12")
    assert before.evaluation == {}

    write_cards(RESULTS, load_models([tmp_path]))

    card = ModelCard.model_validate_json((tmp_path / "v12.json").read_bytes())
    assert card.evaluation == headline(RESULTS, "v12")
    assert card.model_copy(update={"evaluation": {}}) == before
    assert Registry.load(tmp_path, intra_op_threads=1).get("v12").card == card
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["v12.json", "v12.onnx"]
