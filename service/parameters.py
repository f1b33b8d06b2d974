"""What requests may say, wherever they come from: values and ranges, and nothing to load."""

from __future__ import annotations

from typing import Literal

FormatName = Literal["auto", "png", "jpeg", "webp", "avif", "tiff", "bmp"]
MetadataName = Literal["drop", "keep"]
EngineName = Literal["local", "ray"]

MOST_VARIATIONS = 16
"""Colourings that one request may ask for."""
LAST_VARIATION = 999
DEFAULT_QUALITY = 90

MAX_COLORS = 8
"""Colours that a palette may have."""
EXTRACTED_COLORS = 6
"""Colours that stand for a picture unless others are asked for: what models are
trained with."""
