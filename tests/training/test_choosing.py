"""Which palettes a picture is given when none is asked for."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray

from service.color import merge_chroma
from training import choosing
from training.book import (
    CROWD_GAIN,
    LEVEL_LIGHTNESS,
    LEVELS,
    Book,
    compress_chroma,
    count_levels,
    curve_distances,
    draw_curves,
    look_up_lightness,
)
from training.choosing import (
    AIMED_COLORFULNESS,
    AIMED_SLOPE,
    ENOUGH_HINTS,
    GAINS,
    LIKELIHOOD_POWER,
    MERIT_WEIGHT,
    OTHERS_COLORFULNESS,
    VARIATIONS,
    ChoosePalettes,
    add_choice,
)
from training.evening import EvenOut
from training.metrics import colorfulness
from training.network import ARCHITECTURES

Array = NDArray[Any]

NO_COLOR, NO_HINT = np.zeros((1, 1, 4), np.float32), np.zeros((1, 1, 5), np.float32)
BLUES = np.array([[[20, 20, -60, 1], [80, 5, -30, 0.5]]], np.float32)


def random_palettes(count: int, chroma: float, seed: int) -> Array:
    """Six hues of one chroma, darkest first; no two colours are of the same lightness."""
    rng = np.random.default_rng(seed)
    hue = rng.uniform(0, 2 * np.pi, (count, 1)) + rng.permuted(
        np.tile(np.arange(6), (count, 1)), axis=1
    )
    lightness = np.sort(rng.uniform(5, 95, (count, 6)), axis=1)
    columns = [lightness, chroma * np.cos(hue), chroma * np.sin(hue), np.full((count, 6), 1 / 6)]
    return np.stack(columns, axis=-1).astype(np.float32)


def make_book(palettes: Array, crowd: Array | None = None) -> Book:
    crowd = palettes if crowd is None else crowd
    return Book(palettes, crowd, np.full(len(palettes), 1 / len(palettes), np.float32))


BOOK = make_book(random_palettes(20, 33, seed=0), random_palettes(50, 30, seed=1))


def make_lightness(count: int, seed: int = 0) -> Array:
    """Pictures of blocks whose lightness is that of a level: shape (N, 48, 64, 1)."""
    level = np.random.default_rng(seed).integers(0, LEVELS, (count, 6, 8, 1))
    return np.kron(LEVEL_LIGHTNESS[level], np.ones((1, 8, 8, 1))).astype(np.float32)


def make_scores(count: int, size: int = len(BOOK), seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0, 2, (count, size)).astype(np.float32)


def choose(
    book: Book = BOOK,
    scores: Array | None = None,
    lightness: Array | None = None,
    palette: Array = NO_COLOR,
    hints: Array = NO_HINT,
    variation: Any = (0,),
) -> tuple[Array, Array]:
    """Palettes and scores, for one picture and even scores unless told otherwise."""
    lightness = make_lightness(1) if lightness is None else lightness
    scores = np.zeros((len(lightness), len(book)), np.float32) if scores is None else scores
    outputs = ChoosePalettes(book)(scores, lightness, palette, hints, np.array(variation, np.int64))
    placed, _, scores = map(ops.convert_to_numpy, outputs)
    return placed, scores


def numbers_of(placed: Array, book: Book = BOOK) -> list[int]:
    """Which palettes of the book were chosen: their lightness tells."""
    lightness = placed[:, None, -6:, 0]
    matches = np.isclose(lightness, book.palettes[None, ..., 0]).all(axis=-1)
    assert (matches.sum(axis=1) == 1).all()
    return [int(row.argmax()) for row in matches]


def gains_of(placed: Array, book: Book = BOOK) -> Array:
    chosen = book.palettes[numbers_of(placed, book)]
    return np.linalg.norm(placed[:, -6:, 1:3], axis=-1) / np.linalg.norm(chosen[..., 1:3], axis=-1)


def foresee_gains(lightness: Array) -> Array:
    """What each palette of the book is made more vivid by when it is not the best choice."""
    gains = []
    for number, palette in enumerate(BOOK.palettes):
        book = make_book(np.stack([BOOK.palettes[number - 1], palette]))
        surely_second = np.array([[1000, 0]], np.float32)
        placed, _ = choose(book, surely_second, lightness, variation=(1,))
        assert numbers_of(placed, book) == [1]
        gains.append(gains_of(placed, book)[0, 0])
    return np.array(gains)


def test_choose_palettes_given_palette_passes_through() -> None:
    placed, _ = choose(palette=BLUES, variation=(3,))
    np.testing.assert_array_equal(placed[:, :2], BLUES)
    np.testing.assert_array_equal(placed[:, 2:, 3], 0)


def test_choose_palettes_only_pictures_without_one_get_one() -> None:
    palette = np.concatenate([np.zeros_like(BLUES), BLUES])
    placed, _ = choose(
        scores=make_scores(2), lightness=make_lightness(2), palette=palette, variation=(0, 0)
    )
    np.testing.assert_allclose(placed[:, 2:, 3].sum(axis=1), [1, 0], rtol=1e-5)
    np.testing.assert_array_equal(placed[1, :2], BLUES[0])


def test_choose_palettes_best_variation_has_the_highest_score() -> None:
    logits = make_scores(4)
    placed, scores = choose(scores=logits, lightness=make_lightness(4), variation=(0,) * 4)
    assert numbers_of(placed) == list(scores.argmax(axis=1))
    assert len(set(numbers_of(placed))) > 1


def test_choose_palettes_hues_and_lightness_are_those_of_the_book() -> None:
    placed, _ = choose(variation=range(VARIATIONS))
    chosen = BOOK.palettes[numbers_of(placed)]
    np.testing.assert_array_equal(placed[:, 1:, [0, 3]], chosen[..., [0, 3]])
    gains = gains_of(placed)
    np.testing.assert_allclose(gains, np.repeat(gains[:, :1], 6, axis=1), rtol=1e-4)
    np.testing.assert_allclose(placed[:, 1:, 1:3], chosen[..., 1:3] * gains[..., None], rtol=1e-3)


def test_choose_palettes_variations_are_distinct() -> None:
    placed, scores = choose(scores=make_scores(1), variation=range(VARIATIONS))
    assert placed.shape == (VARIATIONS, 1 + 6, 4)
    assert scores.shape == (1, len(BOOK))
    assert len(set(numbers_of(placed))) == VARIATIONS


@pytest.mark.parametrize(("variation", "served"), [(99, VARIATIONS - 1), (-1, 0)])
def test_choose_palettes_variation_out_of_range_is_the_nearest(variation: int, served: int) -> None:
    one, other = (choose(variation=(number,))[0] for number in (variation, served))
    np.testing.assert_array_equal(one, other)


def test_choose_palettes_small_book_serves_each_of_its_palettes_first() -> None:
    book = make_book(BOOK.palettes[:3])
    placed, _ = choose(book, variation=range(VARIATIONS))
    numbers = numbers_of(placed, book)
    assert sorted(numbers[:3]) == [0, 1, 2]
    assert len(numbers) == VARIATIONS


def test_choose_palettes_pictures_do_not_see_one_another() -> None:
    logits, lightness = make_scores(3), make_lightness(3)
    together, scores = choose(scores=logits, lightness=lightness, variation=(0, 1, 2))
    for n in range(3):
        alone, own_scores = choose(
            scores=logits[n : n + 1], lightness=lightness[n : n + 1], variation=(n,)
        )
        np.testing.assert_allclose(together[n], alone[0], rtol=1e-4)
        np.testing.assert_allclose(scores[n], own_scores[0], atol=1e-3)


def test_choose_palettes_head_says_what_is_first_not_what_is_covered() -> None:
    first = 1000 * np.eye(1, len(BOOK), dtype=np.float32)
    orders = [
        numbers_of(choose(scores=first + logits, variation=range(VARIATIONS))[0])
        for logits in (0 * first, make_scores(1), make_scores(1, seed=1))
    ]
    assert orders[0][0] == 0
    assert orders[0] == orders[1] == orders[2]


def two_palettes_of_three_hues() -> Book:
    """Three hues 30 degrees apart, and three as far apart as can be; else the same."""
    palettes = random_palettes(1, 40, seed=3)[[0, 0]]
    for palette, step in zip(palettes, (np.pi / 6, 2 * np.pi / 3), strict=True):
        hue = step * np.tile(np.arange(3), 2) + 0.1
        palette[:, 1:3] = 40 * np.stack([np.cos(hue), np.sin(hue)], axis=1)
        palette[:, 0] += step  # what tells them apart
    return make_book(palettes)


@pytest.mark.parametrize(("preference", "first"), [(3, 1), (30, 0)])
def test_choose_palettes_first_is_of_near_hues_only_when_much_better(
    preference: float, first: int
) -> None:
    book = two_palettes_of_three_hues()
    placed, scores = choose(book, np.array([[preference, 0]], np.float32), variation=(0, 1))
    assert numbers_of(placed, book) == [first, 1 - first]
    assert scores.argmax() == first


def test_choose_palettes_covers_a_crowd_greedily(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each next choice is the one that brings the crowd nearest to what is chosen."""
    lightness = make_lightness(1)
    # With no head's opinion, and nothing that counts for the best alone, scores are merits.
    monkeypatch.setattr(choosing, "ONE_HUE_WEIGHT", 0)
    monkeypatch.setattr(choosing, "FIRST_COLORFULNESS_WEIGHT", 0)
    placed, scores = choose(lightness=lightness, variation=range(VARIATIONS))

    curves, crowd = draw_curves(BOOK.palettes), draw_curves(BOOK.crowd)
    even = np.full((len(crowd), LEVELS), 1 / LEVELS, np.float32)
    nearest = curve_distances(crowd, curves, even).argmin(axis=1)
    likelihood = np.exp(LIKELIHOOD_POWER * scores[0])
    likelihood = (likelihood / likelihood.sum())[nearest]
    levels = np.repeat(count_levels(lightness[..., 0]), len(crowd), axis=0)
    curves *= foresee_gains(lightness)[:, None, None]
    crowd, curves = (compress_chroma(chroma) for chroma in (crowd * np.float32(CROWD_GAIN), curves))
    distance = curve_distances(crowd, curves, levels)  # (crowd, size)
    expected = [int(scores[0].argmax())]
    while len(expected) < VARIATIONS:
        covered = distance[:, expected].min(axis=1)
        left = [
            np.inf
            if n in expected
            else likelihood @ np.minimum(covered, distance[:, n]) - MERIT_WEIGHT * scores[0, n]
            for n in range(len(BOOK))
        ]
        expected.append(int(np.argmin(left)))

    assert numbers_of(placed) == expected
    assert expected != list(np.argsort(-scores[0])[:VARIATIONS])


