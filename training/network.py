"""The autoencoders: lightness and a palette in, chroma out, any size.

Where colours go can be learned from lightness; which colours cannot: a network
that regresses a* and b* from L* alone answers with the mean of all that are
right, which is brown. So `unet`, the network we ship, takes a palette and
hints and learns to place them, and scores the palettes of a book for when none is
given.
`classic`, the published network of this task, regresses; it is kept to compare.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from training.barriers import find_barriers

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
        `lightness` (N, H, W, 1) in [0, 100] and, if it is conditional, `palette`
        (P, K, 4) and `hints` (P, M, 5), to a dict of `chroma` (P, h, w, 2),
        unnormalised, and, if it is conditional, `scores` (N, book size). P is N,
        or any number where N is 1.
    size_multiple : int
        H and W must be multiples of this.
    output_stride : int
        ``h = H / output_stride``, and so for w.
    is_conditional : bool
        Whether it can be told colours.
    max_artifact_bytes : int
        What its ONNX file may have.
    """

    build: Callable[[int], keras.Model]
    size_multiple: int
    output_stride: int
    is_conditional: bool
    max_artifact_bytes: int


UNET_WIDTHS = (32, 64, 128, 256)
"""Of the maps at half the size of the picture, a quarter, an eighth and a sixteenth."""


def build_unet(
    book_size: int, convolutions: int = 1, place: type[PlaceColors] | None = None
) -> keras.Model:
    """Build the shipped network: a U-Net that places given colours, at half size.

    Parameters
    ----------
    book_size : int
    convolutions : int
        At each size of the encoder.
    place : type, optional
        How colours are placed; by default `PlaceColors`.
    """
    lightness = keras.Input((None, None, 1), name="lightness")  # (N, H, W, 1)
    palette = keras.Input((None, 4), name="palette")  # (P, K, 4)
    hints = keras.Input((None, 5), name="hints")  # (P, M, 5)
    features, picture = build_trunk(lightness, convolutions)
    small_lightness = layers.AveragePooling2D(2)(lightness)  # (N, H/2, W/2, 1)
    chroma = (place or PlaceColors)()(features, picture, small_lightness, palette, hints)
    scores = layers.Dense(book_size, name="scores")(picture)  # (N, book)
    return keras.Model([lightness, palette, hints], {"chroma": chroma, "scores": scores})


def build_trunk(lightness: Tensor, convolutions: int = 1) -> tuple[Tensor, Tensor]:
    """Build what sees: features of each place, at half size, and of the picture.

    Parameters
    ----------
    lightness : Tensor, shape (N, H, W, 1)
    convolutions : int
        At each size of the encoder.

    Returns
    -------
    features : Tensor, shape (N, H/2, W/2, 32)
    picture : Tensor, shape (N, 256)

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net", MICCAI 2015.
    .. [2] S. Iizuka, E. Simo-Serra, H. Ishikawa, "Let there be Color!",
       SIGGRAPH 2016: global features, fused at every place.
    .. [3] W. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an
       Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016: 2 x 2 pixels as
       channels, so that no layer works at full size.
    """
    x = SpaceToDepth()(lightness)  # (N, H/2, W/2, 4)
    x = layers.Rescaling(1 / LIGHTNESS_CENTER, offset=-1.0)(x)
    x = _convolve(x, UNET_WIDTHS[0])  # (N, H/2, W/2, 32)
    skips = [x]
    for width in UNET_WIDTHS[1:-1]:
        x = _convolve(x, width, stride=2)  # down to (N, H/8, W/8, 128)
        for _ in range(1, convolutions):
            x = _convolve(x, width)
        skips.append(x)
    x = _convolve(x, UNET_WIDTHS[-1], stride=2)  # (N, H/16, W/16, 256)
    x, picture = _add_global_view(x, UNET_WIDTHS[-1])
    for width, skip in zip(UNET_WIDTHS[-2::-1], reversed(skips), strict=True):
        x = _deconvolve(x, width)  # up to (N, H/2, W/2, 32)
        x = _convolve(layers.Add()([x, skip]), width)
    return x, picture


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
        is_conditional=True,
        max_artifact_bytes=12_000_000,
    ),
    "classic": Architecture(
        build_classic,
        size_multiple=8,
        output_stride=1,
        is_conditional=False,
        max_artifact_bytes=26_000_000,
    ),
}


