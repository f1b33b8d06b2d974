"""The gallery: a row for each sample, original | grey | a column for each model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from service.color import apply_chroma, split_lightness
from service.colorizer import Registry
from training.corpus import Kind, generate_picture
from training.errors import CorpusError
from training.files import replace_file
from training.pictures import list_files, read_pictures

Rgb = NDArray[np.uint8]

SAMPLES: dict[Kind, tuple[tuple[int, int], ...]] = {
    "geometric": ((2026, 3), (2026, 7), (7, 13), (2026, 17)),
    "fluid": ((2026, 0), (11, 9), (42, 7), (11, 15)),
}
"""Seed and index of each shipped sample. No training uses these seeds."""
SAMPLE_SIDE = 512
GREY_SUFFIX = "-grey"

CELL_SIDE = 192
GAP = 8
CAPTION_HEIGHT = 28


def write_samples(folder: Path) -> list[Path]:
    """Draw the sample pictures, each in colour and in grey, as small JPEG files.

    Parameters
    ----------
    folder : Path
        Made when missing.

    Returns
    -------
    list of Path
        The colour files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, pictures in SAMPLES.items():
        for number, (seed, index) in enumerate(pictures, start=1):
            rgb = generate_picture(kind, seed, index, SAMPLE_SIDE, SAMPLE_SIDE)
            image = Image.fromarray(rgb)
            path = folder / f"{kind}-{number}.jpg"
            image.save(path, quality=88, optimize=True)
            grey_path = path.with_stem(path.stem + GREY_SUFFIX)
            image.convert("L").save(grey_path, quality=88, optimize=True)
            paths.append(path)
    return paths


def draw_gallery(registry: Registry, samples_dir: Path, model_names: list[str]) -> Image.Image:
    """Draw the gallery of a folder of samples.

    Parameters
    ----------
    registry : Registry
    samples_dir : Path
        Colour pictures; those whose names end in ``-grey`` are left out.
    model_names : list of str
        The columns after original and grey.

    Returns
    -------
    PIL.Image.Image
        A row for each picture.

    Raises
    ------
    CorpusError
        When the folder has no pictures.
    """
    paths = [path for path in list_files(samples_dir) if not path.stem.endswith(GREY_SUFFIX)]
    rows = [_row(registry, rgb, model_names) for _, rgb in read_pictures(paths, "colouring")]
    if not rows:
        raise CorpusError(f"a gallery needs pictures. Received: none in {samples_dir}")
    captions = ["original", "grey", *(name.upper() for name in model_names)]
    pitch = CELL_SIDE + GAP
    sheet = Image.new(
        "RGB", (GAP + len(captions) * pitch, CAPTION_HEIGHT + len(rows) * pitch), "white"
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(16)
    for column, caption in enumerate(captions):
        center = GAP + column * pitch + CELL_SIDE // 2
        draw.text((center, CAPTION_HEIGHT // 2), caption, "black", font, anchor="mm")
        for row, pictures in enumerate(rows):
            corner = (GAP + column * pitch, CAPTION_HEIGHT + row * pitch)
            sheet.paste(_fit_cell(pictures[column]), corner)
    return sheet


def write_gallery(gallery: Image.Image, path: Path) -> None:
    """Write the gallery in the format of the path's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as new_path:
        gallery.save(new_path, quality=88)


def _row(registry: Registry, original: Rgb, model_names: list[str]) -> list[Rgb]:
    lightness = split_lightness(original)
    grey = apply_chroma(lightness, np.zeros((1, 1, 2), np.float32))
    colored = [
        apply_chroma(lightness, registry.get(name).predict(lightness).first) for name in model_names
    ]
    return [original, grey, *colored]


def _fit_cell(rgb: Rgb) -> Image.Image:
    """Shrink to fit a cell, aspect kept, and centre it on white."""
    image = Image.fromarray(rgb)
    image.thumbnail((CELL_SIDE, CELL_SIDE), Image.Resampling.LANCZOS)
    cell = Image.new("RGB", (CELL_SIDE, CELL_SIDE), "white")
    cell.paste(image, ((CELL_SIDE - image.width) // 2, (CELL_SIDE - image.height) // 2))
    return cell