def test_choose_palettes_next_to_the_best_is_not_its_twin() -> None:
    """The others are as good by themselves: the same colours, hues turned."""
    best = BOOK.palettes[0]
    twin = best + np.float32([0.1, 0, 0, 0])
    turned = best * np.float32([1, -1, -1, 1]), best * np.float32([1, -1, 1, 1])
    lighter = [palette + np.float32([0.2 * n, 0, 0, 0]) for n, palette in enumerate(turned, 1)]
    book = make_book(np.stack([best, twin, *lighter]), BOOK.crowd)
    placed, _ = choose(book, np.array([[2, 1.9, 0, 0]], np.float32), variation=(0, 1))
    first, second = numbers_of(placed, book)
    assert first == 0
    assert second in (2, 3)


def test_choose_palettes_marks_dull_ones_and_those_of_one_hue_down() -> None:
    colorful, dull, red = random_palettes(1, 45, seed=2).repeat(3, axis=0)
    dull[:, 1:3] *= 0.2
    red[:, 1:3] = (60, 20)
    _, scores = choose(make_book(np.stack([colorful, dull, red])))
    colorful_score, *others = scores[0]
    assert max(others) < colorful_score


def test_choose_palettes_sees_that_a_picture_shows_one_color_only() -> None:
    """A palette of many hues is of one hue for a picture that is white but for a spot."""
    white = np.full((1, 48, 64, 1), 97, np.float32)
    white[:, :8, :8] = 20
    _, (on_white,) = choose(lightness=white)
    _, (on_all,) = choose(lightness=make_lightness(1))
    assert on_white.max() < on_all.max() - 1


