"""From folders of pictures to batches of (lightness, chroma).

A corpus is any folder of pictures. It is read once, split by picture, and kept
in memory as half-precision L*a*b*: 4,000 pictures of 256 x 256 take 1.6 GB, and
the training split, most of them, as much again in TensorFlow.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from service.color import rgb_to_lab
from service.palettes import extract_palette
from training.book import Book, count_levels
from training.console import track, warn
from training.errors import CorpusError
from training.lighting import light_with_colors
from training.pictures import list_files, read_pictures
from training.recipes import Recipe

VALIDATION_SHARE = 0.08
TEST_SHARE = 0.04
FEWEST_PICTURES = 3
"""One for each split."""

JITTER_SHARE = 0.25
JITTER = (5.0, 3.0, 3.0)
"""Standard deviations of L*, a* and b*: palettes that people give are never exact."""
DROP_SHARE = 0.05
FORGET_SHARE = 0.5
"""Of the samples whose palettes lose the shares of their colours: people give none."""
CHROMA_GAINS = (0.7, 1.8)

MOST_HINTS = 64
PALETTE_SHARE, HINTS_SHARE = 0.3, 0.5
"""Of the samples that come with a palette alone, and with hints alone; the others
have both, and of these `FOREIGN_SHARE` the palette of another picture, so that the
network learns to believe hints where they disagree."""
FOREIGN_SHARE = 0.35

Batch = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]


@dataclass(frozen=True)
class Split:
    """Some pictures and the palettes of each.

    Attributes
    ----------
    lab : ndarray of float16, shape (count, side, side, 3)
    palettes : ndarray of float32, shape (count, 6, 4)
        See `training.book`.
    levels : ndarray of float32, shape (count, 32)
        Share of each level of lightness; see `training.book`.
    """

    lab: NDArray[np.float16]
    palettes: NDArray[np.float32]
    levels: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.lab)


@dataclass(frozen=True)
class Splits:
    """A corpus, split by picture."""

    train: Split
    validation: Split
    test: Split
    digest: str
    """Of all pictures together: other pictures, another digest."""

    @property
    def count(self) -> int:
        """Pictures in all splits together."""
        return len(self.train) + len(self.validation) + len(self.test)


def load_splits(folders: list[Path], side: int) -> Splits:
    """Read all pictures of some folders and split them.

    The order of the pictures' digests decides the split: it depends on their
    bytes alone, not on names or folders. A second copy of a picture is dropped,
    or it might stand in two splits.

    Parameters
    ----------
    folders : list of Path
        Searched through recursively. Files that are no pictures are reported
        and skipped.
    side : int
        Side in pixels of the centred square that is kept of each picture.

    Raises
    ------
    CorpusError
        When there are fewer than three pictures.
    """
    paths = [path for folder in folders for path in list_files(folder)]
    pictures: dict[str, NDArray[np.float16]] = {}
    for path, rgb in read_pictures(paths, "reading the corpus"):
        digest = hashlib.sha256(rgb.tobytes()).hexdigest()
        if digest in pictures:
            warn(f"{path}: skipped, a copy of a picture read before")
        else:
            pictures[digest] = rgb_to_lab(square(rgb, side)).astype(np.float16)
    if len(pictures) < FEWEST_PICTURES:
        names = ", ".join(str(folder) for folder in folders)
        raise CorpusError(
            f"a corpus needs at least {FEWEST_PICTURES} pictures. "
            f"Received: {len(pictures)} readable ones of {len(paths)} files in {names}"
        )
    digests = sorted(pictures)
    lab = np.empty((len(digests), side, side, 3), np.float16)
    for place, digest in zip(lab, digests, strict=True):
        place[:] = pictures.pop(digest)
    palettes = np.stack(
        [extract_palette(picture[::2, ::2]) for picture in track(list(lab), "finding palettes")]
    )
    levels = count_levels(lab[..., 0])
    first_test = math.ceil(VALIDATION_SHARE * len(lab))
    first_train = first_test + math.ceil(TEST_SHARE * len(lab))

    def cut(part: slice) -> Split:
        return Split(lab[part], palettes[part], levels[part])

    return Splits(
        validation=cut(slice(first_test)),
        test=cut(slice(first_test, first_train)),
        train=cut(slice(first_train, None)),
        digest=hashlib.sha256("".join(digests).encode()).hexdigest(),
    )


def square(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Cut out the centred square and resize it to ``(side, side, 3)``."""
    height, width = rgb.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    cut = rgb[top : top + short, left : left + short]
    interpolation = cv2.INTER_AREA if short > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(cut, (side, side), interpolation=interpolation))


