"""What a file says beside its pixels: collected, cleaned, and written again.

By default nothing of it reaches an answer: it may say where and when a picture
was taken, and with whose camera.

References
----------
.. [1] CIPA DC-008, Exif 2.32.
.. [2] ISO 16684-1, XMP.
.. [3] IPTC Information Interchange Model 4.2, in Photoshop's image resources.
"""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

from service.formats import OutputFormat
from service.profiles import SRGB_PROFILE
from service.structure import MISLEADING_KEYWORDS

Base = ExifTags.Base

KEPT_TAGS = frozenset(
    {
        Base.ImageDescription,
        Base.Make,
        Base.Model,
        Base.Software,
        Base.DateTime,
        Base.Artist,
        Base.HostComputer,
        Base.Copyright,
        Base.Rating,
        Base.RatingPercent,
        Base.XPTitle,
        Base.XPComment,
        Base.XPAuthor,
        Base.XPKeywords,
        Base.XPSubject,
    }
)
"""Of the first directory, which in a TIFF also says how its pixels lie."""

DROPPED_EXIF_TAGS = frozenset(
    {
        # Its offsets are those of the old file, and it may hold grey previews.
        Base.MakerNote,
        # Those of the upload, maybe before it was turned upright.
        Base.ExifImageWidth,
        Base.ExifImageHeight,
        Base.ColorSpace,
        Base.ExifInteroperabilityOffset,
    }
)

SRGB_COLOR_SPACE = 1
UPRIGHT = 1
INCHES = 2

XMP_TAG = 700
IPTC_TAG = 33723
ICC_TAG = 34675
TIFF_UNDEFINED = 7
"""The type of tags that hold bytes."""
PERCEPTUAL_INTENT = 0
IPTC_RESOURCE = 0x0404
SEGMENT_LIMIT = 65_000
"""Bytes of metadata that fit into one segment of a JPEG, with room for its name."""

XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)\d+")
XMP_THUMBNAILS = (b"<xmp:Thumbnails", b"</xmp:Thumbnails>")

PNG_XMP_KEYWORD = "XML:com.adobe.xmp"
COMMENT_KEYWORD = "Comment"
EXIF_KEYWORD = "exif"
# "Raw profile type exif" and the like are other metadata in disguise.
PNG_KEYWORD = re.compile(r"(?!Raw profile)[ -~]{1,79}")


@dataclass(frozen=True)
class Metadata:
    """Metadata that is fit for the answer.

    Parameters
    ----------
    tags, exif, gps : mapping of int to object
        EXIF: the kept tags of the first directory, the EXIF directory, and the
        place.
    xmp, iptc : bytes or None
    texts : mapping of str to str
        Keyword -> text, as PNG has them; the comment of JPEG and GIF is
        "Comment".
    """

    tags: Mapping[int, Any] = field(default_factory=dict)
    exif: Mapping[int, Any] = field(default_factory=dict)
    gps: Mapping[int, Any] = field(default_factory=dict)
    xmp: bytes | None = None
    iptc: bytes | None = None
    texts: Mapping[str, str] = field(default_factory=dict)


NO_METADATA = Metadata()


def read_metadata(image: Image.Image) -> Metadata:
    """Collect the metadata of a picture; what is damaged is left out.

    The orientation and the thumbnail are not part of it: the answer is upright,
    and the thumbnail would show the grey picture.

    Parameters
    ----------
    image : Image
        Loaded, but a TIFF only opened.

    Returns
    -------
    Metadata
    """
    tags: dict[int, Any] = {}
    exif: dict[int, Any] = {}
    gps: dict[int, Any] = {}
    try:
        source = image.getexif()
        tags = _writable({tag: source[tag] for tag in KEPT_TAGS if tag in source})
        gps = _writable(source.get_ifd(ExifTags.IFD.GPSInfo))
        directory = source.get_ifd(ExifTags.IFD.Exif)
        exif = _writable({tag: directory[tag] for tag in directory if tag not in DROPPED_EXIF_TAGS})
    except Exception:  # noqa: BLE001, S110 - what was read before the damage is kept
        pass
    return Metadata(tags, exif, gps, _read_xmp(image), _read_iptc(image), _read_texts(image))


def encoder_options(
    metadata: Metadata, dpi: tuple[float, float] | None, output_format: OutputFormat
) -> dict[str, Any]:
    """Say in Pillow's words what a file is to hold beside its pixels.

    Parameters
    ----------
    metadata : Metadata
    dpi : tuple of float, or None
        Resolution for print, horizontal, then vertical.
    output_format : OutputFormat
        Any but TIFF, for which there is `tiff_directory`.

    Returns
    -------
    options : dict
        Keyword arguments of `Image.save`. They always say that colours are
        sRGB, in the fewest bytes that the format knows for it.
    """
    options: dict[str, Any] = {}
    if dpi is not None:
        options["dpi"] = dpi
    match output_format.name:
        case "PNG":
            options["pnginfo"] = _png_info(metadata)
            if metadata.tags or metadata.exif or metadata.gps:
                options["exif"] = _exif(metadata)
        case "JPEG":
            options |= _jpeg_segments(metadata)
        # They hold no resolution of their own.
        case "WEBP" | "AVIF":
            options["exif"] = _exif(metadata, dpi)
            if metadata.xmp:
                options["xmp"] = metadata.xmp
    return options


