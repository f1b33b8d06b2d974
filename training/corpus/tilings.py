"""Tilings of the unit square: grids, triangles, cells and boxes, regular or random."""

from __future__ import annotations

import cv2
import numpy as np

from training.corpus.canvas import Canvas
from training.corpus.outlines import Array, Points

SUBDIVISION_REACH = 20
"""Side of the square, about the picture, in which points can be triangulated."""


class Lattice:
    """A grid of square tiles that covers a canvas.

    Attributes
    ----------
    u, v : ndarray of float32, shape (height, width)
        Place of each pixel inside its tile, -0.5..0.5.
    row, column, cell : ndarray of int32, shape (height, width)
        Which tile that is; `cell` is its index into `centers`.
    centers : ndarray of float, shape (tiles, 2)
        The tiles' centres; some lie outside of the picture.
    pitch : float
        Side of a tile, in shares of the longer side.
    """

    def __init__(self, canvas: Canvas, tiles_across: int, rotation: float) -> None:
        # Half as many tiles again reach the corners at any rotation; an even number of them
        # is added, so that an upright lattice ends where the unit square ends.
        count = tiles_across + 2 * int(np.ceil(tiles_across * 0.25))
        across, down = canvas.rotated(rotation)
        u = across * np.float32(tiles_across) + np.float32(count / 2)
        v = down * np.float32(tiles_across) + np.float32(count / 2)
        self.column, self.row = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
        self.u, self.v = u - self.column - np.float32(0.5), v - self.row - np.float32(0.5)
        self.u, self.v = self.u.astype(np.float32), self.v.astype(np.float32)
        self.cell = self.row * count + self.column
        self.pitch = 1 / tiles_across
        row, column = (np.indices((count, count)).reshape(2, -1) + 0.5 - count / 2) / tiles_across
        cos, sin = np.cos(rotation), np.sin(rotation)
        self.centers = 0.5 + np.stack([column * cos - row * sin, column * sin + row * cos], axis=-1)


def hexagonal_grid(pitch: float) -> Points:
    """Return the centres of a honeycomb that covers the unit square and its rim."""
    steps = int(np.ceil(0.5 / pitch)) + 2
    rows = int(np.ceil(steps * 2 / 3**0.5))
    row, column = np.mgrid[-rows : rows + 1, -steps : steps + 1].reshape(2, -1)
    centers: Points = 0.5 + pitch * np.stack([column + row % 2 / 2, row * 3**0.5 / 2], axis=-1)
    return centers


def triangulate(points: Points) -> Array:
    """Return the Delaunay triangles of some points, shape (triangles, 3, 2)."""
    corners = np.asarray(_subdivide(points).getTriangleList(), np.float32).reshape(-1, 3, 2)
    # The corners of the subdivision's own frame are no points of ours.
    ours: Array = corners[(np.abs(corners - 0.5) < SUBDIVISION_REACH / 2).all(axis=(1, 2))]
    return ours


def voronoi_cells(points: Points) -> tuple[list[Points], Points]:
    """Return the Voronoi cells of some points, and the point of each."""
    cells, centers = _subdivide(points).getVoronoiFacetList([])
    return [np.asarray(cell) for cell in cells], np.asarray(centers, np.float32)


def scatter(rng: np.random.Generator, points_across: float) -> Points:
    """Return points in rows over the unit square and its rim, displaced a lot or not at all."""
    pitch = 1 / points_across
    points = hexagonal_grid(pitch)
    jitter = rng.choice([0, 0.25, 0.45, 0.45, 0.7])
    displaced: Points = points + pitch * jitter * rng.uniform(-1, 1, points.shape)
    return displaced


def split_boxes(rng: np.random.Generator, splits: int, parts: int) -> tuple[Points, Points]:
    """Split the unit square: large boxes first, in 2 anywhere or in 4 at the middle."""
    boxes = [np.array([0.0, 0.0, 1.0, 1.0])]
    for _ in range(splits):
        area = np.array([(box[2] - box[0]) * (box[3] - box[1]) for box in boxes])
        box = boxes.pop(int(rng.choice(len(boxes), p=area / area.sum())))
        axes = (0, 1) if parts == 4 else (int(box[3] - box[1] > box[2] - box[0]),)
        pieces = [box]
        for axis in axes:
            share = 0.5 if parts == 4 else rng.uniform(0.25, 0.75)
            middle = box[axis] + share * (box[axis + 2] - box[axis])
            pieces = [half for piece in pieces for half in _halve(piece, axis, middle)]
        boxes += pieces
    return np.array(boxes)[:, :2], np.array(boxes)[:, 2:]


def _halve(box: Array, axis: int, middle: float) -> list[Array]:
    first, second = box.copy(), box.copy()
    first[axis + 2] = second[axis] = middle
    return [first, second]


def _subdivide(points: Points) -> cv2.Subdiv2D:
    corner, size = -SUBDIVISION_REACH // 2, SUBDIVISION_REACH
    subdivision = cv2.Subdiv2D((corner, corner, size, size))
    subdivision.insert(points.astype(np.float32))
    return subdivision
