"""The measures of the evaluation, against values that can be worked out."""

from __future__ import annotations

import numpy as np
import pytest

from service.color import rgb_to_lab
from training import metrics


def flat(*rgb: int, side: int = 64) -> np.ndarray:
    return np.full((side, side, 3), rgb, np.uint8)


def test_ciede2000_published_pair() -> None:
    """The first pair of Sharma, Wu and Dalal 2005."""
    one, other = np.array([[[50, 2.6772, -79.7751]]]), np.array([[[50, 0, -82.7485]]])
    assert metrics.ciede2000(one, other) == pytest.approx(2.0425, abs=1e-4)


def test_ciede2000_same_picture_is_zero() -> None:
    lab = rgb_to_lab(flat(200, 30, 90))
    assert metrics.ciede2000(lab, lab) == 0


def test_psnr_of_a_known_error() -> None:
    assert metrics.psnr(flat(100, 100, 100), flat(110, 110, 110)) == pytest.approx(28.13, abs=0.01)
    assert metrics.psnr(flat(9, 9, 9), flat(9, 9, 9)) == 100


def test_colorfulness_by_hand() -> None:
    assert metrics.colorfulness(flat(77, 77, 77)) == 0
    # rg = 255, yb = 127.5, no deviation: 0.3 x sqrt(255^2 + 127.5^2)
    assert metrics.colorfulness(flat(255, 0, 0)) == pytest.approx(85.53, abs=0.01)
    # Half red, half green: rg = +-255, yb = 127.5 throughout.
    halves = np.concatenate([flat(255, 0, 0), flat(0, 255, 0)])
    assert metrics.colorfulness(halves) == pytest.approx(255 + 0.3 * 127.5, abs=0.01)


def two_shapes() -> np.ndarray:
    return np.concatenate([flat(200, 60, 60), flat(40, 60, 200)], axis=1)


def paint(left: tuple[float, float], right: tuple[float, float], border: int = 64) -> np.ndarray:
    """L* 60, and a*b* that change at a column, which may be another than the shapes' border."""
    lab = np.full((64, 128, 3), 60.0)
    lab[:, :border, 1:] = left
    lab[:, border:, 1:] = right
    return lab


def test_shapes_find_two_halves_and_their_rims() -> None:
    shapes = metrics.Shapes.find(two_shapes())

    assert len(shapes) == 2
    # The pixels on both sides of the border lie within no shape, but belong to one.
    assert np.flatnonzero((shapes.flat == 0).all(axis=0)).tolist() == [63, 64]
    assert np.flatnonzero((shapes.rims > 0).all(axis=0)).tolist() == [61, 62, 63, 64, 65, 66]
    assert (shapes.areas > 0).all()
    assert [len(places) for places in shapes.members] == [63 * 64, 63 * 64]


def test_flat_spread_flat_colors_have_none() -> None:
    shapes = metrics.Shapes.find(two_shapes())
    assert metrics.flat_spread(shapes, rgb_to_lab(two_shapes())) == pytest.approx(0, abs=1e-3)
    assert metrics.flat_spread(shapes, paint((9, 9), (9, 9))) == pytest.approx(0, abs=1e-3)


def test_flat_spread_of_a_known_blotch() -> None:
    lab = paint((0, 0), (0, 0))
    lab[::2, :, 1] = 20  # a* is 0 and 20 in turn: a standard deviation of 10
    assert metrics.flat_spread(metrics.Shapes.find(two_shapes()), lab) == pytest.approx(10)


def test_flat_spread_and_leak_without_flat_shapes_are_not_numbers() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    shapes = metrics.Shapes.find(noise)
    assert np.isnan(metrics.flat_spread(shapes, rgb_to_lab(noise)))
    assert np.isnan(metrics.leak(shapes, rgb_to_lab(noise)))
    assert metrics.count_borders(shapes, rgb_to_lab(noise)) == (0, 0)


def test_leak_of_a_color_that_bleeds_across_an_edge() -> None:
    """Two of the three columns of the left rim have the colour of the right shape."""
    shapes = metrics.Shapes.find(two_shapes())
    bleeding = paint((0, 0), (30, 40), border=62)
    # 50 on 2 of 3 columns of one rim, nothing on the other.
    assert metrics.leak(shapes, bleeding) == pytest.approx(50 * 2 / 3 / 2)
    assert metrics.leak(shapes, paint((0, 0), (30, 40))) == 0


