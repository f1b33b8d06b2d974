"""Saturation, brightness, contrast and tone, as curves over L*, a* and b*.

With L = L* / 100, and s, B, C and t for the four adjustments::

    brightness   L' = g L / (1 + (g - 1) L),               g = 4^(B - 1)
    contrast     x = 2 L' - 1
                 x' = C x                         for C <= 1
                 x' = C x / (1 + (C - 1) |x|)     for C > 1
                 L* of the answer = 50 (1 + x')
    saturation,  a*' = s a* +  8 t
    tone         b*' = s b* + 24 t

Brightness and contrast above 1 keep black black and white white, and never make
two lightnesses one; contrast below 1 draws all lightness to the middle grey.
Each curve rises with L*, and the answer with its adjustment (with contrast: away
from the middle grey). What sRGB cannot show afterwards loses chroma at constant
lightness and hue, as always. At the defaults nothing at all is computed.

References
----------
.. [1] C. Schlick, "Fast Alternatives to Perlin's Bias and Gain Functions",
   Graphics Gems IV, 1994.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.cie import Float32

BRIGHTNESS_BASE = 4.0
"""The slope at black for brightness 2; a quarter of it for brightness 0."""
WARMTH = (8.0, 24.0)
"""a* and b* that tone 1 adds: white under light of about 4400 K, to eyes that are
used to D65."""
STRENGTH_RANGE = (0, 2)
"""Of saturation, brightness and contrast."""
TONE_RANGE = (-1, 1)


@dataclass(frozen=True)
class Adjustments:
    """What is done to colours after they were predicted.

    Parameters
    ----------
    saturation, brightness, contrast : float
        0..2; 1 leaves as is.
    tone : float
        -1, cool, to 1, warm; 0 leaves as is.

    Raises
    ------
    ValueError
        When one is out of its range; the message says which.
    """

    saturation: float = 1.0
    brightness: float = 1.0
    contrast: float = 1.0
    tone: float = 0.0

    def __post_init__(self) -> None:
        for name, (lowest, highest) in (
            ("saturation", STRENGTH_RANGE),
            ("brightness", STRENGTH_RANGE),
            ("contrast", STRENGTH_RANGE),
            ("tone", TONE_RANGE),
        ):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise ValueError(f"`{name}` must be in {lowest}..{highest}. Received: {value}")

    @property
    def keeps_lightness(self) -> bool:
        """Whether lightness stays as it is."""
        return self.brightness == 1 and self.contrast == 1

    def adjust_chroma(self, chroma: Float32) -> Float32:
        """Strengthen chroma, then warm it.

        Parameters
        ----------
        chroma : ndarray of float32, shape (..., 2)
            Small: enlarging what was adjusted is adjusting what was enlarged.

        Returns
        -------
        ndarray of float32, shape (..., 2)
            `chroma` itself when there is nothing to do.
        """
        if self.saturation != 1:
            chroma = chroma * np.float32(self.saturation)
        if self.tone != 0:
            chroma = chroma + np.float32(self.tone) * np.array(WARMTH, np.float32)
        return chroma

    def adjust_lightness(self, lightness: Float32) -> Float32:
        """Brighten, then stretch; all shapes (...), L* in [0, 100].

        Returns
        -------
        ndarray of float32, shape (...)
            `lightness` itself when there is nothing to do.
        """
        if self.brightness != 1:
            lightness = _brighten(lightness, np.float32(BRIGHTNESS_BASE ** (self.brightness - 1)))
        if self.contrast != 1:
            lightness = _stretch(lightness, np.float32(self.contrast))
        return lightness


NO_ADJUSTMENTS = Adjustments()


def _brighten(lightness: Float32, slope: np.float32) -> Float32:
    """Bend the line from black to white so that it leaves black at a slope."""
    # In place: what is not allocated is not fetched.
    denominator = lightness * np.float32((slope - 1) / 100)
    denominator += 1
    brighter = lightness * slope
    brighter /= denominator
    return brighter


def _stretch(lightness: Float32, contrast: np.float32) -> Float32:
    """Spread lightness about 50, or draw it together."""
    offset = lightness - np.float32(50)
    if contrast > 1:
        denominator = np.abs(offset)
        denominator *= np.float32((contrast - 1) / 50)
        denominator += 1
        offset *= contrast
        offset /= denominator
    else:
        offset *= contrast
    offset += 50
    return offset
