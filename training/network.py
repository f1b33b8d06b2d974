"""The autoencoders: lightness and a palette in, chroma out, any size.

Where colours go can be learned from lightness; which colours cannot: a network
that regresses a* and b* from L* alone answers with the mean of all that are
right, which is brown. So `unet`, the network we ship, takes a palette and
learns to place it, and scores the palettes of a book for when none is given.
`classic`, the published network of this task, regresses; it is kept to compare.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

Tensor = Any

LIGHTNESS_CENTER = 50.0
CHROMA_SCALE = 128.0
"""Networks work in units near one; a* and b* of sRGB lie within +-128 of grey."""


@dataclass(frozen=True)
class Architecture:
    """A network and what it asks of its pictures.

    Attributes
    ----------
    build : callable
        Takes the size of the palette book and returns a fresh functional model:
        `lightness` (N, H, W, 1) in [0, 100] and, unless it takes none, `palette`
        (N, K, 4) to a dict of `chroma` (N, h, w, 2), unnormalised, and, if it
        takes a palette, `scores` (N, book size).
    size_multiple : int
        H and W must be multiples of this.
    output_stride : int
        ``h = H / output_stride``, and so for w.
    takes_palette : bool
    max_artifact_bytes : int
        What its ONNX file may have.
    """

    build: Callable[[int], keras.Model]
    size_multiple: int
    output_stride: int
    takes_palette: bool
    max_artifact_bytes: int


UNET_WIDTHS = (16, 32, 64, 128, 256)


def build_unet(book_size: int) -> keras.Model:
    """Build the shipped network: a U-Net that places a palette, at half size.

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net", MICCAI 2015.
    .. [2] S. Iizuka, E. Simo-Serra, H. Ishikawa, "Let there be Color!",
       SIGGRAPH 2016: global features, fused at every place.
    """
    lightness = keras.Input((None, None, 1), name="lightness")  # (N, H, W, 1)
    palette = keras.Input((None, 4), name="palette")  # (N, K, 4)
    x = layers.Rescaling(1 / LIGHTNESS_CENTER, offset=-1.0)(lightness)

    x = _convolve(x, UNET_WIDTHS[0])  # (N, H, W, 16)
    skips = []
    for width in UNET_WIDTHS[1:-1]:
        x = _convolve(x, width, stride=2)  # down to (N, H/8, W/8, 128)
        x = _convolve(x, width)
        skips.append(x)
    x = _convolve(x, UNET_WIDTHS[-1], stride=2)  # (N, H/16, W/16, 256)
    x, picture = _add_global_view(x, UNET_WIDTHS[-1])

    for width, skip in zip(UNET_WIDTHS[-2:0:-1], reversed(skips), strict=True):
        x = _deconvolve(x, width)  # up to (N, H/2, W/2, 32)
        x = _convolve(layers.Add()([x, skip]), width)

    small_lightness = layers.AveragePooling2D(2)(lightness)  # (N, H/2, W/2, 1)
    chroma = PlacePalette()(x, picture, small_lightness, palette)  # (N, H/2, W/2, 2)
    scores = layers.Dense(book_size, name="scores")(picture)  # (N, book)
    return keras.Model([lightness, palette], {"chroma": chroma, "scores": scores})


CLASSIC_ENCODER = ((64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 1), (256, 1))
CLASSIC_DECODER = (128, 64, 32, 16)


def build_classic(book_size: int = 0) -> keras.Model:
    """Build the published network of this task: plain convolutions, no palette.

    Its decoder enlarges after the first, third and fourth layer, by copying
    pixels; 6.2 million parameters, most of them in the two layers of 512.
    """
    del book_size
    lightness = keras.Input((None, None, 1), name="lightness")  # (N, H, W, 1)
    x = layers.Rescaling(1 / (2 * LIGHTNESS_CENTER))(lightness)
    for width, stride in CLASSIC_ENCODER:  # down to (N, H/8, W/8, 256)
        x = layers.Conv2D(width, 3, strides=stride, padding="same", activation="relu")(x)
    for index, width in enumerate(CLASSIC_DECODER):
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        if index != 1:
            x = layers.UpSampling2D(2)(x)  # up to (N, H, W, 16)
    x = layers.Conv2D(2, 3, padding="same", activation="tanh")(x)
    return keras.Model([lightness], {"chroma": layers.Rescaling(CHROMA_SCALE)(x)})


ARCHITECTURES = {
    "unet": Architecture(
        build_unet,
        size_multiple=16,
        output_stride=2,
        takes_palette=True,
        max_artifact_bytes=12_000_000,
    ),
    "classic": Architecture(
        build_classic,
        size_multiple=8,
        output_stride=1,
        takes_palette=False,
        max_artifact_bytes=26_000_000,
    ),
}


class PlacePalette(layers.Layer):  # type: ignore[misc]
    """Every place attends to the colours of the palette.

    It begins as a table, the colour whose lightness is nearest, and learns what
    shape, place and the picture as a whole add to that. A place takes the
    weighted chroma of the colours, more or less of it: a hue of theirs or between.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
    """

    KEY_WIDTH = 16
    TOKEN_WIDTH = 64
    FIRST_LIGHTNESS_SLOPE = 0.25
    """Of the table: weights of exp(-0.25 |dL*|)."""
    FIRST_SHARE_SLOPE = 0.5
    LARGEST_LOG_GAIN = 0.7
    """Chroma may be halved or doubled, not more: a shade of a colour is still that colour."""

    def __init__(self) -> None:
        super().__init__(name="place_palette")
        self._query = layers.Conv2D(self.KEY_WIDTH, 1)
        self._token = layers.Dense(self.TOKEN_WIDTH, activation="relu")
        self._token_to_key = layers.Dense(self.TOKEN_WIDTH)
        self._context_to_key = layers.Dense(self.TOKEN_WIDTH)
        self._key = layers.Dense(self.KEY_WIDTH)
        self._gain = layers.Conv2D(1, 1, kernel_initializer="zeros")
        self._lightness_slope = self.add_weight(
            (), keras.initializers.Constant(self.FIRST_LIGHTNESS_SLOPE)
        )
        self._share_slope = self.add_weight((), keras.initializers.Constant(self.FIRST_SHARE_SLOPE))

    def call(self, features: Tensor, picture: Tensor, lightness: Tensor, palette: Tensor) -> Tensor:
        """Place a palette.

        Parameters
        ----------
        features : Tensor, shape (N, h, w, c)
        picture : Tensor, shape (N, d)
            Features of the picture as a whole.
        lightness : Tensor, shape (N, h, w, 1)
            CIE L*.
        palette : Tensor, shape (N, K, 4)
            L*, a*, b* and weight of each colour; weight 0 means that there is none.

        Returns
        -------
        Tensor, shape (N, h, w, 2)
        """
        weight = palette[..., 3]  # (N, K)
        share = weight / (ops.sum(weight, axis=1, keepdims=True) + 1e-6)
        keys = self._keys(palette, share, picture)  # (N, K, 16)
        affinity = _matmul_places(self._query(features), ops.transpose(keys, (0, 2, 1)))
        gap = ops.abs(lightness - palette[:, None, None, :, 0])  # (N, h, w, K)
        prior = self._share_slope * ops.log(share + 1e-3) - 1e4 * ops.cast(weight <= 0, "float32")
        logits = affinity / math.sqrt(self.KEY_WIDTH) - self._lightness_slope * gap
        attention = ops.softmax(logits + prior[:, None, None, :])  # (N, h, w, K)
        placed = _matmul_places(attention, palette[..., :3])  # (N, h, w, 3)
        shade = (lightness - placed[..., :1]) / LIGHTNESS_CENTER
        log_gain = ops.tanh(self._gain(ops.concatenate([features, shade], axis=-1)))
        return placed[..., 1:] * ops.exp(self.LARGEST_LOG_GAIN * log_gain)

    def _keys(self, palette: Tensor, share: Tensor, picture: Tensor) -> Tensor:
        """Derive what each colour is looked for by, from itself, its company and the picture."""
        scale = ops.array([1 / LIGHTNESS_CENTER, 2 / CHROMA_SCALE, 2 / CHROMA_SCALE])
        tokens = ops.concatenate([palette[..., :3] * scale, share[..., None]], axis=-1)
        tokens = self._token(tokens)  # (N, K, 64)
        company = ops.sum(tokens * share[..., None], axis=1)  # (N, 64)
        context = self._context_to_key(ops.concatenate([company, picture], axis=-1))
        return self._key(ops.relu(self._token_to_key(tokens) + context[:, None, :]))


class ChoosePalette(layers.Layer):  # type: ignore[misc]
    """The palette that is given or, without one, the best-scored of a book.

    Parameters
    ----------
    book : ndarray of float32, shape (size, 6, 4)
    """

    def __init__(self, book: NDArray[np.float32]) -> None:
        super().__init__(name="choose_palette")
        self._book = book

    def call(self, scores: Tensor, palette: Tensor) -> Tensor:
        """Choose.

        Parameters
        ----------
        scores : Tensor, shape (N, size)
        palette : Tensor, shape (N, K, 4)
            With all weights 0, none is given.

        Returns
        -------
        Tensor, shape (N, K + 6, 4)
            Colours of the given palette and of the book's, one of them with
            weights 0.
        """
        # Not argmax: Keras writes it with an operation that ONNX lacks.
        best = ops.top_k(scores, 1)[1][:, 0]  # (N,)
        chosen = ops.take(ops.convert_to_tensor(self._book), best, axis=0)  # (N, 6, 4)
        is_given = ops.any(palette[..., 3:] > 0, axis=1, keepdims=True)  # (N, 1, 1)
        weight = chosen[..., 3:] * (1 - ops.cast(is_given, "float32"))
        chosen = ops.concatenate([chosen[..., :3], weight], axis=-1)
        return ops.concatenate([palette, chosen], axis=1)


def add_book(network: keras.Model, book: NDArray[np.float32]) -> keras.Model:
    """Let a network that takes a palette choose one by itself when none is given.

    Parameters
    ----------
    network : keras.Model
    book : ndarray of float32, shape (size, 6, 4)
        The palettes that its scores are about.

    Returns
    -------
    keras.Model
        `lightness` (N, H, W, 1) and `palette` (N, K, 4) to a dict of `chroma`.
    """
    lightness, palette = network.inputs
    place = network.get_layer("place_palette")
    features, picture, small_lightness, _ = place.input
    palette_or_choice = ChoosePalette(book)(network.output["scores"], palette)
    chroma = place(features, picture, small_lightness, palette_or_choice)
    return keras.Model([lightness, palette], {"chroma": chroma})


def _matmul_places(places: Tensor, matrix: Tensor) -> Tensor:
    """Multiply at every place: (N, h, w, i) with (N, i, j) to (N, h, w, j)."""
    _, height, width, inner = ops.shape(places)
    flat = ops.matmul(ops.reshape(places, (-1, height * width, inner)), matrix)
    return ops.reshape(flat, (-1, height, width, ops.shape(matrix)[2]))


def _convolve(x: Tensor, width: int, stride: int = 1) -> Tensor:
    x = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x)


def _deconvolve(x: Tensor, width: int) -> Tensor:
    # A kernel that is a multiple of the stride leaves no checkerboard (Odena et al. 2016).
    return layers.Conv2DTranspose(width, 4, strides=2, padding="same", activation="relu")(x)


def _add_global_view(x: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Tell every place what the picture as a whole looks like.

    Returns the fused map, (N, h, w, width), and the picture's features, (N, width).
    """
    picture = layers.GlobalAveragePooling2D()(x)
    picture = layers.Dense(width, activation="relu")(picture)
    everywhere = layers.Reshape((1, 1, width))(layers.Dense(width)(picture))
    x = layers.ReLU()(layers.Add()([x, everywhere]))
    return _convolve(x, width), picture
