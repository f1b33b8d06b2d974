"""Geometric pictures: tilings, layers, bands and compositions of plain shapes.

Every family decides how many shapes there are and how large they are; how
colour follows them is decided in `coloring`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from training.corpus import outlines, tilings
from training.corpus.canvas import Canvas, Gradient
from training.corpus.coloring import (
    background,
    cell_colors,
    log_uniform,
    paint_bands,
    paint_cells,
    pick_color,
    pick_gradient,
    pick_paint,
    place_share,
    random_direction,
    random_edges,
    wander,
)
from training.corpus.family import Family, Rgb
from training.corpus.palettes import Palette
from training.corpus.shading import shade_rgb


def low_poly(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Triangles between scattered points, lit as the facets of a crumpled sheet."""
    canvas = Canvas(height, width)
    triangles = tilings.triangulate(tilings.scatter(rng, log_uniform(rng, 2.5, 22)))
    relief = wander(rng, rng.uniform(2, 9))
    heights = rng.uniform(0.02, 0.15) * relief(triangles[..., 0], triangles[..., 1])
    solid = np.concatenate([triangles, heights[..., None]], axis=-1)
    normal = np.cross(solid[:, 1] - solid[:, 0], solid[:, 2] - solid[:, 0])
    normal *= np.sign(normal[:, 2:]) / np.linalg.norm(normal, axis=1, keepdims=True)
    light = rng.uniform(0.3, 1) * normal @ [*random_direction(rng), 0]
    colors = shade_rgb(cell_colors(rng, palette, triangles.mean(axis=1)), light)
    canvas.fill_polygons(triangles, colors)
    if rng.random() < 0.2:
        inner = outlines.shrink(
            triangles, triangles.mean(axis=1, keepdims=True), rng.uniform(0.5, 0.93)
        )
        canvas.fill_polygons(inner, shade_rgb(colors, rng.uniform(-0.3, 0.3)))
    return canvas.picture()


