"""A model predicts at any aspect and from any thread; a faulty one is named at start."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from service.arrangements import arrange_palette
from service.color import resize_plane
from service.colorizer import Colorizer, Registry
from service.errors import InputNotTakenError, ModelFileError, UnknownModelError
from tests.conftest import MODEL_CHROMA, write_model
from tests.steerable import BOOK, write_steerable_model

WORKING_SIZE = 32
STRIDE = 2


def edit_artifact(models_dir: Path, name: str, edit: Callable[[onnx.ModelProto], None]) -> None:
    """Change a model's graph, and the SHA-256 in its card with it."""
    artifact_path = models_dir / f"{name}.onnx"
    model = onnx.load(artifact_path)
    edit(model)
    replace_artifact(artifact_path, model.SerializeToString())


def replace_artifact(artifact_path: Path, artifact: bytes) -> None:
    artifact_path.write_bytes(artifact)
    edit_card(artifact_path.with_suffix(".json"), sha256=hashlib.sha256(artifact).hexdigest())


def edit_card(card_path: Path, **fields: Any) -> None:
    card_path.write_text(json.dumps(json.loads(card_path.read_bytes()) | fields))


def echo_lightness(model: onnx.ModelProto) -> None:
    """Make a* the lightness and b* its negative, at every second pixel."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    weights = np.array([1, -1], np.float32).reshape(2, 1, 1, 1)
    constants["weights"].CopyFrom(numpy_helper.from_array(weights, "weights"))
    constants["bias"].CopyFrom(numpy_helper.from_array(np.zeros(2, np.float32), "bias"))


def look_down(model: onnx.ModelProto) -> None:
    """Make a* and b* the mean lightness of a pixel and the two below it."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    weights = np.full((2, 1, 3, 1), 1 / 3, np.float32)
    constants["weights"].CopyFrom(numpy_helper.from_array(weights, "weights"))
    constants["bias"].CopyFrom(numpy_helper.from_array(np.zeros(2, np.float32), "bias"))
    (convolution,) = (node for node in model.graph.node if node.op_type == "Conv")
    convolution.attribute.append(onnx.helper.make_attribute("pads", [0, 0, 2, 0]))


def fix_size(model: onnx.ModelProto) -> None:
    """Let the graph take pictures of 64 x 64 pixels only."""
    _, height, width, _ = model.graph.input[0].type.tensor_type.shape.dim
    height.dim_value = width.dim_value = 64


