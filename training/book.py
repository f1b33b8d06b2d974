"""Palettes of pictures, and the book of palettes that a model chooses from.

A palette is an array of shape (6, 4): L*, a*, b* and share of each colour, the
darkest first. What a palette does to a picture is told by its *curve*: the
chroma that the lightness table gives to each of 32 levels of lightness. Two
palettes differ, for a picture, as much as their curves do where the picture has
its lightness.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment, minimize_scalar
from scipy.special import logsumexp, softmax
from skimage.color import deltaE_ciede2000

Float32 = NDArray[np.float32]

BOOK_SIZE = 64
FEWEST = 8
LEAST_CHROMA = 20.0
MOST_ALIKE = 0.95
"""Mean C* that a palette must have to enter the book, and how much alike its hues may be:
people ask for colours."""
LEAST_DIFFERENCE = 12.0
"""CIEDE2000 between any two palettes of the book, colours matched: other choices
shall look other."""
TURN_SEED = 77
CROWD_SIZE = 512
CROWD_MEAN_B = -6.0
MOST_LEAN = 0.1
"""b* that the crowd has in the mean, and by how much a unit of b* may change how likely a
palette is drawn for it. Collected palettes are warm, generated corpora have 7; of the real
pictures that we know, blue is the commonest hue, and they have -6.6."""
CROWD_GAIN = 1.35
"""Of the chroma of the crowd: centres of clusters are means, duller than what they
stand for."""
FIT_SCALE = 5.0
"""Palettes this much nearer (a*b* distance of curves) fit e times better."""

LEVELS = 32
LEVEL_LIGHTNESS = (np.arange(LEVELS, dtype=np.float32) + 0.5) * 100 / LEVELS
TABLE_SCALE = 4.0
"""Of the lightness table: weights of ``exp(-|dL*| / 4)``."""


def look_up_lightness(lightness: NDArray[np.floating[Any]], palette: Float32) -> Float32:
    """Give each lightness the palette's colours that are nearest to it, softly.

    Parameters
    ----------
    lightness : ndarray of float, shape (...)
    palette : ndarray of float32, shape (K, 4)

    Returns
    -------
    ndarray of float32, shape (..., 2)
        Chroma: the baseline of placing, without a network.
    """
    gap = np.abs(lightness[..., None] - palette[:, 0])  # (..., K)
    weight = np.exp((gap.min(axis=-1, keepdims=True) - gap) / TABLE_SCALE)
    weight /= weight.sum(axis=-1, keepdims=True)
    return np.asarray(weight @ palette[:, 1:3], np.float32)


def draw_curves(palettes: Float32) -> Float32:
    """Return the curves of palettes: (n, K, 4) to (n, 32, 2)."""
    return np.stack([look_up_lightness(LEVEL_LIGHTNESS, palette) for palette in palettes])


def count_levels(lightness: NDArray[np.floating[Any]]) -> Float32:
    """Return the share of each level in pictures: (n, H, W) to (n, 32)."""
    levels = np.clip(lightness.astype(np.float32) * (LEVELS / 100), 0, LEVELS - 1).astype(np.intp)
    counts = [np.bincount(picture.ravel(), minlength=LEVELS) for picture in levels]
    return np.asarray(np.stack(counts) / levels[0].size, np.float32)


def curve_distances(curves: Float32, others: Float32, levels: Float32) -> Float32:
    """Measure how differently palettes colour pictures.

    Parameters
    ----------
    curves : ndarray of float32, shape (n, 32, 2)
        One for each picture.
    others : ndarray of float32, shape (b, 32, 2)
    levels : ndarray of float32, shape (n, 32)
        Of the pictures; see `count_levels`.

    Returns
    -------
    ndarray of float32, shape (n, b)
        Root mean square distance in the a*b* plane over the picture.
    """
    squared = ((curves[:, None] - others[None]) ** 2).sum(axis=-1)  # (n, b, 32)
    distance: Float32 = np.sqrt(np.einsum("nbl,nl->nb", squared, levels))
    return distance


def compress_chroma(chroma: Any, xp: Any = np) -> Any:
    """Shrink chroma so that distances are about as large as they look.

    Parameters
    ----------
    chroma : ndarray or Tensor, shape (..., 2)
        CIE a*, b*.
    xp : module
        `numpy`, or `keras.ops` for tensors.

    Returns
    -------
    ndarray or Tensor, shape (..., 2)

    References
    ----------
    .. [1] CIE 116-1995, "Industrial colour-difference evaluation": CIE94, by which a
       step of C* counts 1 / (1 + 0.045 C*); this is the sum of such steps from grey.
    """
    size = 0.045 * xp.sqrt(xp.sum(xp.square(chroma), axis=-1, keepdims=True) + 1e-6)
    return chroma * (xp.log(1 + size) / size)


@dataclass(frozen=True)
class Book:
    """The palettes that a model chooses from when it is given none.

    Attributes
    ----------
    palettes : ndarray of float32, shape (size, 6, 4)
        Each clearly different from all others.
    crowd : ndarray of float32, shape (512, 6, 4)
        Drawn from the palettes of the whole corpus, cool ones more often: what
        pictures may look like.
    frequency : ndarray of float32, shape (size,)
        Share of the corpus that each palette stands for.
    """

    palettes: Float32
    crowd: Float32
    frequency: Float32

    def __len__(self) -> int:
        return len(self.palettes)

    @classmethod
    def make(cls, palettes: Float32, levels: Float32, size: int = BOOK_SIZE, seed: int = 0) -> Book:
        """Choose colourful palettes that differ, and that together cover a crowd of a corpus.

        They are of the corpus, as they are or with their hues turned.

        Parameters
        ----------
        palettes : ndarray of float32, shape (n, 6, 4)
            Of all pictures of a corpus.
        levels : ndarray of float32, shape (n, 32)
            Of the same pictures; see `count_levels`.
        size : int
            How many to choose; fewer when there are not as many.
        seed : int
            Of who is in the crowd.
        """
        crowd = _draw_crowd(palettes, seed)
        candidates = _choose_colorful(np.concatenate([palettes, _turn_hues(palettes)]))
        chosen = _choose_covering(candidates, crowd, size)
        frequency = _fit(palettes, levels, chosen).mean(axis=0)
        return cls(chosen, crowd, frequency)

    def score(self, palettes: Float32, levels: Float32) -> Float32:
        """Say how well each palette of the book would replace those of pictures.

        Frequent palettes are marked down by how frequent they are. Otherwise the
        best choice for every picture would be the one that is never far off.

        Parameters
        ----------
        palettes : ndarray of float32, shape (n, 6, 4)
        levels : ndarray of float32, shape (n, 32)

        Returns
        -------
        ndarray of float32, shape (n, size)
            Sums to 1 for each picture.

        References
        ----------
        .. [1] A. K. Menon et al., "Long-Tail Learning via Logit Adjustment", ICLR 2021.
        """
        scores = _fit(palettes, levels, self.palettes) / self.frequency
        return np.asarray(scores / scores.sum(axis=1, keepdims=True), np.float32)

    def save(self, path: Path) -> None:
        """Write the book as ``.npz``."""
        np.savez(path, palettes=self.palettes, crowd=self.crowd, frequency=self.frequency)

    @classmethod
    def load(cls, path: Path) -> Book:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["palettes"], arrays["crowd"], arrays["frequency"])


def matched_difference(palette: Float32, other: Float32) -> float:
    """Mean CIEDE2000 between the colours of two palettes, matched for the least sum."""
    differences = deltaE_ciede2000(palette[:, None, :3], other[None, :, :3])
    return float(differences[linear_sum_assignment(differences)].mean())


def _draw_crowd(palettes: Float32, seed: int) -> Float32:
    """Draw palettes whose mean b* is `CROWD_MEAN_B`, otherwise as the corpus has them.

    References
    ----------
    .. [1] E. T. Jaynes, "Information Theory and Statistical Mechanics", 1957: of all
       chances that give a mean, those that assume least are exponential.
    """
    b = (palettes[..., 2] * palettes[..., 3]).sum(axis=1) / palettes[..., 3].sum(axis=1)  # (n,)
    excess = np.float64(b) - CROWD_MEAN_B
    # The mean of `excess` is 0 where this is least.
    lean = minimize_scalar(lambda lean: logsumexp(-lean * excess), bounds=(0, MOST_LEAN))
    chance = softmax(-lean.x * excess)
    return palettes[np.random.default_rng(seed).choice(len(palettes), CROWD_SIZE, p=chance)]


def _turn_hues(palettes: Float32) -> Float32:
    """Turn all hues of a palette by an angle of its own: for hues that few pictures have."""
    angles = np.random.default_rng(TURN_SEED).uniform(0, 2 * np.pi, (len(palettes), 1))
    a, b = np.moveaxis(palettes[..., 1:3], -1, 0)  # (n, K)
    turned = palettes.copy()
    turned[..., 1] = np.cos(angles) * a - np.sin(angles) * b
    turned[..., 2] = np.sin(angles) * a + np.cos(angles) * b
    return turned


def _choose_colorful(palettes: Float32) -> Float32:
    """Keep the palettes that are neither dull nor of one hue, or the best `FEWEST`.

    References
    ----------
    .. [1] K. V. Mardia, P. E. Jupp, "Directional Statistics", 2000: hues are as much
       alike as the mean of their unit vectors is long.
    """
    chroma = palettes[..., 1:3] * palettes[..., 3:]  # (n, K, 2)
    amount = np.linalg.norm(chroma, axis=-1).sum(axis=1)
    alike = np.linalg.norm(chroma.sum(axis=1), axis=-1) / np.maximum(amount, 1e-6)
    colorful = (amount >= LEAST_CHROMA) & (alike <= MOST_ALIKE)
    if colorful.sum() < FEWEST:
        colorful = np.sort(np.argsort(amount * (1 - alike))[-FEWEST:])
    return np.asarray(palettes[colorful])


def _choose_covering(palettes: Float32, crowd: Float32, size: int) -> Float32:
    """Take always the palette that brings the crowd nearest, but none like one taken."""
    everywhere = np.full((len(crowd), LEVELS), 1 / LEVELS, np.float32)
    distance = curve_distances(
        compress_chroma(CROWD_GAIN * draw_curves(crowd)),
        compress_chroma(draw_curves(palettes)),
        everywhere,
    )  # (crowd, n)
    uncovered = np.full((len(crowd), 1), np.inf, np.float32)
    is_left = np.ones(len(palettes), bool)
    chosen: list[int] = []
    while is_left.any() and len(chosen) < size:
        left_uncovered = np.minimum(uncovered, distance).mean(axis=0)
        best = int(np.where(is_left, left_uncovered, np.inf).argmin())
        is_left[best] = False
        if all(
            matched_difference(palettes[best], palettes[other]) >= LEAST_DIFFERENCE
            for other in chosen
        ):
            chosen.append(best)
            uncovered = np.minimum(uncovered, distance[:, best, None])
    return palettes[chosen]


def _fit(palettes: Float32, levels: Float32, book: Float32) -> Float32:
    """How well each of (b, 6, 4) replaces each of (n, 6, 4): (n, b), rows sum to 1."""
    distance = curve_distances(draw_curves(palettes), draw_curves(book), levels)
    fit = np.exp((distance.min(axis=1, keepdims=True) - distance) / FIT_SCALE)
    return np.asarray(fit / fit.sum(axis=1, keepdims=True), np.float32)
