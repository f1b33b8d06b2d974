"""/v2 as clients see it: our own JSON, and those of Triton with its own client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from service import __version__
from service.colorizer import Colorizer
from tests.conftest import TestClient

INFER = "/v2/models/v12/infer"
RNG = np.random.default_rng(9)
LIGHTNESS = RNG.uniform(0, 100, (1, 16, 24, 1)).astype(np.float32)
PALETTE = np.array([[[50, 30, 40, 1], [50, -30, 10, 1]]], np.float32)


def body(*inputs: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"inputs": inputs or [lightness()], **rest}


def lightness(**changes: Any) -> dict[str, Any]:
    shape = list(LIGHTNESS.shape)
    data = LIGHTNESS.ravel().tolist()
    return {"name": "lightness", "datatype": "FP32", "shape": shape, "data": data} | changes


# Without a client


def test_get_server_names_itself(steerable_client: TestClient) -> None:
    response = steerable_client.get("/v2")

    assert response.json() == {
        "name": "colorization-autoencoder",
        "version": __version__,
        "extensions": ["binary_tensor_data"],
    }


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/v12/ready", {"name": "v12", "ready": True}),
        ("/v2/models/v12/versions/1/ready", {"name": "v12", "ready": True}),
    ],
)
def test_get_health_says_yes(path: str, answer: object, steerable_client: TestClient) -> None:
    response = steerable_client.get(path)

    assert (response.status_code, response.json()) == (200, answer)


@pytest.mark.parametrize("path", ["/v2/models/plain", "/v2/models/plain/versions/1"])
def test_get_model_describes_its_tensors(path: str, steerable_client: TestClient) -> None:
    response = steerable_client.get(path)

    assert response.json() == {
        "name": "plain",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "lightness", "datatype": "FP32", "shape": [1, -1, -1, 1]}],
        "outputs": [{"name": "chroma", "datatype": "FP32", "shape": [1, -1, -1, 2]}],
    }


@pytest.mark.parametrize("ending", ["", "/ready", "/infer"])
def test_unknown_version_is_not_found(ending: str, steerable_client: TestClient) -> None:
    method = "POST" if ending == "/infer" else "GET"

    response = steerable_client.request(method, f"/v2/models/v12/versions/2{ending}")

    detail = "`version` must be 1, the only one of a model. Received: 2"
    assert response.status_code == 404
    assert response.json() == {
        "type": "/problems/unknown-version",
        "title": "Unknown version",
        "status": 404,
        "detail": detail,
        "received": "2",
        "accepted": "1",
        "error": detail,
    }


def test_post_json_answers_json(steerable_client: TestClient, steerable: Colorizer) -> None:
    response = steerable_client.post(INFER, json=body(id="7", outputs=[{"name": "chroma"}]))

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert "Inference-Header-Content-Length" not in response.headers
    assert response.headers["Server-Timing"].startswith("decode;dur=")
    answer = response.json()
    (chroma,) = answer.pop("outputs")
    assert answer == {"model_name": "v12", "model_version": "1", "id": "7"}
    data = np.array(chroma.pop("data"), np.float32)
    assert chroma == {"name": "chroma", "datatype": "FP32", "shape": [1, 8, 12, 2]}
    expected = steerable.infer({"lightness": LIGHTNESS}, ["chroma"])["chroma"]
    np.testing.assert_array_equal(data, expected.ravel())


@pytest.mark.parametrize(
    ("content", "headers", "status", "detail"),
    [
        (b"", {}, 400, "`body`: Invalid JSON: EOF while parsing a value at line 1 column 0."),
        (
            json.dumps(body()).replace("1, 16, 24, 1", "1, 100000, 100000, 1").encode(),
            {},
            413,
            "Answers x height x width of `lightness` must be at most 1,048,576 pixels. "
            "Received: 10,000,000,000",
        ),
        (
            json.dumps(body(lightness(data=[float("nan")] * 384))).encode(),
            {},
            400,
            "`lightness`: finite numbers from 0 to 100. Received: nan",
        ),
        (
            json.dumps(body(lightness(data=[1e300] * 384))).encode(),
            {},
            400,
            "`lightness`: finite numbers from 0 to 100. Received: inf",
        ),
        (b"{}", {"Inference-Header-Content-Length": "3"}, 400, "`Inference-Header-Content-Length`"),
        (b"{}", {"Content-Encoding": "br"}, 415, "`Content-Encoding` must be one of identity"),
        (bytes(200_001), {}, 413, "A request body must have at most 200,000 bytes."),
    ],
    ids=["empty", "huge", "nan", "infinite", "header", "encoding", "bytes"],
)
def test_post_wrong_request_answers_error(
    content: bytes,
    headers: dict[str, str],
    status: int,
    detail: str,
    steerable_client: TestClient,
) -> None:
    response = steerable_client.post(INFER, content=content, headers=headers)

    problem = response.json()
    assert response.status_code == status
    assert response.headers["Content-Length"] == str(len(response.content))
    assert problem["error"] == problem["detail"]
    assert problem["error"].startswith(detail)


def test_error_is_only_named_so_below_v2(steerable_client: TestClient) -> None:
    assert "error" in steerable_client.get("/v2/nowhere").json()
    assert "error" not in steerable_client.get("/v21").json()


def test_post_tensors_that_do_not_go_together_answers_error(steerable_client: TestClient) -> None:
    # The tiny model wants a palette for each variation.
    variation = {"name": "variation", "datatype": "INT64", "shape": [2], "data": [0, 1]}

    response = steerable_client.post(INFER, json=body(lightness(), variation))

    assert response.status_code == 400
    assert response.json()["error"].startswith("`inputs`: tensors whose shapes go together. ")


def test_post_tensors_that_lead_to_no_number_answers_error(steerable_client: TestClient) -> None:
    # The tiny model adds its own palette, of weight 1: the mean is then of no weight at all.
    palette = {"name": "palette", "datatype": "FP32", "shape": [1, 1, 4], "data": [50, 9, 9, -1]}

    response = steerable_client.post(INFER, json=body(lightness(), palette))

    assert response.status_code == 400
    assert response.json()["error"] == (
        "`inputs`: tensors that lead to a finite chroma. Received: others: negative weights?"
    )


# Triton's own client


@pytest.fixture(scope="module")
def client(server_url: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server_url.removeprefix("http://")) as connected:
        yield connected


def tensor(name: str, numbers: np.ndarray, *, is_raw: bool = True) -> triton.InferInput:
    datatype = "INT64" if numbers.dtype == np.int64 else "FP32"
    given = triton.InferInput(name, list(numbers.shape), datatype)
    given.set_data_from_numpy(numbers, binary_data=is_raw)
    return given


def test_triton_finds_server_and_models(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("v12")
    assert client.is_model_ready("v12", "1")
    assert not client.is_model_ready("v12", "2")
    assert not client.is_model_ready("v9")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    inputs = client.get_model_metadata("v12")["inputs"]
    assert {"name": "variation", "datatype": "INT64", "shape": [-1]} in inputs


@pytest.mark.parametrize("takes_raw", [True, False], ids=["raw in", "json in"])
@pytest.mark.parametrize("gives_raw", [True, False], ids=["raw out", "json out"])
def test_triton_infers(
    takes_raw: bool, gives_raw: bool, client: triton.InferenceServerClient, steerable: Colorizer
) -> None:
    given = {"lightness": LIGHTNESS, "palette": PALETTE, "variation": np.array([0])}
    result = client.infer(
        "v12",
        [tensor(name, numbers, is_raw=takes_raw) for name, numbers in given.items()],
        request_id="mine",
        outputs=[
            triton.InferRequestedOutput("placed_palette", binary_data=gives_raw),
            triton.InferRequestedOutput("chroma", binary_data=not gives_raw),
        ],
    )

    expected = steerable.infer(given, ["chroma", "placed_palette"])
    assert result.get_response()["id"] == "mine"
    assert [output["name"] for output in result.get_response()["outputs"]] == [
        "placed_palette",
        "chroma",
    ]
    for name, numbers in expected.items():
        np.testing.assert_array_equal(result.as_numpy(name), numbers)


@pytest.mark.parametrize("algorithm", [None, "gzip", "deflate"])
def test_triton_infers_all_outputs_of_compressed_request(
    algorithm: str | None, client: triton.InferenceServerClient
) -> None:
    result = client.infer(
        "v12",
        [tensor("lightness", LIGHTNESS), tensor("palette", PALETTE)],
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )

    shapes = {output["name"]: output["shape"] for output in result.get_response()["outputs"]}
    assert shapes == {"chroma": [1, 8, 12, 2], "scores": [1, 3], "placed_palette": [1, 4, 4]}
    assert result.as_numpy("chroma").shape == (1, 8, 12, 2)


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        ("v9", LIGHTNESS, r"\[404\] `model` must be one of plain, v1, v2, v12. Received: v9"),
        ("v12", LIGHTNESS[:, :15], r"\[400\] `lightness`: shape \[-1, -1, -1, 1\], height and"),
        ("v12", LIGHTNESS * np.nan, r"\[400\] `lightness`: finite numbers from 0 to 100"),
    ],
)
def test_triton_is_told_what_is_wrong(
    model: str, given: np.ndarray, message: str, client: triton.InferenceServerClient
) -> None:
    with pytest.raises(triton.InferenceServerException, match=message):
        client.infer(model, [tensor("lightness", given)])
