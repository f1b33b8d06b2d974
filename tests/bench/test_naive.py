"""The way of most tutorials still works with the network that is served."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bench.peers.naive import build_network, colorize


# Of an untrained network: colours that sRGB lacks.
@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")
def test_colorize_makes_a_coloured_jpeg_of_the_same_size() -> None:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((40, 24)).save(buffer, "JPEG")
    colored = Image.open(io.BytesIO(colorize(buffer.getvalue(), build_network())))
    assert (colored.format, colored.size) == ("JPEG", (40, 24))
    red, green, blue = np.moveaxis(np.asarray(colored, np.int16), -1, 0)
    assert np.abs(red - green).max() > 10 or np.abs(green - blue).max() > 10
