"""Which palettes fit a picture: the part of the served graph that chooses colours.

A head of the network scores the palettes of a book. This part adds what needs
no learning: how colourful a palette would make this very picture, and which
palettes together cover most of what the picture may look like.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from service.color import merge_chroma
from training.book import (
    CROWD_GAIN,
    LEVEL_LIGHTNESS,
    LEVELS,
    Book,
    compress_chroma,
    curve_distances,
    draw_curves,
)
from training.evening import EvenOut

Tensor = Any
Float32 = NDArray[np.float32]

VARIATIONS = 16
"""How many choices a picture is given."""

AIMED_COLORFULNESS, AIMED_SLOPE = 36.0, 1.05
"""What real abstract pictures have, about, in black and more for each L* of their mean: the
best palette is made as vivid as that takes. Dark pictures have less; sRGB has, too."""
OTHERS_COLORFULNESS = 45.0
"""Of the other choices, which shall come near whatever is wanted: milder is never far off."""
GAINS = (0.8, 1.1, 1.4, 1.7, 2.0, 2.5)
"""Of chroma, between the least and the most that a palette is changed by."""
COLORFULNESS_WEIGHT = 8.0
HUE_WEIGHT, LEAST_HUE_ENTROPY, HUE_BINS = 8.0, 2.0, 12
DRIFT_WEIGHT = 1.2
"""Palettes that would make the picture dull, or of few hues, or that would give parts
of a smooth shape different colours, are marked down."""
ONE_HUE_WEIGHT, MOST_ALIKE = 50.0, 0.78
FIRST_COLORFULNESS_WEIGHT = 8.0
"""What counts more for the best choice than for the others: that it is not of one hue, and
not dull. Hues are as much alike as the mean of their vectors is long."""
SMOOTH_STEP = 6.0
"""L* between neighbouring cells: more is an edge."""
LIGHTNESS_STRIDE = 8
"""The lightness of a picture is counted in cells of 8 x 8: noise apart, it is the same."""

LIKELIHOOD_POWER = 0.25
"""Of the merits as likelihoods of what is to be covered."""
MERIT_WEIGHT = 0.05
"""Of the merit beside what a choice covers, in distance of compressed chroma."""

ENOUGH_HINTS = 4.0
"""So many hints need no palette beside them."""
HINT_RESERVE = 3.0
"""Logarithm of what a palette would weigh more without a hint than in training, where a
third of the palettes beside hints are foreign, and to be overruled everywhere: one hint
shall colour what it is on, not the whole picture. It falls as a square with their number."""

GIVEN_SHARPNESS = 2.0
"""Palettes are loosened in training. What people give is meant as it is."""
BARRIER_WEIGHT = 2.0
RIDGE_HINTS = 4.0
"""Real colours keep to their shapes more than the lit ones of training do, and drift more
steadily with place: edges count for more than was learned, and a plane may be the steeper,
the more hints it goes through. What that costs weighs as learned with so many."""


class ChoosePalettes(layers.Layer):  # type: ignore[misc]
    """The palettes that are given or, without one, those that fit a picture.

    Parameters
    ----------
    book : Book
    first_drift_weight : float
        What `DRIFT_WEIGHT` is more for the best choice.

    References
    ----------
    .. [1] D. Hasler, S. Suesstrunk, "Measuring colourfulness in natural images", 2003.
    .. [2] G. L. Nemhauser, L. A. Wolsey, M. L. Fisher, "An analysis of approximations
       for maximizing submodular set functions", 1978: greedy choice of a covering set.
    .. [3] K. V. Mardia, P. E. Jupp, "Directional Statistics", 2000.
    """

    def __init__(self, book: Book, first_drift_weight: float = 0.0) -> None:
        super().__init__(name="choose_palettes")
        self._first_drift_weight = first_drift_weight
        curves = draw_curves(book.palettes)
        crowd = draw_curves(book.crowd)
        everywhere = np.full((len(crowd), LEVELS), 1 / LEVELS, np.float32)
        self._palettes = book.palettes
        jumps = np.linalg.norm(np.diff(curves, axis=1), axis=-1)  # (size, 31)
        jumps = np.maximum(np.pad(jumps, ((0, 0), (1, 0))), np.pad(jumps, ((0, 0), (0, 1))))
        self._slopes = jumps * np.float32(LEVELS / 100)
        self._hues = _hue_histograms(curves)
        self._opponents = _opponents(curves)  # (gains, size, 32, 2)
        self._curves = curves
        self._crowd = compress_chroma(crowd * np.float32(CROWD_GAIN))
        self._nearest = curve_distances(crowd, curves, everywhere).argmin(axis=1)

    def call(
        self, scores: Tensor, lightness: Tensor, palette: Tensor, hints: Tensor, variation: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Choose.

        Parameters
        ----------
        scores : Tensor, shape (N, size)
            Of the head: logits.
        lightness : Tensor, shape (N, h, w, 1)
        palette : Tensor, shape (P, K, 4)
            With all weights 0, none is given.
        hints : Tensor, shape (P, M, 5)
            Some hints and no palette: the chosen palette counts less the more
            there are, and from `ENOUGH_HINTS` on not at all.
        variation : Tensor of int, shape (P,)
            0 for the best choice, n for the n-th other one.

        Returns
        -------
        palette : Tensor, shape (P, K + 6, 4)
            Colours of the given palette and of the book's, one of them with weights 0.
        trust : Tensor, shape (P, 1, 1)
            See `training.network.PlaceColors`.
        scores : Tensor, shape (N, size)
            Log-probabilities, and what was added to them.
        """
        levels, steps = _count_levels(lightness)  # (N, 32)
        gain, others_gain, merit, first_merit = self._foresee(levels, steps)  # (N, size)
        scores = ops.log_softmax(scores) + merit + first_merit
        order = self._order(_best(scores), merit, levels, others_gain)  # (N, 16)

        rows = ops.zeros_like(palette[:, 0, :1]) + ops.zeros_like(hints[:, 0, :1])
        rows = rows + ops.zeros_like(scores[:, :1])  # (N or P, 1)
        place = ops.clip(ops.cast(variation, "int32"), 0, VARIATIONS - 1)
        place = place[:, None] + ops.cast(rows, "int32")  # (P, 1)
        index = ops.take_along_axis(order + ops.zeros_like(place), place, axis=1)  # (P, 1)
        rows = rows + ops.zeros_like(index, dtype="float32")
        gain = ops.where(place == 0, gain + rows, others_gain + rows)  # (P, size)
        gain = ops.take_along_axis(gain, index, axis=1)[..., None]  # (P, 1, 1)
        chosen = ops.take(ops.convert_to_tensor(self._palettes), index[:, 0], axis=0)  # (P, 6, 4)

        need = _need_for_palette(hints)
        share = need * (1 - _is_given(palette))
        chosen = ops.concatenate(
            [chosen[..., :1], chosen[..., 1:3] * gain, chosen[..., 3:] * share], axis=-1
        )
        placed = ops.concatenate([palette + rows[..., None], chosen], axis=1)
        return placed, ops.exp(HINT_RESERVE * need * need), scores

    def _foresee(self, levels: Tensor, steps: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Say how much more vivid each palette must be for this picture, and how good it is.

        Returns
        -------
        gain, others_gain : Tensor, shape (N, size)
            Of chroma, as the best choice and as another one.
        merit : Tensor, shape (N, size)
            At most 0: less for palettes that stay dull, give few hues, or change
            colour where the picture is smooth.
        first_merit : Tensor, shape (N, size)
            What is added to it for the best choice; at most 0.
        """
        opponents = ops.convert_to_tensor(self._opponents)
        mean = ops.einsum("nl,gbld->ngbd", levels, opponents)  # (N, gains, size, 2)
        power = ops.einsum("nl,gbld->ngbd", levels, ops.square(opponents))
        spread = ops.sqrt(ops.maximum(ops.sum(power - ops.square(mean), axis=-1), 1e-6))
        offset = ops.sqrt(ops.sum(ops.square(mean), axis=-1) + 1e-6)
        colorfulness = spread + 0.3 * offset  # (N, gains, size)

        mean_lightness = ops.sum(levels * LEVEL_LIGHTNESS, axis=1, keepdims=True)  # (N, 1)
        aimed = AIMED_COLORFULNESS + AIMED_SLOPE * mean_lightness
        gain = _find_gain(colorfulness, aimed)
        reached = ops.minimum(colorfulness[:, -1] / aimed, 1)
        merit = COLORFULNESS_WEIGHT * ops.log(reached)

        hues = ops.einsum("nl,blh->nbh", levels, ops.convert_to_tensor(self._hues))
        hues = hues / (ops.sum(hues, axis=-1, keepdims=True) + 1e-6) + 1e-6
        entropy = -ops.sum(hues * ops.log(hues), axis=-1) / np.log(2)
        merit += HUE_WEIGHT * ops.minimum(entropy - LEAST_HUE_ENTROPY, 0)

        slopes = ops.convert_to_tensor(self._slopes)  # (size, 32)
        drift = ops.sqrt(ops.einsum("nl,bl->nb", steps, ops.square(slopes)) + 1e-6) * gain
        merit -= DRIFT_WEIGHT * drift
        one_hued = ops.relu(self._alike(levels) - MOST_ALIKE)
        first_merit = FIRST_COLORFULNESS_WEIGHT * ops.log(reached)
        first_merit -= self._first_drift_weight * drift + ONE_HUE_WEIGHT * one_hued
        return gain, _find_gain(colorfulness, OTHERS_COLORFULNESS), merit, first_merit

    def _alike(self, levels: Tensor) -> Tensor:
        """Say how much alike the hues are that each palette would give: (N, size) of 0 to 1."""
        chroma = ops.convert_to_tensor(self._curves)  # (size, 32, 2)
        amount = ops.matmul(levels, ops.transpose(ops.norm(chroma, axis=-1)))
        mean = ops.einsum("nl,bld->nbd", levels, chroma)
        return ops.norm(mean, axis=-1) / (amount + 1e-6)

    def _order(self, best: Tensor, merit: Tensor, levels: Tensor, gain: Tensor) -> Tensor:
        """Order choices: the best, then always the one that covers most beyond them.

        What is to be covered is a crowd of palettes, each as likely as the one of
        the book that is nearest to it. What the head says of real pictures is no
        guide to that.

        Returns
        -------
        Tensor of int, shape (N, 16)
        """
        curves, crowd = ops.convert_to_tensor(self._curves), ops.convert_to_tensor(self._crowd)
        curves = compress_chroma(gain[:, :, None, None] * curves, ops)  # (N, size, 32, 2)
        product = ops.einsum("cld,nbld->ncb", crowd, levels[:, None, :, None] * curves)
        crowd_power = ops.einsum("nl,cl->nc", levels, ops.sum(ops.square(crowd), axis=-1))
        power = ops.einsum("nl,nbl->nb", levels, ops.sum(ops.square(curves), axis=-1))
        squared = crowd_power[:, :, None] + power[:, None, :] - 2 * product
        distance = ops.sqrt(ops.maximum(squared, 0))  # (N, crowd, size)
        likelihood = ops.take(ops.softmax(LIKELIHOOD_POWER * merit), self._nearest, axis=1)[
            :, None
        ]  # (N, 1, crowd)

        size = len(self._palettes)
        order, taken = [best], ops.one_hot(best, size)  # (N, size)
        uncovered = ops.matmul(distance, taken[..., None])  # (N, crowd, 1)
        for _ in range(1, VARIATIONS):
            left = ops.matmul(likelihood, ops.minimum(uncovered, distance))[:, 0]  # (N, size)
            best = _best(MERIT_WEIGHT * merit - left - 1e6 * taken)
            order.append(best)
            chosen = ops.one_hot(best, size)
            taken = taken + chosen
            uncovered = ops.minimum(uncovered, ops.matmul(distance, chosen[..., None]))
        return ops.stack(order, axis=1)


def add_choice(
    network: keras.Model,
    book: Book,
    given_share_weight: float = 1.0,
    first_drift_weight: float = 0.0,
) -> keras.Model:
    """Let a network that takes a palette choose one when none is given, and even colours out.

    Parameters
    ----------
    network : keras.Model
    book : Book
        The palettes that its scores are about.
    given_share_weight : float
        How much more than was learned the shares of a given palette count.
    first_drift_weight : float
        See `ChoosePalettes`.

    Returns
    -------
    keras.Model
        `lightness` (N, H, W, 1), `palette` (P, K, 4), `hints` (P, M, 5) and
        `variation` (P,) to a dict of `chroma`, `scores` and `placed_palette`.
    """
    lightness, palette, hints = network.inputs
    variation = keras.Input((), name="variation", dtype="int64")
    place = network.get_layer("place_colors")
    features, picture, small_lightness, _, _ = place.input
    placed, trust, scores = ChoosePalettes(book, first_drift_weight)(
        network.output["scores"], small_lightness, palette, hints, variation
    )
    is_given = _is_given(palette)
    chroma = place(
        features,
        picture,
        small_lightness,
        placed,
        hints,
        even_out=EvenOut(),
        palette_trust=trust,
        palette_sharpness=1 + (GIVEN_SHARPNESS - 1) * is_given,
        share_weight=1 + (given_share_weight - 1) * is_given,
        barrier_weight=BARRIER_WEIGHT,
        ridge_weight=RIDGE_HINTS / ops.maximum(_count_hints(hints), 1),
    )
    return keras.Model(
        [lightness, palette, hints, variation],
        {"chroma": chroma, "scores": scores, "placed_palette": placed},
    )


def _is_given(palette: Tensor) -> Tensor:
    """Return 1 where any colour has a weight, else 0: (P, K, 4) to (P, 1, 1)."""
    return ops.cast(ops.any(palette[..., 3:] > 0, axis=1, keepdims=True), "float32")


def _need_for_palette(hints: Tensor) -> Tensor:
    """Return 1 without hints, 0 where there are enough: (P, M, 5) to (P, 1, 1)."""
    return ops.maximum(1 - _count_hints(hints) / ENOUGH_HINTS, 0)


def _count_hints(hints: Tensor) -> Tensor:
    """Count those whose weight is not 0: (P, M, 5) to (P, 1, 1)."""
    return ops.sum(ops.cast(hints[..., 4:] > 0, "float32"), axis=1, keepdims=True)


def _find_gain(colorfulness: Tensor, aim: Tensor | float) -> Tensor:
    """Find the gain that gives a colourfulness: from that at each gain to (N, size)."""
    gain = GAINS[0] * ops.ones_like(colorfulness[:, 0])
    for index, step in enumerate(np.diff(GAINS)):
        low, high = colorfulness[:, index], colorfulness[:, index + 1]
        share = (aim - low) / ops.maximum(high - low, 1e-3)
        gain = gain + float(step) * ops.clip(share, 0, 1)
    return gain


def _opponents(curves: Float32) -> Float32:
    """Red-green and yellow-blue, in 8-bit codes, of curves in sRGB: (gains, n, 32, 2)."""
    lightness = np.broadcast_to(LEVEL_LIGHTNESS, curves.shape[:2])
    opponents = []
    for gain in GAINS:
        rgb = merge_chroma(np.ascontiguousarray(lightness), curves * np.float32(gain))
        red, green, blue = np.moveaxis(rgb.astype(np.float32), -1, 0)
        opponents.append(np.stack([red - green, (red + green) / 2 - blue], axis=-1))
    return np.stack(opponents)


def _hue_histograms(curves: Float32) -> Float32:
    """C* in each of 12 bins of hue at each level, of curves: (n, 32, 2) to (n, 32, 12)."""
    hue = np.arctan2(curves[..., 1], curves[..., 0]) / (2 * np.pi) * HUE_BINS % HUE_BINS
    bins = np.floor(hue).astype(np.intp) % HUE_BINS
    size = np.linalg.norm(curves, axis=-1)[..., None]
    return np.asarray(np.eye(HUE_BINS, dtype=np.float32)[bins] * size)


def _count_levels(lightness: Tensor) -> tuple[Tensor, Tensor]:
    """Return the share of each level of lightness, and how it changes where it is smooth.

    Both (N, 32) of (N, h, w, 1); the second is the mean square of steps between
    cells, edges left out, times the share of the level.
    """
    cells = ops.average_pool(lightness, LIGHTNESS_STRIDE)  # (N, h/8, w/8, 1)
    squares = ops.zeros_like(cells)
    for axis in (1, 2):
        step = cells - ops.roll(cells, 1, axis=axis)
        squares += ops.where(ops.abs(step) < SMOOTH_STEP, ops.square(step), 0.0)
    _, height, width, _ = ops.shape(cells)
    cells, squares = (ops.reshape(x, (-1, height * width, 1)) for x in (cells, squares))
    low, high = LEVEL_LIGHTNESS[0], LEVEL_LIGHTNESS[-1]
    gaps = ops.abs(ops.clip(cells, low, high) - LEVEL_LIGHTNESS) * (LEVELS / 100)
    shares = ops.relu(1 - gaps)  # (N, cells, 32)
    return ops.mean(shares, axis=1), ops.mean(shares * squares, axis=1)


def _best(scores: Tensor) -> Tensor:
    """Return the index of the largest score: (N, size) to (N,)."""
    # Not argmax: Keras writes it with an operation that ONNX lacks.
    return ops.top_k(scores, 1)[1][:, 0]
