"""The rivals of the models, on pictures where it is known what they have to answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from training.baselines import locate, look_up_hints, paint_grey, paint_mean, propagate_hints

Spread = Callable[[np.ndarray, np.ndarray], np.ndarray]

RED, BLUE = (60, 40), (10, -50)


def halves(left: float = 30, right: float = 80) -> np.ndarray:
    """L* of 12 rows and 20 columns, the border in the middle."""
    lightness = np.full((12, 20), left, np.float32)
    lightness[:, 10:] = right
    return lightness


def hint(row: int, column: int, chroma: tuple[float, float]) -> tuple[float, ...]:
    return ((column + 0.5) / 20, (row + 0.5) / 12, *chroma, 1)


def hints_of(*hints: tuple[float, ...]) -> np.ndarray:
    return np.array(hints, np.float32)


def test_paint_grey_has_no_chroma() -> None:
    assert paint_grey(halves()).shape == (12, 20, 2)
    assert not paint_grey(halves()).any()


def test_paint_mean_is_the_mean_everywhere() -> None:
    lab = np.dstack([halves(), halves(-20, 40), halves(0, 6)])
    painted = paint_mean(lab)
    assert painted.shape == (12, 20, 2)
    assert np.unique(painted.reshape(-1, 2), axis=0).tolist() == [[10, 3]]


def test_locate_pixels_of_centres_and_corners() -> None:
    hints = hints_of(hint(3, 17, RED), (0, 0, *RED, 1), (1, 1, *RED, 1))
    rows, columns = locate(hints, 12, 20)
    assert rows.tolist() == [3, 0, 11]
    assert columns.tolist() == [17, 0, 19]


@pytest.mark.parametrize("spread", [look_up_hints, propagate_hints])
def test_one_hint_colours_everything(spread: Spread) -> None:
    chroma = spread(halves(), hints_of(hint(2, 3, RED)))
    assert chroma.shape == (12, 20, 2)
    assert chroma.dtype == np.float32
    np.testing.assert_allclose(chroma, np.broadcast_to(RED, (12, 20, 2)), atol=1e-3)


@pytest.mark.parametrize("spread", [look_up_hints, propagate_hints])
def test_each_half_takes_the_colour_of_its_hint(spread: Spread) -> None:
    chroma = spread(halves(), hints_of(hint(2, 3, RED), hint(9, 18, BLUE)))
    np.testing.assert_allclose(chroma[:, :10], np.broadcast_to(RED, (12, 10, 2)), atol=1)
    np.testing.assert_allclose(chroma[:, 10:], np.broadcast_to(BLUE, (12, 10, 2)), atol=1)


def test_look_up_hints_weighs_lightness_and_distance() -> None:
    """At the first hint's place: the other lies 4 L* and 0.15 of the longer side away."""
    lightness = np.full((1, 20), 50, np.float32)
    lightness[0, 8] = 54
    hints = np.array([(5.5 / 20, 0.5, 0, 0, 1), (8.5 / 20, 0.5, 10, 0, 1)], np.float32)
    share = np.exp(-2) / (1 + np.exp(-2))
    assert look_up_hints(lightness, hints)[0, 5, 0] == pytest.approx(10 * share)


def test_propagate_hints_holds_them_exactly() -> None:
    lightness = np.random.default_rng(0).uniform(0, 100, (12, 20)).astype(np.float32)
    hints = hints_of(hint(2, 3, RED), hint(2, 4, BLUE), hint(11, 19, (0, 0)))
    chroma = propagate_hints(lightness, hints)
    assert chroma[2, 3].tolist() == list(RED)
    assert chroma[2, 4].tolist() == list(BLUE)
    assert chroma[11, 19].tolist() == [0, 0]


def test_propagate_hints_on_flat_lightness_gives_means_of_neighbours() -> None:
    chroma = propagate_hints(
        np.full((3, 5), 50, np.float32), hints_of((0.1, 0.5, 0, 0, 1), (0.9, 0.5, 9, 0, 1))
    )
    inner = chroma[1, 2, 0]
    neighbours = chroma[:, 1:4, 0].sum() - inner
    assert inner == pytest.approx(neighbours / 8, abs=1e-4)
    assert inner == pytest.approx(4.5, abs=1e-4)


def test_propagate_hints_everywhere_changes_nothing() -> None:
    hints = np.array([(0.25, 0.5, *RED, 1), (0.75, 0.5, *BLUE, 1)], np.float32)
    chroma = propagate_hints(np.array([[10, 20]], np.float32), hints)
    assert chroma.tolist() == [[list(RED), list(BLUE)]]