def training_batches(
    train: Split, book: Book, recipe: Recipe, first_epoch: int, epochs: int
) -> tf.data.Dataset:
    """Batches of all epochs from `first_epoch` on, in one stream.

    Order and augmentation follow from (seed, epoch, picture) alone: a training
    that resumes at epoch k sees what it would have seen.

    Parameters
    ----------
    train : Split
    book : Book
    recipe : Recipe
    first_epoch, epochs : int

    Returns
    -------
    tf.data.Dataset
        Of what the network is given, `lightness` (batch, size, size, 1),
        `palette` (batch, 6, 4) and `hints` (batch, 64, 5), and what is true,
        `chroma` (batch, size, size, 2) and `book_target` (batch, book size). The
        size is that of the epoch.
    """
    count = len(train)
    lab, palettes, targets = map(
        tf.constant, (train.lab, train.palettes, book.score(train.palettes, train.levels))
    )

    sizes = tf.constant([recipe.size_at(epoch, epochs) for epoch in range(epochs)])

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        epoch_seed = tf.stack([tf.constant(recipe.seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype=tf.int64), seed=epoch_seed
        )

        def sample(index: tf.Tensor) -> tuple[tf.Tensor, ...]:
            seed = epoch_seed * 1_000_003 + index
            view = _view(lab[index], sizes[epoch], seed)
            has_palette, has_hints = _draw_conditions(seed)
            # A palette is of the picture as it was.
            lit = light_with_colors(view, recipe.light_share, seed + 7)
            view = tf.where(has_palette, view, lit)
            conditions = _condition(view, palettes[index], palettes, has_palette, has_hints, seed)
            recolored = _recolor(view, *conditions, recipe.turn_share, seed)
            return (*recolored, targets[index])

        samples = tf.data.Dataset.from_tensor_slices(order).map(
            sample, num_parallel_calls=tf.data.AUTOTUNE
        )
        return samples.batch(recipe.batch_size, drop_remainder=count >= recipe.batch_size)

    # One stream for all epochs: each dataset would hold the pictures once more.
    stream = tf.data.Dataset.range(first_epoch, epochs).flat_map(one_epoch)
    return stream.map(_as_batch).prefetch(2)


def steps_per_epoch(train: Split, batch_size: int) -> int:
    """How many of `training_batches` make an epoch."""
    return max(1, len(train) // batch_size)


def plain_batches(split: Split, book: Book, batch_size: int) -> tf.data.Dataset:
    """Batches of whole pictures at half size, in order.

    One picture comes with its true palette, the next with ten true hints.
    """
    scores = book.score(split.palettes, split.levels)
    samples = tf.data.Dataset.from_tensor_slices((split.lab, split.palettes, scores)).enumerate()

    def sample(index: tf.Tensor, values: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        lab, palette, target = values
        lab = tf.nn.avg_pool2d(tf.cast(lab, tf.float32)[None], 2, 2, "VALID")[0]
        has_palette = tf.cast(index % 2 == 0, tf.float32)
        hints = _sample_hints(lab, (1 - has_palette) * 10, tf.stack([index, index]))
        return lab, palette * has_palette, hints, target

    return samples.map(sample).batch(batch_size).map(_as_batch).cache().prefetch(2)


def _view(lab: tf.Tensor, size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Cut a square out of a picture, at any scale from full to whole; turn it, mirror it."""
    side = lab.shape[0]
    uniform = tf.random.stateless_uniform([4], seed)
    zoom = tf.clip_by_value(2 * uniform[0] - 0.5, 0.0, 1.0)  # a quarter at each end
    smallest = tf.cast(size, tf.float32)
    cut = tf.cast(tf.round(smallest * (side / smallest) ** zoom), tf.int32)
    top, left = (
        tf.cast(share * tf.cast(side - cut + 1, tf.float32), tf.int32)
        for share in (uniform[1], uniform[2])
    )
    view = tf.cast(lab[top : top + cut, left : left + cut], tf.float32)
    view = tf.image.resize(view, (size, size), method="area")
    view = tf.image.stateless_random_flip_left_right(view, seed)
    return tf.image.rot90(view, tf.cast(uniform[3] * 4, tf.int32))


def _draw_conditions(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw whether a sample has a palette, and whether it has hints."""
    uniform = tf.random.stateless_uniform([], seed + 6)
    return (
        (uniform < PALETTE_SHARE) | (uniform >= PALETTE_SHARE + HINTS_SHARE),
        uniform >= PALETTE_SHARE,
    )


def _condition(
    view: tf.Tensor,
    palette: tf.Tensor,
    palettes: tf.Tensor,
    has_palette: tf.Tensor,
    has_hints: tf.Tensor,
    seed: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Give a palette, hints or both, as a person would."""
    uniform = tf.random.stateless_uniform([6], seed + 4)
    is_foreign = has_palette & has_hints & (uniform[1] < FOREIGN_SHARE)
    foreign = tf.cast(uniform[2] * tf.cast(tf.shape(palettes)[0], tf.float32), tf.int32)
    palette = tf.where(is_foreign, palettes[foreign], palette)
    palette = _loosen(palette, uniform[3:5], seed) * tf.cast(has_palette, tf.float32)
    count = tf.where(has_hints, tf.exp(uniform[5] * math.log(MOST_HINTS + 1)), 0.0)
    return palette, _sample_hints(view, count, seed)


def _loosen(palette: tf.Tensor, uniform: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Drop some colours of a palette, all shares sometimes, and move the colours a little."""
    kept = tf.random.stateless_uniform([palette.shape[0], 1], seed + 1) >= DROP_SHARE
    weight = palette[:, 3:] * tf.cast(kept, tf.float32)
    weight = tf.where(uniform[0] < FORGET_SHARE, tf.cast(weight > 0, tf.float32), weight)
    jitter = tf.random.stateless_normal([palette.shape[0], 3], seed + 2) * JITTER
    return tf.concat([palette[:, :3] + tf.where(uniform[1] < JITTER_SHARE, jitter, 0.0), weight], 1)


def _sample_hints(lab: tf.Tensor, count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Take the true colour at `count` random points: (64, 5), the others with weight 0."""
    places = tf.random.stateless_uniform([MOST_HINTS, 2], seed + 3)  # x, y
    pixels = tf.cast(places[:, ::-1] * tf.cast(tf.shape(lab)[:2], tf.float32), tf.int32)
    weight = tf.cast(tf.range(1.0, MOST_HINTS + 1) <= count, tf.float32)
    return tf.concat([places, tf.gather_nd(lab, pixels)[:, 1:], weight[:, None]], axis=1)


def _recolor(
    view: tf.Tensor, palette: tf.Tensor, hints: tf.Tensor, share: float, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Turn the hues of a picture, its palette and its hints together, or leave them.

    The network shall place colours that no picture of the corpus has.
    """
    uniform = tf.random.stateless_uniform([3], seed + 5)
    lowest, highest = CHROMA_GAINS
    is_turned = uniform[0] < share
    angle = tf.where(is_turned, 2 * math.pi * uniform[1], 0.0)
    gain = tf.where(is_turned, lowest + (highest - lowest) * uniform[2], 1.0)
    cosine, sine = gain * tf.cos(angle), gain * tf.sin(angle)
    turn = tf.reshape(tf.stack([cosine, sine, -sine, cosine]), (2, 2))

    def turn_pair(values: tf.Tensor, first: int) -> tf.Tensor:
        before, chroma, after = tf.split(values, [first, 2, values.shape[-1] - first - 2], axis=-1)
        return tf.concat([before, chroma @ turn, after], axis=-1)

    return turn_pair(view, 1), turn_pair(palette, 1), turn_pair(hints, 2)


def _as_batch(
    lab: tf.Tensor, palette: tf.Tensor, hints: tf.Tensor, book_target: tf.Tensor
) -> Batch:
    given = {"lightness": lab[..., :1], "palette": palette, "hints": hints}
    return given, {"chroma": lab[..., 1:], "book_target": book_target}
