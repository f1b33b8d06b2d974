"""Palettes of pictures, and the book of palettes that a model chooses from.

A palette is an array of shape (6, 4): L*, a*, b* and share of each colour, the
darkest first. Palettes are compared colour by colour in that order, because it
is by lightness that colours find their places.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

COLORS = 6
SAMPLED_PIXELS = 4096
BOOK_SIZE = 64
FEWEST = 8
LEAST_CHROMA = 24.0
"""Mean C* that a palette must have to enter the book: people ask for colour."""
LEAST_SPREAD = 20.0
"""Root mean square distance in the a*b* plane from a palette's mean: for colours."""
SERVED_CHROMA_GAIN = 1.35
"""Cluster centres are means, duller than the colours they stand for: true palettes,
placed, give real pictures about 0.7 of their colourfulness back."""
FIT_SCALE = 5.0
"""Palettes this much nearer (mean CIE76 a colour) fit e times better."""


def extract_palette(lab: NDArray[np.floating[Any]]) -> Float32:
    """Cluster the colours of a picture.

    Parameters
    ----------
    lab : ndarray of float, shape (H, W, 3)

    Returns
    -------
    ndarray of float32, shape (6, 4)
        Centres of k-means clusters and their shares of the picture.
    """
    pixels = lab.reshape(-1, 3).astype(np.float32)
    pixels = pixels[:: max(1, len(pixels) // SAMPLED_PIXELS)]
    if len(pixels) < COLORS:
        pixels = np.repeat(pixels, COLORS, axis=0)
    labels, centers = _cluster(pixels, COLORS)
    shares = np.bincount(labels, minlength=COLORS) / len(pixels)
    palette = np.column_stack([centers, shares]).astype(np.float32)
    return palette[np.argsort(palette[:, 0], kind="stable")]


@dataclass(frozen=True)
class Book:
    """The palettes that a model chooses from when it is given none.

    Attributes
    ----------
    palettes : ndarray of float32, shape (size, 6, 4)
    frequency : ndarray of float32, shape (size,)
        Share of the corpus that each palette stands for.
    """

    palettes: Float32
    frequency: Float32

    def __len__(self) -> int:
        return len(self.palettes)

    @classmethod
    def make(cls, palettes: Float32, size: int = BOOK_SIZE) -> Book:
        """Choose palettes that stand for all colourful ones of a corpus.

        Parameters
        ----------
        palettes : ndarray of float32, shape (n, 6, 4)
        size : int
            How many to choose; fewer when there are not as many.

        Returns
        -------
        Book
            Of real palettes, each nearest to the centre of a cluster: a mean of
            palettes would be duller than any of them.
        """
        chosen = _choose_colorful(palettes)
        if len(chosen) > size:
            vectors = chosen[..., :3].reshape(len(chosen), -1)
            centers = _cluster(vectors, size)[1]
            squared = ((vectors[:, None] - centers[None]) ** 2).sum(axis=-1)  # (n, size)
            chosen = chosen[np.unique(squared.argmin(axis=0))]
        return cls(chosen, _fit(palettes, chosen).mean(axis=0))

    def score(self, palettes: Float32) -> Float32:
        """Say how well each palette of the book would replace each of some palettes.

        Frequent palettes are marked down by how frequent they are. Otherwise the
        best choice for every picture would be the one that is never far off.

        Parameters
        ----------
        palettes : ndarray of float32, shape (n, 6, 4)

        Returns
        -------
        ndarray of float32, shape (n, size)
            Sums to 1 for each palette.

        References
        ----------
        .. [1] A. K. Menon et al., "Long-Tail Learning via Logit Adjustment", ICLR 2021.
        """
        scores = _fit(palettes, self.palettes) / self.frequency
        return np.asarray(scores / scores.sum(axis=1, keepdims=True), np.float32)

    @property
    def served_palettes(self) -> Float32:
        """The palettes as vivid as the colours that they stand for."""
        gain = np.array([1, SERVED_CHROMA_GAIN, SERVED_CHROMA_GAIN, 1], np.float32)
        return self.palettes * gain

    def save(self, path: Path) -> None:
        """Write the book as ``.npz``."""
        np.savez(path, palettes=self.palettes, frequency=self.frequency)

    @classmethod
    def load(cls, path: Path) -> Book:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["palettes"], arrays["frequency"])


def _choose_colorful(palettes: Float32) -> Float32:
    """Keep the palettes that are neither dull nor of one hue, or the best `FEWEST`."""
    chroma, share = palettes[..., 1:3], palettes[..., 3:]
    mean = (chroma * share).sum(axis=1, keepdims=True)  # (n, 1, 2)
    amount = (np.linalg.norm(chroma, axis=-1) * share[..., 0]).sum(axis=1)
    spread = np.sqrt((((chroma - mean) ** 2) * share).sum(axis=(1, 2)))
    colorful = (amount >= LEAST_CHROMA) & (spread >= LEAST_SPREAD)
    if colorful.sum() < FEWEST:
        colorful = np.sort(np.argsort(amount + spread)[-FEWEST:])
    return np.asarray(palettes[colorful])


def _fit(palettes: Float32, book: Float32) -> Float32:
    """How well each of (b, 6, 4) replaces each of (n, 6, 4): (n, b), rows sum to 1."""
    difference = palettes[:, None, :, :3] - book[None, :, :, :3]  # (n, b, 6, 3)
    distance = np.sqrt((difference**2).sum(axis=-1)).mean(axis=-1)  # (n, b)
    fit = np.exp((distance.min(axis=1, keepdims=True) - distance) / FIT_SCALE)
    return np.asarray(fit / fit.sum(axis=1, keepdims=True), np.float32)


def _cluster(vectors: Float32, count: int) -> tuple[NDArray[np.int32], Float32]:
    """Cluster vectors of shape (n, d): labels (n,) and centres (count, d), repeatable."""
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    _, labels, centers = cv2.kmeans(vectors, count, None, criteria, 1, cv2.KMEANS_PP_CENTERS)
    return labels.ravel(), centers