def tiff_directory(
    metadata: Metadata, dpi: tuple[float, float] | None
) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Say in a TIFF's tags what the file is to hold beside its pixels.

    Parameters
    ----------
    metadata : Metadata
    dpi : tuple of float, or None

    Returns
    -------
    ImageFileDirectory_v2
        Little-endian.
    """
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    for tag, value in _directory_tags(metadata, dpi):
        directory[tag] = value
    for tag, content in ((XMP_TAG, metadata.xmp), (IPTC_TAG, metadata.iptc)):
        if content:
            directory.tagtype[tag] = TIFF_UNDEFINED
            directory[tag] = content
    directory.tagtype[ICC_TAG] = TIFF_UNDEFINED
    directory[ICC_TAG] = SRGB_PROFILE
    return directory


def _directory_tags(
    metadata: Metadata, dpi: tuple[float, float] | None
) -> Iterator[tuple[int, Any]]:
    """List the tags of the first directory; a directory within it is a dict."""
    yield from metadata.tags.items()
    yield Base.Orientation, UPRIGHT
    if dpi is not None:
        yield Base.XResolution, dpi[0]
        yield Base.YResolution, dpi[1]
        yield Base.ResolutionUnit, INCHES
    yield ExifTags.IFD.Exif, {**metadata.exif, Base.ColorSpace: SRGB_COLOR_SPACE}
    if metadata.gps:
        yield ExifTags.IFD.GPSInfo, dict(metadata.gps)


def _exif(metadata: Metadata, dpi: tuple[float, float] | None = None) -> bytes:
    exif = Image.Exif()
    for tag, value in _directory_tags(metadata, dpi):
        exif[tag] = value
    return exif.tobytes()


def _jpeg_segments(metadata: Metadata) -> dict[str, Any]:
    """Write what fits into the segments of a JPEG."""
    exif = _exif(metadata)
    segments: dict[str, Any] = {"exif": exif if len(exif) <= SEGMENT_LIMIT else _exif(NO_METADATA)}
    if metadata.xmp and len(metadata.xmp) <= SEGMENT_LIMIT:
        segments["xmp"] = metadata.xmp
    comment = metadata.texts.get(COMMENT_KEYWORD, "").encode()
    if comment and len(comment) <= SEGMENT_LIMIT:
        segments["comment"] = comment
    if metadata.iptc and len(metadata.iptc) <= SEGMENT_LIMIT:
        segments["extra"] = _photoshop_segment(metadata.iptc)
    return segments


def _photoshop_segment(iptc: bytes) -> bytes:
    """Wrap IPTC as JPEG holds it: one image resource in an APP13 segment."""
    resource = struct.pack(">4sHHI", b"8BIM", IPTC_RESOURCE, 0, len(iptc)) + iptc
    body = b"Photoshop 3.0\0" + resource + b"\0" * (len(iptc) % 2)
    return struct.pack(">HH", 0xFFED, len(body) + 2) + body


def _png_info(metadata: Metadata) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add(b"sRGB", bytes([PERCEPTUAL_INTENT]))
    for keyword, text in metadata.texts.items():
        info.add_itxt(keyword, text)
    if metadata.xmp:
        info.add_itxt(PNG_XMP_KEYWORD, metadata.xmp.decode(errors="replace"))
    return info


def _writable(directory: Mapping[int, Any]) -> dict[int, Any]:
    """Leave out what could be read but not written: values come from hostile bytes."""
    kept = {}
    for tag, value in directory.items():
        probe = Image.Exif()
        probe[tag] = value
        with contextlib.suppress(Exception):
            probe.tobytes()
            kept[tag] = value
    return kept


def _read_xmp(image: Image.Image) -> bytes | None:
    """Take the XMP packet, upright and without its thumbnails."""
    packet = image.info.get("xmp")
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes) or not packet:
        return None
    # Split, not searched by a pattern, which many openings without end would stall.
    begin, end = XMP_THUMBNAILS
    head, *thumbnails = XMP_ORIENTATION.sub(rb"\g<1>1", packet).split(begin)
    return head + b"".join(part.partition(end)[2] for part in thumbnails)


def _read_iptc(image: Image.Image) -> bytes | None:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        iptc = image.tag_v2.get(IPTC_TAG)
    else:
        # The other resources are Photoshop's own, a thumbnail among them.
        resources = image.info.get("photoshop")
        iptc = resources.get(IPTC_RESOURCE) if isinstance(resources, dict) else None
    return iptc if isinstance(iptc, bytes) and iptc else None


def _read_texts(image: Image.Image) -> dict[str, str]:
    """Read the texts of a PNG, or the comment of a JPEG or GIF."""
    if isinstance(image, PngImagePlugin.PngImageFile):
        texts = dict(image.text)
    else:
        comment = image.info.get("comment")
        text = comment.decode(errors="replace") if isinstance(comment, bytes) else comment
        texts = {COMMENT_KEYWORD: text} if isinstance(text, str) and text else {}
    return {
        keyword: text.replace("\0", "")
        for keyword, text in texts.items()
        if PNG_KEYWORD.fullmatch(keyword)
        and keyword != PNG_XMP_KEYWORD
        # Some write EXIF as a text, which Pillow reads, and would read here again.
        and keyword not in (EXIF_KEYWORD, *MISLEADING_KEYWORDS)
    }
