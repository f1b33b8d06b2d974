"""What an evaluation comes to: means, confidence intervals, comparisons, headlines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.evaluate import (
    AUTOMATIC,
    BEST,
    HINT_TABLE,
    HINT_TASKS,
    LEVIN,
    LIGHTNESS_TABLE,
    NO_SHARES,
    ORIGINAL,
    TRUE_PALETTE,
    Method,
    SetResult,
)

Float64 = NDArray[np.float64]
Results = Mapping[str, SetResult]
"""By the names of the test sets."""

RESAMPLES = 2_000
CONFIDENCE = 95
"""In percent, of all intervals."""

COLUMNS = {
    "ciede2000": "CIEDE2000",
    "psnr": "PSNR (dB)",
    "colorfulness_ratio": "colourfulness ratio",
    "flat_spread": "spread in flat shapes",
    "leak": "leak",
    "hue_entropy": "hue entropy (bits)",
    "lightness_error": "mean dL*",
    "hint_error": "CIEDE2000 at hints",
    "palette_obedience": "palette obeyed (%)",
}
BASELINES = (LIGHTNESS_TABLE, HINT_TABLE, LEVIN)
RIVALS = {
    TRUE_PALETTE: (Method(LIGHTNESS_TABLE, TRUE_PALETTE),),
    # The table does not look at shares.
    NO_SHARES: (Method(LIGHTNESS_TABLE, TRUE_PALETTE),),
    **{task: (Method(HINT_TABLE, task), Method(LEVIN, task)) for task in HINT_TASKS.values()},
}
"""Task of a model -> who does it without a network."""
CROSS_TASKS = (AUTOMATIC, BEST, TRUE_PALETTE, HINT_TASKS[10])
HEADLINE = {
    "automatic_colorfulness_ratio": (AUTOMATIC, "colorfulness_ratio"),
    "automatic_flat_spread": (AUTOMATIC, "flat_spread"),
    "best_of_8_ciede2000": (BEST, "ciede2000"),
    "true_palette_ciede2000": (TRUE_PALETTE, "ciede2000"),
    "10_hints_ciede2000": (HINT_TASKS[10], "ciede2000"),
}


class Estimate(NamedTuple):
    """A figure and its confidence interval, from a bootstrap over pictures."""

    value: float
    lowest: float
    highest: float


def summarize(result: SetResult, method: Method) -> dict[str, float]:
    """Average a method's scores over a set, for each of `COLUMNS`.

    What cannot be measured of a picture, such as the spread in flat shapes where
    it has none, is left out there; it is not a number where all pictures lack it.
    """
    scores = result.scores[method]
    # Of the set, not of each picture: an original that is nearly grey has no ratio.
    original = _mean(result.scores[ORIGINAL]["colorfulness"])
    ratio = _mean(scores["colorfulness"]) / original if original else math.nan
    means = {key: _mean(values) for key, values in scores.items()}
    means["colorfulness_ratio"] = ratio
    return {key: means.get(key, math.nan) for key in COLUMNS}


def estimate_mean(values: Float64) -> Estimate:
    """Estimate the mean over all pictures that are like these.

    Parameters
    ----------
    values : ndarray of float64, shape (pictures,)
    """
    return _estimate(float(values.mean()), values[_resample(len(values))].mean(axis=1))


def compare(values: Float64, rival: Float64) -> Estimate:
    """Estimate by how many percent the mean is larger than a rival's.

    Parameters
    ----------
    values, rival : ndarray of float64, shape (pictures,)
        Of the same pictures: what makes a picture hard for both tells nothing.

    Returns
    -------
    Estimate
        Not a number when the rival is perfect.
    """
    drawn = _resample(len(values))
    means, rival_means = values[drawn].mean(axis=1), rival[drawn].mean(axis=1)
    # Of grey pictures every method makes the same.
    differs = rival_means > 0
    if not differs.any():
        return Estimate(math.nan, math.nan, math.nan)
    ratios = means[differs] / rival_means[differs]
    return _estimate(float(100 * (values.mean() / rival.mean() - 1)), 100 * (ratios - 1))


def compare_with_rivals(result: SetResult, method: Method) -> dict[str, Estimate]:
    """Compare a model's CIEDE2000 with that of those who do its task without a network."""
    if method.name in BASELINES:
        return {}
    values = result.scores[method]["ciede2000"]
    return {
        rival.name: compare(values, result.scores[rival]["ciede2000"])
        for rival in RIVALS.get(method.task, ())
    }


def cross(results: Results) -> dict[Method, dict[str, float]]:
    """Average CIEDE2000 on each set and on all sets together, for `CROSS_TASKS`, task by task."""
    methods = next(iter(results.values())).scores
    table = {}
    for method in sorted(
        (method for method in methods if method.task in CROSS_TASKS),
        key=lambda method: CROSS_TASKS.index(method.task),
    ):
        of_sets = {name: result.scores[method]["ciede2000"] for name, result in results.items()}
        if len(of_sets) > 1:
            name_of_all = "both" if len(of_sets) == 2 else "all"
            of_sets[name_of_all] = np.concatenate(list(of_sets.values()))
        table[method] = {name: float(values.mean()) for name, values in of_sets.items()}
    return table


def headline(results: Results, model_name: str) -> dict[str, float]:
    """Choose the few figures that tell how good a model is.

    Returns
    -------
    dict of float
        By test set and measure, as in ``geometric_true_palette_ciede2000``;
        without those that the model cannot do.
    """
    figures = {
        f"{set_name}_{figure}": summarize(result, Method(model_name, task))[measure]
        for set_name, result in results.items()
        for figure, (task, measure) in HEADLINE.items()
        if Method(model_name, task) in result.scores
    }
    return {name: round(figure, 3) for name, figure in figures.items() if not math.isnan(figure)}


def equally_light_percent(result: SetResult) -> float:
    """Return the share of borders at which lightness does not tell, in percent.

    Not a number when no two flat shapes meet; see `metrics.count_borders`.
    """
    hard, borders = result.borders
    return 100 * hard / borders if borders else math.nan


def _resample(count: int) -> NDArray[np.intp]:
    """Draw as many pictures as there are, with replacement: (RESAMPLES, count)."""
    return np.random.default_rng(0).integers(0, count, (RESAMPLES, count))


def _estimate(value: float, resampled: Float64) -> Estimate:
    beyond = (100 - CONFIDENCE) / 2
    lowest, highest = np.percentile(resampled, [beyond, 100 - beyond])
    return Estimate(value, float(lowest), float(highest))


def _mean(values: Float64) -> float:
    measured = values[~np.isnan(values)]
    return float(measured.mean()) if measured.size else math.nan