class PlaceColors(layers.Layer):  # type: ignore[misc]
    """Every place attends to the colours of the palette and of the hints.

    It begins as two tables: the palette's colour whose lightness is nearest, and
    the hint that is nearest in lightness and in place [3]_. It learns what shape,
    place and the picture as a whole add to that: a hint reaches as far as places
    look like its own. A place takes the weighted chroma of the palette, and what
    a plane through the weighted hints gives, as steep as it learns to trust [4]_:
    more or less of a hue of theirs or between.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
    .. [2] R. Zhang et al., "Real-Time User-Guided Image Colorization with Learned
       Deep Priors", SIGGRAPH 2017: hints at random points, in training.
    .. [3] D. Shepard, "A two-dimensional interpolation function for irregularly-spaced
       data", 1968: weights that fall as a power of the distance.
    .. [4] P. Lancaster, K. Salkauskas, "Surfaces generated by moving least squares
       methods", 1981.
    """

    KEY_WIDTH = 16
    TOKEN_WIDTH = 64
    FIRST_LIGHTNESS_SLOPE = 0.25
    """Of the tables: weights of exp(-0.25 |dL*|)."""
    FIRST_DISTANCE_POWER = 3.0
    NEAR = 0.02
    """Of the table of hints: weights of (1 + d / 0.02)^-3, for d in sides of the picture.
    A power has no scale of its own: it serves one hint as it serves fifty."""
    FIRST_BARRIER, BARRIER_SCALE = 16.0, 3.0
    """Of what a barrier costs: 16 (1 - exp(-dL* / 3)). Beyond an edge is beyond an edge,
    however high."""
    FIRST_RIDGE = 0.003
    FIRST_SHARE_SLOPE = 0.5
    LARGEST_LOG_GAIN = 0.7
    """Chroma may be halved or doubled, not more: a shade of a colour is still that colour."""
    CORRECTION_SHARPNESS = 2.0
    LARGEST_LOGIT = 40.0
    FAR = 200.0
    """L* of what is no colour: nothing is near it."""

    def __init__(self) -> None:
        super().__init__(name="place_colors")
        # At each place: query, likeness, two lightness slopes, a distance power and what
        # barriers cost, two ridges, gain and shade gain.
        # Small at first, so that the tables are what it begins as.
        first = keras.initializers.RandomNormal(stddev=0.05)
        self._place = layers.Conv2D(2 * self.KEY_WIDTH + 8, 1, kernel_initializer=first)
        self._token = layers.Dense(self.TOKEN_WIDTH, activation="relu")
        self._token_to_key = layers.Dense(self.TOKEN_WIDTH)
        self._context_to_key = layers.Dense(self.TOKEN_WIDTH)
        self._key = layers.Dense(self.KEY_WIDTH)
        self._share_slope = self._scalar(self.FIRST_SHARE_SLOPE)
        self._hint_bias = self._scalar(1.0)

    def call(
        self,
        features: Tensor,
        picture: Tensor,
        lightness: Tensor,
        palette: Tensor,
        hints: Tensor,
        even_out: Callable[[Tensor, Tensor], Tensor] | None = None,
        palette_trust: Tensor | float = 1.0,
        palette_sharpness: Tensor | float = 1.0,
        share_weight: Tensor | float = 1.0,
        barrier_weight: Tensor | float = 1.0,
        ridge_weight: Tensor | float = 1.0,
    ) -> Tensor:
        """Place colours. What has a number of its own below is 1 in training.

        Parameters
        ----------
        features : Tensor, shape (N, h, w, c)
        picture : Tensor, shape (N, d)
            Features of the picture as a whole.
        lightness : Tensor, shape (N, h, w, 1)
            CIE L*.
        palette : Tensor, shape (P, K, 4)
            L*, a*, b* and weight of each colour; weight 0 means that there is none.
            P is N, or any number where N is 1.
        hints : Tensor, shape (P, M, 5)
            Or (1, M, 5), as the palette may be (1, K, 4): x and y in [0, 1], a*, b*
            and weight of each hint.
        even_out : callable, optional
            Of (P, h, w, 2) and lightness; applied before hints are made exact.
        palette_trust : Tensor, shape (P, 1, 1), optional
            What the palette weighs beside hints: more keeps them to what is like their
            places.
        palette_sharpness, share_weight : Tensor, shape (P, 1, 1), or float, optional
            How strongly colours of the palette keep to places of their lightness, and
            how much more those are used that have large shares.
        barrier_weight : Tensor, shape (P, 1, 1), or float, optional
            What it costs that an edge is between a hint and a place.
        ridge_weight : Tensor, shape (P, 1, 1), or float, optional
            What it costs that planes are steep.

        Returns
        -------
        Tensor, shape (P, h, w, 2)
        """
        grid = _Grid.of(lightness)
        # Before hints are copied for each palette: these need not be measured again.
        hints = hints + ops.zeros_like(lightness[:, 0, :1])
        barriers = self._find_barriers(lightness, grid, hints)
        palette = palette + ops.zeros_like(hints[:, :1, :1])
        hints = hints + ops.zeros_like(palette[:, :1, :1])
        lightness = _flatten(lightness)  # (N, 1, places)
        width = self.KEY_WIDTH
        query, likeness, slopes, ridges, gains = ops.split(
            _flatten(self._place(features)),
            [width, 2 * width, 2 * width + 4, 2 * width + 6],
            axis=1,
        )  # each (N, channels, places)
        slopes, ridges = ops.exp(slopes), self.FIRST_RIDGE * ops.exp(ridges) * ridge_weight
        to_palette = palette_trust * self._attend_to_palette(
            query, slopes[:, :1], picture, lightness, palette, palette_sharpness, share_weight
        )

        cells = grid.find_cells(hints)
        index = grid.number_cells(cells)
        hint_lightness = _take(lightness, index)  # (P, 1, M)
        closeness = self._find_closeness(
            likeness,
            slopes,
            lightness,
            hint_lightness,
            grid.measure_distances(cells),
            barriers,
            index,
            barrier_weight,
        )
        is_hint = ops.cast(hints[..., 4:] > 0, "float32")  # (P, M, 1)
        to_hints = ops.exp(closeness + self._hint_bias) * is_hint

        # Summing weighted colours and weights at once: a softmax without its passes.
        colors = ops.concatenate([palette[..., :3], ops.ones_like(palette[..., :1])], axis=-1)
        from_palette = ops.matmul(ops.transpose(colors, (0, 2, 1)), to_palette)  # (P, 4, places)
        from_hints, total = _fit_planes(
            to_hints, hints, grid.scale(cells), hint_lightness[:, 0], lightness, grid, ridges
        )
        placed = from_palette[:, :3] + total * from_hints
        placed = placed / (from_palette[:, 3:] + total + 1e-30)  # (P, 3, places)

        shade = (lightness - placed[:, :1]) / LIGHTNESS_CENTER
        log_gain = ops.tanh(gains[:, :1] + gains[:, 1:] * shade)
        chroma = placed[:, 1:] * ops.exp(self.LARGEST_LOG_GAIN * log_gain)
        if even_out is not None:
            chroma = _flatten(even_out(grid.restore(chroma), grid.restore(lightness)))
        chroma = chroma + self._correct(chroma, closeness, is_hint, hints, index)
        return grid.restore(chroma)

    @staticmethod
    def _find_barriers(lightness: Tensor, grid: _Grid, hints: Tensor) -> Tensor:
        """Find what is between hints and places, in steps of L*: (P, M, places)."""
        cells = grid.find_cells(hints)
        hint_lightness = _take(_flatten(lightness), grid.number_cells(cells))[:, 0]  # (P, M)
        barriers = find_barriers(lightness, *cells, hint_lightness)
        return ops.reshape(barriers, (-1, ops.shape(hints)[1], grid.height * grid.width))

    def _attend_to_palette(
        self,
        query: Tensor,
        slope: Tensor,
        picture: Tensor,
        lightness: Tensor,
        palette: Tensor,
        sharpness: Tensor | float,
        share_weight: Tensor | float,
    ) -> Tensor:
        """Weigh each colour of the palette at each place: (P, K, places), not normalised.

        Sharpness and share weight tell colours apart; beside hints the palette as a
        whole weighs what it does without them.
        """
        weight = palette[..., 3]  # (P, K)
        total = ops.sum(weight, axis=1, keepdims=True)
        share = weight / (total + 1e-6)
        is_color = palette[..., 3:] > 0  # (P, K, 1)
        affinity = ops.matmul(self._keys(palette, share, picture), query)  # (P, K, places)

        color_lightness = ops.where(is_color, palette[..., :1], self.FAR)
        gap = ops.abs(lightness - color_lightness)  # (P, K, places)
        nearest = ops.min(gap, axis=1, keepdims=True)
        slope = self.FIRST_LIGHTNESS_SLOPE * slope
        log_share = ops.log(share + 1e-3)  # (P, K)
        mean = ops.sum(share * log_share, axis=1, keepdims=True)
        prior = log_share[..., None] + (share_weight - 1) * (log_share - mean)[..., None]
        # A palette whose weights sum to less than 1 counts less against hints.
        prior = self._share_slope * prior + ops.log(ops.clip(total, 1e-6, 1))[..., None]
        logits = affinity / math.sqrt(self.KEY_WIDTH) - sharpness * slope * gap + prior
        logits += (sharpness - 1) * slope * nearest
        logits = ops.clip(logits, -self.LARGEST_LOGIT, self.LARGEST_LOGIT)
        return ops.exp(logits) * ops.cast(is_color, "float32")

    def _find_closeness(
        self,
        likeness: Tensor,
        slopes: Tensor,
        lightness: Tensor,
        hint_lightness: Tensor,
        distance: Tensor,
        barriers: Tensor,
        index: Tensor,
        barrier_weight: Tensor | float,
    ) -> Tensor:
        """Say how close each hint is to each place: (P, M, places), 0 at its own, else less."""
        own = ops.transpose(_take(likeness, index), (0, 2, 1))  # (P, M, 16)
        unlikeness = (
            ops.sum(ops.square(likeness), axis=1, keepdims=True)
            - 2 * ops.matmul(own, likeness)
            + ops.sum(ops.square(own), axis=-1, keepdims=True)
        )
        gap = ops.abs(lightness - ops.transpose(hint_lightness, (0, 2, 1)))
        far = ops.log(1 + distance / self.NEAR)
        # A hint is exact at its own place, whatever its cell is like.
        beyond = ops.where(distance > 0, 1 - ops.exp(-barriers / self.BARRIER_SCALE), 0.0)
        closeness = (
            -unlikeness
            - self.FIRST_LIGHTNESS_SLOPE * slopes[:, 1:2] * gap
            - self.FIRST_DISTANCE_POWER * slopes[:, 2:3] * far
            - self.FIRST_BARRIER * barrier_weight * slopes[:, 3:] * beyond
        )
        return ops.maximum(closeness, -self.LARGEST_LOGIT)

    def _correct(
        self, chroma: Tensor, closeness: Tensor, is_hint: Tensor, hints: Tensor, index: Tensor
    ) -> Tensor:
        """Return what is to be added so that hints come out exactly: (P, 2, places)."""
        error = ops.transpose(hints[..., 2:4], (0, 2, 1)) - _take(chroma, index)  # (P, 2, M)
        near = ops.exp(self.CORRECTION_SHARPNESS * closeness) * is_hint  # 1 at the hint's own place
        error = ops.concatenate([error, ops.ones_like(error[:, :1])], axis=1)
        total = ops.matmul(error, near)  # (P, 3, places)
        return total[:, :2] / ops.maximum(total[:, 2:], 1.0)

    def _keys(self, palette: Tensor, share: Tensor, picture: Tensor) -> Tensor:
        """Derive what each colour is looked for by, from itself, its company and the picture."""
        scale = ops.array([1 / LIGHTNESS_CENTER, 2 / CHROMA_SCALE, 2 / CHROMA_SCALE])
        tokens = ops.concatenate([palette[..., :3] * scale, share[..., None]], axis=-1)
        tokens = self._token(tokens)  # (P, K, 64)
        company = ops.sum(tokens * share[..., None], axis=1)  # (P, 64)
        picture = picture + ops.zeros_like(company[:, :1])  # (P, d)
        context = self._context_to_key(ops.concatenate([company, picture], axis=-1))
        return self._key(ops.relu(self._token_to_key(tokens) + context[:, None, :]))

    def _scalar(self, first: float) -> Tensor:
        return self.add_weight((), keras.initializers.Constant(first))


