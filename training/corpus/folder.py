"""A generated corpus as a folder of PNG files."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image

from service.settings import available_cores
from training.console import track
from training.corpus import Kind, generate_picture
from training.errors import CorpusError
from training.files import replace_file

SETTINGS_NAME = ".corpus.json"


def write_corpus(kind: Kind, seed: int, count: int, side: int, folder: Path) -> None:
    """Draw `count` square pictures into a folder; go on where a killed call stopped.

    Parameters
    ----------
    kind : {"geometric", "fluid"}
    seed : int
    count : int
        Pictures that the folder shall hold.
    side : int
        Of each picture, in pixels.
    folder : Path
        Made when missing.

    Raises
    ------
    CorpusError
        When the folder holds a corpus of another kind, seed or side, or more
        pictures than `count`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _claim_folder(folder, {"kind": kind, "seed": seed, "side": side})
    paths = [folder / f"{kind}-{index:05}.png" for index in range(count)]
    _refuse_strangers(folder, set(paths))
    missing = [(index, path) for index, path in enumerate(paths) if not path.exists()]
    if not missing:
        return
    draw = partial(_write_picture, kind, seed, side)
    # Fresh interpreters: a fork would inherit the threads of whoever calls.
    context = multiprocessing.get_context("spawn")
    workers = min(available_cores(), len(missing))
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = [pool.submit(draw, index, path) for index, path in missing]
        for future in track(futures, f"drawing {kind} pictures"):
            future.result()


def _write_picture(kind: Kind, seed: int, side: int, index: int, path: Path) -> None:
    with replace_file(path) as new_path:
        Image.fromarray(generate_picture(kind, seed, index, side, side)).save(
            new_path, compress_level=1
        )


def _claim_folder(folder: Path, settings: dict[str, str | int]) -> None:
    """Note what the folder holds, or make sure that it says the same."""
    path = folder / SETTINGS_NAME
    if not path.exists():
        with replace_file(path) as new_path:
            new_path.write_text(json.dumps(settings) + "\n")
    elif (there := json.loads(path.read_text())) != settings:
        raise CorpusError(f"{folder} holds the corpus {there}. Received: {settings}")


def _refuse_strangers(folder: Path, expected: set[Path]) -> None:
    strangers = sorted(set(folder.glob("[!.]*")) - expected)
    if strangers:
        raise CorpusError(
            f"{folder} must hold nothing but this corpus. "
            f"Received: {len(strangers)} other files, {strangers[0].name} first"
        )
