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
from training.book import Book, extract_palette
from training.console import track, warn
from training.errors import CorpusError
from training.pictures import list_files, read_pictures

VALIDATION_SHARE = 0.08
TEST_SHARE = 0.04
FEWEST_PICTURES = 3
"""One for each split."""

CROP_SHARE = 0.5
"""Share of the training samples that are crops at full scale; the others are
whole pictures, shrunk. The network meets both scales of detail."""

JITTER_SHARE = 0.5
JITTER = (5.0, 3.0, 3.0)
"""Standard deviations of L*, a* and b*: palettes that people give are never exact."""
DROP_SHARE = 0.1
FORGET_SHARE = 0.5
"""Of the samples whose palettes lose the shares of their colours: people give none."""
TURN_SHARE = 0.5
"""Of the samples whose hues are turned, picture and palette together: the network
shall place colours that no picture of the corpus has."""
CHROMA_GAINS = (0.7, 1.5)

Batch = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]


@dataclass(frozen=True)
class Split:
    """Some pictures and the palettes of each.

    Attributes
    ----------
    lab : ndarray of float16, shape (count, side, side, 3)
    palettes : ndarray of float32, shape (count, 6, 4)
        See `training.book`.
    """

    lab: NDArray[np.float16]
    palettes: NDArray[np.float32]

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
        [extract_palette(picture) for picture in track(list(lab), "finding palettes")]
    )
    validation = math.ceil(VALIDATION_SHARE * len(lab))
    train = validation + math.ceil(TEST_SHARE * len(lab))
    return Splits(
        validation=Split(lab[:validation], palettes[:validation]),
        test=Split(lab[validation:train], palettes[validation:train]),
        train=Split(lab[train:], palettes[train:]),
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
    train: Split,
    book: Book,
    batch_size: int,
    seed: int,
    first_epoch: int,
    epochs: int,
) -> tf.data.Dataset:
    """Batches of all epochs from `first_epoch` on, in one stream.

    Order and augmentation follow from (seed, epoch, picture) alone: a training
    that resumes at epoch k sees what it would have seen.

    Parameters
    ----------
    train : Split
    book : Book
    batch_size, seed, first_epoch, epochs : int

    Returns
    -------
    tf.data.Dataset
        Of what the network is given, `lightness` (batch, side/2, side/2, 1) and
        `palette` (batch, 6, 4), and what is true, `chroma` (batch, side/2, side/2,
        2) and `book_target` (batch, book size).
    """
    count = len(train)
    lab, palettes, targets = map(
        tf.constant, (train.lab, train.palettes, book.score(train.palettes))
    )

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        epoch_seed = tf.stack([tf.constant(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype=tf.int64), seed=epoch_seed
        )
        samples = tf.data.Dataset.from_tensor_slices(order).map(
            lambda index: (
                *_augment(lab[index], palettes[index], epoch_seed * 1_000_003 + index),
                targets[index],
            ),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        return samples.batch(batch_size, drop_remainder=count >= batch_size)

    stream = tf.data.Dataset.range(first_epoch, epochs).flat_map(one_epoch)
    return stream.map(_as_batch).prefetch(2)


def steps_per_epoch(train: Split, batch_size: int) -> int:
    """How many of `training_batches` make an epoch."""
    return max(1, len(train) // batch_size)


def plain_batches(split: Split, book: Book, batch_size: int) -> tf.data.Dataset:
    """Batches of whole pictures at half size with their true palettes, in order."""
    scored = (split.lab, split.palettes, book.score(split.palettes))
    samples = tf.data.Dataset.from_tensor_slices(scored)
    samples = samples.map(lambda lab, palette, target: (_shrink(lab), palette, target))
    return samples.batch(batch_size).map(_as_batch).cache().prefetch(2)


def _augment(lab: tf.Tensor, palette: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Crop or shrink to half the side, turn, mirror, recolour; make the palette a person's."""
    half = lab.shape[0] // 2
    uniform = tf.random.stateless_uniform([7], seed)
    lab = tf.cond(
        uniform[0] < CROP_SHARE,
        lambda: tf.image.stateless_random_crop(tf.cast(lab, tf.float32), [half, half, 3], seed),
        lambda: _shrink(lab),
    )
    lab = tf.image.stateless_random_flip_left_right(lab, seed)
    lab = tf.image.rot90(lab, tf.cast(uniform[1] * 4, tf.int32))

    weight = palette[:, 3:] * tf.cast(
        tf.random.stateless_uniform([palette.shape[0], 1], seed + 1) >= DROP_SHARE, tf.float32
    )
    weight = tf.where(uniform[2] < FORGET_SHARE, tf.cast(weight > 0, tf.float32), weight)
    jitter = tf.random.stateless_normal([palette.shape[0], 3], seed + 2) * JITTER
    colors = palette[:, :3] + tf.where(uniform[3] < JITTER_SHARE, jitter, 0.0)

    angle = tf.where(uniform[4] < TURN_SHARE, 2 * math.pi * uniform[5], 0.0)
    lowest, highest = CHROMA_GAINS
    gain = tf.where(uniform[4] < TURN_SHARE, lowest + (highest - lowest) * uniform[6], 1.0)
    cosine, sine = gain * tf.cos(angle), gain * tf.sin(angle)
    turn = tf.reshape(tf.stack([1, 0, 0, 0, cosine, sine, 0, -sine, cosine]), (3, 3))
    return lab @ turn, tf.concat([colors @ turn, weight], axis=1)


def _shrink(lab: tf.Tensor) -> tf.Tensor:
    """Halve each side by averaging 2 x 2 pixels."""
    return tf.nn.avg_pool2d(tf.cast(lab, tf.float32)[None], 2, 2, "VALID")[0]


def _as_batch(lab: tf.Tensor, palette: tf.Tensor, book_target: tf.Tensor) -> Batch:
    given = {"lightness": lab[..., :1], "palette": palette}
    return given, {"chroma": lab[..., 1:], "book_target": book_target}
