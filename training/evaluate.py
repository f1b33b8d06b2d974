"""What the served models do on pictures: a table for people, and JSON.

The models are run as they are served, from their ONNX files through the
service's own pipeline, at 256 pixels for the longer side.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from service.color import apply_chroma, rgb_to_lab, split_lightness
from service.colorizer import Colorizer, Registry
from training import metrics
from training.book import extract_palette
from training.console import track
from training.corpus import FAMILIES, generate_picture
from training.errors import CorpusError
from training.files import replace_file
from training.pictures import list_files, read_pictures

Rgb = NDArray[np.uint8]
Method = Callable[[Rgb], NDArray[np.float32]]
"""From an original, of which it may use only what its name says, to chroma."""
Scores = dict[str, float]
Report = dict[str, dict[str, Scores]]
"""Test set -> method -> quantity -> mean over the pictures."""

EVALUATION_SIDE = 256
TABLE_SCALE = 4.0
TEST_SEED = 1_000
"""Of the generated test sets; no training uses it."""

COLUMNS = {
    "ciede2000": "CIEDE2000",
    "psnr": "PSNR (dB)",
    "colorfulness_ratio": "colourfulness ratio",
    "flat_spread": "spread in flat shapes",
    "lightness_error": "mean dL*",
}


def generate_test_sets(count: int) -> dict[str, list[Rgb]]:
    """Draw `count` pictures of each kind that no model was trained on."""
    return {
        kind: [
            generate_picture(kind, TEST_SEED, index, EVALUATION_SIDE, EVALUATION_SIDE)
            for index in track(range(count), f"drawing {kind} pictures")
        ]
        for kind in FAMILIES
    }


def read_test_sets(folder: Path) -> dict[str, list[Rgb]]:
    """Read a folder's pictures; each folder below it that has pictures is a set of its own.

    Raises
    ------
    CorpusError
        When there are no pictures, or no such folder.
    """
    sets: dict[str, list[Rgb]] = {}
    for path, rgb in read_pictures(list_files(folder), f"reading {folder}"):
        name = str(path.parent.relative_to(folder.parent))
        sets.setdefault(name, []).append(_shrink(rgb))
    if not sets:
        raise CorpusError(f"an evaluation needs pictures. Received: none in {folder}")
    return sets


def evaluate(registry: Registry, test_sets: dict[str, list[Rgb]]) -> Report:
    """Judge all models and their baselines on all test sets."""
    methods = _methods(registry)
    return {
        set_name: {
            method_name: _mean_scores(method, pictures, f"{method_name} on {set_name}")
            for method_name, method in methods.items()
        }
        for set_name, pictures in test_sets.items()
    }


def write_report(report: Report, counts: dict[str, int], folder: Path) -> str:
    """Write ``evaluation.md`` and ``evaluation.json``; return the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    markdown = _as_markdown(report, counts)
    with replace_file(folder / "evaluation.md") as path:
        path.write_text(markdown)
    with replace_file(folder / "evaluation.json") as path:
        path.write_text(json.dumps(report, indent=2) + "\n")
    return markdown


def _methods(registry: Registry) -> dict[str, Method]:
    methods: dict[str, Method] = {"grey": lambda _: np.zeros((1, 1, 2), np.float32)}
    for colorizer in registry:
        methods[colorizer.name] = partial(_choose_by_itself, colorizer)
    methods["lightness table, true palette"] = _look_up_lightness
    for colorizer in registry:
        if colorizer.takes_palette:
            methods[f"{colorizer.name}, true palette"] = partial(_place_true_palette, colorizer)
    return methods


def _choose_by_itself(colorizer: Colorizer, original: Rgb) -> NDArray[np.float32]:
    return colorizer.predict(split_lightness(original)).first


def _place_true_palette(colorizer: Colorizer, original: Rgb) -> NDArray[np.float32]:
    palette = extract_palette(rgb_to_lab(original))
    return colorizer.predict(split_lightness(original), palette).first


def _look_up_lightness(original: Rgb) -> NDArray[np.float32]:
    """Weight the colours by ``exp(-dL* / 4)``: the baseline of placing, without a network."""
    lightness, palette = split_lightness(original), extract_palette(rgb_to_lab(original))
    gap = np.abs(lightness[..., None] - palette[:, 0])  # (H, W, 6)
    weight = np.exp((gap.min(axis=-1, keepdims=True) - gap) / TABLE_SCALE)
    weight /= weight.sum(axis=-1, keepdims=True)
    return np.asarray(weight @ palette[:, 1:3])


def _mean_scores(method: Method, pictures: list[Rgb], description: str) -> Scores:
    scores = [
        _score(original, apply_chroma(split_lightness(original), method(original)))
        for original in track(pictures, description)
    ]
    means = {key: _mean([score[key] for score in scores]) for key in scores[0]}
    # Of the set, not of each picture: an original that is nearly grey has no ratio.
    original = means["original_colorfulness"]
    means["colorfulness_ratio"] = means["colorfulness"] / original if original else math.nan
    return {key: means[key] for key in COLUMNS}


def _mean(values: list[float]) -> float:
    """Average what can be measured: a picture without flat shapes has no spread in them."""
    measured = [value for value in values if not math.isnan(value)]
    return float(np.mean(measured)) if measured else float("nan")


def _score(original: Rgb, colored: Rgb) -> Scores:
    return {
        "ciede2000": metrics.ciede2000(original, colored),
        "psnr": metrics.psnr(original, colored),
        "colorfulness": metrics.colorfulness(colored),
        "original_colorfulness": metrics.colorfulness(original),
        "flat_spread": metrics.flat_spread(original, colored),
        "lightness_error": metrics.lightness_error(original, colored),
    }


def _as_markdown(report: Report, counts: dict[str, int]) -> str:
    lines = [
        "# Evaluation",
        "",
        "Made by `make evaluate`. Means over the pictures, at 256 pixels for the longer side;",
        "definitions: `training/metrics.py`. Without a palette the models choose the colours by",
        "themselves, and other colours than the original's may be as good; with its true palette",
        "(k-means, 6 colours) they only place it, as the lightness table does without a network.",
    ]
    for set_name, methods in report.items():
        header = ["", *COLUMNS.values()]
        lines += ["", f"## {set_name} ({counts[set_name]} pictures)", ""]
        lines += ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
        for method_name, scores in methods.items():
            cells = [method_name, *(f"{scores[key]:.2f}" for key in COLUMNS)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _shrink(rgb: Rgb) -> Rgb:
    """Bring the longer side to `EVALUATION_SIDE`, aspect kept; never enlarge."""
    scale = EVALUATION_SIDE / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA))
