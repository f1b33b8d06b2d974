"""The way of most tutorials: Keras `predict` and scikit-image, a picture at a time.

The network has the architecture of the served one, and no weights worth
speaking of: time does not depend on them. Run as `python -m bench.peers.naive`;
prints the same JSON as `bench.load`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from PIL import Image
from skimage import color, transform

from bench.load import Outcome
from training.network import build_unet

NETWORK_SIDE = 256
PALETTE = np.array([[[30, 20, 30, 1], [50, 60, -20, 1], [80, -20, 60, 1]]], np.float32)
"""L*, a*, b* and weight of three colours."""
NO_HINTS = np.zeros((1, 1, 5), np.float32)


def colorize(data: bytes, network: keras.Model) -> bytes:
    """Colour a picture the straightforward way.

    Parameters
    ----------
    data : bytes
        A JPEG file.
    network : keras.Model

    Returns
    -------
    jpeg : bytes
    """
    rgb = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    lightness = color.rgb2lab(rgb)[..., 0]
    small = transform.resize(lightness, (NETWORK_SIDE, NETWORK_SIDE), anti_aliasing=True)
    inputs = {
        "lightness": small[None, ..., None].astype(np.float32),
        "palette": PALETTE,
        "hints": NO_HINTS,
    }
    chroma = network.predict(inputs, verbose=0)["chroma"][0]
    lab = np.dstack((lightness, transform.resize(chroma, lightness.shape)))
    colored = np.rint(color.lab2rgb(lab) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colored).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def build_network() -> keras.Model:
    """Build the network of the architecture that is served."""
    return build_unet(book_size=1)


def main() -> None:
    """Run as told on the command line, and print the outcome as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="+", type=Path)
    pictures = [path.read_bytes() for path in parser.parse_args().pictures]
    network = build_network()
    colorize(pictures[0], network)
    outcome = Outcome()
    begin, cpu_before = time.perf_counter(), time.process_time()
    for data in pictures:
        start = time.perf_counter()
        colorize(data, network)
        outcome.latencies_ms.append((time.perf_counter() - start) * 1000)
    outcome.seconds = time.perf_counter() - begin
    outcome.server_cpu_s = time.process_time() - cpu_before
    print(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main()