def test_choose_palettes_marks_those_down_that_break_smooth_shapes() -> None:
    """The same colours, neighbours in lightness being near in hue, or opposite."""
    lightness = np.linspace(10, 90, 6)
    gentle, restless = (
        np.column_stack([lightness, 45 * np.cos(hue), 45 * np.sin(hue), np.full(6, 1 / 6)]).astype(
            np.float32
        )
        for hue in np.radians([[0, 40, 80, 120, 160, 200], [0, 160, 40, 200, 80, 120]])
    )
    book = make_book(np.stack([gentle, restless + np.float32([0.1, 0, 0, 0])]))
    ramp = np.broadcast_to(np.linspace(0, 100, 512)[None, None, :, None], (1, 16, 512, 1))
    _, (on_ramp,) = choose(book, lightness=ramp.astype(np.float32))
    _, (on_blocks,) = choose(book, lightness=make_lightness(1))
    assert on_ramp[0] - on_ramp[1] > 1 + on_blocks[0] - on_blocks[1]


@pytest.mark.parametrize("count", [0, 1, 4, 7, 8, 20])
def test_choose_palettes_fades_with_hints(count: int) -> None:
    hints = np.zeros((1, 20, 5), np.float32)
    hints[:, :count, 4] = 1
    placed, _ = choose(hints=hints)
    share = max(1 - count / ENOUGH_HINTS, 0)
    np.testing.assert_allclose(placed[0, 1:, 3].sum(), share, atol=1e-6)


