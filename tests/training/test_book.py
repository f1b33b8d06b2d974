"""What palettes do to pictures, and the book."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray

from training.book import (
    CROWD_MEAN_B,
    CROWD_SIZE,
    FIT_SCALE,
    LEAST_DIFFERENCE,
    LEVEL_LIGHTNESS,
    LEVELS,
    Book,
    compress_chroma,
    count_levels,
    curve_distances,
    draw_curves,
    look_up_lightness,
    matched_difference,
)

Array = NDArray[np.float32]


# Curves


TWO_6 = np.array([[20, 50, 10, 0.9], [60, -30, 20, 0.1]], np.float32)


def test_look_up_lightness_between_two_colors() -> None:
    """Weights of exp(-|dL*| / 4); shares do not count."""
    chroma = look_up_lightness(np.array([20.0, 38.0, 40.0, 100.0]), TWO_6)
    light_share = np.array([1 / (1 + np.exp(10)), 1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-10))])
    dark, light = TWO_6[:, 1:3]
    expected = dark + light_share[:, None] * (light - dark)
    np.testing.assert_allclose(chroma, expected, rtol=1e-5)


def test_draw_curves_is_the_table_at_each_level() -> None:
    curves = draw_curves(np.stack([TWO_6, TWO_6[::-1] * (1, -1, -1, 1)]))
    assert curves.shape == (2, LEVELS, 2)
    np.testing.assert_allclose(curves[1], -curves[0], rtol=1e-5)
    nearest = np.where(LEVEL_LIGHTNESS[:, None] < 40, *TWO_6[:, None, 1:3])
    far_from_the_middle = np.abs(LEVEL_LIGHTNESS - 40) > 15
    np.testing.assert_allclose(curves[0][far_from_the_middle], nearest[far_from_the_middle], atol=2)


def test_count_levels_shares_of_each_picture() -> None:
    step = 100 / LEVELS
    lightness = np.array([[[0, 0], [0, 100]], [[step * 4.5, step * 4.9], [step * 5, 50]]])
    expected = np.zeros((2, LEVELS), np.float32)
    expected[0, [0, LEVELS - 1]] = (0.75, 0.25)
    expected[1, [4, 5, LEVELS // 2]] = (0.5, 0.25, 0.25)
    np.testing.assert_array_equal(count_levels(lightness), expected)


def test_curve_distances_count_where_the_picture_has_its_lightness() -> None:
    flat = np.zeros((1, LEVELS, 2), np.float32)
    others = np.zeros((2, LEVELS, 2), np.float32)
    others[0] = (3, 4)  # 5 away at every level
    others[1, 0] = (6, 8)  # 10 away in the dark, equal elsewhere
    levels = np.zeros((2, LEVELS), np.float32)
    levels[0, -1] = 1  # a white picture
    levels[1, [0, -1]] = (0.36, 0.64)
    distances = curve_distances(np.repeat(flat, 2, axis=0), others, levels)
    np.testing.assert_allclose(distances, [[5, 0], [5, 6]], rtol=1e-6)


def test_compress_chroma_counts_steps_as_cie94_does() -> None:
    """A step of C* at C* counts 1 / (1 + 0.045 C*), whatever the hue."""
    size = np.linspace(0, 100, 10_001)
    hue = np.array([np.cos(2.0), np.sin(2.0)])
    compressed = np.asarray(compress_chroma(size[:, None] * hue))
    steps = np.linalg.norm(np.diff(compressed, axis=0), axis=-1) / np.diff(size)
    middles = (size[1:] + size[:-1]) / 2
    np.testing.assert_allclose(steps[10:], 1 / (1 + 0.045 * middles[10:]), rtol=1e-3)
    np.testing.assert_allclose(compressed[1:] @ hue, np.linalg.norm(compressed[1:], axis=-1))


def test_compress_chroma_takes_tensors() -> None:
    chroma = np.random.default_rng(0).normal(0, 40, (5, 2)).astype(np.float32)
    tensor = ops.convert_to_numpy(compress_chroma(ops.convert_to_tensor(chroma), ops))
    np.testing.assert_allclose(tensor, compress_chroma(chroma), rtol=1e-5)


# The book


def random_palettes(count: int, chroma: float, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    hue = rng.uniform(0, 2 * np.pi, (count, 1)) + np.arange(6) * np.pi / 3
    lightness = np.sort(rng.uniform(0, 100, (count, 6)), axis=1)
    columns = [lightness, chroma * np.cos(hue), chroma * np.sin(hue), np.full((count, 6), 1 / 6)]
    return np.stack(columns, axis=-1).astype(np.float32)


def even_levels(count: int) -> Array:
    return np.full((count, LEVELS), 1 / LEVELS, np.float32)


def make_book(palettes: Array, size: int = 64) -> Book:
    return Book.make(palettes, even_levels(len(palettes)), size)


def contains(palettes: Array, palette: Array) -> bool:
    return bool((palettes == palette).all(axis=(1, 2)).any())


def descends_from(palettes: Array, palette: Array) -> bool:
    """Whether a palette is one of some palettes, or one whose hues are turned by an angle."""
    chroma, others = palette[:, 1:3] @ [1, 1j], palettes[..., 1:3] @ [1, 1j]
    angle = np.angle((others.conj() * chroma).sum(axis=1, keepdims=True))
    is_turned = np.isclose(others * np.exp(1j * angle), chroma, atol=1e-3).all(axis=1)
    is_same = (palettes[..., [0, 3]] == palette[:, [0, 3]]).all(axis=(1, 2))
    return bool((is_turned & is_same).any())


def test_matched_difference_ignores_the_order() -> None:
    (palette,) = random_palettes(1, chroma=40)
    shuffled = palette[[3, 1, 5, 0, 2, 4]]
    assert matched_difference(palette, shuffled) == pytest.approx(0, abs=1e-4)
    lighter = palette + np.float32([5, 0, 0, 0])
    assert 1 < matched_difference(palette, lighter[::-1]) < 10


@pytest.mark.parametrize("dull", ["grey", "red"])
def test_make_leaves_dull_palettes_and_those_of_one_hue_out(dull: str) -> None:
    colorful = random_palettes(20, chroma=40)
    left_out = random_palettes(30, chroma=5, seed=1)
    if dull == "red":  # of any chroma, and not quite of one hue
        size = np.random.default_rng(2).uniform(30, 90, (30, 6, 1))
        left_out[..., 1:3] = size * (0.97, 0.24) + np.random.default_rng(3).normal(0, 3, (30, 6, 2))
    book = make_book(np.concatenate([left_out, colorful]))
    assert all(descends_from(colorful, palette) for palette in book.palettes)
    assert all(
        min(matched_difference(palette, chosen) for chosen in book.palettes) < LEAST_DIFFERENCE
        for palette in colorful
    )


def test_make_dull_corpus_still_gets_a_book() -> None:
    palettes = random_palettes(7, chroma=5)
    book = make_book(palettes)
    assert 1 <= len(book) <= 7
    assert all(descends_from(palettes, palette) for palette in book.palettes)


def test_make_corpus_of_one_palette_gets_a_book_of_one() -> None:
    palettes = np.repeat(random_palettes(1, chroma=0), 9, axis=0)
    book = make_book(palettes)
    assert len(book) == 1
    np.testing.assert_allclose(book.score(palettes, even_levels(9)), 1)


def test_make_palettes_are_clearly_different_and_real() -> None:
    palettes = random_palettes(60, chroma=60)
    palettes = np.concatenate([palettes, palettes + np.float32([2, 2, 2, 0])])
    book = make_book(palettes)
    assert 10 < len(book) <= 60
    assert all(descends_from(palettes, chosen) for chosen in book.palettes)
    differences = [matched_difference(*pair) for pair in combinations(book.palettes, 2)]
    assert min(differences) >= LEAST_DIFFERENCE


def test_make_takes_first_what_brings_the_corpus_nearest() -> None:
    """Many palettes about one, and a few far from it: first the one that all are near to."""
    (center,), (far,) = random_palettes(1, chroma=40), random_palettes(1, chroma=40, seed=5)
    far = far * np.float32([1, -1, -1, 1])
    rng = np.random.default_rng(0)
    around = center + rng.normal(0, 8, (30, 6, 4)).astype(np.float32) * np.float32([0, 1, 1, 0])
    palettes = np.concatenate([far[None], around, center[None]])
    first, second = make_book(palettes, size=2).palettes
    assert matched_difference(first, center) < LEAST_DIFFERENCE / 2
    np.testing.assert_array_equal(second, far)


def test_make_takes_hues_that_the_corpus_lacks() -> None:
    """All are red and green; the book has blue and yellow as well."""
    palettes = random_palettes(200, chroma=60)
    palettes[:, ::2, 1:3], palettes[:, 1::2, 1:3] = (60, 0), (-60, 0)
    book = make_book(palettes)
    assert np.abs(palettes[..., 2]).max() == 0
    assert np.abs(book.palettes[..., 2]).max() > 50
    assert all(descends_from(palettes, palette) for palette in book.palettes)


def test_make_size_is_the_most_it_takes() -> None:
    assert len(make_book(random_palettes(60, chroma=60), size=5)) == 5


def test_make_crowd_is_of_the_whole_corpus_dull_palettes_too() -> None:
    dull = random_palettes(20, chroma=5, seed=1)
    palettes = np.concatenate([random_palettes(20, chroma=40), dull])
    crowd = make_book(palettes).crowd
    assert crowd.shape == (CROWD_SIZE, 6, 4)
    assert all(contains(palettes, one) for one in crowd)
    assert all(contains(crowd, palette) for palette in palettes)


def tinted_palettes(count: int, mean_b: float) -> Array:
    palettes = random_palettes(count, chroma=30)
    palettes[..., 2] += mean_b + np.random.default_rng(1).normal(0, 16, (count, 1))
    return palettes


@pytest.mark.parametrize(("mean_b", "expected"), [(7, CROWD_MEAN_B), (-20, -20)])
def test_make_crowd_of_a_warm_corpus_is_cooler_but_no_crowd_is_warmer(
    mean_b: float, expected: float
) -> None:
    palettes = tinted_palettes(400, mean_b)
    assert palettes[..., 2].mean() == pytest.approx(mean_b, abs=2)
    crowd = make_book(palettes, size=2).crowd
    assert crowd[..., 2].mean() == pytest.approx(expected, abs=3)
    # What does not go with b* is as in the corpus.
    assert crowd[..., 0].mean() == pytest.approx(palettes[..., 0].mean(), abs=5)


def test_make_crowd_of_a_corpus_without_blue_is_still_a_crowd() -> None:
    """However warm it is: the coolest palettes are preferred, not the only ones."""
    palettes = tinted_palettes(400, 60)
    crowd = make_book(palettes, size=2).crowd
    assert crowd[..., 2].mean() < 50
    assert len(np.unique(crowd[:, 0, 2])) > 40


def test_make_seed_says_who_is_in_the_crowd() -> None:
    palettes = random_palettes(100, chroma=40)
    levels = even_levels(len(palettes))
    one, same, other = (Book.make(palettes, levels, 2, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.crowd, same.crowd)
    assert (one.crowd != other.crowd).any()


def test_make_same_corpus_same_book() -> None:
    palettes = random_palettes(40, chroma=40)
    one, other = make_book(palettes), make_book(palettes)
    np.testing.assert_array_equal(one.palettes, other.palettes)
    np.testing.assert_array_equal(one.crowd, other.crowd)


def test_score_prefers_the_palette_itself() -> None:
    book = make_book(random_palettes(40, chroma=40))
    assert book.frequency.sum() == pytest.approx(1, rel=1e-5)
    scores = book.score(book.palettes, even_levels(len(book)))
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(scores.argmax(axis=1), np.arange(len(book)))


def flat_palette(a: float, b: float) -> Array:
    return np.tile(np.float32([50, a, b, 1 / 6]), (6, 1))


def test_score_falls_with_distance_and_frequency() -> None:
    """Colours 0 and 5 units away; then the nearer one is frequent."""
    near, far = flat_palette(30, 0), flat_palette(30, 5)
    book = Book(np.stack([near, far]), near[None], np.array([0.5, 0.5], np.float32))
    fit = np.exp(-5 / FIT_SCALE)
    expected = np.array([1, fit]) / (1 + fit)
    np.testing.assert_allclose(book.score(near[None], even_levels(1)), [expected], rtol=1e-5)
    frequent = Book(np.stack([near, far]), near[None], np.array([0.9, 0.1], np.float32))
    between = flat_palette(30, 2.5)[None]
    np.testing.assert_allclose(frequent.score(between, even_levels(1)), [[0.1, 0.9]], atol=1e-5)


def test_save_load_round_trip(tmp_path: Path) -> None:
    book = make_book(random_palettes(10, chroma=40))
    book.save(tmp_path / "book.npz")
    loaded = Book.load(tmp_path / "book.npz")
    np.testing.assert_array_equal(loaded.palettes, book.palettes)
    np.testing.assert_array_equal(loaded.crowd, book.crowd)
    np.testing.assert_array_equal(loaded.frequency, book.frequency)
