"""How different the variations of a palette are, and whether they are still that palette.

`python -m bench.variations FOLDER...` colours every picture of some folders, the
samples by default, and prints a row for each palette.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from bench.hints import SAMPLES
from service.color import apply_chroma, resize_plane, rgb_to_lab, split_lightness
from service.colorizer import Colorizer, Registry
from service.images import Limits, decode_image
from service.palettes import parse_palette
from service.settings import Settings
from training.metrics import Lab, ciede2000, palette_obedience

COUNT = 8
SIDE = 256
"""Longer side of what is coloured: differences of a picture, not of its grain."""
PALETTES = (
    None,
    "teal",
    "ff00ff,00ffff",
    "navy,tomato,beige",
    "264653,2a9d8f,e9c46a,f4a261,e76f51",
    "e6194b,3cb44b,ffe119,4363d8,f58231,911eb4,46f0f0,f032e6",
)


def main() -> None:
    """Run as told on the command line, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.variations", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--model", default=Settings().default_model)
    options = parser.parse_args()
    colorizer = Registry.load(Settings().models_dir, 1, names=[options.model]).get(options.model)
    paths = [path for folder in options.folders for path in sorted(folder.glob("*.jpg"))]
    print("| palette | to the nearest before | least of 1 to 3 | obedience of 0 | of 1 to 7 |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for names in PALETTES:
        pictures = [color_variations(colorizer, path, names) for path in paths or SAMPLES]
        novelty = np.array([measure_novelty(variations) for variations in pictures])
        cells = [f"{novelty.mean():.1f}", f"{novelty[:, :3].min(axis=1).mean():.1f}"]
        if names is None:
            cells += ["", ""]
        else:
            palette = parse_palette(names)
            obedience = np.array(
                [[palette_obedience(lab, palette) for lab in labs] for labs in pictures]
            )
            cells += [f"{np.nanmean(part):.1f}" for part in (obedience[:, 0], obedience[:, 1:])]
        print(f"| {names or 'chosen by the model'} | {' | '.join(cells)} |", flush=True)


def color_variations(colorizer: Colorizer, path: Path, names: str | None) -> list[Lab]:
    """Colour a picture in all variations of a palette, or of the model's."""
    pixels = decode_image(path.read_bytes(), Limits(max_pixels=1 << 28)).pixels
    lightness = split_lightness(pixels)
    scale = SIDE / max(lightness.shape)
    lightness = resize_plane(lightness, *(round(side * scale) for side in lightness.shape))
    palette = None if names is None else parse_palette(names)
    chroma = colorizer.predict(lightness, palette, variations=range(COUNT)).chroma
    return [rgb_to_lab(apply_chroma(lightness, planes)) for planes in chroma]


def measure_novelty(variations: list[Lab]) -> list[float]:
    """Mean CIEDE2000 of each, but the first, to the one before it that is nearest."""
    return [
        min(ciede2000(before, lab) for before in variations[:number])
        for number, lab in enumerate(variations)
        if number
    ]


if __name__ == "__main__":
    main()
