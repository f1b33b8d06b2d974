"""Reading a corpus, splitting it, and the stream of batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.color import rgb_to_lab
from training.book import Book, extract_palette
from training.dataset import (
    Batch,
    Split,
    load_splits,
    plain_batches,
    square,
    steps_per_epoch,
    training_batches,
)
from training.errors import CorpusError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty pictures of different colours, sizes and formats, two of them in a folder below."""
    rng = np.random.default_rng(0)
    (tmp_path / "below").mkdir()
    for index in range(20):
        height, width = rng.integers(20, 60, 2)
        pixels = np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), (height, width, 3))
        parent = tmp_path / "below" if index < 2 else tmp_path
        Image.fromarray(pixels).save(parent / f"{index}.{('png', 'jpg', 'webp')[index % 3]}")
    return tmp_path


def test_load_splits_shares_and_types(folder: Path) -> None:
    splits = load_splits([folder], side=16)
    assert splits.count == 20
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (17, 2, 1)
    assert splits.train.lab.shape[1:] == (16, 16, 3)
    assert splits.train.lab.dtype == np.float16
    assert splits.train.palettes.shape == (17, 6, 4)


def test_load_splits_ignores_names_and_folders(folder: Path, tmp_path: Path) -> None:
    before = load_splits([folder], side=16)
    for index, path in enumerate(sorted(folder.glob("*.*"), reverse=True)):
        path.rename(folder / f"renamed-{index}{path.suffix}")
    after = load_splits([folder], side=16)
    np.testing.assert_array_equal(before.validation.lab, after.validation.lab)
    np.testing.assert_array_equal(before.test.lab, after.test.lab)


def test_load_splits_reports_and_skips_what_is_no_picture(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "notes.txt").write_text("not a picture")
    (folder / "broken.png").write_bytes((folder / "3.png").read_bytes()[:40])
    (folder / ".hidden").write_text("left out without a word")
    assert load_splits([folder], side=16).count == 20
    said = "".join(capsys.readouterr().err.split())
    assert "notes.txt:skipped" in said
    assert "broken.png:skipped" in said
    assert "hidden" not in said


def test_load_splits_drops_copies(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "copy.png").write_bytes((folder / "3.png").read_bytes())
    assert load_splits([folder], side=16).count == 20
    assert "copy" in capsys.readouterr().err


@pytest.mark.parametrize("count", [0, 2])
def test_load_splits_too_few_pictures(tmp_path: Path, count: int) -> None:
    for index in range(count):
        Image.new("RGB", (20, 20), (index * 90, 0, 0)).save(tmp_path / f"{index}.png")
    with pytest.raises(CorpusError, match=f"at least 3 pictures. Received: {count} readable"):
        load_splits([tmp_path], side=16)


def test_load_splits_folder_missing(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"must be a folder. Received: .*nowhere"):
        load_splits([tmp_path / "nowhere"], side=16)


@pytest.mark.parametrize(("height", "width"), [(10, 40), (40, 10), (64, 64), (1, 1)])
def test_square_cuts_the_middle(height: int, width: int) -> None:
    rgb = np.zeros((height, width, 3), np.uint8)
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    rgb[top : top + short, left : left + short] = 200
    assert (square(rgb, 16) == 200).all()


@pytest.fixture(scope="module")
def train() -> Split:
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (10, 4, 4, 3), dtype=np.uint8)
    lab = rgb_to_lab(np.repeat(np.repeat(colors, 8, axis=1), 8, axis=2)).astype(np.float16)
    return Split(lab, np.stack([extract_palette(picture) for picture in lab]))


@pytest.fixture(scope="module")
def book(train: Split) -> Book:
    return Book.make(train.palettes)


@pytest.fixture(scope="module")
def stream(train: Split, book: Book) -> Callable[[int, int], list[Batch]]:
    return lambda first_epoch, epochs: list(
        training_batches(
            train, book, batch_size=4, seed=7, first_epoch=first_epoch, epochs=epochs
        ).as_numpy_iterator()
    )


def test_training_batches_shapes(train: Split, book: Book, stream: Callable) -> None:
    batches = stream(0, 3)
    assert len(batches) == 3 * steps_per_epoch(train, 4) == 6
    for given, truth in batches:
        assert given["lightness"].shape == (4, 16, 16, 1)
        assert given["palette"].shape == (4, 6, 4)
        assert truth["chroma"].shape == (4, 16, 16, 2)
        assert truth["book_target"].shape == (4, len(book))


def test_training_batches_resumed_stream_is_the_rest_of_the_whole_one(stream: Callable) -> None:
    whole, rest = stream(0, 3), stream(1, 3)
    for batch, resumed_batch in zip(whole[2:], rest, strict=True):
        for tensors, resumed_tensors in zip(batch, resumed_batch, strict=True):
            for key, value in tensors.items():
                np.testing.assert_array_equal(value, resumed_tensors[key])


def test_training_batches_epochs_differ(stream: Callable) -> None:
    (first, _), _, (second, _), _ = stream(0, 2)
    assert not np.array_equal(first["lightness"], second["lightness"])


def test_training_batches_palette_turns_with_the_picture(stream: Callable) -> None:
    """However hues are turned, the colours of a picture stay near those of its palette."""
    hues = set()
    for given, truth in stream(0, 8):
        lab = np.concatenate([given["lightness"], truth["chroma"]], axis=-1)
        colors = given["palette"][:, None, None, :, :3]  # (N, 1, 1, K, 3)
        nearest = np.linalg.norm(lab[..., None, :] - colors, axis=-1).min(axis=-1)
        assert np.median(nearest) < 25
        hues |= set(np.degrees(np.arctan2(lab[..., 2], lab[..., 1])).astype(int).ravel())
    assert len(hues) > 200  # ten pictures of sixteen blocks alone have at most 160


def test_training_batches_shares_are_sometimes_forgotten(stream: Callable) -> None:
    weights = [weight for given, _ in stream(0, 8) for weight in given["palette"][..., 3]]
    forgotten = [set(weight) <= {0.0, 1.0} for weight in weights]
    assert 0.2 < np.mean(forgotten) < 0.8


def test_plain_batches_are_whole_pictures_in_order(train: Split, book: Book) -> None:
    batches = list(plain_batches(train, book, batch_size=4).as_numpy_iterator())
    assert [len(given["lightness"]) for given, _ in batches] == [4, 4, 2]
    given, truth = batches[0]
    whole = np.concatenate([given["lightness"], truth["chroma"]], axis=-1).mean(axis=(1, 2))
    np.testing.assert_allclose(whole, train.lab[:4].astype(np.float32).mean(axis=(1, 2)), atol=0.05)
    np.testing.assert_array_equal(given["palette"], train.palettes[:4])