def test_leak_blended_border_of_the_original_does_not_count() -> None:
    original = two_shapes()
    original[:, 64] = original[:, 63:65].mean(axis=1)
    shapes = metrics.Shapes.find(original)
    lab = rgb_to_lab(original)

    assert shapes.rim_deviations.max() > 10
    assert metrics.leak(shapes, lab) == 0
    assert metrics.leak(shapes, lab * (1, 0, 0)) == 0  # grey


def test_leak_one_shape_without_a_border_is_not_a_number() -> None:
    shapes = metrics.Shapes.find(flat(200, 60, 60))
    assert len(shapes) == 1
    assert np.isnan(metrics.leak(shapes, rgb_to_lab(flat(200, 60, 60))))


def of_hues(*degrees: float, amount: float = 40) -> np.ndarray:
    """A picture of one row: colours of these hues."""
    angles = np.radians(degrees)
    return np.dstack([np.full(angles.shape, 60), amount * np.cos(angles), amount * np.sin(angles)])


def palette_of(*degrees: float, amount: float = 40) -> np.ndarray:
    return np.column_stack([of_hues(*degrees, amount=amount)[0], np.ones(len(degrees))])


@pytest.mark.parametrize(
    ("lab", "bits"),
    [
        (of_hues(5, 95, 185, 275), 2),
        (of_hues(5, 5, 5), 0),
        (of_hues(5, 6, 95), 0.9183),  # the first two lie in one bin: 1/3 and 2/3
        (of_hues(5, 95, amount=4), 0),
    ],
)
def test_hue_entropy_by_hand(lab: np.ndarray, bits: float) -> None:
    assert metrics.hue_entropy(lab) == pytest.approx(bits, abs=1e-4)


def test_hue_entropy_weighs_hues_by_chroma() -> None:
    lab = np.concatenate([of_hues(5, amount=60), of_hues(95, amount=20)])
    assert metrics.hue_entropy(lab) == pytest.approx(0.8113, abs=1e-4)  # 3/4 and 1/4


@pytest.mark.parametrize(
    ("hue", "palette", "percent"),
    [
        (30, palette_of(30), 100),
        (39, palette_of(30), 100),
        (41, palette_of(30), 0),
        (60, palette_of(30, 90), 100),  # between neighbours
        (200, palette_of(30, 90), 0),  # on the longer arc
        (355, palette_of(340, 20), 100),  # between them, over zero
        (109, palette_of(0, 100, 240), 100),
        (170, palette_of(0, 100, 240), 100),
        (170, palette_of(0, 100), 0),
        (90, palette_of(0, 180), 0),  # no shorter arc
        (60, palette_of(0, 190), 0),
        (200, palette_of(0, 190), 100),
    ],
)
def test_palette_obedience_of_one_hue(hue: float, palette: np.ndarray, percent: float) -> None:
    assert metrics.palette_obedience(of_hues(hue), palette) == percent


def test_palette_obedience_counts_coloured_pixels_and_colours_with_weight() -> None:
    lab = np.concatenate([of_hues(30, 31, 32, 200), of_hues(120, 120, 120, 120, amount=3)])
    palette = palette_of(30, 120)
    palette[1, 3] = 0

    assert metrics.palette_obedience(lab, palette) == 75
    assert metrics.palette_obedience(of_hues(70), palette) == 0


def test_palette_obedience_of_grey_is_not_a_number() -> None:
    assert np.isnan(metrics.palette_obedience(of_hues(30, amount=2), palette_of(30)))
    assert np.isnan(metrics.palette_obedience(of_hues(30), palette_of(30, amount=2)))


def test_lightness_error_of_greys() -> None:
    lab = np.full((8, 8, 3), 50.0)
    assert metrics.lightness_error(lab, lab + 10) == 10


@pytest.mark.parametrize(
    ("lightness", "chroma", "hard"),
    [((60, 60), (40, 0), 64), ((60, 70), (40, 0), 0), ((60, 60), (40, 30), 0)],
)
def test_count_borders_of_two_halves(
    lightness: tuple[float, float], chroma: tuple[float, float], hard: int
) -> None:
    """Equally light or not, different in b* or not; one pair of pixels for each of 64 rows."""
    shapes = metrics.Shapes.find(two_shapes())
    lab = paint((0, chroma[0]), (0, chroma[1]))
    lab[:, :64, 0], lab[:, 64:, 0] = lightness

    assert metrics.count_borders(shapes, lab) == (hard, 64)
