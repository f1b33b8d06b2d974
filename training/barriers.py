"""What lies between a hint and a place: the edges that every way has to cross.

A shape has one colour, however far it reaches, and what looks the same beyond an
edge need not. So between two places counts the *barrier*: the largest step of
lightness that no way from one to the other avoids.
"""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any

CELL_SIDE = 2
"""Ways lead through cells of so many places a side."""
SWEEPS = 2
"""Of the whole map in each direction: ways may turn so often, and a little more."""
REACHES = (1, 2, 4, 8, 16, 32)
"""Cells that each part of a sweep goes beyond those before."""
FAR = 1e3
"""L*: more than any step."""


def find_barriers(lightness: Tensor, row: Tensor, column: Tensor, hint_lightness: Tensor) -> Tensor:
    """Find the barrier between each hint and each place, nearly.

    Parameters
    ----------
    lightness : Tensor, shape (N, h, w, 1)
        CIE L*; h and w are even.
    row, column : Tensor, shape (P, M)
        Of the place of each hint. P is N, or any number where N is 1.
    hint_lightness : Tensor, shape (P, M)
        L* at these places.

    Returns
    -------
    Tensor, shape (P, M, h, w)
        Steps of L*. No gradient leads through it.

    References
    ----------
    .. [1] J. K. Udupa, S. Samarasekera, "Fuzzy Connectedness and Object Definition",
       1996: a way is as good as its worst step.
    .. [2] W. D. Hillis, G. L. Steele, "Data Parallel Algorithms", 1986: a line is
       swept in a logarithm of its length.
    """
    places = ops.transpose(lightness, (0, 3, 1, 2))  # (N, 1, h, w)
    cells = ops.transpose(ops.average_pool(lightness, CELL_SIDE), (0, 3, 1, 2))
    height, width = ops.shape(cells)[2:]
    down = ops.abs(ops.arange(height, dtype="float32")[:, None] - _cell_of(row))
    across = ops.abs(ops.arange(width, dtype="float32") - _cell_of(column))
    # A hint begins in the cells about it: its own may be half beyond an edge.
    step = ops.abs(cells - hint_lightness[..., None, None])  # (P, M, h/2, w/2)
    barriers = ops.where(ops.maximum(down, across) <= 1, step, FAR)
    sweeps = [_steps(cells, axis, is_back) for axis in (3, 2) for is_back in (False, True)]
    for _ in range(SWEEPS):
        for axis_and_side, steps in sweeps:
            for reach, highest in zip(REACHES, steps, strict=True):
                beyond = ops.maximum(_move(barriers, reach, *axis_and_side), highest)
                barriers = ops.minimum(barriers, beyond)
    within = ops.abs(places - _enlarge(cells))  # from the cell's lightness to the place's
    return ops.stop_gradient(ops.maximum(_enlarge(barriers), within))


def _cell_of(index: Tensor) -> Tensor:
    """Return the cell's index of a place's: (P, M) to (P, M, 1, 1)."""
    return ops.floor(index / CELL_SIDE)[..., None, None]


def _steps(cells: Tensor, axis: int, is_back: bool) -> tuple[tuple[int, bool], list[Tensor]]:
    """Return the highest step on the way from the cell that is 1, 2, 4, ... cells before."""
    highest = ops.abs(cells - _move(cells, 1, axis, is_back))
    steps = [highest]
    for reach in REACHES[:-1]:
        highest = ops.maximum(highest, _move(highest, reach, axis, is_back))
        steps.append(highest)
    return (axis, is_back), steps


def _move(cells: Tensor, reach: int, axis: int, is_back: bool) -> Tensor:
    """Give each cell what is so many cells before it, or after it; outside is far."""
    padding = [(0, 0)] * 4
    padding[axis] = (0, reach) if is_back else (reach, 0)
    window = [slice(None)] * 4
    window[axis] = slice(reach, None) if is_back else slice(None, -reach)
    return ops.pad(cells, padding, constant_values=FAR)[tuple(window)]


def _enlarge(cells: Tensor) -> Tensor:
    """Copy each cell to its places: (P, M, h/2, w/2) to (P, M, h, w)."""
    count, hints, height, width = ops.shape(cells)
    copies = ops.zeros((CELL_SIDE, 1, CELL_SIDE))
    places = cells[:, :, :, None, :, None] + copies
    return ops.reshape(places, (count, hints, CELL_SIDE * height, CELL_SIDE * width))
