"""The report of an evaluation: Markdown for people, JSON for programs, figures for the cards."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from training.evaluate import ORIGINAL, Contender, Method, SetResult
from training.files import replace_file
from training.metrics import EQUAL_LIGHTNESS, OTHER_COLOR, RIM_WIDTH
from training.summary import (
    BASELINES,
    COLUMNS,
    CONFIDENCE,
    Estimate,
    Results,
    compare_with_rivals,
    cross,
    equally_light_percent,
    estimate_mean,
    headline,
    summarize,
)

NOTHING = "–"

EXPLANATION = f"""\
Made by `make evaluate`: the models as they are served, at 256 pixels for the longer side. Means
over the pictures, with {CONFIDENCE} % intervals of a bootstrap over pictures. Definitions:
`training/metrics.py` and `training/baselines.py`.

- *automatic*: the model chooses the colours. Others than the original's may be as good: what
  counts is whether it is as colourful (ratio near 1), as even inside flat shapes (spread) and as
  tight at borders (leak) as the original. *Best of 8*: the one of the first eight variations
  that is nearest to the original.
- *true palette*: the original's six colours (k-means) with their shares; *without shares* all
  weigh 1, as colours do that people name.
- *n hints*: true colours at n random pixels, the same for all methods; means over three draws.
- *lightness table*: each pixel takes the palette's colours that are nearest in lightness, softly.
  *Hint table*: the hints that are near in lightness and in place. *Levin et al. 2004*: hints
  spread by optimisation.
- *random palette of the book*: one of 16 that the last model with variations would place on the
  picture; the same for all methods. Here what counts is whether it is obeyed.
- *leak*: how much farther the a\\*b\\* of a flat shape's rim, {RIM_WIDTH} pixels wide, is from that
  of the shape than in the original.
- *CIEDE2000 at hints*: how exactly a hint's colour holds at its own pixel. *Palette obeyed*: share
  of the coloured pixels whose hue is one of the palette's, or between two neighbours on the hue
  circle."""


def write_report(results: Results, folder: Path) -> str:
    """Write ``evaluation.md`` and ``evaluation.json``; return the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    markdown = "\n".join(_lines(results)) + "\n"
    with replace_file(folder / "evaluation.md") as path:
        path.write_text(markdown)
    with replace_file(folder / "evaluation.json") as path:
        path.write_text(json.dumps(_as_json(results), indent=2, allow_nan=False) + "\n")
    return markdown


def write_cards(results: Results, models: Mapping[str, Contender]) -> None:
    """Put each model's headline into its card, as `evaluation`."""
    for name, (colorizer, card_path) in models.items():
        card = colorizer.card.model_copy(update={"evaluation": headline(results, name)})
        with replace_file(card_path) as path:
            path.write_text(card.model_dump_json(indent=2) + "\n")


def _lines(results: Results) -> Iterable[str]:
    yield from ("# Evaluation", "", EXPLANATION, "")
    yield from ("## CIEDE2000 of each on each", "")
    yield from _cross_table(results)
    for name, result in results.items():
        yield from ("", f"## {name} ({_count(result)} pictures)", "")
        yield from (_say_how_hard(result), "")
        yield from _score_table(result)
        comparison = _comparison_table(result)
        if comparison:
            yield from ("", f"CIEDE2000 on {name}, against what needs no network, in percent:", "")
            yield from comparison


def _cross_table(results: Results) -> list[str]:
    table = cross(results)
    columns = next(iter(table.values()))
    rows = [
        [str(method), *(f"{mean:.2f}" for mean in means.values())]
        for method, means in table.items()
    ]
    return _table(columns, rows)


def _say_how_hard(result: SetResult) -> str:
    percent = equally_light_percent(result)
    if math.isnan(percent):
        return "No two flat shapes meet in these pictures."
    return (
        f"Of the borders where two flat shapes meet, {percent:.1f} % are between shapes that are\n"
        f"equally light (within {EQUAL_LIGHTNESS:g} L\\*) and differ in colour (by more than "
        f"{OTHER_COLOR:g} in a\\*b\\*):\nthere lightness does not tell one from the other."
    )


def _score_table(result: SetResult) -> list[str]:
    rows = []
    for method in result.scores:
        cells = {
            key: NOTHING if math.isnan(mean) else f"{mean:.2f}"
            for key, mean in summarize(result, method).items()
        }
        _, lowest, highest = estimate_mean(result.scores[method]["ciede2000"])
        cells["ciede2000"] += f" ({lowest:.2f} to {highest:.2f})"
        rows.append([str(method), *cells.values()])
    return _table(COLUMNS.values(), rows)


def _comparison_table(result: SetResult) -> list[str]:
    """Compare each task of each model with its rivals; nothing where there are no models."""
    rows = []
    for method in result.scores:
        found = compare_with_rivals(result, method)
        if found:
            cells = (_say_percent(found[name]) if name in found else NOTHING for name in BASELINES)
            rows.append([str(method), *cells])
    return _table(BASELINES, rows) if rows else []


def _say_percent(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return NOTHING
    return f"{estimate.value:+.1f} ({estimate.lowest:+.1f} to {estimate.highest:+.1f})"


def _table(columns: Iterable[str], rows: list[list[str]]) -> list[str]:
    header = ["", *columns]
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _count(result: SetResult) -> int:
    return len(result.scores[ORIGINAL]["ciede2000"])


def _as_json(results: Results) -> dict[str, Any]:
    return {
        "sets": {
            name: {
                "pictures": _count(result),
                "equally_light_borders_percent": _or_null(equally_light_percent(result)),
                "methods": {str(method): _describe(result, method) for method in result.scores},
            }
            for name, result in results.items()
        },
        "cross": {str(method): means for method, means in cross(results).items()},
    }


def _describe(result: SetResult, method: Method) -> dict[str, Any]:
    rivals = compare_with_rivals(result, method)
    return {
        **{key: _or_null(mean) for key, mean in summarize(result, method).items()},
        "ciede2000_interval": estimate_mean(result.scores[method]["ciede2000"])[1:],
        "ciede2000_percent_against": {
            name: {part: _or_null(value) for part, value in estimate._asdict().items()}
            for name, estimate in rivals.items()
        },
    }


def _or_null(value: float) -> float | None:
    """JSON has no way to say that something is not a number."""
    return None if math.isnan(value) else value
