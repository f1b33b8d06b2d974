"""Reading a corpus, splitting it, and the stream of batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.color import rgb_to_lab
from service.palettes import extract_palette
from training import dataset
from training.book import LEVELS, Book, count_levels
from training.dataset import (
    FOREIGN_SHARE,
    HINTS_SHARE,
    MOST_HINTS,
    PALETTE_SHARE,
    Batch,
    Split,
    load_splits,
    plain_batches,
    square,
    steps_per_epoch,
    training_batches,
)
from training.errors import CorpusError
from training.recipes import RECIPES, Recipe

Array = NDArray[Any]


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
    assert splits.train.levels.shape == (17, LEVELS)
    for split in (splits.train, splits.validation, splits.test):
        np.testing.assert_array_equal(split.levels, count_levels(split.lab[..., 0]))


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


RECIPE = replace(RECIPES["standard"], sizes=(16, 24), batch_size=4, seed=7)


def make_split(lab: Array) -> Split:
    palettes = np.stack([extract_palette(picture) for picture in lab])
    return Split(lab.astype(np.float16), palettes, count_levels(lab[..., 0]))


@pytest.fixture(scope="module")
def train() -> Split:
    """Ten pictures of 4 x 4 coloured blocks, 32 pixels wide."""
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (10, 4, 4, 3), dtype=np.uint8)
    return make_split(rgb_to_lab(np.repeat(np.repeat(colors, 8, axis=1), 8, axis=2)))


@pytest.fixture(scope="module")
def book(train: Split) -> Book:
    return Book.make(train.palettes, train.levels)


def stream(
    train: Split, recipe: Recipe = RECIPE, first_epoch: int = 0, epochs: int = 4
) -> list[Batch]:
    batches = training_batches(
        train, Book.make(train.palettes, train.levels), recipe, first_epoch, epochs
    )
    return list(batches.as_numpy_iterator())


def samples(batches: list[Batch]) -> Iterator[dict[str, Array]]:
    """What is given and what is true of each picture."""
    for given, truth in batches:
        tensors = {**given, **truth}
        for n in range(len(given["lightness"])):
            yield {name: tensor[n] for name, tensor in tensors.items()}


@pytest.fixture(scope="module")
def long_stream(train: Split) -> list[Batch]:
    """Thirty epochs: 240 samples."""
    return stream(train, epochs=30)


def test_training_batches_sizes_follow_the_epochs(train: Split, book: Book) -> None:
    batches = stream(train)
    assert len(batches) == 4 * steps_per_epoch(train, 4) == 8
    for step, (given, truth) in enumerate(batches):
        size = (16, 16, 24, 24)[step // 2]
        assert given["lightness"].shape == (4, size, size, 1)
        assert given["palette"].shape == (4, 6, 4)
        assert given["hints"].shape == (4, MOST_HINTS, 5)
        assert truth["chroma"].shape == (4, size, size, 2)
        assert truth["book_target"].shape == (4, len(book))


@pytest.mark.parametrize("first_epoch", [1, 2, 3])
def test_training_batches_resumed_stream_is_the_rest_of_the_whole_one(
    train: Split, first_epoch: int
) -> None:
    whole, rest = stream(train), stream(train, first_epoch=first_epoch)
    for batch, resumed_batch in zip(whole[2 * first_epoch :], rest, strict=True):
        for tensors, resumed_tensors in zip(batch, resumed_batch, strict=True):
            for key, value in tensors.items():
                np.testing.assert_array_equal(value, resumed_tensors[key])


def test_training_batches_epochs_and_seeds_differ(train: Split) -> None:
    (first, _), _, (second, _), *_ = stream(train)
    (other, _), *_ = stream(train, replace(RECIPE, seed=8))
    assert not np.array_equal(first["lightness"], second["lightness"])
    assert not np.array_equal(first["lightness"], other["lightness"])


def test_training_batches_each_epoch_takes_each_picture_once(train: Split) -> None:
    """Two of ten are left over when batches have four, others each time."""
    recipe = replace(RECIPE, sizes=(32,), turn_share=0.0)
    seen = []
    for epoch in range(4):
        batches = stream(train, recipe, epoch, epoch + 1)
        targets = np.concatenate([truth["book_target"] for _, truth in batches])
        assert len(np.unique(targets, axis=0)) == 8
        seen.append(targets)
    assert len(np.unique(np.concatenate(seen), axis=0)) == 10


def test_training_batches_views_are_of_any_scale_from_full_to_whole() -> None:
    """Along a ramp of lightness, a view spans as much as it shows."""
    ramp = np.zeros((4, 64, 64, 3), np.float32)
    ramp[..., 0] = np.arange(64) + 0.5
    views = samples(stream(make_split(ramp), replace(RECIPE, sizes=(16,)), epochs=40))
    steps = [np.ptp(view["lightness"]) * 16 / 15 for view in views]  # L* is pixels of the picture
    scales = np.array(steps) / 16
    assert np.abs(scales - 1).min() < 0.1
    assert np.abs(scales - 4).min() < 0.1
    assert ((scales > 0.9) & (scales < 4.1)).all()
    assert 0.3 < np.mean((scales > 1.1) & (scales < 3.8)) < 0.7


def test_training_batches_views_are_turned_and_mirrored() -> None:
    corner = np.zeros((4, 16, 16, 3), np.float32)
    corner[:, :8, :8, 0], corner[:, :8, 8:, 0] = 90, 50
    views = samples(stream(make_split(corner), replace(RECIPE, sizes=(16,)), epochs=20))
    seen = {tuple(view["lightness"][[0, 0, -1, -1], [0, -1, 0, -1], 0]) for view in views}
    assert len(seen) == 8


def colors_at(hints: Array, chroma: Array) -> Array:
    """The true colour under each hint."""
    columns, rows = (np.floor(hints[:, n] * len(chroma)).astype(int) for n in (0, 1))
    return chroma[rows, columns]


def test_training_batches_hints_are_true_colors(long_stream: list[Batch]) -> None:
    """However the picture was cut, turned and its hues changed."""
    for sample in samples(long_stream):
        expected = colors_at(sample["hints"], sample["chroma"])
        np.testing.assert_allclose(sample["hints"][:, 2:4], expected, atol=0.05)


def test_training_batches_hints_are_none_to_sixty_four(long_stream: list[Batch]) -> None:
    weights = np.stack([sample["hints"][:, 4] for sample in samples(long_stream)])
    assert set(np.unique(weights)) == {0, 1}
    assert (np.diff(weights, axis=1) <= 0).all()  # those that count come first
    counts = weights.sum(axis=1)
    assert counts.min() == 0
    assert counts.max() > 40
    some = counts[counts > 0]
    assert np.mean(some <= 8) == pytest.approx(0.5, abs=0.15)  # few as often as many


def test_training_batches_palette_hints_or_both(long_stream: list[Batch]) -> None:
    has_palette, has_hints = np.transpose(
        [
            (sample["palette"][:, 3].any(), sample["hints"][:, 4].any())
            for sample in samples(long_stream)
        ]
    )
    assert (has_palette | has_hints).all()
    assert np.mean(~has_hints) == pytest.approx(PALETTE_SHARE, abs=0.1)
    assert np.mean(~has_palette) == pytest.approx(HINTS_SHARE, abs=0.1)


def test_training_batches_palettes_beside_hints_are_foreign_sometimes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four pictures of one lightness each tell whose palette it is."""
    monkeypatch.setattr(dataset, "JITTER_SHARE", 0.0)
    lightness = np.array([10, 35, 60, 85], np.float32)
    lab = np.broadcast_to(lightness[:, None, None, None], (4, 16, 16, 3)) * (1, 0, 0)
    recipe = replace(RECIPE, sizes=(16,), turn_share=0.0)
    foreign: dict[bool, list[bool]] = {True: [], False: []}
    for sample in samples(stream(make_split(lab), recipe, epochs=60)):
        is_color = sample["palette"][:, 3] > 0
        if is_color.any():
            gap = np.median(sample["palette"][is_color, 0]) - sample["lightness"].mean()
            foreign[bool(sample["hints"][:, 4].any())].append(bool(np.abs(gap) > 12))
    assert not any(foreign[False])
    # One in four of the others happens to be its own.
    assert np.mean(foreign[True]) == pytest.approx(0.75 * FOREIGN_SHARE, abs=0.2)


