"""The architectures, and how colours and hints are placed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray

from training.barriers import find_barriers
from training.book import look_up_lightness
from training.network import ARCHITECTURES, Architecture, PlaceColors

Array = NDArray[np.float32]

BOOK_SIZE = 5
NETWORKS = {name: architecture.build(BOOK_SIZE) for name, architecture in ARCHITECTURES.items()}


@pytest.fixture(params=ARCHITECTURES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def architecture(name: str) -> Architecture:
    return ARCHITECTURES[name]


@pytest.fixture
def network(name: str) -> keras.Model:
    return NETWORKS[name]


def rows_of(*rows: tuple[float, ...]) -> Array:
    """Colours of a palette, or hints: shape (1, K, 4) or (1, M, 5)."""
    return np.array([rows], np.float32)


RED, GREEN, BLUE = (30.0, 60.0, 20.0, 0.5), (80.0, -60.0, 20.0, 0.5), (50.0, 20.0, -70.0, 1.0)
NO_COLOR, NO_HINT = rows_of((0, 0, 0, 0)), rows_of((0, 0, 0, 0, 0))
PALETTE = rows_of(RED, GREEN, BLUE)
HINTS = rows_of((0.1, 0.2, 70, 10, 1), (0.9, 0.3, -50, 40, 1), (0.5, 0.9, 10, -60, 1))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 96), (16, 16)])
def test_network_any_size(
    network: keras.Model, architecture: Architecture, height: int, width: int
) -> None:
    lightness = np.full((2, height, width, 1), 50, np.float32)
    given = [lightness]
    if architecture.is_conditional:
        given += [np.repeat(PALETTE, 2, axis=0), np.repeat(HINTS, 2, axis=0)]
    outputs = network(given)
    stride = architecture.output_stride
    assert outputs["chroma"].shape == (2, height // stride, width // stride, 2)
    if architecture.is_conditional:
        assert outputs["scores"].shape == (2, BOOK_SIZE)


def test_unet_is_an_encoder_and_a_transposed_decoder() -> None:
    kinds = {type(layer).__name__ for layer in NETWORKS["unet"].layers}
    assert {"Conv2D", "Conv2DTranspose"} <= kinds


def test_unet_sees_every_pixel() -> None:
    """Each of the 2 x 2 pixels that become one has a say of its own."""
    lightness = np.full((4, 16, 16, 1), 50, np.float32)
    lightness[np.arange(4), [8, 8, 9, 9], [8, 9, 8, 9]] = 90
    scores = NETWORKS["unet"]([lightness, np.repeat(PALETTE, 4, axis=0), NO_HINT])["scores"]
    assert len(np.unique(np.round(ops.convert_to_numpy(scores), 6), axis=0)) == 4


def test_unet_one_picture_many_answers_equals_one_at_a_time() -> None:
    """The encoder runs once for all palettes and hints of a picture."""
    rng = np.random.default_rng(0)
    lightness = rng.uniform(0, 100, (1, 32, 48, 1)).astype(np.float32)
    palettes = np.concatenate([PALETTE, PALETTE[:, ::-1] * (1, -1, 1, 0.5), 0 * PALETTE])
    hints = np.concatenate([0 * HINTS, HINTS, HINTS * (0.5, 1, 1, -1, 1)])
    together = NETWORKS["unet"]([lightness, palettes, hints])
    alone = [NETWORKS["unet"]([lightness, palettes[n : n + 1], hints[n : n + 1]]) for n in range(3)]
    np.testing.assert_allclose(
        together["chroma"], np.concatenate([one["chroma"] for one in alone]), atol=1e-3
    )
    assert together["scores"].shape == (1, BOOK_SIZE)
    assert np.ptp(ops.convert_to_numpy(together["chroma"]), axis=0).max() > 20


@pytest.mark.parametrize("single", ["palette", "hints"])
def test_unet_single_palette_or_hints_serve_all_answers(single: str) -> None:
    rng = np.random.default_rng(0)
    lightness = rng.uniform(0, 100, (1, 32, 32, 1)).astype(np.float32)
    conditions = {
        "palette": np.concatenate([PALETTE, PALETTE * (1, -1, 1, 1)]),
        "hints": np.concatenate([HINTS, HINTS * (1, 1, -1, 1, 1)]),
    }
    one = conditions[single][:1]
    repeated = {**conditions, single: np.repeat(one, 2, axis=0)}
    expected, received = (
        NETWORKS["unet"]([lightness, given["palette"], given["hints"]])["chroma"]
        for given in (repeated, {**conditions, single: one})
    )
    np.testing.assert_allclose(received, expected, atol=1e-3)


def test_classic_has_the_published_size() -> None:
    assert NETWORKS["classic"].count_params() == pytest.approx(6.2e6, rel=0.01)


def make_place(spread: float | None = None) -> PlaceColors:
    """A layer as it begins, or one that features sway much."""
    keras.utils.set_random_seed(0)
    place = PlaceColors()
    if spread is not None:
        call(place, np.zeros((1, 2, 2, 3), np.float32), np.zeros((1, 2, 2, 1), np.float32))
        kernel = place._place.kernel
        kernel.assign(np.random.default_rng(0).normal(0, spread, kernel.shape))
    return place


def call(
    place: PlaceColors,
    features: Array,
    lightness: Array,
    palette: Array = NO_COLOR,
    hints: Array = NO_HINT,
    **weights: float,
) -> Array:
    picture = np.zeros((len(lightness), 6), np.float32)
    return ops.convert_to_numpy(place(features, picture, lightness, palette, hints, **weights))


@pytest.fixture
def features() -> Array:
    return np.random.default_rng(1).normal(0, 1, (1, 12, 16, 3)).astype(np.float32)


@pytest.fixture
def lightness() -> Array:
    return np.random.default_rng(2).uniform(0, 100, (1, 12, 16, 1)).astype(np.float32)


@pytest.mark.parametrize("sharpness", [1, 1.5])
def test_place_colors_begins_as_the_lightness_table(
    sharpness: float, features: Array, lightness: Array
) -> None:
    palette = PALETTE * (1, 1, 1, 0) + (0, 0, 0, 1 / 3)  # equal shares
    palette = palette.astype(np.float32)
    chroma = call(make_place(), 0 * features, lightness, palette, palette_sharpness=sharpness)
    # Sharper is as if lightness differed more.
    expected = look_up_lightness(lightness[..., 0] * sharpness, PALETTE[0] * (sharpness, 1, 1, 1))
    np.testing.assert_allclose(chroma, expected, atol=0.01)


def fit_plane(weights: Array, points: Array, colors: Array, point: Array, ridge: float) -> Array:
    """Colour at a point of the plane through weighted hints."""
    share = weights / weights.sum()
    centre, mean = share @ points, share @ colors
    offsets = points - centre
    covariance = (share * offsets.T) @ offsets + ridge * np.eye(3)
    slope = np.linalg.solve(covariance, (share * offsets.T) @ (colors - mean))
    return np.clip(mean + (point - centre) @ slope, colors.min(axis=0), colors.max(axis=0))


@pytest.mark.parametrize(("barrier_weight", "ridge_weight"), [(1, 1), (2, 1), (1, 0.2)])
def test_place_colors_begins_as_planes_through_the_nearest_hints(
    barrier_weight: float, ridge_weight: float, features: Array, lightness: Array
) -> None:
    """Weights of exp(-0.25 |dL*|) and of (1 + d / 0.02)^-3, d in shares of the longer side,
    and of exp(-16 (1 - exp(-b / 3))) for a barrier b."""
    hints = rows_of((0.1, 0.1, 70, 10, 1), (0.9, 0.9, -50, 40, 1), (0.1, 0.9, 10, -60, 1))
    place = make_place()
    weights = {"barrier_weight": barrier_weight, "ridge_weight": ridge_weight}
    chroma = call(place, 0 * features, lightness, hints=hints, **weights)
    ridge = PlaceColors.FIRST_RIDGE * ridge_weight
    rows, columns = np.indices((12, 16))
    points = np.stack([columns / 16, rows / 16, lightness[0, ..., 0] / 50], axis=-1)
    places = np.array([[1, 10, 10], [1, 14, 1]], np.float32)
    own = lightness[0, *places.astype(int), 0][None]
    barriers = ops.convert_to_numpy(find_barriers(lightness, *places[:, None], own))[0]
    of_hints = points[[1, 10, 10], [1, 14, 1]]
    for row, column in np.ndindex(12, 16):
        offsets = np.abs(of_hints - points[row, column])
        distance = np.hypot(offsets[:, 0], offsets[:, 1])
        cost = 0.25 * 50 * offsets[:, 2] + 3 * np.log(1 + distance / 0.02)
        beyond = (distance > 0) * (1 - np.exp(-barriers[:, row, column] / 3))
        cost += 16 * barrier_weight * beyond
        weights = np.exp(-np.minimum(cost, PlaceColors.LARGEST_LOGIT))
        expected = fit_plane(weights, of_hints, hints[0, :, 2:4], points[row, column], ridge)
        np.testing.assert_allclose(chroma[0, row, column], expected, atol=0.5)


def test_place_colors_hint_comes_out_exactly_at_its_cell(features: Array, lightness: Array) -> None:
    """Whatever the network makes of the picture, and whatever palette is beside it."""
    place = make_place(spread=0.5)
    cells = [(2, 1), (3, 14), (10, 8)]  # HINTS, as rows and columns of 12 x 16
    for palette in (NO_COLOR, PALETTE):
        chroma = call(place, features, lightness, palette, HINTS)
        for (row, column), hint in zip(cells, HINTS[0], strict=True):
            np.testing.assert_allclose(chroma[0, row, column], hint[2:4], atol=0.05)


def test_place_colors_hints_at_the_rim_are_inside(features: Array, lightness: Array) -> None:
    hints = rows_of((0, 0, 70, 10, 1), (1, 1, -50, 40, 1))
    chroma = call(make_place(), features, lightness, hints=hints)
    np.testing.assert_allclose(chroma[0, 0, 0], (70, 10), atol=0.05)
    np.testing.assert_allclose(chroma[0, -1, -1], (-50, 40), atol=0.05)


def test_place_colors_ignores_what_has_weight_zero(features: Array, lightness: Array) -> None:
    place = make_place(spread=0.2)
    ghost_color, ghost_hint = rows_of((30, -99, -99, 0)), rows_of((0.5, 0.5, -99, -99, 0))
    with_ghosts = (
        np.concatenate([ghost_color, PALETTE], axis=1),
        np.concatenate([HINTS, ghost_hint], axis=1),
    )
    np.testing.assert_allclose(
        call(place, features, lightness, *with_ghosts),
        call(place, features, lightness, PALETTE, HINTS),
        atol=1e-3,
    )


def test_place_colors_without_any_color_is_grey(features: Array, lightness: Array) -> None:
    chroma = call(make_place(spread=0.2), features, lightness)
    np.testing.assert_array_equal(chroma, 0)


def test_place_colors_order_does_not_matter(features: Array, lightness: Array) -> None:
    place = make_place(spread=0.2)
    np.testing.assert_allclose(
        call(place, features, lightness, PALETTE[:, ::-1], HINTS[:, [2, 0, 1]]),
        call(place, features, lightness, PALETTE, HINTS),
        atol=1e-3,
    )


@pytest.mark.parametrize("weight", [1, 1.5])
def test_place_colors_shares_matter(weight: float, features: Array, lightness: Array) -> None:
    """Of two colours as light as each other, the frequent one gets more: at first by the root."""
    lightness = 0 * lightness + 50
    palette = rows_of((50, 60, 0, 0.8), (50, -60, 0, 0.2))
    chroma = call(make_place(), 0 * features, lightness, palette, share_weight=weight)
    odds = (0.8 / 0.2) ** (weight / 2)
    np.testing.assert_allclose(chroma[..., 0], 60 * (odds - 1) / (odds + 1), atol=0.2)


@pytest.mark.parametrize("weights", [{"palette_sharpness": 3.0}, {"share_weight": 4.0}])
def test_place_colors_weights_leave_palettes_what_they_are_beside_hints(
    weights: dict[str, float], features: Array, lightness: Array
) -> None:
    """Told apart more strictly, colours are not drowned by a hint."""
    one = RED + np.float32([30, 0, 0, 0])  # nowhere as light as the picture
    alike = np.stack([one, one])[None] * np.float32([1, 1, 1, 0.5])
    hints = rows_of((0.3, 0.6, -20, 50, 1))
    for palette in (one[None, None], alike):
        place = make_place()
        learned = call(place, 0 * features, lightness, palette, hints)
        stricter = call(place, 0 * features, lightness, palette, hints, **weights)
        np.testing.assert_allclose(stricter, learned, atol=1e-3)


def test_place_colors_of_one_hue_keeps_it(features: Array, lightness: Array) -> None:
    dark_red = (10.0, RED[1] / 2, RED[2] / 2, 0.5)
    hints = rows_of((0.3, 0.6, RED[1] / 3, RED[2] / 3, 1))
    chroma = call(make_place(spread=0.2), features, lightness, rows_of(RED, dark_red), hints)
    hue = np.arctan2(chroma[..., 1], chroma[..., 0])
    np.testing.assert_allclose(hue, np.arctan2(RED[2], RED[1]), atol=1e-3)


@pytest.mark.parametrize(
    "given",
    [{"palette": rows_of(RED)}, {"hints": rows_of((0.5, 0.5, RED[1], RED[2], 1))}],
    ids=["color", "hint"],
)
@pytest.mark.parametrize("spread", [0.05, 1.0])
def test_place_colors_single_color_is_everywhere_at_half_to_twice_its_chroma(
    spread: float, given: dict[str, Any], features: Array, lightness: Array
) -> None:
    """Also where the network finds that nothing is like it."""
    chroma = call(make_place(spread), 3 * features, lightness, **given)
    gain = np.linalg.norm(chroma, axis=-1) / np.hypot(RED[1], RED[2])
    assert gain.min() > 0.49
    assert gain.max() < 2.02
