"""Barriers: the edges that every way from a hint to a place has to cross."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray

from training.barriers import FAR, find_barriers

Array = NDArray[np.float32]

GROUND, INK = 50.0, 10.0


def barriers_from(lightness: Array, *places: tuple[int, int]) -> Array:
    """Barriers between places and all places, (M, h, w), of a picture (h, w)."""
    rows, columns = (np.array([side], np.float32) for side in zip(*places, strict=True))
    of_places = lightness[rows.astype(int), columns.astype(int)]
    found = find_barriers(lightness[None, ..., None], rows, columns, of_places)
    return np.asarray(ops.convert_to_numpy(found)[0])


@pytest.fixture
def plain() -> Array:
    return np.full((32, 48), GROUND, np.float32)


def test_find_barriers_on_plain_ground_none(plain: Array) -> None:
    np.testing.assert_array_equal(barriers_from(plain, (0, 0), (31, 47), (13, 20)), 0)


def test_find_barriers_edge_counts_beyond_it(plain: Array) -> None:
    plain[:, 24:] = INK
    left, right = barriers_from(plain, (5, 3), (20, 40))
    np.testing.assert_array_equal(left[:, :24], 0)
    np.testing.assert_array_equal(left[:, 24:], GROUND - INK)
    np.testing.assert_array_equal(right, (GROUND - INK) - left)


def test_find_barriers_slow_change_is_no_edge() -> None:
    """However far lightness goes: only steps count, here of 1 L* from cell to cell."""
    slope = np.tile(np.arange(64, dtype=np.float32) / 2, (8, 1))
    np.testing.assert_allclose(barriers_from(slope, (4, 0)).max(), 1, atol=1e-5)


def test_find_barriers_outline_keeps_in_what_looks_the_same(plain: Array) -> None:
    plain[8:24, 8:24] = INK
    plain[10:22, 10:22] = GROUND
    (inside,) = barriers_from(plain, (15, 15))
    np.testing.assert_array_equal(inside[10:22, 10:22], 0)
    assert inside[:8].min() == inside[24:].min() == GROUND - INK


@pytest.mark.parametrize("gap", [0, 14, 30])
def test_find_barriers_leads_through_a_gap(gap: int, plain: Array) -> None:
    """Turning twice, wherever the gap is and to whichever side."""
    plain[:, 22:26] = INK
    plain[gap : gap + 2, 22:26] = GROUND
    there, back = barriers_from(plain, (20, 2), (6, 45))
    assert there[6, 45] == back[20, 2] == 0


def test_find_barriers_smallest_step_of_all_ways_counts(plain: Array) -> None:
    plain[:16, 22:26] = INK
    plain[16:, 22:26] = GROUND - 7
    (found,) = barriers_from(plain, (2, 2))
    assert found[2, 45] == 7


def test_find_barriers_reaches_the_end_of_wide_pictures() -> None:
    wide = np.full((4, 250), GROUND, np.float32)
    assert barriers_from(wide, (0, 0), (3, 249)).max() == 0 < FAR


def test_find_barriers_hint_in_a_cell_across_an_edge_belongs_to_its_own_side(
    plain: Array,
) -> None:
    """An edge in the middle of a cell: the place's own lightness says which side it is on."""
    plain[:, 23:] = INK
    left, right = barriers_from(plain, (8, 22), (8, 23))
    assert left[8, 2] < 1 < left[8, 40]
    assert right[8, 40] < 1 < right[8, 2]


def test_find_barriers_one_picture_many_hints_equals_one_picture_each() -> None:
    rng = np.random.default_rng(0)
    lightness = rng.uniform(0, 100, (1, 12, 16, 1)).astype(np.float32)
    row, column = (rng.integers(0, side, (2, 5)).astype(np.float32) for side in (12, 16))
    own = lightness[0, row.astype(int), column.astype(int), 0]
    together = ops.convert_to_numpy(find_barriers(lightness, row, column, own))
    each = ops.convert_to_numpy(find_barriers(lightness.repeat(2, axis=0), row, column, own))
    np.testing.assert_array_equal(together, each)