def test_training_batches_palette_turns_with_the_picture(long_stream: list[Batch]) -> None:
    """However hues are turned, the colours of a picture stay near those of its palette."""
    hues, gaps = set(), []
    for sample in samples(long_stream):
        lab = np.concatenate([sample["lightness"], sample["chroma"]], axis=-1)
        colors = sample["palette"][sample["palette"][:, 3] > 0, :3]
        if len(colors) and not sample["hints"][:, 4].any():
            nearest = np.linalg.norm(lab[..., None, :] - colors, axis=-1).min(axis=-1)
            gaps.append(np.median(nearest))
        hues |= set(np.degrees(np.arctan2(lab[..., 2], lab[..., 1])).astype(int).ravel())
    assert np.mean(gaps) < 27
    assert len(hues) > 250  # ten pictures of sixteen blocks alone have at most 160


def test_training_batches_light_is_for_samples_without_a_palette(train: Split) -> None:
    recipe = replace(RECIPE, sizes=(32,), turn_share=0.0, light_share=1.0)
    known = np.unique(train.lab[..., 1:].astype(np.float32).reshape(-1, 2), axis=0)
    lit = []
    for sample in samples(stream(train, recipe)):
        gap = np.linalg.norm(sample["chroma"].reshape(-1, 1, 2) - known, axis=-1).min(axis=1)
        is_given_palette = sample["palette"][:, 3].any()
        assert not is_given_palette or gap.max() < 0.01
        lit += [] if is_given_palette else [gap.max() > 0.01]
    assert all(lit)
    assert lit


