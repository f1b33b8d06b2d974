"""Gallery, samples and the corpus folder: what the commands leave on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.colorizer import Registry
from tests.conftest import write_model
from training import corpus
from training.corpus.folder import write_corpus
from training.errors import CorpusError
from training.gallery import CELL_SIDE, draw_gallery, write_samples


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("three-models")
    for name in ("v1", "v2", "v12"):
        write_model(folder, name)
    return Registry.load(folder, intra_op_threads=1)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


def test_write_samples_four_of_each_kind_in_colour_and_grey(samples: Path) -> None:
    names = {path.name for path in samples.iterdir()}
    assert names == {
        f"{kind}-{number}{suffix}.jpg"
        for kind in corpus.FAMILIES
        for number in (1, 2, 3, 4)
        for suffix in ("", "-grey")
    }
    for path in samples.iterdir():
        with Image.open(path) as image:
            assert image.mode == ("L" if "grey" in path.name else "RGB")
        assert path.stat().st_size < 150_000


def test_shipped_samples_are_those_that_the_command_draws(samples: Path) -> None:
    shipped = Path(__file__).parents[2] / "samples"
    for path in sorted(samples.iterdir()):
        with Image.open(path) as drawn, Image.open(shipped / path.name) as there:
            difference = np.abs(np.asarray(drawn, float) - np.asarray(there, float))
        assert difference.mean() < 1, path.name


def test_draw_gallery_has_a_row_for_each_sample(registry: Registry, samples: Path) -> None:
    gallery = draw_gallery(registry, samples, ["v1", "v2", "v12"])
    assert gallery.width > 5 * CELL_SIDE
    assert gallery.height > 8 * CELL_SIDE


def test_draw_gallery_empty_folder(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="Received: none"):
        draw_gallery(registry, tmp_path, ["v1"])


def test_write_corpus_same_seed_same_pictures(tmp_path: Path) -> None:
    write_corpus("fluid", 5, 3, 32, tmp_path / "one")
    write_corpus("fluid", 5, 3, 32, tmp_path / "two")
    write_corpus("fluid", 6, 3, 32, tmp_path / "other")
    one, two, other = (
        [path.read_bytes() for path in sorted((tmp_path / name).glob("*.png"))]
        for name in ("one", "two", "other")
    )
    assert len(one) == 3
    assert one == two
    assert not set(one) & set(other)


def test_write_corpus_goes_on_where_it_stopped(tmp_path: Path) -> None:
    write_corpus("geometric", 0, 3, 32, tmp_path)
    paths = sorted(tmp_path.glob("*.png"))
    before = [path.read_bytes() for path in paths]
    paths[1].unlink()
    write_corpus("geometric", 0, 5, 32, tmp_path)
    assert [path.read_bytes() for path in paths] == before
    assert len(list(tmp_path.glob("*.png"))) == 5


def test_write_corpus_other_seed_or_strangers_are_refused(tmp_path: Path) -> None:
    write_corpus("geometric", 0, 2, 32, tmp_path)
    with pytest.raises(CorpusError, match=r"holds the corpus .*'seed': 0.* Received: .*'seed': 1"):
        write_corpus("geometric", 1, 2, 32, tmp_path)
    (tmp_path / "mine.png").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"1 other files, mine\.png first"):
        write_corpus("geometric", 0, 2, 32, tmp_path)