class SpaceToDepth(layers.Layer):  # type: ignore[misc]
    """Make 2 x 2 pixels one, their values its channels: (N, H, W, c) to (N, H/2, W/2, 4c)."""

    def call(self, x: Tensor) -> Tensor:
        """Rearrange."""
        return tf.nn.space_to_depth(x, 2)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Tell Keras the shape."""
        count, height, width, channels = shape
        return (count, height and height // 2, width and width // 2, 4 * (channels or 0))


@dataclass(frozen=True)
class _Grid:
    """The places of a map, in rows and columns, and where hints are among them.

    Within the layers that place colours a map is flat, (N, channels, places):
    planes that follow one another in memory are what ONNX Runtime is fast at.
    """

    height: Tensor
    width: Tensor

    @classmethod
    def of(cls, places: Tensor) -> _Grid:
        """Of a map of shape (N, h, w, c)."""
        return cls(*ops.shape(places)[1:3])

    @property
    def coordinates(self) -> tuple[Tensor, Tensor]:
        """Where rows, (h, 1), and columns, (1, w), are, in shares of the longer side."""
        row = ops.arange(self.height, dtype="float32")[:, None]
        column = ops.arange(self.width, dtype="float32")[None]
        return self.scale((row, column))

    def find_cells(self, hints: Tensor) -> tuple[Tensor, Tensor]:
        """Find the row and the column of the cell that each hint is in: (P, M)."""
        height, width = ops.cast(self.height, "float32"), ops.cast(self.width, "float32")
        row = ops.clip(ops.floor(hints[..., 1] * height), 0.0, height - 1)
        column = ops.clip(ops.floor(hints[..., 0] * width), 0.0, width - 1)
        return row, column

    def number_cells(self, cells: tuple[Tensor, Tensor]) -> Tensor:
        """Give cells their numbers, row by row: (P, M) of int."""
        row, column = (ops.cast(side, "int32") for side in cells)
        return row * self.width + column

    def scale(self, cells: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Bring rows and columns to shares of the longer side."""
        longer = ops.cast(ops.maximum(self.height, self.width), "float32")
        return cells[0] / longer, cells[1] / longer

    def measure_distances(self, cells: tuple[Tensor, Tensor]) -> Tensor:
        """Distance of each place from each cell, in shares of the longer side: (P, M, places)."""
        (down, across), (row, column) = self.coordinates, self.scale(cells)
        down = ops.square(down - row[..., None, None])  # (P, M, h, 1)
        across = ops.square(across - column[..., None, None])  # (P, M, 1, w)
        distance = ops.sqrt(down + across)
        return ops.reshape(distance, (-1, ops.shape(row)[1], self.height * self.width))

    def restore(self, flat: Tensor) -> Tensor:
        """Make a map again: (P, c, places) to (P, h, w, c)."""
        channels = flat.shape[1]
        places = ops.reshape(flat, (-1, channels, self.height, self.width))
        return ops.transpose(places, (0, 2, 3, 1))