def test_training_batches_turn_share_none_leaves_the_colors(train: Split) -> None:
    recipe = replace(RECIPE, sizes=(32,), turn_share=0.0, light_share=0.0)
    known = np.unique(train.lab[..., 1:].astype(np.float32).reshape(-1, 2), axis=0)
    for sample in samples(stream(train, recipe, epochs=1)):
        colors = np.unique(sample["chroma"].reshape(-1, 2), axis=0)
        gap = np.linalg.norm(colors[:, None] - known, axis=-1).min(axis=1)
        np.testing.assert_allclose(gap, 0, atol=0.01)


def test_training_batches_shares_are_sometimes_forgotten(long_stream: list[Batch]) -> None:
    weights = [sample["palette"][:, 3] for sample in samples(long_stream)]
    forgotten = [set(weight) <= {0.0, 1.0} for weight in weights if weight.any()]
    assert 0.2 < np.mean(forgotten) < 0.8


def test_plain_batches_are_whole_pictures_in_order(train: Split, book: Book) -> None:
    batches = list(plain_batches(train, book, batch_size=4).as_numpy_iterator())
    assert [len(given["lightness"]) for given, _ in batches] == [4, 4, 2]
    given, truth = batches[0]
    whole = np.concatenate([given["lightness"], truth["chroma"]], axis=-1)
    assert whole.shape == (4, 16, 16, 3)
    np.testing.assert_allclose(
        whole, train.lab[:4, ::2, ::2].astype(np.float32), atol=0.05
    )  # blocks of eight pixels


def test_plain_batches_take_turns_with_true_palettes_and_ten_true_hints(
    train: Split, book: Book
) -> None:
    batches = list(plain_batches(train, book, batch_size=4).as_numpy_iterator())
    for index, sample in enumerate(samples(batches)):
        if index % 2 == 0:
            np.testing.assert_array_equal(sample["palette"], train.palettes[index])
            assert not sample["hints"][:, 4].any()
        else:
            assert not sample["palette"].any()
            assert sample["hints"][:, 4].sum() == 10
            expected = colors_at(sample["hints"], sample["chroma"])
            np.testing.assert_allclose(sample["hints"][:, 2:4], expected, atol=0.01)


def test_plain_batches_are_the_same_each_time(train: Split, book: Book) -> None:
    batches = plain_batches(train, book, batch_size=4)
    for (one, _), (other, _) in zip(
        batches.as_numpy_iterator(), batches.as_numpy_iterator(), strict=True
    ):
        np.testing.assert_array_equal(one["hints"], other["hints"])
