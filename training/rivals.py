"""Networks that were tried and are not shipped: for the table of ablations."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from service.cie import lab_to_linear
from training.network import (
    Architecture,
    PlaceColors,
    build_trunk,
    build_unet,
)

Tensor = Any

CLASS_SPACING = 20
CLASS_WIDTH = 10.0
TEMPERATURE = 0.38
"""Between the mean of the classes, dull, and the likeliest, blotchy."""


class DotProductColors(PlaceColors):
    """Attention by query and key alone, without the tables."""

    FIRST_LIGHTNESS_SLOPE = 0.0
    FIRST_DISTANCE_POWER = 0.0
    FIRST_BARRIER = 0.0


def list_classes() -> NDArray[np.float32]:
    """Return the classes of a*b*: centres, (classes, 2), of squares that sRGB reaches."""
    steps = np.arange(-120, 121, CLASS_SPACING, dtype=np.float32)
    a, b = (plane.ravel() for plane in np.meshgrid(steps, steps))
    lightness = np.arange(5, 100, 5, dtype=np.float32)[:, None]
    linear = lab_to_linear(*np.broadcast_arrays(lightness, a, b))  # (3, levels, classes)
    in_gamut = ((linear >= 0) & (linear <= 1)).all(axis=0).any(axis=0)
    return np.stack([a, b], axis=-1)[in_gamut]


CLASSES = list_classes()


def build_quantised(book_size: int = 0) -> keras.Model:
    """Build a network that gives each place a probability of each class of a*b*.

    References
    ----------
    .. [1] R. Zhang, P. Isola, A. A. Efros, "Colorful Image Colorization", ECCV 2016.
    """
    del book_size
    lightness = keras.Input((None, None, 1), name="lightness")
    features, _ = build_trunk(lightness)
    logits = layers.Conv2D(len(CLASSES), 1)(features)  # (N, H/2, W/2, classes)
    chroma = layers.Dense(
        2, use_bias=False, trainable=False, kernel_initializer=lambda *_, **__: CLASSES
    )(layers.Softmax()(logits / TEMPERATURE))
    return keras.Model([lightness], {"chroma": chroma, "logits": logits})


def quantised_loss(truth: dict[str, Tensor], outputs: dict[str, Tensor]) -> Tensor:
    """Cross-entropy of the classes, rare ones of a batch weighing more."""
    gap = truth["chroma"][..., None, :] - CLASSES  # (N, h, w, classes, 2)
    near = ops.exp(-ops.sum(ops.square(gap), axis=-1) / (2 * CLASS_WIDTH**2))
    target = near / (ops.sum(near, axis=-1, keepdims=True) + 1e-9)
    frequency = ops.mean(target, axis=(0, 1, 2))  # (classes,)
    weight = 1 / (0.5 * frequency + 0.5 / len(CLASSES))
    weight /= ops.sum(weight * frequency)
    return -ops.mean(ops.sum(weight * target * ops.log_softmax(outputs["logits"]), axis=-1))


RIVALS: dict[str, Architecture] = {
    "deep": Architecture(
        partial(build_unet, convolutions=2),
        16,
        2,
        is_conditional=True,
        max_artifact_bytes=12_000_000,
    ),
    "dot-product": Architecture(
        partial(build_unet, place=DotProductColors),
        16,
        2,
        is_conditional=True,
        max_artifact_bytes=12_000_000,
    ),
    "quantised": Architecture(
        build_quantised, 16, 2, is_conditional=False, max_artifact_bytes=12_000_000
    ),
}
