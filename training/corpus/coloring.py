"""What the geometric families share: how colour follows shapes, and random decisions.

Colour follows shapes by chance, by place or by a wandering field. These
decisions are common to all families, so that every tiling can meet every
colouring.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from training.corpus import outlines
from training.corpus.canvas import Canvas, Gradient
from training.corpus.family import Rgb
from training.corpus.outlines import Array, Points
from training.corpus.palettes import Palette
from training.corpus.shading import mix, shade_rgb


def background(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Canvas:
    """Return a canvas that is flat or carries a gradient, now and then nearly black or white."""
    if rng.random() < 0.25:
        palette = shade_rgb(palette, rng.choice([-0.85, -0.6, 0.8]))
    paint = pick_gradient(rng, palette) if rng.random() < 0.6 else pick_color(rng, palette)
    return Canvas(height, width, paint)


def pick_color(rng: np.random.Generator, palette: Palette) -> Rgb:
    """Return one colour, as it is or somewhat darker or lighter."""
    return shade_rgb(palette[rng.integers(len(palette))], rng.choice([0, 1]) * rng.normal(0, 0.2))


def pick_gradient(rng: np.random.Generator, palette: Palette) -> Gradient:
    """Return a gradient over the picture, between two colours or two lights of one colour."""
    start, end = pick_color(rng, palette), pick_color(rng, palette)
    if rng.random() < 0.6:
        end = shade_rgb(start, rng.uniform(-0.7, 0.4))
    if rng.random() < 0.3:
        return Gradient(start, end, rng.uniform(0, 1, 2), [rng.uniform(0.4, 1), 0], radial=True)
    axis = np.array(random_direction(rng))
    return Gradient(start, end, 0.5 - axis / 2, axis)


def pick_paint(rng: np.random.Generator, palette: Palette, outline: Points) -> Rgb | Gradient:
    """Return a flat colour, or a gradient that spans the outline."""
    start, end, kind = pick_color(rng, palette), pick_color(rng, palette), rng.random()
    low, high = outline.min(axis=0), outline.max(axis=0)
    if kind < 0.5:
        return start
    end = shade_rgb(start, rng.uniform(-0.6, 0.5)) if kind < 0.85 else end
    return Gradient(start, end, low, high - low)


def paint_cells(
    rng: np.random.Generator,
    canvas: Canvas,
    cells: Sequence[Points] | Array,
    centers: Array,
    colors: Rgb,
    shrink: bool = True,
) -> None:
    """Paint a tiling: plain, with gaps, with nested cells, or with a gradient in each cell."""
    style, gap, fall = rng.integers(4), rng.uniform(0.75, 0.97), rng.uniform(-0.5, 0.5)
    shadow, axis = rng.choice([0, 0, 0.01, 0.02]), np.array(random_direction(rng))
    if shrink and style != 0:
        cells = [outlines.shrink(*cell, gap) for cell in zip(cells, centers, strict=True)]
    canvas.fill_polygons(cells, colors, shadow=shadow)
    if style == 2:
        for share in np.linspace(1, 0, rng.integers(1, 4), endpoint=False) * 0.8:
            inner = [outlines.shrink(*cell, share) for cell in zip(cells, centers, strict=True)]
            canvas.fill_polygons(inner, shade_rgb(colors, fall * (1.2 - share)))
    if style == 3 and len(cells) < 200:
        for cell, center, color in zip(cells, centers, colors, strict=True):
            span = axis * (np.abs((cell - center) @ axis).max() + 1e-6)
            ends = shade_rgb(color, -fall), shade_rgb(color, fall)
            canvas.fill_polygon(cell, Gradient(*ends, center - span, 2 * span))


def cell_colors(rng: np.random.Generator, palette: Palette, centers: Array) -> Rgb:
    """Colour cells by chance or by place, then vary their light.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.
    palette : ndarray of float32, shape (5, 3)
        Gamma-encoded sRGB in [0, 1].
    centers : ndarray of float, shape (cells, 2)
        Where the cells are, in the unit square.

    Returns
    -------
    ndarray of float32, shape (cells, 3)
        Gamma-encoded sRGB in [0, 1].
    """
    count = len(centers)
    ramp = palette[: rng.integers(2, len(palette) + 1)]
    if rng.random() < 0.5:
        ramp = ramp[np.argsort(ramp @ [0.3, 0.6, 0.1])]
    if rng.random() < 0.4:  # by chance, one or two colours prevailing
        weights = rng.dirichlet(np.ones(len(ramp)))
        colors = ramp[rng.choice(len(ramp), count, p=weights)]
    else:
        place = place_share(rng, centers) + rng.choice([0, 0.05, 0.15]) * rng.standard_normal(count)
        knot = np.clip(place, 0, 1) * (len(ramp) - 1)
        knot = np.round(knot) if rng.random() < 0.4 else knot
        stops = np.arange(len(ramp))
        colors = np.stack([np.interp(knot, stops, channel) for channel in ramp.T], axis=-1)
    accents = rng.random(count) < rng.choice([0, 0, 0.06, 0.15])
    colors = np.where(accents[:, None], palette[rng.integers(len(palette))], colors)
    light = rng.choice([0, 0.04, 0.1, 0.2]) * rng.standard_normal(count)
    light += rng.choice([0, 0, 0.2, 0.4]) * wander(rng, rng.uniform(0.4, 2))(*centers.T)
    return shade_rgb(colors, np.clip(light, -0.8, 0.7))


def place_share(rng: np.random.Generator, centers: Array) -> Array:
    """Return 0..1 for each point: along a line, away from a point, or by a wandering field."""
    kind, focus = rng.integers(3), rng.uniform(0, 1, 2)
    along = (centers - 0.5) @ random_direction(rng) + 0.5
    wandering = 0.5 + 0.4 * wander(rng, rng.uniform(0.6, 3))(*centers.T)
    place = [along, np.linalg.norm(centers - focus, axis=1), wandering][kind]
    return np.asarray(np.clip(place, 0, 1))


def paint_bands(
    rng: np.random.Generator, u: Array, edges: Array, palette: Palette, cyclic: bool = False
) -> Rgb:
    """Paint bands of a scalar field, antialiased, flat or each with its own relief.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.
    u : ndarray of float32, shape (height, width)
        The field.
    edges : ndarray of float, shape (bands - 1,)
        Values of `u` at which one band ends and the next begins, increasing.
    palette : ndarray of float32, shape (5, 3)
        Gamma-encoded sRGB in [0, 1].
    cyclic : bool
        Whether `u` runs from 0 to 1, the first and the last of the edges, and over again.

    Returns
    -------
    ndarray of float32, shape (height, width, 3)
        Gamma-encoded sRGB in [0, 1].
    """
    middles = np.linspace(0, 1, len(edges) + 1)
    colors = cell_colors(rng, palette, np.stack([middles, middles], axis=-1))
    if rng.random() < 0.4:  # a repeated pattern
        colors = colors[np.arange(len(colors)) % rng.integers(2, 6)]
    slopes = np.stack([np.gradient(u, axis=0), np.gradient(u, axis=1)])
    if cyclic:
        colors[0], colors[-1] = colors[-2], colors[1]
        # Where u starts again, a central difference is off by half a period.
        slopes = (slopes + np.float32(0.25)) % np.float32(0.5) - np.float32(0.25)
    pixel = np.hypot(*slopes) + np.float32(1e-9)
    band = np.searchsorted(edges, u)
    walls = np.concatenate([edges[:1] - 1, edges, edges[-1:] + 1]).astype(np.float32)
    low, high = walls[band], walls[band + 1]
    share = (u - low) / (high - low)
    relief = [0 * share, share - np.float32(0.5), np.sin(math.pi * share) - np.float32(0.7)]
    style, depth = rng.choice(3, p=[0.5, 0.3, 0.2]), np.float32(rng.uniform(-0.7, 0.7))
    nearer_low = u - low < high - u
    neighbour = np.clip(band + np.where(nearer_low, -1, 1), 0, len(colors) - 1)
    across = np.clip(0.5 - np.minimum(u - low, high - u) / pixel, 0, 0.5)
    own = shade_rgb(colors[band], depth * relief[style]) if style else colors[band]
    return mix(own, colors[neighbour], across)


def random_edges(rng: np.random.Generator, count: int, low: float, high: float) -> Array:
    """Return count + 1 increasing numbers from low to high, evenly spaced or not."""
    widths = rng.uniform(0.15, 1, count) ** rng.choice([0, 0, 1, 2])
    return low + (high - low) * np.concatenate([[0], np.cumsum(widths) / widths.sum()])


def wander(rng: np.random.Generator, waves: float) -> Callable[[Array, Array], Array]:
    """Return a smooth random field of mean 0 and deviation 1, with about `waves` a side."""
    angle, phase = rng.uniform(0, math.tau, (2, 4)).astype(np.float32)
    frequency = np.float32(math.tau * waves) * rng.uniform(0.4, 1, 4).astype(np.float32)
    across, down = frequency * np.cos(angle), frequency * np.sin(angle)

    def field(x: Array, y: Array) -> Array:
        total = np.zeros_like(x)
        for rightwards, downwards, start in zip(across, down, phase, strict=True):
            total += np.cos(x * rightwards + y * downwards + start)
        return np.float32(0.5**0.5) * total

    return field


def random_direction(rng: np.random.Generator) -> tuple[float, float]:
    """Draw a unit vector (across, down)."""
    angle = rng.uniform(0, math.tau)
    return float(np.cos(angle)), float(np.sin(angle))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform: halves are as likely as doubles."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
