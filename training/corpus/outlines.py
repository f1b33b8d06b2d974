"""Outlines: the vertices of plain shapes.

Coordinates are those of `Canvas`, shares of the picture's longer side.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.corpus.shading import mix

Array: TypeAlias = NDArray[np.floating[Any]]
Points: TypeAlias = Array
"""Vertices of an outline, shape (vertices, 2): x to the right, y downwards."""


def regular_polygon(
    center: ArrayLike, radius: float | Array, sides: int, rotation: float = 0
) -> Points:
    """Return the vertices of a regular polygon; a radius per vertex makes a star."""
    angle = rotation + np.arange(sides) * (2 * np.pi / sides)
    outline: Points = np.asarray(center) + _polar(radius, angle)
    return outline


def circle(center: ArrayLike, radius: float) -> Points:
    """Return a circle as a polygon fine enough for its edge to look round."""
    return regular_polygon(center, radius, 96)


def arc(center: ArrayLike, inner: float, outer: float, start: float, sweep: float) -> Points:
    """Return a piece of a ring, or of a disc when `inner` is 0; angles in radians."""
    angle = start + np.linspace(0, sweep, 64)
    rim = np.concatenate([_polar(outer, angle), _polar(inner, angle[::-1])])
    outline: Points = np.asarray(center) + rim
    return outline


def capsule(start: ArrayLike, end: ArrayLike, radius: float) -> Points:
    """Return a bar with round ends, from the centre of one end to that of the other."""
    across, down = np.asarray(end) - np.asarray(start)
    half_turn = np.linspace(-np.pi / 2, np.pi / 2, 24) + np.arctan2(down, across)
    front, back = _polar(radius, half_turn), _polar(radius, half_turn + np.pi)
    return np.concatenate([np.add(end, front), np.add(start, back)])


def box(center: ArrayLike, half_sizes: ArrayLike, rotation: float = 0) -> Points:
    """Return a rectangle, turned about its centre by `rotation` radians."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.asarray(half_sizes)
    cos, sin = np.cos(rotation), np.sin(rotation)
    turned: Points = np.asarray(center) + corners @ np.array([[cos, sin], [-sin, cos]])
    return turned


def shrink(outline: Array, center: ArrayLike, share: float | Array) -> Array:
    """Scale points about a point, by one share or one per axis."""
    scaled: Array = np.asarray(center) + (outline - np.asarray(center)) * share
    return scaled


def rectangles(low: Points, high: Points) -> Array:
    """Return upright rectangles by their corners, shape (rectangles, 4, 2)."""
    left, top, right, bottom = *low.T, *high.T
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)


def cut(facet: Points, share: float, angle: float) -> list[Points]:
    """Cut a convex outline in two along a straight line."""
    height = facet @ [np.cos(angle), np.sin(angle)]
    height = height - (height.min() + share * (height.max() - height.min()))
    halves: list[list[Array]] = [[], []]
    for i, vertex in enumerate(facet):
        after = (i + 1) % len(facet)
        halves[int(height[i] > 0)].append(vertex)
        if height[i] * height[after] < 0:
            crossing = mix(vertex, facet[after], height[i] / (height[i] - height[after]))
            halves[0].append(crossing)
            halves[1].append(crossing)
    return [np.array(half) for half in halves]


def _polar(radius: float | Array, angle: Array) -> Points:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
