"""One picture, from bytes to bytes: in colour, in several colourings, or beside itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from service.cie import Float32, Pixels, UInt8
from service.color import apply_chroma, split_lightness
from service.colorizer import Colorizer, Prediction
from service.deep import to_8_bit
from service.formats import OutputFormat
from service.images import DecodedImage, Limits, decode_image, encode_image
from service.negotiation import ANY_FORMAT, FormatWeights, choose_format
from service.palettes import palette_to_hex, picture_palette
from service.parameters import DEFAULT_QUALITY, EXTRACTED_COLORS
from service.pins import pin_hints
from service.steering import DEFAULT_LOOK, Look
from service.stopwatch import Stopwatch
from service.upsampling import Guide


@dataclass(frozen=True)
class ColorizedPicture:
    """A coloured picture, encoded.

    Parameters
    ----------
    data : bytes
    media_type : str
    extension : str
        With its dot.
    palettes : list of list of str
        The colours that were used, as ``#rrggbb``, before adjustments; of a sheet
        those of each colouring on it.
    timings_ms : dict of str to float
        What each stage took.
    """

    data: bytes
    media_type: str
    extension: str
    palettes: list[list[str]]
    timings_ms: dict[str, float]


@dataclass(frozen=True)
class OutputOptions:
    """How an answer is to be written.

    Parameters
    ----------
    format_weights : mapping of OutputFormat to float
        How much each format is wanted; see `service.negotiation`.
    quality : int
        1..100, for lossy formats.
    keep_metadata : bool
        Whether the answer says what the upload said beside its pixels.
    """

    format_weights: FormatWeights = field(default_factory=lambda: ANY_FORMAT)
    quality: int = DEFAULT_QUALITY
    keep_metadata: bool = False


DEFAULT_OUTPUT = OutputOptions()


def colorize(
    data: bytes,
    colorizer: Colorizer,
    limits: Limits,
    output: OutputOptions = DEFAULT_OUTPUT,
    look: Look = DEFAULT_LOOK,
) -> ColorizedPicture:
    """Colour an encoded picture at its full size.

    Parameters
    ----------
    data : bytes
        The upload, in any format that `decode_image` reads.
    colorizer : Colorizer
    limits : Limits
        What `decode_image` accepts.
    output : OutputOptions, optional
        By default the format of the upload, where that can hold the answer.
    look : Look, optional

    Returns
    -------
    ColorizedPicture
        Of 16 bits when the upload is, and the format can hold them.

    Raises
    ------
    ColorizeError
        When the upload is not a picture that we read, or the model cannot be
        steered like this; see `service.errors`.
    """
    return predict_colorings(data, colorizer, limits, output, look).finish()


@dataclass(frozen=True)
class Colorings:
    """A decoded picture and what was predicted for it, to be merged and encoded.

    Those two take most of the time, and each colouring has its own: several
    threads may call `finish` at the same time.

    Parameters
    ----------
    picture : DecodedImage
    lightness : ndarray of float32, shape (H, W)
    prediction : Prediction
        Of as many colourings as there are.
    output_format : OutputFormat
    quality : int
    look : Look
        What is left of it to be done: hints at full size, and adjustments.
    timings_ms : dict of str to float
        What was done once for all of them.
    """

    picture: DecodedImage
    lightness: Float32
    prediction: Prediction
    output_format: OutputFormat
    quality: int
    look: Look
    timings_ms: dict[str, float]

    def __len__(self) -> int:
        return len(self.prediction.chroma)

    @cached_property
    def guide(self) -> Guide:
        """What their chroma follows, found once for all of them."""
        return Guide(self.lightness, *self.prediction.first.shape[:2])

    @property
    def palettes(self) -> list[list[str]]:
        """The colours of each, as ``#rrggbb``."""
        return [palette_to_hex(palette) for palette in self.prediction.palettes]

    def finish(self, index: int = 0) -> ColorizedPicture:
        """Merge and encode one colouring.

        Parameters
        ----------
        index : int
            From 0.

        Returns
        -------
        ColorizedPicture
        """
        watch = Stopwatch(self.timings_ms)
        with watch.stage("merge"):
            rgb = merge_look(
                self.lightness,
                self.prediction.chroma[index],
                self.look,
                greys=self.picture.grey_8_bit,
                guide=self.guide,
                bit_depth=self.picture.bit_depth if self.output_format.carries_16_bit else 8,
            )
        with watch.stage("encode"):
            encoded = encode_image(rgb, self.picture, self.output_format, quality=self.quality)
        return ColorizedPicture(
            encoded.data,
            encoded.media_type,
            encoded.extension,
            [palette_to_hex(self.prediction.palettes[index])],
            watch.elapsed_ms,
        )


def predict_colorings(
    data: bytes,
    colorizer: Colorizer,
    limits: Limits,
    output: OutputOptions = DEFAULT_OUTPUT,
    look: Look = DEFAULT_LOOK,
    count: int = 1,
) -> Colorings:
    """Do once what several colourings of a picture have in common.

    Parameters
    ----------
    data, colorizer, limits, output, look
        As of `colorize`.
    count : int
        How many variations, beginning with that of `look`.

    Returns
    -------
    Colorings

    Raises
    ------
    ColorizeError
        As `colorize`.
    """
    watch = Stopwatch()
    with watch.stage("decode"):
        picture = decode_image(data, limits, keep_metadata=output.keep_metadata)
        output_format = choose_format(picture, output.format_weights)
        lightness = split_lightness(picture.pixels)
    with watch.stage("model"):
        prediction = predict_look(colorizer, lightness, look, count)
    return Colorings(
        picture,
        lightness,
        prediction,
        output_format,
        output.quality,
        look,
        watch.elapsed_ms,
    )


def predict_look(
    colorizer: Colorizer, lightness: Float32, look: Look, count: int = 1
) -> Prediction:
    """Predict what a look asks for, in `count` variations."""
    variations = range(look.variation, look.variation + count)
    return colorizer.predict(lightness, look.palette, hints=look.hints, variations=variations)


def merge_look(
    lightness: Float32,
    chroma: Float32,
    look: Look,
    *,
    greys: UInt8 | None = None,
    guide: Guide | None = None,
    bit_depth: int = 8,
) -> Pixels:
    """Put chroma on lightness as a look asks for: hints exact, and adjusted.

    Parameters
    ----------
    lightness, chroma, greys, guide, bit_depth
        As of `apply_chroma`.
    look : Look

    Returns
    -------
    rgb : ndarray of uint8 or uint16, shape (H, W, 3)
    """
    rgb = apply_chroma(
        lightness, chroma, look.adjustments, greys=greys, guide=guide, bit_depth=bit_depth
    )
    if look.hints is not None:
        pin_hints(rgb, lightness, look.hints, look.adjustments)
    return rgb


def read_palette(data: bytes, limits: Limits, count: int = EXTRACTED_COLORS) -> Float32:
    """Find the colours of an encoded picture.

    Parameters
    ----------
    data : bytes
        In any format that `decode_image` reads.
    limits : Limits
    count : int
        The most colours to find.

    Returns
    -------
    palette : ndarray of float32, shape (K, 4)
        As of `picture_palette`.

    Raises
    ------
    ColorizeError
        When it is not a picture that we read; see `service.errors`.
    """
    picture = decode_image(data, limits)
    alpha = None if picture.alpha is None else to_8_bit(picture.alpha)
    return picture_palette(picture.rgb_8_bit(), alpha, count)
