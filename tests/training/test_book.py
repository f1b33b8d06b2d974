"""Palettes of pictures, and the book."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.book import BOOK_SIZE, Book, extract_palette


def test_extract_palette_finds_flat_colors_and_their_shares() -> None:
    colors = np.array(
        [[10, 5, 5], [30, 60, 20], [45, -50, 30], [60, 0, -60], [80, 9, 70], [95, 0, 0]]
    )
    rows = np.repeat(colors, [2, 4, 6, 8, 10, 10], axis=0)  # 40 rows
    palette = extract_palette(np.repeat(rows[:, None], 40, axis=1).astype(np.float16))
    np.testing.assert_allclose(palette[:, :3], colors, atol=0.1)
    np.testing.assert_allclose(palette[:, 3], np.array([2, 4, 6, 8, 10, 10]) / 40, atol=0.01)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 2, 3), (64, 48, 3)])
def test_extract_palette_one_color(shape: tuple[int, ...]) -> None:
    palette = extract_palette(np.full(shape, 40, np.float32))
    assert palette.shape == (6, 4)
    assert np.isfinite(palette).all()
    assert palette[:, 3].sum() == pytest.approx(1)
    np.testing.assert_allclose(palette[palette[:, 3] > 0, :3], 40)


def random_palettes(count: int, chroma: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    hue = rng.uniform(0, 2 * np.pi, (count, 1)) + np.arange(6) * np.pi / 3
    lightness = np.sort(rng.uniform(0, 100, (count, 6)), axis=1)
    columns = [lightness, chroma * np.cos(hue), chroma * np.sin(hue), np.full((count, 6), 1 / 6)]
    return np.stack(columns, axis=-1).astype(np.float32)


def test_make_leaves_dull_palettes_out() -> None:
    dull, colorful = random_palettes(30, chroma=5), random_palettes(20, chroma=40)
    book = Book.make(np.concatenate([dull, colorful]))
    assert len(book) == 20
    np.testing.assert_array_equal(book.palettes, colorful)


def test_make_leaves_palettes_of_one_hue_out() -> None:
    colorful = random_palettes(20, chroma=40)
    red = colorful.copy()
    red[..., 1:3] = (40, 10)
    book = Book.make(np.concatenate([red, colorful]))
    np.testing.assert_array_equal(book.palettes, colorful)


def test_make_dull_corpus_still_gets_a_book() -> None:
    assert len(Book.make(random_palettes(7, chroma=5))) == 7


def test_make_many_palettes_chooses_real_ones() -> None:
    palettes = random_palettes(400, chroma=40)
    book = Book.make(palettes)
    assert BOOK_SIZE / 2 < len(book) <= BOOK_SIZE
    assert all((palettes == chosen).all(axis=(1, 2)).any() for chosen in book.palettes)


def test_score_prefers_the_palette_itself() -> None:
    palettes = random_palettes(40, chroma=40)
    book = Book.make(palettes)
    scores = book.score(palettes)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(scores.argmax(axis=1), np.arange(40))


def test_score_marks_frequent_palettes_down() -> None:
    rare, frequent = random_palettes(2, chroma=40)
    between = ((rare + frequent) / 2)[None]
    book = Book(np.stack([rare, frequent]), np.array([0.1, 0.9], np.float32))
    np.testing.assert_allclose(book.score(between), [[0.9, 0.1]], atol=1e-4)


def test_save_load_round_trip(tmp_path: Path) -> None:
    book = Book.make(random_palettes(10, chroma=40))
    book.save(tmp_path / "book.npz")
    loaded = Book.load(tmp_path / "book.npz")
    np.testing.assert_array_equal(loaded.palettes, book.palettes)
    np.testing.assert_array_equal(loaded.frequency, book.frequency)


def test_served_palettes_are_more_vivid_and_of_the_same_hues() -> None:
    book = Book.make(random_palettes(10, chroma=40))
    served = book.served_palettes
    np.testing.assert_array_equal(served[..., [0, 3]], book.palettes[..., [0, 3]])
    np.testing.assert_allclose(np.hypot(served[..., 1], served[..., 2]), 54, rtol=1e-4)
    hues = [np.arctan2(palettes[..., 2], palettes[..., 1]) for palettes in (book.palettes, served)]
    np.testing.assert_allclose(*hues, atol=1e-5)