def voronoi(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Cells around scattered points: stained glass, pebbles, crystals."""
    canvas = background(rng, height, width, palette)
    cells, centers = tilings.voronoi_cells(tilings.scatter(rng, log_uniform(rng, 2.5, 18)))
    paint_cells(rng, canvas, cells, centers, cell_colors(rng, palette, centers))
    return canvas.picture()


def hexagons(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Honeycombs, one or two, with cells missing alone or in clusters."""
    canvas = background(rng, height, width, palette)
    for _ in range(rng.integers(1, 3)):
        pitch = 1 / log_uniform(rng, 3, 22)
        centers = tilings.hexagonal_grid(pitch)
        clusters = wander(rng, rng.uniform(0.7, 3))(*centers.T)
        clusters += rng.choice([0, 0.4, 1]) * rng.standard_normal(len(centers))
        centers = centers[clusters > rng.uniform(-1.5, 0.5)]
        cells = [
            outlines.regular_polygon(center, pitch / 3**0.5, 6, math.pi / 2) for center in centers
        ]
        paint_cells(rng, canvas, cells, centers, cell_colors(rng, palette, centers))
    return canvas.picture()


def cubes(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Isometric blocks of several heights, lit from one side."""
    canvas = Canvas(height, width)
    edge = 1 / log_uniform(rng, 3, 18)
    steps = int(1.2 / edge) + 2
    row, column = np.indices((2 * steps, 2 * steps)).reshape(2, -1)
    order = np.argsort(row + column, kind="stable")  # what stands behind is painted first
    row, column = row[order] - steps, column[order] - steps
    half = edge * 3**0.5 / 2
    centers = np.stack([(row - column) * half, (row + column) * edge / 2], axis=-1) + 0.5
    seen = (np.abs(centers - 0.5) < 0.5 + 3 * edge).all(axis=1)
    centers = centers[seen]
    storeys = wander(rng, rng.uniform(1, 4))(*centers.T) + rng.uniform(0, 1.2, len(centers))
    lift = edge * np.round(storeys * rng.choice([0.5, 1, 1, 2])) * rng.choice([0.5, 1])
    top = np.array([[0, -edge / 2], [half, 0], [0, edge / 2], [-half, 0]])
    wall = np.array([[-half, 0], [0, edge / 2], [0, 6 * edge], [-half, 6 * edge]])
    faces = np.stack([wall, wall * [-1, 1], top])
    place = centers - lift[:, None] * [0, 1]
    blocks = place[:, None, None] + faces
    light = rng.permutation([-0.5, -0.22, 0.12]) * rng.uniform(0.6, 1.3)
    colors = shade_rgb(cell_colors(rng, palette, centers)[:, None], light)
    canvas.fill_polygons(blocks.reshape(-1, 4, 2), colors.reshape(-1, 3))
    return canvas.picture()


def mondrian(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Rectangles cut out of rectangles, often with dark or light bars between them."""
    bars = shade_rgb(pick_color(rng, palette), rng.choice([-0.9, -0.5, 0, 0.9]))
    canvas = Canvas(height, width, bars)
    low, high = tilings.split_boxes(rng, int(log_uniform(rng, 4, 70)), 2)
    bar = rng.choice([0, 0.004, 0.01, 0.018])
    cells = outlines.rectangles(low + bar, np.maximum(high - bar, low + bar))
    colors = cell_colors(rng, palette, (low + high) / 2)
    paint_cells(rng, canvas, cells, (low + high) / 2, colors, shrink=bar == 0)
    return canvas.picture()


def quadtree(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Squares quartered again and again, some with a disc or a diamond inside."""
    canvas = Canvas(height, width, pick_color(rng, palette))
    low, high = tilings.split_boxes(rng, int(log_uniform(rng, 3, 60)), 4)
    centers, half = (low + high) / 2, (high - low)[:, 0] / 2
    colors = cell_colors(rng, palette, centers)
    paint_cells(rng, canvas, outlines.rectangles(low, high), centers, colors)
    sides = int(rng.choice([4, 48]))
    chosen = rng.random(len(centers)) < rng.choice([0, 0.4, 1])
    share = rng.uniform(0.3, 0.95, len(centers)) if rng.random() < 0.5 else np.full(len(half), 0.8)
    inner = [
        outlines.regular_polygon(*disc, sides)
        for disc in zip(centers[chosen], (half * share)[chosen], strict=True)
    ]
    if inner:
        canvas.fill_polygons(inner, cell_colors(rng, palette, centers[chosen]))
    return canvas.picture()


def truchet(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Tiles of two quarter arcs, turned at random, that join into winding pipes."""
    canvas = background(rng, height, width, palette)
    tiles = tilings.Lattice(canvas, int(log_uniform(rng, 3, 17)), rng.choice([0, math.tau / 8]))
    flip = rng.random(len(tiles.centers)) < rng.choice([0.5, 0.5, 0.8])
    flipped = flip[tiles.cell]
    u = np.where(flipped, -tiles.u, tiles.u)
    reach = np.minimum(np.hypot(u + 0.5, tiles.v + 0.5), np.hypot(u - 0.5, tiles.v - 0.5))
    if rng.random() < 0.25:  # straight joints instead of arcs
        reach = 1 - np.abs(u + tiles.v)
    side = np.where((tiles.row + tiles.column + flipped) % 2, 1, -1)
    distance = (side * (reach - 0.5)).astype(np.float32) * np.float32(tiles.pitch)
    if rng.random() < 0.5:
        shadow = rng.choice([0, 0.2]) * tiles.pitch
        canvas.fill(canvas.coverage(distance), pick_gradient(rng, palette), shadow)
    if rng.random() < 0.3:
        glow = np.exp(-np.abs(distance) / np.float32(tiles.pitch * rng.uniform(0.1, 0.3)))
        canvas.fill(0.8 * glow, shade_rgb(pick_color(rng, palette), 0.3))
    for thickness in np.sort(rng.uniform(0.02, 0.36, rng.integers(1, 4)))[::-1]:
        inside = canvas.coverage(np.abs(distance) - thickness * tiles.pitch)
        canvas.fill(inside, pick_gradient(rng, palette), rng.choice([0, 0, 0.12]) * tiles.pitch)
    return canvas.picture()


def quarter_tiles(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Large tiles of discs, quarter discs, leaves and triangles, with gradients inside."""
    canvas = Canvas(height, width)
    tiles = tilings.Lattice(canvas, int(log_uniform(rng, 2, 11)), 0)
    count = len(tiles.centers)
    turn = np.exp(1j * math.tau / 4 * rng.integers(0, 4, count)).astype(np.complex64)[tiles.cell]
    u = tiles.u * turn.real - tiles.v * turn.imag
    v = tiles.u * turn.imag + tiles.v * turn.real
    corner, far_corner = np.hypot(u + 0.5, v + 0.5), np.hypot(u - 0.5, v - 0.5)
    distances = np.stack(
        [
            corner - 1,
            np.maximum(corner, far_corner) - 1,
            np.abs(corner - 0.5) - 0.25,
            np.hypot(u + 0.5, v) - 0.5,
            np.hypot(u, v) - 0.5,
            u + v,
        ]
    )
    kinds = rng.choice(6, size=rng.integers(1, 5), replace=False)
    kind = rng.choice(kinds, size=count)[tiles.cell]
    distance = np.take_along_axis(distances, kind[None], axis=0)[0] * np.float32(tiles.pitch)
    fall = rng.choice([0, 0.4, 0.8])
    canvas.rgb[:] = shade_rgb(cell_colors(rng, palette, tiles.centers)[tiles.cell], fall / 2 * v)
    inner = shade_rgb(cell_colors(rng, palette, tiles.centers)[tiles.cell], fall * u)
    canvas.fill(canvas.coverage(distance), inner, rng.choice([0, 0, 0.08]) * tiles.pitch)
    return canvas.picture()


def halftone(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Dots, squares or diamonds on a tilted screen, that swell and shrink over the picture."""
    canvas = background(rng, height, width, palette)
    tiles = tilings.Lattice(canvas, int(log_uniform(rng, 8, 38)), rng.uniform(0, math.tau / 4))
    swell = place_share(rng, tiles.centers)
    radius = np.interp(swell, [0, 1], rng.permutation([rng.uniform(0, 0.15), 0.55]))
    across, down = np.abs(tiles.u), np.abs(tiles.v)
    reach = [np.hypot(across, down), np.maximum(across, down), across + down][rng.integers(3)]
    distance = (reach - radius.astype(np.float32)[tiles.cell]) * np.float32(tiles.pitch)
    plain = np.broadcast_to(pick_color(rng, palette), (len(tiles.centers), 3))
    colors = plain if rng.random() < 0.4 else cell_colors(rng, palette, tiles.centers)
    canvas.fill(canvas.coverage(distance), colors[tiles.cell])
    return canvas.picture()


def mosaic(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Small squares, a pixel mosaic whose lightness flickers about a smooth glow."""
    # Twice as fine, because neighbours without a gap have no distance to antialias by.
    canvas = Canvas(
        2 * height, 2 * width, shade_rgb(pick_color(rng, palette), rng.choice([-0.8, 0, 0.6]))
    )
    tiles = tilings.Lattice(canvas, int(log_uniform(rng, 6, 40)), rng.choice([0, 0, math.tau / 8]))
    colors = cell_colors(rng, palette, tiles.centers)
    light = rng.uniform(0, 0.3) * rng.standard_normal(len(colors))
    glow = wander(rng, rng.uniform(0.4, 1.2))(*tiles.centers.T)
    colors = shade_rgb(colors, light + rng.uniform(0, 0.4) * glow)
    reach = np.maximum(np.abs(tiles.u), np.abs(tiles.v)) - 0.5 + rng.choice([0, 0.04, 0.1])
    canvas.fill(canvas.coverage(reach * np.float32(tiles.pitch)), colors[tiles.cell])
    return np.asarray(cv2.resize(canvas.picture(), (width, height), interpolation=cv2.INTER_AREA))


def stripes(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Straight, zigzag or wavy stripes of equal or unequal width."""
    canvas = Canvas(height, width)
    u, v = canvas.rotated(rng.uniform(0, math.tau))
    shape, frequency, depth = rng.integers(4), log_uniform(rng, 1, 9), rng.uniform(0.2, 1)
    zigzag = np.abs((v * frequency) % 2 - 1) / frequency
    wave = np.cos(v * np.float32(math.pi * frequency)) / np.float32(3 * frequency)
    bend = [0 * v, 0 * v, zigzag, wave][shape]
    edges = random_edges(rng, int(log_uniform(rng, 6, 64)), -1.2, 1.2)
    canvas.rgb[:] = paint_bands(rng, u + depth * bend, edges, palette)
    return canvas.picture()


def rings(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Concentric circles, polygons or stars about one or several centres."""
    canvas = background(rng, height, width, palette)
    count = int(rng.choice([1, 1, 2, 4]))
    for center in rng.uniform(-0.1, 1.1, (count, 2)):
        sides = int(rng.choice([0, 0, 3, 4, 6, 8]))
        across, down = canvas.x - np.float32(center[0]), canvas.y - np.float32(center[1])
        radius, extent = np.hypot(across, down), 2.0 if count == 1 else 0.7 / count**0.5
        rotation, dents = np.float32(rng.uniform(0, math.tau)), rng.choice([0, 0, 0.06])
        if sides:
            sector = np.float32(math.tau / sides)
            angle = np.arctan2(down, across) + rotation
            radius = radius * np.cos(angle % sector - sector / 2)
        elif dents:
            radius *= 1 + dents * np.cos(6 * (np.arctan2(down, across) + rotation))
        edges = random_edges(rng, int(log_uniform(rng, 3, 24)), 0, extent)[1:]
        paint = paint_bands(rng, radius, edges, palette)
        canvas.fill(canvas.coverage(radius - extent), paint, rng.choice([0, 0.02]))
    return canvas.picture()


def targets(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Many small nests of rings or polygons: fish scales in rows, or strewn about."""
    canvas = background(rng, height, width, palette)
    pitch, sides = 1 / log_uniform(rng, 3, 10), int(rng.choice([4, 6, 32, 32]))
    centers = tilings.hexagonal_grid(pitch)
    strewn = rng.random() < 0.4
    centers = rng.permutation(centers) + strewn * pitch * rng.normal(0, 0.5, centers.shape)
    if not strewn:  # rows from top to bottom, each over the one above
        centers = centers[np.lexsort((centers[:, 0], centers[:, 1].round(6)))]
        centers, pitch = outlines.shrink(centers, [0.5, 0.5], np.array([1.6, 1])), 1.6 * pitch
    sizes = pitch * rng.choice([0.35, 0.48, 0.6]) * (rng.uniform(0.3, 1.3, len(centers)) ** strewn)
    shares = np.linspace(1, 0, rng.integers(2, 6), endpoint=False)
    nests = [
        outlines.regular_polygon(center, size * share, sides, math.tau / 8)
        for center, size in zip(centers, sizes, strict=True)
        for share in shares
    ]
    colors = np.stack([cell_colors(rng, palette, centers) for _ in shares], axis=1)
    canvas.fill_polygons(nests, colors.reshape(-1, 3), shadow=rng.choice([0, 0, 0.01]))
    return canvas.picture()


def sunburst(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Rays from a point, straight, pleated or twisted into a spiral."""
    canvas = Canvas(height, width)
    center = rng.choice([0.5, 0, 1, 0.3], 2) + rng.normal(0, 0.08, 2)
    across, down = canvas.x - np.float32(center[0]), canvas.y - np.float32(center[1])
    radius = np.hypot(across, down) + 1e-6
    twist = rng.choice([0, 0, 1, 2.5]) * rng.choice([-1, 1])
    angle = np.arctan2(down, across) + np.float32(twist) * np.log(radius + np.float32(0.02))
    turns = angle / np.float32(math.tau) + np.float32(rng.random())
    edges = random_edges(rng, int(log_uniform(rng, 5, 48)), 0, 1)
    canvas.rgb[:] = paint_bands(rng, turns % 1, edges, palette, cyclic=True)
    if rng.random() < 0.35:
        for size in np.sort(rng.uniform(0.04, 0.3, rng.integers(1, 4)))[::-1]:
            canvas.fill_polygon(
                outlines.circle(center, size), pick_color(rng, palette), shadow=0.01
            )
    return canvas.picture()


def waves(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Sheets of paper cut along waves or ridges, or round a hole, each shading the next."""
    canvas = background(rng, height, width, palette)
    count = int(log_uniform(rng, 3, 12))
    u, v = canvas.rotated(rng.uniform(0, math.tau))
    hole = rng.random() < 0.3
    if hole:
        u, v = -np.hypot(u, v) - np.float32(0.1), np.arctan2(v, u) / np.float32(math.tau)
    jagged, depth = rng.random() < 0.25, rng.uniform(0.02, 0.1)
    levels = np.sort(rng.uniform(-0.65, 0.55, count)) if rng.random() < 0.3 else None
    levels = np.linspace(-0.6, 0.5, count + 1)[:-1] if levels is None else levels
    colors = cell_colors(rng, palette, np.stack([levels + 0.5, levels + 0.5], axis=-1))
    shadow, fall = rng.choice([0, 0.012, 0.03]), rng.choice([0, 0.35])
    for level, color in zip(levels, colors, strict=True):
        frequency = rng.integers(1, 6, 3) if hole else rng.uniform(0.3, 3, 3)
        phase, weight = rng.random(3), rng.dirichlet([1, 1, 1])
        turns = v[..., None] * frequency.astype(np.float32) + phase.astype(np.float32)
        cut = np.abs(turns % 1 * 4 - 2) - 1 if jagged else np.cos(np.float32(math.tau) * turns)
        slope = 1 + math.tau * depth * float(weight @ frequency) / (1 + hole)
        distance = np.float32(level) + cut @ np.float32(depth * weight) - u
        paint = shade_rgb(color, fall * np.clip(-3 * distance, -0.5, 1)) if fall else color
        canvas.fill(canvas.coverage(distance / slope**0.5), paint, shadow)
    return canvas.picture()


def ribbons(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Bundles of strands that swing through the picture and twist."""
    canvas = background(rng, height, width, palette)
    for _ in range(rng.integers(1, 4)):
        u, v = canvas.rotated(rng.uniform(0, math.tau))
        swing, swell = wander(rng, rng.uniform(0.5, 1.6)), wander(rng, rng.uniform(0.4, 1))
        middle = 0.15 * swing(v, 0 * v) + np.float32(rng.uniform(-0.2, 0.2))
        half = np.float32(rng.uniform(0.08, 0.28)) * (
            swell(v, 0 * v) + np.float32(rng.choice([0, 1.2]))
        )
        half = np.where(np.abs(half) < 1e-3, np.float32(1e-3), half)
        strands = (u - middle) / half
        slope = np.gradient(middle, axis=0) ** 2 + np.gradient(middle, axis=1) ** 2
        slope = np.sqrt(1 + slope / np.float32(canvas.pixel**2))
        paint = paint_bands(
            rng, strands, random_edges(rng, int(log_uniform(rng, 1, 24)), -1, 1), palette
        )
        paint = shade_rgb(
            paint, np.float32(rng.uniform(0, 0.7)) * np.cos(3 * strands + 9 * middle) / 2
        )
        distance = (np.abs(u - middle) - np.abs(half)) / slope
        canvas.fill(canvas.coverage(distance), paint, rng.choice([0, 0.02, 0.04]))
    return canvas.picture()


def veils(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Huge discs, opaque along the rim and fading inwards."""
    canvas = background(rng, height, width, palette)
    for _ in range(int(log_uniform(rng, 3, 14))):
        radius, angle = log_uniform(rng, 0.25, 2), rng.uniform(0, math.tau)
        rim = rng.uniform(0.1, 0.9, 2)
        center = rim + radius * np.array([np.cos(angle), np.sin(angle)])
        away = center.astype(np.float32)
        distance = np.hypot(canvas.x - away[0], canvas.y - away[1]) - np.float32(radius)
        fade = np.exp(np.minimum(distance, 0) / np.float32(rng.uniform(0.08, 0.8)))
        color = shade_rgb(pick_color(rng, palette), rng.uniform(-0.5, 0.5))
        coverage = canvas.coverage(distance) * fade * np.float32(rng.uniform(0.6, 1))
        canvas.fill(coverage, color, rng.choice([0, 0, 0.03]))
    return canvas.picture()


def overlaps(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Translucent shapes of one kind over each other: bokeh, confetti, hexagons."""
    canvas = background(rng, height, width, palette)
    count = int(log_uniform(rng, 4, 90))
    sides, rotation = int(rng.choice([3, 4, 6, 6, 96, 96])), rng.uniform(0, math.tau)
    alpha, largest = rng.uniform(0.15, 0.95), rng.uniform(0.6, 1.6) / count**0.4
    for center in rng.uniform(0, 1, (count, 2)):
        outline = outlines.regular_polygon(center, largest * rng.uniform(0.15, 1), sides, rotation)
        canvas.fill_polygon(outline, pick_paint(rng, palette, outline), alpha)
    return canvas.picture()


def capsules(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Parallel bars with round ends, some with shadows, drifting in one direction."""
    canvas = background(rng, height, width, palette)
    count = int(log_uniform(rng, 6, 70))
    direction = np.array(random_direction(rng)) if rng.random() < 0.5 else np.full(2, 0.5**0.5)
    shadow = rng.choice([0, 0, 0.015])
    for center in rng.uniform(-0.1, 1.1, (count, 2)):
        radius = rng.uniform(0.15, 0.55) / count**0.6
        reach = direction * radius * rng.choice([1, 3, 6])
        outline = outlines.capsule(center - reach, center + reach, radius)
        canvas.fill_polygon(outline, pick_paint(rng, palette, outline), shadow=shadow)
    return canvas.picture()


def sheets(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Large sheets of coloured paper laid over each other, with soft shadows."""
    canvas = background(rng, height, width, palette)
    angles = rng.choice(rng.uniform(0, math.tau, 3), 14)
    for angle in angles[: int(log_uniform(rng, 3, 14))]:
        center, long, thin = rng.uniform(0, 1, 2), rng.uniform(0.3, 1.2), rng.uniform(0.03, 0.4)
        outline = outlines.box(center, [long, thin], angle)
        paint = pick_paint(rng, palette, outline)
        canvas.fill_polygon(outline, paint, shadow=rng.choice([0.008, 0.02, 0.035]))
    return canvas.picture()


def folds(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Facets of a sheet creased along straight lines, each darker towards a crease."""
    canvas = Canvas(height, width)
    facets = [outlines.box([0.5, 0.5], [0.6, 0.6])]
    for _ in range(int(log_uniform(rng, 3, 40))):
        largest = int(np.argmax([cv2.contourArea(facet.astype(np.float32)) for facet in facets]))
        facets += outlines.cut(facets.pop(largest), rng.uniform(0.3, 0.7), rng.uniform(0, math.tau))
    centers = np.array([facet.mean(axis=0) for facet in facets])
    colors, depth = cell_colors(rng, palette, centers), rng.uniform(0.15, 0.6)
    canvas.fill_polygons(facets, colors)
    for facet, color in zip(facets, colors, strict=True):
        crease = facet[rng.integers(len(facet))]
        axis = 2 * (facet.mean(axis=0) - crease)
        canvas.fill_polygon(
            facet, Gradient(shade_rgb(color, -depth), shade_rgb(color, depth / 2), crease, axis)
        )
    return canvas.picture()


def solids(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Prisms and cylinders that run towards the viewer: lit flanks and a flat cap."""
    canvas = background(rng, height, width, palette)
    count, sides = int(log_uniform(rng, 1, 14)), int(rng.choice([3, 4, 6, 96, 96]))
    sweep = np.array(random_direction(rng))
    flatness, shadow = np.array([1, rng.uniform(0.35, 1)]), rng.choice([0, 0.02, 0.04])
    for center in rng.uniform(0.1, 0.9, (count, 2)):
        size, depth = rng.uniform(0.2, 0.5) / count**0.35, rng.choice([0.3, 0.8, 2, 2])
        cap = (
            center
            + outlines.regular_polygon([0, 0], size, sides, rng.uniform(0, math.tau)) * flatness
        )
        ends = np.concatenate([cap, cap + depth * sweep]).astype(np.float32)
        flank = cv2.convexHull(ends)[:, 0].astype(np.float64)
        side, front = pick_color(rng, palette), pick_color(rng, palette)
        across = 2 * size * np.array([-sweep[1], sweep[0]])
        lit = Gradient(
            shade_rgb(side, rng.uniform(0, 0.5)), shade_rgb(side, -0.5), center - across / 2, across
        )
        canvas.fill_polygon(flank, lit, shadow=shadow)
        canvas.fill_polygon(cap, front)
    return canvas.picture()


def bauhaus(rng: np.random.Generator, height: int, width: int, palette: Palette) -> Rgb:
    """Discs, arcs, bars, triangles and lines, freely composed."""
    canvas = background(rng, height, width, palette)
    count = int(log_uniform(rng, 5, 45))
    tilt, alpha = rng.uniform(0, math.tau), rng.choice([1, 1, 0.8])
    for center in rng.uniform(0, 1, (count, 2)):
        size, angle = log_uniform(rng, 0.25, 2) / count**0.5, tilt + math.tau / 8 * rng.integers(8)
        axis = np.array([np.cos(angle), np.sin(angle)])
        shapes = [
            outlines.circle(center, size),
            outlines.arc(center, 0, size, angle, math.pi),
            outlines.arc(
                center, size * rng.uniform(0.4, 0.9), size, angle, math.tau * rng.uniform(0.2, 1)
            ),
            outlines.box(center, [size, size * rng.uniform(0.1, 1)], angle),
            outlines.box(center, [2 * size, 0.004], angle),
            outlines.regular_polygon(center, size, 3, angle),
            outlines.capsule(center - size * axis, center + size * axis, 0.1 * size),
        ]
        outline = shapes[rng.integers(len(shapes))]
        paint = pick_paint(rng, palette, outline)
        canvas.fill_polygon(outline, paint, alpha, rng.choice([0, 0, 0, 0.015]))
    return canvas.picture()


FAMILIES: dict[str, Family] = {
    family.__name__: family
    for family in (
        low_poly,
        voronoi,
        hexagons,
        cubes,
        mondrian,
        quadtree,
        truchet,
        quarter_tiles,
        halftone,
        mosaic,
        stripes,
        rings,
        targets,
        sunburst,
        waves,
        ribbons,
        veils,
        overlaps,
        capsules,
        sheets,
        folds,
        solids,
        bauhaus,
    )
}
"""Every geometric family, by name."""
