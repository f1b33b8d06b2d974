"""Arrangements keep the colours of a palette and differ in where they go."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from service.arrangements import ARRANGEMENTS, LEAST_GAP, arrange_palette
from service.cie import Float32
from service.palettes import parse_palette

EVEN = np.linspace(0, 100, 4096, dtype=np.float32).reshape(64, 64)
PALETTES = (
    "ff00ff,00ffff",
    "navy,tomato,beige",
    "red,gold,teal,navy",
    "red,gold,teal,navy,pink",
    "red,lime,blue,gold,teal,pink,navy,white",
)
ALL = range(ARRANGEMENTS)


def entries(palette: Float32) -> Float32:
    """Leave out what fills up."""
    return palette[palette[:, 3] > 0]


def chroma_over_lightness(palette: Float32) -> Float32:
    """What the nearest entry says at each lightness, (101, 2)."""
    nearest = np.abs(np.arange(101)[:, None] - palette[:, 0]).argmin(axis=1)
    return palette[nearest, 1:3]


@pytest.mark.parametrize("names", ["teal", *PALETTES])
def test_arrange_palette_first_is_the_palette_as_it_is(names: str) -> None:
    palette = parse_palette(names)

    first, *_ = arrange_palette(palette, EVEN, [0, 1])

    np.testing.assert_array_equal(entries(first), palette)


@pytest.mark.parametrize("names", PALETTES)
def test_arrange_palette_keeps_its_colours(names: str) -> None:
    palette = parse_palette(names)

    for arranged in arrange_palette(palette, EVEN, ALL):
        colors = {tuple(color) for color in entries(arranged)[:, 1:3].tolist()}
        assert colors == {tuple(color) for color in palette[:, 1:3].tolist()}


@pytest.mark.parametrize("names", ["teal", *PALETTES])
def test_arrange_palette_gives_no_arrangement_twice(names: str) -> None:
    arranged = arrange_palette(parse_palette(names), EVEN, ALL)

    # Of two colours there are twelve, the last of which stands for the rest.
    different = arranged[:13] if "," in names and names.count(",") == 1 else arranged
    for one, other in combinations(different, 2):
        assert np.abs(one - other).max() > 0.05


@pytest.mark.parametrize("names", PALETTES)
def test_arrange_palette_first_alternative_changes_most_of_the_picture(names: str) -> None:
    first, second, *others = arrange_palette(parse_palette(names), EVEN, ALL)

    def distance(one: Float32, other: Float32) -> float:
        curves = (chroma_over_lightness(entries(palette)) for palette in (one, other))
        return float(np.linalg.norm(np.subtract(*curves), axis=-1).mean())

    assert distance(first, second) > 40
    assert distance(first, second) > np.median([distance(first, other) for other in others])


def test_arrange_palette_does_not_depend_on_the_order_of_colours() -> None:
    one, other = (
        arrange_palette(parse_palette(names), EVEN, ALL)
        for names in ("red,gold,teal,navy", "teal,navy,gold,red")
    )

    np.testing.assert_array_equal(one[1:], other[1:])


def test_arrange_palette_number_alone_is_that_of_many() -> None:
    palette = parse_palette("red,gold,teal")
    together = arrange_palette(palette, EVEN, ALL)

    for number in (0, 3, 15):
        (alone,) = arrange_palette(palette, EVEN, [number])
        np.testing.assert_array_equal(alone, together[number])


def test_arrange_palette_beyond_the_last_is_the_last() -> None:
    palette = parse_palette("red,gold,teal")

    last, beyond = arrange_palette(palette, EVEN, [ARRANGEMENTS - 1, 999])

    np.testing.assert_array_equal(beyond, last)


def test_arrange_palette_is_the_same_for_every_picture_but_for_its_lightness() -> None:
    palette = parse_palette("red,gold,teal")
    dark = EVEN / 4

    for arranged, in_the_dark in zip(
        arrange_palette(palette, EVEN, range(1, 16)),
        arrange_palette(palette, dark, range(1, 16)),
        strict=True,
    ):
        np.testing.assert_array_equal(in_the_dark[:, 1:], arranged[:, 1:])
        assert in_the_dark[:, 0].max() < 26


def test_arrange_palette_gives_each_colour_its_share_of_the_picture() -> None:
    rng = np.random.default_rng(0)
    lightness = rng.beta(2, 5, (100, 120)).astype(np.float32) * 100

    for arranged in arrange_palette(parse_palette("red,gold,teal"), lightness, range(1, 16)):
        places, shares = arranged[:, 0], arranged[:, 3]
        assert shares.sum() == pytest.approx(1)
        middles = np.cumsum(shares) - shares / 2
        below = [(lightness < place).mean() for place in places]
        np.testing.assert_allclose(below, middles, atol=0.001)


def test_arrange_palette_keeps_weights_of_a_reference() -> None:
    palette = parse_palette("red,gold,teal")
    palette[:, 3] = (0.7, 0.2, 0.1)

    arranged = arrange_palette(palette, EVEN, range(1, 16))

    red = (np.abs(arranged[..., 1:3] - palette[0, 1:3]).max(axis=-1) == 0) * arranged[..., 3]
    assert red.sum(axis=1).min() > 0.5


def test_arrange_palette_keeps_colours_apart_where_a_picture_is_flat() -> None:
    flat = np.full((8, 8), 50, np.float32)

    for arranged in arrange_palette(parse_palette("red,gold,teal"), flat, range(1, 16)):
        np.testing.assert_allclose(np.diff(arranged[:, 0]), LEAST_GAP)


def test_arrange_palette_of_one_colour_varies_its_strength() -> None:
    palette = parse_palette("teal")

    for arranged in arrange_palette(palette, EVEN, range(1, 16)):
        strength = arranged[:, 1:3] / palette[0, 1:3]
        np.testing.assert_allclose(strength[:, 0], strength[:, 1], rtol=1e-5)
        assert strength.max() == pytest.approx(1)
        assert 0.2 < strength.min() < 0.7


@pytest.mark.parametrize("names", ["black", "black,white", "grey,red"])
def test_arrange_palette_of_grey_is_no_fault(names: str) -> None:
    arranged = arrange_palette(parse_palette(names), EVEN, ALL)

    assert np.isfinite(arranged).all()
    assert (arranged[..., 3].sum(axis=1) > 0).all()


def test_arrange_palette_takes_a_colour_that_comes_twice_once() -> None:
    twice = arrange_palette(parse_palette("red,red,teal"), EVEN, [1, 2])
    once = arrange_palette(
        np.array(parse_palette("red,teal") * [[1, 1, 1, 2], [1, 1, 1, 1]], np.float32), EVEN, [1, 2]
    )

    np.testing.assert_allclose(entries(twice[0]), entries(once[0]), rtol=1e-6)
    np.testing.assert_allclose(entries(twice[1]), entries(once[1]), rtol=1e-6)


def test_arrange_palette_of_several_palettes_fails() -> None:
    with pytest.raises(ValueError, match=r"must have shape \(K, 4\)\. Received: \(2, 3, 4\)"):
        arrange_palette(np.zeros((2, 3, 4), np.float32), EVEN, [1])
