"""What the served models do on pictures, beside what can be done without them.

The models are run as they are served, from their ONNX files through the
service's own pipeline, at 256 pixels for the longer side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from service.color import merge_chroma, rgb_to_lab, split_lightness
from service.colorizer import Colorizer, Registry
from service.palettes import extract_palette
from service.pipeline import merge_look, predict_look
from service.settings import available_cores
from service.steering import DEFAULT_LOOK, Look
from training import metrics
from training.baselines import locate, look_up_hints, paint_grey, paint_mean, propagate_hints
from training.book import look_up_lightness
from training.console import track
from training.corpus import FAMILIES, generate_picture
from training.errors import CorpusError
from training.metrics import Shapes
from training.pictures import list_files, read_pictures

Rgb = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Scores = dict[str, float]
"""Measure -> value of those that apply; not a number where it cannot be measured."""

EVALUATION_SIDE = 256
TEST_SEED = 1_000
"""Of the generated test sets; no training uses it."""
CHOICE_SEED = 2_000
"""Of what is drawn for each picture: where its hints are, and which palette of the book."""

HINT_COUNTS = (1, 5, 10, 50)
HINT_DRAWS = 3
"""Of the random places of hints, for each picture: scores are means over them."""
BEST_OF = 8
BOOK_VARIATIONS = 16
"""Variations whose palettes stand for the book of a model."""

AUTOMATIC = "automatic"
BEST = f"best of {BEST_OF}"
TRUE_PALETTE = "true palette"
NO_SHARES = "true palette without shares"
RANDOM_PALETTE = "random palette of the book"
HINT_TASKS = {count: f"{count} hint{'s' if count > 1 else ''}" for count in HINT_COUNTS}

LIGHTNESS_TABLE = "lightness table"
HINT_TABLE = "hint table"
LEVIN = "Levin et al. 2004"


class Method(NamedTuple):
    """Who coloured a picture, and what it was told."""

    name: str
    task: str = ""

    def __str__(self) -> str:
        return f"{self.name}, {self.task}" if self.task else self.name


ORIGINAL = Method("original")


class Contender(NamedTuple):
    """A model that is judged, and the file of its card."""

    colorizer: Colorizer
    card_path: Path


@dataclass(frozen=True)
class Original:
    """A picture, and all that its judging needs and no method changes.

    Attributes
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
    lab : ndarray of float32, shape (H, W, 3)
    lightness : ndarray of float32, shape (H, W)
    palette : ndarray of float32, shape (6, 4)
        The true one.
    hints : ndarray of float32, shape (3, at most 50, 5)
        True colours at random pixels, drawn three times: x, y, a*, b* and weight 1.
    shapes : Shapes
    rng : Generator
        Drawn from in a fixed order, so that results can be repeated.
    """

    rgb: Rgb
    lab: Float32
    lightness: Float32
    palette: Float32
    hints: Float32
    shapes: Shapes
    rng: np.random.Generator

    @classmethod
    def study(cls, rgb: Rgb, number: int) -> Original:
        """Prepare the `number`-th picture of a test set."""
        rng = np.random.default_rng([CHOICE_SEED, number])
        lab = rgb_to_lab(rgb)
        return cls(
            rgb=rgb,
            lab=lab,
            lightness=split_lightness(rgb),
            palette=extract_palette(lab),
            hints=np.stack([_draw_hints(lab, rng) for _ in range(HINT_DRAWS)]),
            shapes=Shapes.find(rgb),
            rng=rng,
        )

    def list_hints(self) -> Iterator[tuple[str, Float32]]:
        """List each task with each draw of its hints, (M, 5)."""
        for count, task in HINT_TASKS.items():
            for draw in self.hints:
                yield task, draw[:count]

    def difference(self, colored: Rgb) -> float:
        """Return the mean CIEDE2000 of a coloured picture to this one."""
        return metrics.ciede2000(self.lab, rgb_to_lab(colored))


@dataclass(frozen=True)
class Answer:
    """A coloured picture, and the colours that it was told to use."""

    method: Method
    colored: Rgb
    palette: Float32 | None = None
    hints: Float32 | None = None


@dataclass(frozen=True)
class SetResult:
    """What all methods made of a test set.

    Attributes
    ----------
    scores : dict of dict of ndarray of float64, shape (pictures,)
        Method -> measure -> value for each picture.
    borders : tuple of int
        How many lie between equally light neighbours, and how many there are:
        see `metrics.count_borders`.
    """

    scores: dict[Method, dict[str, NDArray[np.float64]]]
    borders: tuple[int, int]


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


def load_models(folders: Sequence[Path]) -> dict[str, Contender]:
    """Load the models of folders, for reports that call each by another name.

    Returns
    -------
    dict of Contender
        By the model's own name, unless an earlier folder has one of that name:
        then by its folder and name.

    Raises
    ------
    ModelFileError
        When a folder has no models, or one of them cannot be used.
    """
    contenders: dict[str, Contender] = {}
    for folder in folders:
        # Pictures are judged side by side: a core for each prediction.
        for colorizer in Registry.load(folder, intra_op_threads=1):
            is_taken = colorizer.name in contenders
            name = str(folder / colorizer.name) if is_taken else colorizer.name
            contenders[name] = Contender(colorizer, folder / f"{colorizer.name}.json")
    return contenders


def evaluate(
    models: Mapping[str, Contender], test_sets: Mapping[str, list[Rgb]]
) -> dict[str, SetResult]:
    """Judge all models and their baselines on all test sets.

    Parameters
    ----------
    models : mapping of Contender
        From `load_models`.
    test_sets : mapping of lists of ndarray of uint8, shape (H, W, 3)
        None of them empty.
    """
    colorizers = {name: model.colorizer for name, model in models.items()}
    return {
        name: _judge_set(colorizers, pictures, f"judging on {name}")
        for name, pictures in test_sets.items()
    }


def _judge_set(
    colorizers: Mapping[str, Colorizer], pictures: list[Rgb], description: str
) -> SetResult:
    pool = ThreadPoolExecutor(available_cores())
    try:
        futures = [
            pool.submit(_judge_picture, colorizers, rgb, number)
            for number, rgb in enumerate(pictures)
        ]
        judged = [future.result() for future in track(futures, description)]
    finally:
        # Who interrupts this does not wait for the pictures that are left.
        pool.shutdown(cancel_futures=True)
    scores = {
        method: {
            measure: np.array([of_picture[method][measure] for of_picture, _ in judged])
            for measure in judged[0][0][method]
        }
        for method in judged[0][0]
    }
    hard, borders = np.sum([borders for _, borders in judged], axis=0)
    return SetResult(scores, (int(hard), int(borders)))


def _judge_picture(
    colorizers: Mapping[str, Colorizer], rgb: Rgb, number: int
) -> tuple[dict[Method, Scores], tuple[int, int]]:
    original = Original.study(rgb, number)
    palettes = {TRUE_PALETTE: original.palette, NO_SHARES: _drop_shares(original.palette)}
    book = _ask_for_book(original, colorizers)
    if book:
        palettes[RANDOM_PALETTE] = book[original.rng.integers(len(book))]
    answers = [Answer(ORIGINAL, original.rgb), *_answer_without_model(original, palettes)]
    for name, colorizer in colorizers.items():
        answers += _answer_with_model(original, palettes, name, colorizer)
    scores: dict[Method, list[Scores]] = {}
    for answer in answers:
        scores.setdefault(answer.method, []).append(_score(original, answer))
    means = {method: _average(of_draws) for method, of_draws in scores.items()}
    return means, metrics.count_borders(original.shapes, original.lab)


def _ask_for_book(original: Original, colorizers: Mapping[str, Colorizer]) -> tuple[Float32, ...]:
    """Ask the last model that has a book for palettes: of the shipped ones that of both kinds."""
    choosers = [colorizer for colorizer in colorizers.values() if colorizer.takes("variation")]
    if not choosers:
        return ()
    return predict_look(choosers[-1], original.lightness, DEFAULT_LOOK, BOOK_VARIATIONS).palettes


def _answer_without_model(original: Original, palettes: Mapping[str, Float32]) -> Iterator[Answer]:
    lightness = original.lightness

    def merge(chroma: Float32) -> Rgb:
        return np.asarray(merge_chroma(lightness, chroma), np.uint8)

    yield Answer(Method("grey"), merge(paint_grey(lightness)))
    yield Answer(Method("mean colour"), merge(paint_mean(original.lab)))
    for task, palette in palettes.items():
        if task != NO_SHARES:  # the table does not look at shares
            colored = merge(look_up_lightness(lightness, palette))
            yield Answer(Method(LIGHTNESS_TABLE, task), colored, palette=palette)
    for name, spread in ((HINT_TABLE, look_up_hints), (LEVIN, propagate_hints)):
        for task, hints in original.list_hints():
            yield Answer(Method(name, task), merge(spread(lightness, hints)), hints=hints)


def _answer_with_model(
    original: Original, palettes: Mapping[str, Float32], name: str, colorizer: Colorizer
) -> Iterator[Answer]:
    """Ask a model for all that it can do."""

    def color(look: Look = DEFAULT_LOOK, count: int = 1) -> list[Rgb]:
        prediction = predict_look(colorizer, original.lightness, look, count)
        return [
            np.asarray(merge_look(original.lightness, chroma, look), np.uint8)
            for chroma in prediction.chroma
        ]

    yield Answer(Method(name, AUTOMATIC), color()[0])
    if colorizer.takes("variation"):
        nearest = min(color(count=BEST_OF), key=original.difference)
        yield Answer(Method(name, BEST), nearest)
    if colorizer.takes("palette"):
        for task, palette in palettes.items():
            yield Answer(Method(name, task), color(Look(palette=palette))[0], palette=palette)
    if colorizer.takes("hints"):
        for task, hints in original.list_hints():
            yield Answer(Method(name, task), color(Look(hints=hints))[0], hints=hints)


def _drop_shares(palette: Float32) -> Float32:
    """Weigh all colours alike, as those that people name."""
    return np.column_stack([palette[:, :3], np.ones(len(palette), np.float32)])


def _draw_hints(lab: Float32, rng: np.random.Generator) -> Float32:
    """Take the true colours of random pixels."""
    height, width = lab.shape[:2]
    count = min(max(HINT_COUNTS), height * width)
    places = rng.choice(height * width, count, replace=False)
    rows, columns = np.divmod(places, width)
    x, y = (columns + 0.5) / width, (rows + 0.5) / height
    hints = np.column_stack([x, y, lab[rows, columns, 1:], np.ones(count)])
    return hints.astype(np.float32)


def _score(original: Original, answer: Answer) -> Scores:
    lab = rgb_to_lab(answer.colored)
    scores = {
        "ciede2000": metrics.ciede2000(original.lab, lab),
        "psnr": metrics.psnr(original.rgb, answer.colored),
        "colorfulness": metrics.colorfulness(answer.colored),
        "flat_spread": metrics.flat_spread(original.shapes, lab),
        "leak": metrics.leak(original.shapes, lab),
        "hue_entropy": metrics.hue_entropy(lab),
        "lightness_error": metrics.lightness_error(original.lab, lab),
    }
    if answer.hints is not None:
        pixels = locate(answer.hints, *original.lightness.shape)
        scores["hint_error"] = metrics.ciede2000(original.lab[pixels], lab[pixels])
    if answer.palette is not None:
        scores["palette_obedience"] = metrics.palette_obedience(lab, answer.palette)
    return scores


def _average(of_draws: list[Scores]) -> Scores:
    """Return the means over what one method made of one picture."""
    return {
        measure: float(np.mean([scores[measure] for scores in of_draws])) for measure in of_draws[0]
    }


def _shrink(rgb: Rgb) -> Rgb:
    """Bring the longer side to `EVALUATION_SIDE`, aspect kept; never enlarge."""
    scale = EVALUATION_SIDE / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA))