@pytest.mark.parametrize("palette", [NO_COLOR, BLUES], ids=["chosen", "given"])
def test_choose_palettes_trusts_as_in_training_beside_enough_hints(palette: Array) -> None:
    trusts = []
    for count in (1, 3, int(ENOUGH_HINTS), 20):
        hints = np.zeros((1, 20, 5), np.float32)
        hints[:, :count, 4] = 1
        scores = np.zeros((1, len(BOOK)), np.float32)
        layer = ChoosePalettes(BOOK)
        _, trust, _ = layer(scores, make_lightness(1), palette, hints, np.array([0]))
        trusts.append(float(ops.convert_to_numpy(trust).item()))
    assert trusts[0] > 4 * trusts[1] > 4.5
    assert trusts[2:] == [1, 1]


def render(lightness: Array, palette: Array) -> Array:
    """Colour a picture by the lightness table."""
    return merge_chroma(lightness, look_up_lightness(lightness, palette))


@pytest.mark.parametrize(
    ("variation", "aim", "slope"),
    [(0, AIMED_COLORFULNESS, AIMED_SLOPE), (1, OTHERS_COLORFULNESS, 0)],
)
def test_choose_palettes_makes_a_picture_as_vivid_as_is_aimed_at(
    variation: int, aim: float, slope: float
) -> None:
    """What is foreseen from the lightness alone is what the lightness table gives."""
    lightness = make_lightness(24)
    placed, _ = choose(
        scores=make_scores(24), lightness=lightness, variation=[variation] * len(lightness)
    )
    vividness = []
    for picture, palette, gain in zip(
        lightness[..., 0], placed[:, -6:], gains_of(placed)[:, 0], strict=True
    ):
        reached = colorfulness(render(picture, palette)) / (aim + slope * picture.mean())
        if GAINS[0] * 1.01 < gain < GAINS[-1] * 0.99:
            assert reached == pytest.approx(1, rel=0.08)
            vividness.append(reached)
        else:
            assert reached < 1.01 if gain > 1 else reached > 0.99
    assert len(vividness) >= 3
    assert np.mean(vividness) == pytest.approx(1, rel=0.02)


PRIMARIES = np.array(
    [[32, 79, -108], [53, 80, 67], [60, 98, -61], [88, -86, 83], [91, -48, -14], [97, -22, 94]]
)


