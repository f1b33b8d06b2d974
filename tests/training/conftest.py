"""Fixtures of the training tests: a tiny corpus and a finished run on it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf
from PIL import Image

from training.corpus import generate_picture
from training.fit import Run, fit
from training.recipes import RECIPES

RUN = Run(
    name="v1",
    kinds=("geometric",),
    source="generated",
    corpus_seed=0,
    epochs=3,
    recipe=replace(RECIPES["standard"], side=64, sizes=(32, 48), batch_size=4),
)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small pictures."""
    folder = tmp_path_factory.mktemp("corpus")
    for index in range(12):
        picture = generate_picture("geometric", 0, index, 64, 64)
        Image.fromarray(picture).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="session")
def finished_run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of three epochs."""
    folder = tmp_path_factory.mktemp("finished-run")
    fit(RUN, [corpus], folder)
    return folder


@pytest.fixture
def eagerly() -> Iterator[None]:
    """Take steps one operation at a time: a graph takes longer to build than a few of them."""
    tf.config.run_functions_eagerly(True)
    with warnings.catch_warnings():
        # What `tf.data` runs stays a graph, and it says so.
        warnings.filterwarnings("ignore", message="Even though the `tf.config")
        yield
    tf.config.run_functions_eagerly(False)