def _flatten(places: Tensor) -> Tensor:
    """Make planes of a map: (N, h, w, c) to (N, c, places)."""
    _, height, width, channels = ops.shape(places)
    planes = ops.transpose(places, (0, 3, 1, 2))
    return ops.reshape(planes, (-1, channels, height * width))


def _take(flat: Tensor, index: Tensor) -> Tensor:
    """Take the places of (N, c, places) that (P, M) numbers: (P, c, M)."""
    count, channels, places = ops.shape(flat)
    # Pictures follow one another; a single picture serves all rows of the index.
    picture = ops.minimum(ops.arange(ops.shape(index)[0]), count - 1)
    plane = picture[:, None] * channels + ops.arange(channels)[None]  # (P, c)
    return ops.take(ops.reshape(flat, (-1,)), plane[:, :, None] * places + index[:, None, :])


def _fit_planes(
    weights: Tensor,
    hints: Tensor,
    cells: tuple[Tensor, Tensor],
    hint_lightness: Tensor,
    lightness: Tensor,
    grid: _Grid,
    ridges: Tensor,
) -> tuple[Tensor, Tensor]:
    """Fit, at each place, colour as a linear function of place and lightness to the hints.

    The steeper a function, the more it costs: far from hints, or where they
    disagree, it is their mean. It never leaves the range of their a* and b*.

    Parameters
    ----------
    weights : Tensor, shape (P, M, places)
        Of each hint at each place.
    hints : Tensor, shape (P, M, 5)
    cells : tuple of two Tensors, shape (P, M)
        Rows and columns of the hints, in shares of the longer side.
    hint_lightness : Tensor, shape (P, M)
    lightness : Tensor, shape (N, 1, places)
    grid : _Grid
    ridges : Tensor, shape (N, 2, places)
        What steepness costs: in the plane, and in lightness.

    Returns
    -------
    colors : Tensor, shape (P, 3, places)
        L* of the hints, their mean, and a* and b* at the place.
    total : Tensor, shape (P, 1, places)
        Of the weights.
    """
    # All near zero, since variances are differences of squares.
    y, x, z = cells[0] - 0.5, cells[1] - 0.5, hint_lightness / LIGHTNESS_CENTER - 1
    a, b = hints[..., 2], hints[..., 3]
    terms = [ops.ones_like(x), x, y, z, x * x, x * y, x * z, y * y, y * z, z * z]
    terms += [a, b, x * a, y * a, z * a, x * b, y * b, z * b]  # each (P, M)
    sums = ops.matmul(ops.stack(terms, axis=1), weights)  # (P, 18, places)
    total = sums[:, :1]
    means = ops.unstack(sums[:, 1:] / (total + 1e-30), num=17, axis=1)  # each (P, places)
    x, y, z, xx, xy, xz, yy, yz, zz, a, b, xa, ya, za, xb, yb, zb = means

    # Covariances, with the ridge on the diagonal, and the inverse by cofactors.
    plane, shade = ridges[:, 0], ridges[:, 1]
    xx, yy, zz = xx - x * x + plane, yy - y * y + plane, zz - z * z + shade
    xy, xz, yz = xy - x * y, xz - x * z, yz - y * z
    x_x, x_y, x_z = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    y_y, y_z, z_z = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * x_x + xy * x_y + xz * x_z

    row, column = grid.coordinates
    dx = ops.reshape(ops.zeros_like(row) + column - 0.5, (1, -1)) - x
    dy = ops.reshape(row - 0.5 + ops.zeros_like(column), (1, -1)) - y
    dz = lightness[:, 0] / LIGHTNESS_CENTER - 1 - z
    to_x = (x_x * dx + x_y * dy + x_z * dz) / determinant
    to_y = (x_y * dx + y_y * dy + y_z * dz) / determinant
    to_z = (x_z * dx + y_z * dy + z_z * dz) / determinant
    lowest, highest = _range(hints)  # each (P, 2)
    at_a = a + to_x * (xa - x * a) + to_y * (ya - y * a) + to_z * (za - z * a)
    at_b = b + to_x * (xb - x * b) + to_y * (yb - y * b) + to_z * (zb - z * b)
    at_a = ops.clip(at_a, lowest[:, :1], highest[:, :1])
    at_b = ops.clip(at_b, lowest[:, 1:], highest[:, 1:])
    return ops.stack([(z + 1) * LIGHTNESS_CENTER, at_a, at_b], axis=1), total


def _range(hints: Tensor) -> tuple[Tensor, Tensor]:
    """Return the least and the largest a* and b* of hints: (P, M, 5) to two of (P, 2)."""
    chroma, absent = hints[..., 2:4], ops.cast(hints[..., 4:] <= 0, "float32") * 1e4
    return ops.min(chroma + absent, axis=1), ops.max(chroma - absent, axis=1)


def _convolve(x: Tensor, width: int, stride: int = 1) -> Tensor:
    x = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x)


def _deconvolve(x: Tensor, width: int) -> Tensor:
    # Kernels that do not overlap leave no checkerboard (Odena et al. 2016), and cost a quarter.
    return layers.Conv2DTranspose(width, 2, strides=2, activation="relu")(x)


def _add_global_view(x: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Tell every place what the picture as a whole looks like.

    Returns the fused map, (N, h, w, width), and the picture's features, (N, width).
    """
    picture = layers.GlobalAveragePooling2D()(x)
    picture = layers.Dense(width, activation="relu")(picture)
    everywhere = layers.Reshape((1, 1, width))(layers.Dense(width)(picture))
    x = layers.ReLU()(layers.Add()([x, everywhere]))
    return _convolve(x, width), picture