def test_choose_palettes_makes_dark_pictures_less_vivid() -> None:
    light = np.maximum(make_lightness(1), LEVEL_LIGHTNESS[LEVELS // 2])
    dark = np.minimum(make_lightness(1), LEVEL_LIGHTNESS[LEVELS // 2])
    book = make_book(BOOK.palettes[:2])
    placed, _ = choose(
        book, make_scores(1, 2) * 100, np.concatenate([light, dark]), variation=(0, 0)
    )
    of_light, of_dark = gains_of(placed, book)[:, 0]
    assert of_dark < of_light


@pytest.mark.parametrize(("share", "gain"), [(0.05, GAINS[-1]), (1, GAINS[0])])
def test_choose_palettes_gain_has_bounds(share: float, gain: float) -> None:
    """Of colours that are nearly grey, and of the most vivid that sRGB has."""
    colors = PRIMARIES * (1, share, share)
    palette = np.column_stack([colors, np.full(6, 1 / 6)]).astype(np.float32)
    book = make_book(np.stack([palette, palette + np.float32([1, 0, 0, 0])]))
    placed, _ = choose(book, variation=(0, 1))
    np.testing.assert_allclose(gains_of(placed, book), gain, rtol=1e-3)


@pytest.mark.parametrize("lightness", [0, 100])
def test_choose_palettes_flat_picture_of_the_least_size(lightness: float) -> None:
    """Sixteen pixels, of which eight places are left; black and white have no colours."""
    flat = np.full((1, 8, 8, 1), lightness, np.float32)
    placed, scores = choose(lightness=flat, variation=range(VARIATIONS))
    assert np.isfinite(placed).all()
    assert np.isfinite(scores).all()
    assert len(set(numbers_of(placed))) == VARIATIONS


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return ARCHITECTURES["unet"].build(len(BOOK))


@pytest.fixture(scope="module")
def served(network: keras.Model) -> keras.Model:
    return add_choice(network, BOOK, given_share_weight=2.5)


def place_evenly(
    network: keras.Model, lightness: Array, palette: Array, hints: Array, **weights: float
) -> Array:
    """What the network makes of colours, evened out."""
    place = network.get_layer("place_colors")
    see = keras.Model(network.inputs, place.input[:3])
    seen = see([lightness, palette, hints])
    return ops.convert_to_numpy(place(*seen, palette, hints, even_out=EvenOut(), **weights))


def test_add_choice_keeps_closer_to_a_given_palette_than_in_training(
    network: keras.Model, served: keras.Model
) -> None:
    lightness = make_lightness(1)
    outputs = served([lightness, BLUES, NO_HINT, np.array([5])])
    weights = {"palette_sharpness": 2, "share_weight": 2.5}
    expected = place_evenly(network, lightness, BLUES, NO_HINT, **weights)
    np.testing.assert_allclose(outputs["chroma"], expected, atol=1e-3)
    as_trained = place_evenly(network, lightness, BLUES, NO_HINT)
    assert np.abs(as_trained - expected).max() > 1


@pytest.mark.parametrize(("count", "ridge_weight"), [(10, 0.4), (40, 0.1)])
def test_add_choice_makes_planes_steeper_the_more_hints_there_are(
    count: int, ridge_weight: float, network: keras.Model, served: keras.Model
) -> None:
    lightness = make_lightness(1)
    shares = np.random.default_rng(3).uniform(0, 1, (1, count, 4))
    ghost = np.zeros((1, 1, 5), np.float32)
    hints = np.concatenate([shares * (1, 1, 90, 90), np.ones((1, count, 1))], axis=-1)
    hints = np.concatenate([hints.astype(np.float32), ghost], axis=1)
    outputs = served([lightness, NO_COLOR, hints, np.array([0])])
    weights = {"barrier_weight": 2, "ridge_weight": ridge_weight}
    expected = place_evenly(network, lightness, NO_COLOR, hints, **weights)
    np.testing.assert_allclose(outputs["chroma"], expected, atol=0.05)
    as_trained = place_evenly(network, lightness, NO_COLOR, hints)
    assert np.abs(as_trained - expected).max() > 1


def test_add_choice_hints_come_out_exactly(served: keras.Model) -> None:
    """Evening out comes before: it would take them for blotches."""
    lightness = make_lightness(1)  # predicted in 24 x 32 cells
    hints = np.array([[[0.2, 0.7, 70, 30, 1], [0.8, 0.3, -50, 60, 1]]], np.float32)
    for palette in (NO_COLOR, BLUES):
        chroma = ops.convert_to_numpy(served([lightness, palette, hints, np.array([0])])["chroma"])
        np.testing.assert_allclose(chroma[0, [16, 7], [6, 25]], hints[0, :, 2:4], atol=0.1)


def test_add_choice_palette_counts_more_beside_few_hints_than_in_training(
    network: keras.Model, served: keras.Model
) -> None:
    lightness = make_lightness(1)
    hint = np.array([[[0.2, 0.7, 70, 30, 1]]], np.float32)
    trained, kept, bare = (
        ops.convert_to_numpy(chroma)
        for chroma in (
            network([lightness, BLUES, hint])["chroma"],
            served([lightness, BLUES, hint, np.array([0])])["chroma"],
            served([lightness, BLUES, NO_HINT, np.array([0])])["chroma"],
        )
    )
    floods, stays = (np.abs(chroma - bare).mean() for chroma in (trained, kept))
    assert stays < 0.5 * floods


def test_add_choice_places_the_palettes_that_it_tells(
    network: keras.Model, served: keras.Model
) -> None:
    """One picture, four variations: each is what the network makes of the chosen palette."""
    lightness = make_lightness(1)
    outputs = served([lightness, NO_COLOR, NO_HINT, np.arange(4)])
    placed = ops.convert_to_numpy(outputs["placed_palette"])
    assert len(set(numbers_of(placed))) == 4
    for n in range(4):
        expected = place_evenly(network, lightness, placed[n : n + 1], NO_HINT)
        np.testing.assert_allclose(outputs["chroma"][n : n + 1], expected, atol=1e-3)