def gradient(height: int, width: int) -> NDArray[np.float32]:
    """L* that rises from corner to corner."""
    rows, columns = np.indices((height, width))
    return (45 * (rows / height + columns / width) + 5).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one sound model, to be damaged by a test."""
    write_model(tmp_path, "v1")
    return tmp_path


@pytest.fixture(scope="module")
def constant(models_dir: Path) -> Colorizer:
    return Registry.load(models_dir, intra_op_threads=1).get("v1")


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Colorizer:
    """A model whose chroma tells which lightness it saw, and where."""
    folder = tmp_path_factory.mktemp("echo")
    write_model(folder, "echo")
    edit_artifact(folder, "echo", echo_lightness)
    return Registry.load(folder, intra_op_threads=1).get("echo")


# Prediction

SIZES = {
    # Size of the picture -> size at which the network sees it.
    (32, 32): (32, 32),
    (64, 64): (32, 32),
    (100, 800): (4, 32),
    (800, 100): (32, 4),
    (301, 400): (24, 32),
    (299, 400): (24, 32),
    (275, 400): (22, 32),
    (1, 1): (32, 32),
    (1, 5000): (2, 32),
    (5000, 1): (32, 2),
    (3000, 2): (32, 2),
}


@pytest.mark.parametrize(("size", "seen_size"), SIZES.items(), ids=str)
def test_predict_keeps_aspect_and_shows_no_padding(
    echo: Colorizer, size: tuple[int, int], seen_size: tuple[int, int]
) -> None:
    lightness = gradient(*size)

    chroma = echo.predict(lightness).first

    seen = resize_plane(lightness, *seen_size)[::STRIDE, ::STRIDE]
    assert chroma.dtype == np.float32
    np.testing.assert_allclose(chroma, np.dstack((seen, -seen)), atol=1e-4)


def test_predict_pads_with_more_of_the_same(folder: Path) -> None:
    edit_artifact(folder, "v1", look_down)
    colorizer = Registry.load(folder, intra_op_threads=1).get("v1")

    # The network sees 22 rows, padded to 24: the last ones look into the padding.
    chroma = colorizer.predict(np.full((275, 400), 60, np.float32)).first

    np.testing.assert_allclose(chroma, 60, atol=1e-3)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_predict_covers_whole_picture(constant: Colorizer, size: tuple[int, int]) -> None:
    chroma = constant.predict(gradient(*size)).first

    assert chroma.size > 0
    np.testing.assert_allclose(chroma, np.broadcast_to(MODEL_CHROMA, chroma.shape), atol=1e-4)


def test_predict_is_deterministic(echo: Colorizer) -> None:
    lightness = gradient(333, 222)
    first = echo.predict(lightness).first

    assert all(np.array_equal(echo.predict(lightness).first, first) for _ in range(5))
    np.testing.assert_array_equal(lightness, gradient(333, 222))


def test_predict_in_threads_equals_serial(echo: Colorizer) -> None:
    pictures = [gradient(20 + 13 * step, 400 - 17 * step) for step in range(20)] * 5
    serial = [echo.predict(picture) for picture in pictures]

    with ThreadPoolExecutor(8) as threads:
        parallel = list(threads.map(echo.predict, pictures))

    for expected, received in zip(serial, parallel, strict=True):
        np.testing.assert_array_equal(received.first, expected.first)


# Steering

BLUE_AND_RED = np.array([[20, 10, -60, 1], [60, 50, 30, 3]], np.float32)
HALF_GREY = np.full((24, 48), 50, np.float32)


def test_predict_without_steering_is_best_variation(steerable: Colorizer) -> None:
    prediction = steerable.predict(HALF_GREY)

    assert prediction.chroma.shape == (1, 8, 16, 2)
    np.testing.assert_allclose(prediction.first, np.broadcast_to((20, -15), (8, 16, 2)))
    np.testing.assert_array_equal(prediction.palettes, [BOOK[0]])


def test_predict_with_palette_places_it(steerable: Colorizer) -> None:
    prediction = steerable.predict(HALF_GREY, BLUE_AND_RED)

    assert prediction.chroma.shape == (1, 8, 16, 2)
    # The mean by weight.
    np.testing.assert_allclose(prediction.first[0, 0], (40, 7.5))
    np.testing.assert_array_equal(prediction.palettes, [BLUE_AND_RED])


def test_predict_with_several_palettes_is_each_of_them(steerable: Colorizer) -> None:
    palettes = np.stack([BLUE_AND_RED, BLUE_AND_RED[::-1] * (1, 0, 0, 1)]).astype(np.float32)

    prediction = steerable.predict(HALF_GREY, palettes)

    np.testing.assert_allclose(prediction.chroma[:, 0, 0], [(40, 7.5), (0, 0)])
    np.testing.assert_array_equal(prediction.palettes, palettes)


def test_predict_with_palette_leaves_out_colours_of_no_weight(steerable: Colorizer) -> None:
    palette = BLUE_AND_RED * np.array([[1, 1, 1, 0], [1, 1, 1, 1]], np.float32)

    prediction = steerable.predict(HALF_GREY, palette)

    np.testing.assert_array_equal(prediction.palettes, [BLUE_AND_RED[1:]])


def test_predict_variations_leave_out_unused_colours(steerable: Colorizer) -> None:
    prediction = steerable.predict(HALF_GREY, variations=range(5))

    assert prediction.chroma.shape == (5, 8, 16, 2)
    means = [(20, -15), (-30, 10), (5, 50), (20, -15), (-30, 10)]
    np.testing.assert_allclose(prediction.chroma[:, 0, 0], means)
    assert [len(palette) for palette in prediction.palettes] == [2, 1, 1, 2, 1]
    alone = steerable.predict(HALF_GREY, variations=[2])
    np.testing.assert_array_equal(alone.first, prediction.chroma[2])


def test_predict_variations_of_palette_arrange_it_and_tell_it_as_given(
    steerable: Colorizer,
) -> None:
    prediction = steerable.predict(HALF_GREY, BLUE_AND_RED, variations=(0, 2, 1))

    assert prediction.chroma.shape == (3, 8, 16, 2)
    np.testing.assert_array_equal(prediction.palettes, [BLUE_AND_RED] * 3)
    (first, third, second) = prediction.chroma
    np.testing.assert_allclose(first[0, 0], (40, 7.5))
    # It paints means by weight, and fed are the arrangements of this picture.
    expected = arrange_palette(BLUE_AND_RED, HALF_GREY, (2, 1))
    means = [np.average(colors, axis=0, weights=colors[:, 3])[1:3] for colors in expected]
    np.testing.assert_allclose((third[0, 0], second[0, 0]), means, rtol=1e-5)


def test_predict_that_places_no_palette_tells_what_is_seen(
    steerable: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Colorizer._run
    nothing = np.zeros((1, 7, 4), np.float32)
    monkeypatch.setattr(Colorizer, "_run", lambda *inputs: (run(*inputs)[0], nothing))

    (palette,) = steerable.predict(HALF_GREY).palettes

    np.testing.assert_allclose(palette, [(50, 20, -15, 1)], atol=0.01)


def test_predict_variation_of_palette_needs_no_input_of_that_name(tmp_path: Path) -> None:
    write_steerable_model(tmp_path, "v1", ("lightness", "palette"))
    colorizer = Registry.load(tmp_path, 1).get("v1")

    assert colorizer.predict(HALF_GREY, BLUE_AND_RED, variations=(0, 1)).chroma.shape[0] == 2


@pytest.mark.parametrize("size", [(24, 48), (48, 24), (50, 400), (400, 50), (33, 31), (2, 3)])
@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5), (0.9, 0.2)])
def test_predict_with_hint_colours_its_point_of_the_picture(
    steerable: Colorizer, size: tuple[int, int], x: float, y: float
) -> None:
    hint = np.array([[x, y, -7, 77, 1]], np.float32)

    chroma = steerable.predict(gradient(*size), hints=hint).first

    height, width, _ = chroma.shape
    row, column = min(int(y * height), height - 1), min(int(x * width), width - 1)
    np.testing.assert_allclose(chroma[row, column], (-7, 77))
    if min(height, width) > 4:
        np.testing.assert_allclose(
            chroma[height - 1 - row, width - 1 - column] == (-7, 77), x == 0.5
        )
    np.testing.assert_array_equal(hint, np.array([[x, y, -7, 77, 1]], np.float32))


def test_predict_with_hints_serves_all_variations(steerable: Colorizer) -> None:
    hints = np.array([[0.2, 0.5, 1, 2, 1], [0.8, 0.5, 3, 4, 1]], np.float32)

    chroma = steerable.predict(HALF_GREY, hints=hints, variations=(0, 1)).chroma

    np.testing.assert_allclose(chroma[:, 4, 3], [(1, 2)] * 2)
    np.testing.assert_allclose(chroma[:, 4, 12], [(3, 4)] * 2)
    np.testing.assert_allclose(chroma[:, 0, 8], [(20, -15), (-30, 10)])


@pytest.mark.parametrize(
    ("inputs", "has_defaults"),
    [
        (("lightness", "palette", "hints", "variation"), False),
        (("variation", "lightness", "hints", "palette"), True),
        (("lightness", "palette"), True),
        (("lightness", "hints"), True),
        (("lightness", "variation"), False),
        (("lightness",), True),
    ],
)
def test_predict_feeds_what_the_model_takes(
    tmp_path: Path, inputs: tuple[str, ...], has_defaults: bool
) -> None:
    write_steerable_model(tmp_path, "part", inputs, has_defaults=has_defaults)
    colorizer = Registry.load(tmp_path, intra_op_threads=1).get("part")
    steering: dict[str, dict[str, Any]] = {
        "palette": {"palette": BLUE_AND_RED},
        "hints": {"hints": np.array([[0.5, 0.5, 1, 2, 1]], np.float32)},
        "variation": {"variations": (1,)},
    }

    np.testing.assert_allclose(colorizer.predict(HALF_GREY).first[0, 0], (20, -15))
    for name, arguments in steering.items():
        assert colorizer.takes(name) == (name in inputs)
        if name in inputs:
            steered = colorizer.predict(HALF_GREY, **arguments).first
            assert not np.allclose(steered[4, 8], (20, -15))
        else:
            with pytest.raises(InputNotTakenError) as caught:
                colorizer.predict(HALF_GREY, **arguments)
            assert caught.value.detail == (
                f"`{name}` needs a model that takes it. "
                f"Received: part, which takes {', '.join(inputs)}"
            )


def test_predict_by_model_that_tells_no_colours_names_what_is_seen(tmp_path: Path) -> None:
    write_steerable_model(tmp_path, "mute", outputs=("chroma",))
    colorizer = Registry.load(tmp_path, intra_op_threads=1).get("mute")

    (seen,) = colorizer.predict(HALF_GREY).palettes
    (given,) = colorizer.predict(HALF_GREY, BLUE_AND_RED).palettes

    np.testing.assert_allclose(seen, [[50, 20, -15, 1]], rtol=1e-5)
    np.testing.assert_array_equal(given, BLUE_AND_RED)


def test_predict_feed_without_defaults_equals_defaults(steerable_dir: Path) -> None:
    """What is fed for nothing is what the graph takes for nothing."""
    session = onnxruntime.InferenceSession(steerable_dir / "v12.onnx")
    lightness = np.full((1, 16, 32, 1), 50, np.float32)

    (alone,) = session.run(["chroma"], {"lightness": lightness})

    colorizer = Registry.load(steerable_dir, intra_op_threads=1).get("v12")
    np.testing.assert_array_equal(colorizer.predict(lightness[0, :, :, 0]).chroma, alone)


# Registry


def test_load_sorts_names(tmp_path: Path) -> None:
    for name in ("v2", "my_own-1", "v12", "v1"):
        write_model(tmp_path, name)

    registry = Registry.load(tmp_path, intra_op_threads=1)

    assert registry.names == ("my_own-1", "v1", "v2", "v12")
    assert [colorizer.name for colorizer in registry] == list(registry.names)
    assert registry.get("v12").card.name == "v12"


def test_load_graph_that_breaks_its_cards_promise(folder: Path) -> None:
    card_path = folder / "v1.json"
    architecture = json.loads(card_path.read_bytes())["architecture"] | {"output_stride": 4}
    edit_card(card_path, architecture=architecture)

    message = r"v1\.onnx.*its card promises, \(8, 8, 2\)\. Received: \(16, 16, 2\)"
    with pytest.raises(ModelFileError, match=message):
        Registry.load(folder, intra_op_threads=1)


def test_load_graph_of_another_fixed_size(folder: Path) -> None:
    edit_artifact(folder, "v1", fix_size)

    with pytest.raises(ModelFileError, match=r"v1\.onnx.*cannot predict"):
        Registry.load(folder, intra_op_threads=1)


@pytest.mark.parametrize("name", ["v1.onnx", "v1.json"])
def test_load_folder_in_place_of_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()

    with pytest.raises(ModelFileError, match=f"{name}.*Is a directory"):
        Registry.load(folder, intra_op_threads=1)


def test_load_ignores_other_files(folder: Path) -> None:
    (folder / "notes.txt").write_text("hello")
    (folder / "lonely.json").write_text("{}")

    assert Registry.load(folder, intra_op_threads=1).names == ("v1",)


@pytest.mark.parametrize("name", ["v3", "", "V1", "v1.onnx", "../v1"])
def test_get_unknown_model_names_known_ones(models_dir: Path, name: str) -> None:
    registry = Registry.load(models_dir, intra_op_threads=1)

    with pytest.raises(UnknownModelError) as caught:
        registry.get(name)

    assert caught.value.detail == f"`model` must be one of v1, v12. Received: {name}"
    assert caught.value.accepted == ["v1", "v12"]


# Faulty files


def assert_load_fails(folder: Path, file_name: str, reason: str) -> None:
    """Check that the error names the file, and says why."""
    with pytest.raises(ModelFileError) as caught:
        Registry.load(folder, intra_op_threads=1)

    assert caught.value.detail.startswith(f"{folder / file_name}: ")
    assert reason in caught.value.detail


@pytest.mark.parametrize("exists", [True, False])
def test_load_folder_without_models_names_it(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "models"
    if exists:
        folder.mkdir()
        (folder / "v1.json").write_text("{}")

    with pytest.raises(ModelFileError, match=r"no \*\.onnx file") as caught:
        Registry.load(folder, intra_op_threads=1)

    assert caught.value.detail.startswith(f"{folder}: ")


def test_load_without_card_names_it(folder: Path) -> None:
    (folder / "v1.json").unlink()

    assert_load_fails(folder, "v1.json", "the card of v1.onnx is missing")


@pytest.mark.parametrize("content", ["", "{", "null", "[]", '{"name": "v1"}', "\0\xff"])
def test_load_with_invalid_card_names_it(folder: Path, content: str) -> None:
    (folder / "v1.json").write_text(content, encoding="latin-1")

    assert_load_fails(folder, "v1.json", "not a valid model card")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sha256", "0" * 63),
        ("name", "V1"),
        ("name", "../v1"),
        ("misspelt", 1),
        ("inputs", None),
        ("opset", "new"),
    ],
)
def test_load_with_wrong_card_field_names_both(folder: Path, field: str, value: Any) -> None:
    edit_card(folder / "v1.json", **{field: value})

    assert_load_fails(folder, "v1.json", field)


@pytest.mark.parametrize("part", ["working_size", "size_multiple", "output_stride"])
def test_load_with_zero_size_in_card_names_it(folder: Path, part: str) -> None:
    card_path = folder / "v1.json"
    architecture = json.loads(card_path.read_bytes())["architecture"]
    edit_card(card_path, architecture=architecture | {part: 0})

    assert_load_fails(folder, "v1.json", part)


def test_load_with_card_of_other_model_names_it(folder: Path) -> None:
    for suffix in (".onnx", ".json"):
        (folder / f"v1{suffix}").rename(folder / f"v2{suffix}")

    assert_load_fails(folder, "v2.json", "describes 'v1', not 'v2'")


def test_load_with_wrong_digest_names_artifact(folder: Path) -> None:
    artifact_path = folder / "v1.onnx"
    artifact = bytearray(artifact_path.read_bytes())
    artifact[-1] ^= 1
    artifact_path.write_bytes(artifact)

    digest = hashlib.sha256(artifact).hexdigest()
    assert_load_fails(folder, "v1.onnx", f"Received: {digest}")


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
def test_load_truncated_artifact_names_it(folder: Path, share: float) -> None:
    artifact_path = folder / "v1.onnx"
    artifact = artifact_path.read_bytes()
    replace_artifact(artifact_path, artifact[: int(len(artifact) * share)])

    assert_load_fails(folder, "v1.onnx", "ONNX Runtime cannot load it")


def test_load_artifact_of_other_kind_names_it(folder: Path) -> None:
    replace_artifact(folder / "v1.onnx", b"PK\x03\x04 a Keras archive, perhaps")

    assert_load_fails(folder, "v1.onnx", "ONNX Runtime cannot load it")


@pytest.mark.parametrize(("role", "name"), [("inputs", "lightness"), ("outputs", "chroma")])
def test_load_with_wrong_tensor_names_tells_both(folder: Path, role: str, name: str) -> None:
    card_path = folder / "v1.json"
    (tensor,) = json.loads(card_path.read_bytes())[role]
    edit_card(card_path, **{role: [tensor | {"name": "other"}]})

    assert_load_fails(
        folder, "v1.onnx", f"the {role} must be those of the card, ['other']. Received: ['{name}']"
    )


def test_load_with_missing_input_tells_both(folder: Path) -> None:
    def add_input(model: onnx.ModelProto) -> None:
        shape = onnx.TensorProto.FLOAT, [1, 8, 3]
        model.graph.input.append(onnx.helper.make_tensor_value_info("palette", *shape))

    edit_artifact(folder, "v1", add_input)

    assert_load_fails(
        folder, "v1.onnx", "the inputs must be those of the card, ['lightness']. Received: "
    )


def test_load_names_faulty_model_among_sound_ones(folder: Path) -> None:
    write_model(folder, "v12")
    write_model(folder, "v2")
    (folder / "v12.json").unlink()

    assert_load_fails(folder, "v12.json", "missing")


# Models that cannot be used, while others can


def spoil_truncated(folder: Path) -> None:
    artifact = folder / "v2.onnx"
    artifact.write_bytes(artifact.read_bytes()[:100])


def spoil_swapped(folder: Path) -> None:
    (folder / "v2.onnx").write_bytes((folder / "v1.onnx").read_bytes() + b"\0")


def spoil_without_card(folder: Path) -> None:
    (folder / "v2.json").unlink()


def spoil_inputs(folder: Path) -> None:
    artifact = folder / "v2.onnx"
    artifact.write_bytes(artifact.read_bytes().replace(b"lightness", b"luminance"))
    sha256 = hashlib.sha256(artifact.read_bytes()).hexdigest()
    edit_card(folder / "v2.json", sha256=sha256)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_truncated, r"v2\.onnx: the file must have the SHA-256 that its card gives"),
        (spoil_swapped, r"v2\.onnx: the file must have the SHA-256 that its card gives"),
        (spoil_without_card, r"v2\.json: the card of v2\.onnx is missing"),
        (spoil_inputs, r"v2\.onnx: the inputs must be those of the card, \['lightness'\]"),
    ],
)
def test_load_not_strict_leaves_out_what_cannot_be_used(
    spoil: Callable[[Path], None], message: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_model(tmp_path, "v1")
    write_model(tmp_path, "v2")
    spoil(tmp_path)

    with pytest.raises(ModelFileError, match=message):
        Registry.load(tmp_path, intra_op_threads=1)
    registry = Registry.load(tmp_path, intra_op_threads=1, strict=False)

    assert registry.names == ("v1",)
    (record,) = caplog.records
    assert re.search(f"^Left out a model: .*{message}", record.message)


def test_load_not_strict_needs_one_model(tmp_path: Path) -> None:
    write_model(tmp_path, "v2")
    spoil_without_card(tmp_path)

    with pytest.raises(ModelFileError, match="no model in this folder can be used"):
        Registry.load(tmp_path, intra_op_threads=1, strict=False)
