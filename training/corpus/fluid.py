"""Fluid abstract pictures: ink, silk, waves, paint, smoke, stone.

Every family is drawn per pixel, backwards: where did the paint that is seen
here come from, and what colour was it there? Families are written as painters
(``painter(rng, grid, colors) -> Oklab``); `painted` gives them the signature
of a `Family`. How colour follows lightness differs on purpose from family to
family and from seed to seed: a network that learns from these pictures must
find no single rule that fits them all.

References
----------
.. [1] A. Jaffer et al., "Mathematical marbling", IEEE CG&A 32 (6), 2012.
.. [2] I. Quilez, "Domain warping", 2002.
"""

from __future__ import annotations

import math

import numpy as np

from training.corpus.family import Family
from training.corpus.fields import (
    Field,
    Grid,
    footprint,
    lit,
    positive_share,
    slopes,
    smoothstep,
    turned,
    unit,
)
from training.corpus.noise import advect, cells, flow, noise, streak
from training.corpus.oklab import Oklab
from training.corpus.painter import backdrop, painted, pick_colors, random_point, random_sign
from training.corpus.ramps import Ramp
from training.corpus.shading import OKLAB_WHITE, mix, relight, shade_oklab, vivid


@painted
def marbling(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Ink drops that push each other aside, then are combed."""
    x, y = grid.x, grid.y
    for _ in range(rng.integers(2, 6)):
        x, y = _uncomb(rng, x, y)
    x, y = advect(x, y, flow(rng, 0.5, 3), rng.uniform(0, 0.12))
    weights = np.zeros((len(colors), *x.shape), np.float32)
    seen_through = np.ones_like(x)
    # The last drop lies on top, so it is met first on the way back.
    for _ in range(rng.integers(10, 20)):
        (middle_x, middle_y), radius = random_point(rng, 0.65), 0.3 * rng.beta(2, 2.5) + 0.05
        rings, (inner, outer) = int(rng.integers(0, 5)), rng.permutation(len(colors))[:2]
        right, down = x - middle_x, y - middle_y
        distance = np.sqrt(right * right + down * down) + 1e-6
        width = footprint(distance) + 1e-6
        drop = np.clip((radius - distance) / width + 0.5, 0, 1) * seen_through
        seen_through = seen_through - drop
        wave = np.cos(math.pi * rings * np.minimum(distance / radius, 1) ** 2)
        ring = np.clip(wave * radius / (width * 2 * max(rings, 1)) + 0.5, 0, 1)
        weights[inner] += drop * ring
        weights[outer] += drop * (1 - ring)
        push = np.sqrt(np.maximum(1 - (radius / distance) ** 2, 0))
        x, y = middle_x + right * push, middle_y + down * push
    weights[rng.integers(len(colors))] += seen_through
    return np.asarray(np.moveaxis(weights, 0, -1) @ colors, np.float32)


def _uncomb(rng: np.random.Generator, x: Field, y: Field) -> tuple[Field, Field]:
    """Undo the stroke of a comb: paint is dragged less the farther from a tooth."""
    angle = (0, math.pi / 2, rng.uniform(0, math.tau))[rng.integers(3)]
    along_x, along_y = math.cos(angle), math.sin(angle)
    spacing, drag = rng.uniform(0.15, 1.2), rng.uniform(0.1, 0.35) * random_sign(rng)
    across = (y * along_x - x * along_y) / spacing + rng.random()
    tooth = np.abs(across - np.round(across)) * spacing
    drag_here = drag * 0.02 ** (tooth / (0.5 * spacing + 0.1))
    return x - drag_here * along_x, y - drag_here * along_y


@painted
def warped_noise(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Noise bent by noise; one field gives the hue, another the lightness."""
    frequency = rng.uniform(0.6, 1.6)
    bent = flow(rng, frequency * 0.7, frequency * 5)
    x, y = advect(grid.x, grid.y, bent, rng.uniform(0.08, 0.4) / frequency, steps=3)
    field = noise(rng, frequency * 0.6, frequency * 8, rng.uniform(1.9, 2.7))(x, y)
    other = noise(rng, 0.5, 3)(x, y)
    oklab = Ramp(rng, pick_colors(rng, colors, 3), rng.uniform(0, 0.9))(
        field * rng.uniform(0.3, 0.8)
    )
    if rng.random() < 0.5:
        second = Ramp(rng, pick_colors(rng, colors, 3))(other * 0.5)
        oklab = relight(second, oklab[..., 0])
    stretch = x - grid.x
    return shade_oklab(oklab, stretch * rng.uniform(-1, 1))


@painted
def ink_in_water(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Plumes of ink that sink and curl in lit or dark water."""
    colors = vivid(colors, rng.uniform(1, 2.5))
    bright = rng.random() < 0.6
    oklab = backdrop(rng, grid, pick_colors(rng, colors, 2, 2))
    oklab = relight(oklab, 0.93 + 0.05 * grid.down if bright else 0.12 + 0.12 * grid.down)
    sink = rng.uniform(0, math.tau)
    curl = flow(rng, 0.6, 5, 2.6)
    for color in pick_colors(rng, colors, 2, 4):
        x, y = advect(grid.x, grid.y, curl, rng.uniform(0.25, 0.5), steps=3)
        (middle_x, middle_y), size = random_point(rng, 0.4), rng.uniform(0.15, 0.35)
        right, down = x - middle_x, y - middle_y
        along, across = turned(right, down, sink)
        reach = (along / (2.2 * size)) ** 2 + (across / size) ** 2
        sheets = np.abs(noise(rng, 0.8, 5, 2.2)(x, y))
        density = np.exp(-1.5 * reach) * (0.5 + 1.8 * np.exp(-2.5 * sheets))
        veil = 1 - np.exp(-rng.uniform(1.2, 3) * density)
        light = (0.3 if bright else 0.5) - density * (0.55 if bright else 0.15)
        oklab = mix(oklab, shade_oklab(color, light), veil)
    return oklab


@painted
def satin(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Cloth in soft folds, lit from the side."""
    bent = flow(rng, 0.5, rng.uniform(1.2, 3), 2.5)
    x, y = advect(grid.x, grid.y, bent, rng.uniform(0.1, 0.3), steps=2)
    angle, stretch = rng.uniform(0, math.tau), rng.uniform(0.15, 0.6)
    along, across = turned(x, y, angle)
    frequency = rng.uniform(0.8, 2)
    folds = noise(rng, frequency, frequency * 4, 2.6)(along, across * stretch)
    creased = np.abs(folds) if rng.random() < 0.4 else folds
    height = creased * rng.uniform(0.06, 0.14) / frequency
    slope = slopes(height, grid, 0.01)
    diffuse, gloss = lit(slope, rng.uniform(0, math.tau), rng.uniform(20, 80))
    hue = noise(rng, 0.4, 1.2)(x, y) * 0.35 + folds * rng.uniform(0, 0.25)
    oklab = Ramp(rng, pick_colors(rng, colors))(hue + grid.along(angle) * 0.5)
    if rng.random() < 0.4:
        sheen = Ramp(rng, pick_colors(rng, colors))(slope[0] * 0.5)
        oklab = mix(oklab, sheen, smoothstep(0.5, 1, diffuse))
    oklab = shade_oklab(oklab, np.minimum((diffuse - 0.7) * rng.uniform(0.8, 1.5), 0.3))
    return shade_oklab(oklab, gloss * rng.uniform(0.1, 0.6))


@painted
def silk_ribbons(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Twisting ribbons of fine strands over a plain ground."""
    angle, hair = rng.uniform(0, math.tau), noise(rng, 1, 12, 1.2)
    oklab = backdrop(rng, grid, pick_colors(rng, colors, 1, 2))
    x, y = advect(grid.x, grid.y, flow(rng, 0.4, 1.2), rng.uniform(0.1, 0.35), steps=3)
    along, across = turned(x, y, angle)
    for _ in range(rng.integers(2, 6)):
        phase, waves = rng.uniform(0, math.tau, 2).tolist(), rng.uniform(2, 6, 3).tolist()
        swing, middle, wide = rng.uniform(0.05, 0.25), rng.normal(0, 0.2), rng.uniform(0.08, 0.3)
        twist = np.sin(along * waves[1] + phase[1])
        centre = swing * np.sin(along * waves[0] + phase[0])
        width = wide * (0.25 + np.abs(twist) * 0.75)
        # -1 to 1 from edge to edge; the strands keep to it, so they cross in the twist.
        place = (across - centre - middle) / width
        strands = hair(place * np.sign(twist) * 0.35 + middle, along * 0.06)
        ramp = Ramp(rng, pick_colors(rng, colors, 2), rng.uniform(0, 0.8))
        color = ramp(place * 0.45 + strands * 0.2 + 0.5 + along * 0.3)
        round_off = np.sqrt(np.clip(1 - place * place, 0, 1))
        fold = np.abs(twist) * 0.5 + round_off * 0.5
        sheen = np.exp(-(((place - np.sin(along * waves[2])) / 0.35) ** 2))
        color = shade_oklab(color, fold * 0.6 - 0.5 + strands * 0.05)
        color = shade_oklab(color, sheen * rng.uniform(0.1, 0.5))
        outside = (np.abs(place) - 1) * width
        shadow = np.exp(-np.maximum(outside, 0) / 0.04) * -0.35
        oklab = mix(shade_oklab(oklab, shadow), color, positive_share(-outside))
    return oklab


@painted
def strands(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Thousands of hairlines swept along one current."""
    x, y = advect(grid.x, grid.y, flow(rng, 0.4, 1.6), rng.uniform(0.3, 0.8), steps=4)
    if rng.random() < 0.5:
        middle_x, middle_y = random_point(rng, 0.7)
        right, down = x - middle_x, y - middle_y
        radius = np.hypot(right, down) + 0.02
        # A spiral: angle plus log radius. The angle enters as a cosine, to leave no seam.
        turn = np.arctan2(down, right) + np.log(radius) * rng.uniform(-2, 2)
        across, along = 0.5 * np.sin(turn), radius + np.cos(turn) * 0.1
    else:
        angle = rng.uniform(0, math.tau)
        across, along = turned(x, y, angle)
    bands = noise(rng, 0.6, 5, 1.5)(across, along * 0.15)
    fine = noise(rng, 4, 28, 0.8)(across, along * 0.03)
    ramp = Ramp(rng, pick_colors(rng, colors, 3), rng.uniform(0.2, 0.9))
    oklab = ramp(bands * 0.45 + fine * rng.uniform(0.02, 0.12))
    light = noise(rng, 0.5, 2)(across, along)
    return shade_oklab(oklab, light * 0.16 + fine * rng.uniform(0.02, 0.1) - 0.05)


@painted
def liquid_metal(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Molten mirror: the colour is what each slope reflects."""
    bent = flow(rng, 0.5, 2.5)
    x, y = advect(grid.x, grid.y, bent, rng.uniform(0.1, 0.35), steps=3)
    frequency = rng.uniform(0.7, 1.5)
    height = noise(rng, frequency * 0.6, frequency * 2.5, 3)(x, y)
    height = height * rng.uniform(0.04, 0.1) / frequency
    right, down = slopes(height, grid, 0.012)
    tilt, _ = turned(right, down, rng.uniform(0, math.tau))
    # Studio light: dark floor, bright strips, dark ceiling.
    strips = Ramp(
        rng, pick_colors(rng, np.linspace(0, 1, 5, dtype=np.float32)[:, None] * OKLAB_WHITE, 4)
    )
    mirror = strips(tilt * rng.uniform(0.6, 1.4) + grid.down)[..., 0]
    tints = Ramp(rng, pick_colors(rng, colors))(
        noise(rng, 0.4, 1.5)(x, y) * 0.4 + right * rng.uniform(0, 0.6)
    )
    oklab = relight(tints, 0.08 + 0.84 * mirror)
    return mix(tints, oklab, rng.uniform(0.5, 1))


@painted
def acrylic_pour(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Flowing bands of paint that open into cells of several sizes."""
    x, y = advect(grid.x, grid.y, flow(rng, 0.5, 3), rng.uniform(0.2, 0.5), steps=3)
    field = noise(rng, 0.5, 6, 2)(x, y)
    oklab = Ramp(rng, pick_colors(rng, colors, 3), rng.uniform(0.5, 0.95))(
        field * rng.uniform(0.4, 0.9)
    )
    soft = advect(grid.x, grid.y, flow(rng, 0.6, 2.5), rng.uniform(0.02, 0.1))
    for frequency in (rng.uniform(3, 6), rng.uniform(7, 13)):
        nearest, second, share = cells(rng, *soft, frequency)
        open_here = noise(rng, 0.5, 2)(x, y) - rng.uniform(-0.3, 0.9)
        rim = (second - nearest) * smoothstep(0, 0.8, open_here) - 0.12
        rim = np.minimum(rim, 0.75 * share + 0.1 - nearest)
        lace, *fill = pick_colors(rng, colors, 3, 4)
        inside = Ramp(rng, np.stack(fill), 0.4)(share + nearest * rng.uniform(0, 1.2))
        oklab = mix(oklab, lace, positive_share(rim + 0.06))
        oklab = mix(oklab, inside, positive_share(rim))
    return oklab


@painted
def smoke(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Thin sheets of lit smoke that fold over each other in the dark."""
    colors = vivid(colors, rng.uniform(1, 2.5))
    ground = pick_colors(rng, colors, 1, 1)[0]
    light_ground = rng.random() < 0.35
    oklab = relight(np.broadcast_to(ground, (*grid.x.shape, 3)), 0.1 + 0.08 * grid.across)
    if light_ground:
        oklab = relight(oklab, 0.9 + 0.06 * grid.across)
    bent = flow(rng, 0.5, 3, 2.6)
    x, y = advect(grid.x, grid.y, bent, rng.uniform(0.2, 0.6), steps=3)
    tint = Ramp(rng, pick_colors(rng, colors, 2))(noise(rng, 0.4, 2)(grid.x, grid.y) * 0.5)
    body = unit(noise(rng, 0.4, 2)(x, y))
    for _ in range(3):
        sheet = noise(rng, 0.5, 3, 2.4)(x, y)
        # Seen edge-on, where the sheet folds back, smoke is dense.
        density = np.exp(-np.abs(sheet) * rng.uniform(1.5, 5)) * body
        veil = np.clip(density * rng.uniform(0.9, 1.4), 0, 1)
        light = density * (-0.5 if light_ground else 0.5)
        oklab = mix(oklab, shade_oklab(tint, light), veil)
    return oklab


@painted
def aurora(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Curtains of light that hang from wavering lines in a night sky."""
    colors = vivid(colors, rng.uniform(1, 2.5))
    up, dusk = (0, 0, rng.uniform(0, math.tau))[rng.integers(3)], rng.uniform(0.08, 0.5)
    side, fall = grid.along(up), grid.along(up + math.pi / 2)
    oklab = backdrop(rng, grid, pick_colors(rng, colors, 2, 2), up)
    oklab = relight(oklab, np.clip(dusk + fall * rng.uniform(0, 0.5), 0.05, 0.8))
    lean, width = rng.normal(0, 0.3), rng.uniform(0.5, 1.5)
    waver, hem, hair = flow(rng, 0.6, 4), noise(rng, 0.5, 4), noise(rng, 3, 24, 0.9)
    for _ in range(rng.integers(2, 6)):
        part = fall * 0.3 + rng.uniform(-1, 1)
        x, _ = advect(side + fall * lean, part, waver, rng.uniform(0.03, 0.1))
        far = np.full_like(x, rng.uniform(-1, 1))
        foot = rng.uniform(-0.2, 0.45) + hem(x, far) * 0.1
        rays = hair(x * width, far + fall * 0.04)
        strength = np.exp(0.35 * rays + 0.7 * hem(far, x))
        above = foot - fall
        reach = rng.uniform(0.12, 0.35) * (1 + 0.2 * rays)
        fade = np.exp(-np.maximum(above, 0) / np.maximum(reach, 0.03))
        fade = fade * smoothstep(-0.03, 0.02, above)
        glow = Ramp(rng, pick_colors(rng, colors, 2, 3))(np.clip(above * 1.6, 0, 1))
        oklab = mix(oklab, shade_oklab(glow, 0.3 * fade), np.clip(0.5 * strength * fade, 0, 0.95))
    return oklab


@painted
def gradient_mesh(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Patches of colour that melt into each other, sometimes folded."""
    x, y = advect(grid.x, grid.y, flow(rng, 0.4, 1.5), rng.uniform(0.05, 0.4), steps=2)
    if rng.random() < 0.4:
        # A crease: beyond a curve the sheet is folded back.
        angle, curve = rng.uniform(0, math.tau), noise(rng, 0.4, 1.5, 3)(x, y) * 0.15
        beyond = np.maximum(grid.along(angle) + curve, 0) * rng.uniform(1, 2.2)
        x, y = x - beyond * math.cos(angle), y - beyond * math.sin(angle)
    total, chroma = np.zeros_like(x), np.zeros_like(x)
    oklab = np.zeros((*x.shape, 3), np.float32)
    size = rng.uniform(0.15, 0.4)
    for color in np.concatenate([colors, pick_colors(rng, colors, 3)]):
        (middle_x, middle_y), tone = random_point(rng, 0.6), rng.normal(0, 0.15)
        square = (x - middle_x) ** 2 + (y - middle_y) ** 2
        weight = 1 / (square / size**2 + 0.04) ** 2
        tinted = shade_oklab(color, tone)
        oklab += weight[..., None] * tinted
        total += weight
        chroma += weight * math.hypot(tinted[1], tinted[2])
    # Opposite hues cancel where they meet; give back what chroma was lost.
    oklab[..., 1:] *= np.clip(chroma / (np.hypot(oklab[..., 1], oklab[..., 2]) + 1e-6), 1, 2)[
        ..., None
    ]
    return oklab / total[..., None]


@painted
def watercolour(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Washes of thin paint on paper, dark along the rims where they dried."""
    colors = vivid(colors, rng.uniform(1, 2.5))
    paper = unit(noise(rng, 10, 30, 0.5)(grid.x, grid.y))
    oklab = shade_oklab(np.broadcast_to(OKLAB_WHITE, (*grid.x.shape, 3)), -0.03 - 0.04 * paper)
    fray, mottle = flow(rng, 0.8, 16, 2.6), noise(rng, 0.8, 10, 1.8)
    for color in np.concatenate([colors, pick_colors(rng, colors, 1, 4)]):
        # Each wash meets another part of the same turbulence.
        x, y = grid.x + rng.uniform(-1, 1), grid.y + rng.uniform(-1, 1)
        frayed = fray(x, y) * rng.uniform(0.015, 0.06)
        (middle_x, middle_y), radius = random_point(rng, 0.55), rng.uniform(0.15, 0.5)
        squeeze = rng.uniform(0.6, 1.6)
        right = (grid.x + frayed[..., 0] - middle_x) * squeeze
        distance = np.hypot(right, grid.y + frayed[..., 1] - middle_y)
        pools = mottle(x + frayed[..., 0], y + frayed[..., 1])
        depth = radius - distance + pools * 0.03
        inside = smoothstep(-0.004, 0.008, depth)
        rim = np.exp(-np.maximum(depth, 0) / 0.012) * rng.uniform(0.2, 0.5)
        strength = np.clip((0.5 + 0.14 * pools + rim) * (0.85 + 0.3 * paper), 0, 0.97) * inside
        oklab = mix(
            oklab, shade_oklab(color, -0.25 * rim) * np.minimum(oklab[..., :1] + 0.15, 1), strength
        )
    return oklab


@painted
def agate(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Sliced stone: nested bands around hollows full of crystal."""
    x, y = advect(grid.x, grid.y, flow(rng, 0.6, 6, 2.7), rng.uniform(0.04, 0.14), steps=2)
    depth = np.full_like(x, 9)
    for _ in range(rng.integers(1, 4)):
        middle_x, middle_y = random_point(rng, 0.6)
        depth = np.minimum(depth, np.hypot(x - middle_x, y - middle_y))
    depth = depth + noise(rng, 0.6, 3)(x, y) * 0.06
    # Bands of uneven width: a noise of the depth, not of the place.
    rhythm = noise(rng, 0.5, 14, 1.3)(depth, np.zeros_like(depth))
    bands = depth * rng.uniform(1, 4) + rhythm * rng.uniform(0.2, 0.5)
    oklab = Ramp(rng, pick_colors(rng, colors, 3), rng.uniform(0.2, 0.97))(bands)
    lines = noise(rng, 4, 40, 0.6)(depth, x * 0.02)
    oklab = shade_oklab(oklab, lines * rng.uniform(0.01, 0.08))
    hollow = rng.uniform(-0.05, 0.2)
    _, _, facet = cells(rng, x, y, rng.uniform(14, 26))
    crystal = Ramp(rng, pick_colors(rng, colors, 2, 3))(facet)
    crystal = shade_oklab(crystal, facet * 0.5 + depth - 0.15)
    return mix(oklab, crystal, positive_share(hollow - depth))


@painted
def oil_on_water(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Interference colours of a stirred film, on water that has its own light."""
    x, y = grid.x, grid.y
    for _ in range(rng.integers(2, 5)):
        (middle_x, middle_y), turn = random_point(rng, 0.5), rng.uniform(2, 5) * random_sign(rng)
        right, down = x - middle_x, y - middle_y
        swirl = np.exp(-np.hypot(right, down) / rng.uniform(0.1, 0.25))
        cosine, sine = np.cos(turn * swirl), np.sin(turn * swirl)
        x = middle_x + right * cosine - down * sine
        y = middle_y + right * sine + down * cosine
    x, y = advect(x, y, flow(rng, 0.6, 8), rng.uniform(0.05, 0.25), steps=2)
    thickness = noise(rng, 0.5, 6, 2.2)(x, y)
    film = Ramp(rng, pick_colors(rng, colors, 3))(thickness * rng.uniform(0.5, 1.6))
    water = noise(rng, 0.5, 2)(grid.x, grid.y) * 0.1 + rng.uniform(0.3, 0.7)
    follow = rng.uniform(0, 1)
    oklab = relight(film, np.clip(water + follow * (film[..., 0] - 0.55), 0.15, 0.95))
    slope = slopes(thickness * 0.02, grid)
    _, gloss = lit(slope, rng.uniform(0, math.tau), 60)
    return shade_oklab(oklab, (gloss - 0.3) * rng.uniform(0, 0.25))


@painted
def impasto(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Thick strokes of a bristle brush along a current."""
    current = flow(rng, 0.5, rng.uniform(1.2, 3))(grid.x, grid.y)
    size = rng.uniform(0.1, 0.3) / grid.pitch
    picture = noise(rng, 0.5, 4)(grid.x, grid.y)
    dabs = noise(rng, 4, 16, 0.8)(grid.x, grid.y)
    tone = streak(picture + dabs * rng.uniform(0.3, 1), current, size, 4)
    oklab = Ramp(rng, pick_colors(rng, colors, 3), rng.uniform(0.3, 0.9))(tone * 0.7)
    bristles = streak(noise(rng, 8, 44, 0.2)(grid.x, grid.y), current, size, 4)
    relief = bristles * 0.01 + tone * 0.008
    diffuse, gloss = lit(slopes(relief, grid, 0.002), rng.uniform(0, math.tau), 50)
    light = (diffuse - 0.7) * rng.uniform(0.6, 1.6)
    return shade_oklab(shade_oklab(oklab, light), np.maximum(gloss - 0.75, 0) * rng.uniform(0, 1))


@painted
def lava_lamp(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Blobs of wax that merge and part, lit from below or within."""
    oklab = backdrop(rng, grid, pick_colors(rng, colors, 2, 3))
    x, y = advect(grid.x, grid.y, flow(rng, 0.4, 2), rng.uniform(0, 0.2), steps=2)
    for _ in range(rng.integers(1, 4)):
        pull, heat = np.zeros_like(x), np.zeros_like(x)
        count = rng.integers(4, 12)
        for _ in range(count):
            (middle_x, middle_y), size = random_point(rng, 0.65), rng.uniform(0.06, 0.2)
            square = (x - middle_x) ** 2 + (y - middle_y) ** 2
            near = size**2 / (square + 1e-4)
            pull, heat = pull + near, heat + near * rng.random()
        depth = 1 - 1 / np.maximum(pull, 1e-3)
        height = np.sqrt(np.clip(depth, 0, 1)) * 0.12
        diffuse, gloss = lit(slopes(height, grid, 0.01), rng.uniform(0, math.tau), 40)
        wax = Ramp(rng, pick_colors(rng, colors, 2, 3), rng.uniform(0, 0.7))(
            heat / pull + grid.down * 0.5
        )
        round_light = (diffuse - 0.7) * rng.uniform(0, 1.2)
        wax = shade_oklab(shade_oklab(wax, round_light), gloss * rng.uniform(0, 0.4))
        halo = np.exp(np.minimum(depth, 0) * 3) * rng.uniform(-0.4, 0.4)
        oklab = mix(shade_oklab(oklab, halo), wax, positive_share(depth))
    return oklab


@painted
def layered_waves(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Cut or translucent layers with wavy edges, one before the other."""
    ramp, angle = (
        Ramp(rng, pick_colors(rng, colors), 0.2),
        rng.choice([math.pi / 2, rng.uniform(0, math.tau)]),
    )
    count, swing = int(rng.integers(5, 14)), rng.uniform(0.02, 0.12)
    shadow, opaque = rng.uniform(0, 0.5), rng.uniform(0.5, 1)
    drift, fade = rng.uniform(-0.4, 0.4), rng.uniform(-0.5, 0.5)
    edge = noise(rng, 0.6, rng.choice([1.5, 3, 8]), 2.2)
    across = grid.along(angle + math.pi / 2)
    oklab = ramp(across * drift)
    for layer in range(1, count):
        level = layer / count * 1.3 - 0.65
        wave = edge(across, np.full_like(across, layer * 0.15)) * swing
        depth = grid.along(angle) - level + wave
        color = ramp(layer / count + across * drift)
        color = shade_oklab(color, np.clip(depth * 2, 0, 1) * fade)
        cast = np.exp(np.minimum(depth, 0) / 0.03) * -shadow
        oklab = mix(shade_oklab(oklab, cast), color, positive_share(depth) * opaque)
    return oklab


@painted
def veils(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Translucent sheets: each begins at a clean curve and fades into the rest."""
    oklab = backdrop(rng, grid, pick_colors(rng, colors, 2, 3))
    oklab = shade_oklab(oklab, rng.uniform(-0.7, 0.3))
    x, y = advect(grid.x, grid.y, flow(rng, 0.4, 1), rng.uniform(0.1, 0.4), steps=2)
    for _ in range(rng.integers(5, 10)):
        angle, radius = rng.uniform(0, math.tau), rng.uniform(0.4, 2) * random_sign(rng)
        start = rng.uniform(-0.35, 0.35)
        right = x - math.cos(angle) * (radius + start)
        down = y - math.sin(angle) * (radius + start)
        depth = (np.hypot(right, down) - abs(radius)) * math.copysign(1, radius)
        fade = np.exp(-np.maximum(depth, 0) / rng.uniform(0.1, 0.5))
        sheet = shade_oklab(pick_colors(rng, colors, 1, 1)[0], rng.uniform(-0.3, 0.3))
        oklab = mix(oklab, sheet, positive_share(depth) * fade * rng.uniform(0.4, 0.95))
        rim = np.exp(-np.abs(depth) / 0.008) * rng.uniform(0, 0.25)
        oklab = shade_oklab(oklab, rim)
    return oklab


@painted
def shoreline(rng: np.random.Generator, grid: Grid, colors: Oklab) -> Oklab:
    """Waves that run up a beach, seen from above."""
    sand, shallow, deep = colors[rng.permutation(len(colors))[:3]]
    x, y = advect(grid.x, grid.y, flow(rng, 0.8, 8), rng.uniform(0.03, 0.1))
    angle = rng.uniform(0, math.tau)
    sea = turned(x, y, angle)[0] + noise(rng, 0.5, 3)(x, y) * 0.07 + rng.uniform(-0.2, 0.2)
    grain = noise(rng, 4, 40, 0.7)(grid.x, grid.y) * 0.02
    wet = np.exp(np.minimum(sea, 0) / 0.08) * -0.35
    beach = shade_oklab(shade_oklab(sand, rng.uniform(0, 0.5)), wet + grain)
    swell = noise(rng, 0.8, 10, 1.8)(sea * 1.5, y * 0.4)
    lace = np.abs(noise(rng, 4, 30, 1.6)(x, y))
    water = Ramp(rng, np.stack([shallow, deep, shade_oklab(deep, -0.4)]))(
        np.clip(sea * 1.6 + swell * 0.05, 0, 1)
    )
    oklab = mix(beach, shade_oklab(water, swell * 0.06), smoothstep(-0.01, 0.03, sea))
    for offset in (np.cumsum(rng.uniform(0, 0.2, rng.integers(1, 4))) - 0.03).tolist():
        behind = sea - offset + swell * 0.02
        crest = np.exp(-np.maximum(behind, 0) / rng.uniform(0.03, 0.09))
        foam = np.clip(crest * 1.7 - lace * 0.8, 0, 1) * positive_share(behind)
        shadow = np.exp(np.minimum(behind, 0) / 0.02) * (1 - positive_share(behind))
        oklab = mix(shade_oklab(oklab, shadow * -0.3), shade_oklab(shallow, 0.85), foam)
    return oklab


FAMILIES: dict[str, Family] = {
    family.__name__: family
    for family in (
        marbling,
        warped_noise,
        ink_in_water,
        satin,
        silk_ribbons,
        strands,
        liquid_metal,
        acrylic_pour,
        smoke,
        aurora,
        gradient_mesh,
        watercolour,
        agate,
        oil_on_water,
        impasto,
        lava_lamp,
        layered_waves,
        veils,
        shoreline,
    )
}
"""Every fluid family, by name."""
