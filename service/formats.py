"""The picture formats: which are read, which are written, and which answers which."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from service.heif import is_heif

Image.init()


@dataclass(frozen=True)
class OutputFormat:
    """A format that answers are written in.

    Parameters
    ----------
    name : str
        Pillow's name for it.
    media_type : str
    extension : str
        Of file names, with its dot.
    carries_alpha : bool
    carries_16_bit : bool
        Whether a channel can have more than 8 bits.
    max_side : int
        Pixels that height and width may have.
    """

    name: str
    media_type: str
    extension: str
    carries_alpha: bool
    carries_16_bit: bool = False
    max_side: int = (1 << 31) - 1

    @property
    def parameter(self) -> str:
        """What a request calls it by."""
        return self.name.lower()


JPEG = OutputFormat("JPEG", "image/jpeg", ".jpg", carries_alpha=False, max_side=65_500)
PNG = OutputFormat("PNG", "image/png", ".png", carries_alpha=True, carries_16_bit=True)
WEBP = OutputFormat("WEBP", "image/webp", ".webp", carries_alpha=True, max_side=16_383)
TIFF = OutputFormat("TIFF", "image/tiff", ".tiff", carries_alpha=True, carries_16_bit=True)
BMP = OutputFormat("BMP", "image/bmp", ".bmp", carries_alpha=False)
AVIF = OutputFormat("AVIF", "image/avif", ".avif", carries_alpha=True, max_side=32_768)

WRITTEN_FORMATS = (PNG, JPEG, WEBP, AVIF, TIFF, BMP)
"""All of them; the first is taken where a client leaves the choice to us."""

FORMATS_BY_NAME = {output_format.parameter: output_format for output_format in WRITTEN_FORMATS}

OUTPUT_FORMATS = {
    "JPEG": JPEG,
    "PNG": PNG,
    "WEBP": WEBP,
    # A palette of 256 colours would band.
    "GIF": PNG,
    "BMP": BMP,
    "TIFF": TIFF,
    "AVIF": AVIF,
    # Read by a library that cannot write it: the encoder has a stricter licence.
    "HEIF": JPEG,
}
"""Format of an upload -> format of the answer."""

ACCEPTED_FORMATS = tuple(OUTPUT_FORMATS)
PILLOW_FORMATS = tuple(name for name in ACCEPTED_FORMATS if name != "HEIF")
"""Those that Pillow decodes; for the other there is `service.heif`."""

SIGNATURE_BYTES = 16
"""As many as Pillow looks at to tell formats apart."""


def has_known_signature(data: bytes) -> bool:
    """Tell whether bytes begin like one of `ACCEPTED_FORMATS`.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    bool
    """
    checks = (Image.OPEN[name][1] for name in PILLOW_FORMATS)
    start = data[:SIGNATURE_BYTES]
    return is_heif(start) or any(check is not None and check(start) for check in checks)
