"""Steering as a client sees it: parameters, headers, archives, sheets, problems."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from numpy.typing import NDArray
from PIL import Image
from starlette.types import Message

from service import pipeline
from service.admission import Slots
from service.app import create_app
from service.color import rgb_to_lab
from service.colorizer import Colorizer
from service.palettes import colors_to_palette, palette_to_hex, parse_color
from service.settings import Settings
from tests.conftest import TestClient
from tests.steerable import BOOK

Encode = Callable[..., bytes]
Client = TestClient

PROBLEM = "application/problem+json"
COLOR_FORMS = "hex, such as ff8800, #ff8800 or f80, or a name of CSS, such as orange"
PALETTES = [
    ",".join(
        name.lstrip("#")
        for name in palette_to_hex(np.array([color for color in colors if color[3]], np.float32))
    )
    for colors in BOOK
]
"""What the header says of each of the tiny model's choices."""


@pytest.fixture(scope="module")
def client(steerable_client: Client) -> Client:
    return steerable_client


@pytest.fixture(scope="module")
def png(encode: Encode) -> bytes:
    """A middle grey of 96 x 64 pixels: L* 50."""
    return encode(Image.new("L", (96, 64), 119), "PNG")


def decode(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def chroma_at(data: bytes, x: float, y: float) -> NDArray[np.float32]:
    lab = rgb_to_lab(decode(data))
    height, width, _ = lab.shape
    return np.asarray(lab[int(y * height), int(x * width), 1:])


def chroma_of(color: str) -> NDArray[np.float32]:
    return np.asarray(colors_to_palette([parse_color(color)])[0, 1:3])


def post(client: Client, path: str, png: bytes, **parts: Any) -> httpx.Response:
    return client.post(path, files={"file": ("hills.png", png), **parts.pop("files", {})}, **parts)


def assert_invalid(response: httpx.Response, violation: dict[str, Any]) -> None:
    assert response.status_code == 422
    assert response.headers["Content-Type"] == PROBLEM
    assert response.json() == {
        "type": "/problems/invalid-request",
        "title": "Invalid request",
        "status": 422,
        "detail": f"`{violation['name']}`: {violation['accepted']}. "
        f"Received: {violation['received']}",
        "errors": [violation],
    }


def unzip(response: httpx.Response) -> dict[str, bytes]:
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


COLORIZE_NAMES = (
    "model, metadata, palette, variation, saturation, brightness, contrast, tone, format, quality"
)

# Palette, reference


def test_post_tells_palette_of_models_choice(client: Client, png: bytes) -> None:
    assert post(client, "/colorize", png).headers["X-Colorize-Palette"] == PALETTES[0]


def test_post_by_model_that_tells_nothing_tells_what_is_seen(client: Client, png: bytes) -> None:
    response = post(client, "/colorize?model=plain", png)

    assert response.headers["X-Colorize-Palette"] == "8d6c91"
    np.testing.assert_array_equal(decode(response.content)[30, 40], (0x8D, 0x6C, 0x91))


@pytest.mark.parametrize(
    "palette", ["ff00ff,00ffff", "#ff00ff,#00FFFF", "f0f, 0ff", "magenta,cyan", "Fuchsia,aqua"]
)
def test_post_with_palette_uses_it(palette: str, client: Client, png: bytes) -> None:
    response = post(client, "/colorize", png, params={"palette": palette})

    assert response.status_code == 200
    assert response.headers["X-Colorize-Palette"] == "ff00ff,00ffff"
    mean = (chroma_of("magenta") + chroma_of("cyan")) / 2
    np.testing.assert_allclose(chroma_at(response.content, 0.5, 0.5), mean, atol=1)


@pytest.mark.parametrize(
    ("palette", "wrong"),
    [
        ("", "not a colour: ''"),
        ("red,", "not a colour: ''"),
        ("red,ff00gg", "not a colour: 'ff00gg'"),
        ("rgb(1,2,3)", "not a colour: 'rgb(1'"),
        (",".join(["red"] * 9), "9 colours"),
        ("red,navy:0", "not a share from 0.001 to 1000: '0'"),
    ],
)
def test_post_with_bad_palette_says_how_they_are_written(
    palette: str, wrong: str, client: Client, png: bytes
) -> None:
    assert_invalid(
        post(client, "/colorize", png, params={"palette": palette}),
        {
            "location": "query",
            "name": "palette",
            "received": palette,
            "accepted": f"1 to 8 colours, comma separated, each {COLOR_FORMS} ({wrong})",
        },
    )


def test_post_with_reference_uses_its_colours_by_their_share(
    client: Client, png: bytes, encode: Encode
) -> None:
    colors = np.array([(255, 136, 0), (0, 64, 128)], np.uint8)
    reference = encode(Image.fromarray(np.repeat(colors, [30, 10], axis=0)[:, None]), "PNG")

    response = post(client, "/colorize", png, files={"reference": ("sea.png", reference)})

    assert response.headers["X-Colorize-Palette"] == "ff8800,004080"
    mean = (3 * chroma_of("ff8800") + chroma_of("004080")) / 4
    np.testing.assert_allclose(chroma_at(response.content, 0.5, 0.5), mean, atol=1)


def test_post_with_reference_that_was_not_chosen_is_without(client: Client, png: bytes) -> None:
    """A browser's form sends an empty part for it."""
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n' % part
        for part in ((b"file", b"hills.png", png), (b"reference", b"", b""))
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    response = client.post("/colorize", content=body + b"--x--\r\n", headers=headers)

    assert response.headers["X-Colorize-Palette"] == PALETTES[0]


@pytest.mark.parametrize(
    ("reference", "status", "detail"),
    [
        (b"", 422, "`reference`: A picture must have bytes. Received: 0 bytes"),
        (b"words", 415, "`reference`: A picture must be one of "),
        (b"\x89PNG\r\n\x1a\n", 422, "`reference`: A picture must be complete and undamaged. "),
    ],
    ids=["empty", "text", "damaged"],
)
def test_post_with_bad_reference_names_it(
    reference: bytes, status: int, detail: str, client: Client, png: bytes
) -> None:
    response = post(client, "/colorize", png, files={"reference": ("sea.png", reference)})

    assert response.status_code == status
    assert response.headers["Content-Type"] == PROBLEM
    assert response.json()["detail"].startswith(detail)


def test_post_with_palette_and_reference_says_that_they_contradict(
    client: Client, png: bytes
) -> None:
    assert_invalid(
        post(client, "/colorize?palette=red", png, files={"reference": ("sea.png", png)}),
        {
            "location": "form",
            "name": "reference",
            "received": "a picture, beside `palette`",
            "accepted": "either `reference` or `palette`: both say which colours to use",
        },
    )


@pytest.mark.parametrize("name", ["palette", "reference"])
def test_post_with_variation_of_given_colours_arranges_them(
    name: str, client: Client, png: bytes, encode: Encode
) -> None:
    """The tiny model paints the mean of its palette: more of one colour is another mean."""
    colors = ["008080", "ff6347", "000080"]
    params = {"palette": ",".join(colors)} if name == "palette" else {}
    stripes = np.array([parse_color(color) for color in colors], np.uint8).repeat(8, axis=0)[None]
    files = {"reference": encode(Image.fromarray(stripes), "PNG")} if name == "reference" else {}

    answers = [
        post(client, "/colorize", png, params=params | {"variation": number}, files=dict(files))
        for number in (0, 2, 2, 999)
    ]

    (palette,) = {answer.headers["X-Colorize-Palette"] for answer in answers}
    assert set(palette.split(",")) == set(colors)
    first, other, again, last = (answer.content for answer in answers)
    assert other == again
    assert len({first, other, last}) == 3


def test_post_palette_finds_colours_of_picture(client: Client, encode: Encode) -> None:
    colors = np.array([(255, 136, 0), (0, 64, 128), (4, 66, 126)], np.uint8)
    picture = encode(Image.fromarray(np.repeat(colors, [20, 45, 15], axis=0)[:, None]), "PNG")

    response = client.post("/palette", files={"file": picture})

    assert response.status_code == 200
    assert response.headers["X-Colorize-Palette"] == "014080,ff8800"
    assert response.json() == {
        "colors": [
            {"hex": "#014080", "lab": [27.5, 8.61, -40.48], "share": 0.75},
            {"hex": "#ff8800", "lab": [68.66, 38.85, 74.98], "share": 0.25},
        ]
    }
    single = client.post("/palette?colors=1", files={"file": picture})
    assert [color["share"] for color in single.json()["colors"]] == [1.0]


def test_post_palette_of_grey_has_no_negative_zero(client: Client, png: bytes) -> None:
    response = client.post("/palette", files={"file": png})

    assert response.text == '{"colors":[{"hex":"#777777","lab":[50.03,0.0,0.0],"share":1.0}]}'


@pytest.mark.parametrize("colors", ["0", "9"])
def test_post_palette_of_wrong_count_fails(colors: str, client: Client, png: bytes) -> None:
    response = client.post(f"/palette?colors={colors}", files={"file": png})

    assert_invalid(
        response,
        {
            "location": "query",
            "name": "colors",
            "received": colors,
            "accepted": "a whole number from 1 to 8",
        },
    )


# Names


@pytest.mark.parametrize(
    ("query", "name", "received", "accepted"),
    [
        ("pallete=red", "pallete", "red", "no such name; perhaps palette"),
        ("Hints=[]", "Hints", "[]", "no such name; perhaps hints"),
        ("hints=[]", "hints", "[]", "a part of the form"),
        ("palette=red&palette=blue", "palette", "red, blue", "given once"),
        ("n=3", "n", "3", f"one of {COLORIZE_NAMES}"),
        ("=", "", "", f"one of {COLORIZE_NAMES}"),
    ],
)
def test_post_with_name_that_would_be_ignored_says_so(
    query: str, name: str, received: str, accepted: str, client: Client, png: bytes
) -> None:
    assert_invalid(
        post(client, f"/colorize?{query}", png),
        {"location": "query", "name": name, "received": received, "accepted": accepted},
    )


@pytest.mark.parametrize(
    ("data", "files", "name", "received", "accepted"),
    [
        ({"palette": "red"}, {}, "palette", "red", "in the address: ?palette="),
        ({"hint": "[]"}, {}, "hint", "[]", "no such name; perhaps hints"),
        ({"hints": ["[]", "[]"]}, {}, "hints", "[], []", "given once"),
        (
            {},
            {"referrence": ("sea.png", b"")},
            "referrence",
            "the file sea.png",
            "no such name; perhaps reference",
        ),
    ],
)
def test_post_with_part_that_would_be_ignored_says_so(
    data: dict[str, Any],
    files: dict[str, Any],
    name: str,
    received: str,
    accepted: str,
    client: Client,
    png: bytes,
) -> None:
    assert_invalid(
        post(client, "/colorize", png, data=data, files=files),
        {"location": "form", "name": name, "received": received, "accepted": accepted},
    )


@pytest.mark.parametrize(
    "path",
    ["/colorize", "/colorize/variations", "/colorize/compare", "/colorize/batch", "/palette"],
)
def test_every_route_that_colours_knows_its_names(path: str, client: Client, png: bytes) -> None:
    part = "files" if path == "/colorize/batch" else "file"
    response = client.post(f"{path}?x=1", files={part: png, "y": png})

    assert response.status_code == 422
    assert [error["name"] for error in response.json()["errors"]] == ["x", "y"]


def test_post_batch_takes_many_files_of_one_name(client: Client, png: bytes) -> None:
    response = client.post("/colorize/batch", files=[("files", png), ("files", png)])

    assert response.status_code == 200


# Hints


def test_post_with_hints_colours_their_points(client: Client, png: bytes) -> None:
    hints = [
        {"x": 0.1, "y": 0.2, "color": "#ff8800"},
        {"x": 0.9, "y": 0.8, "color": "navy"},
    ]

    response = post(client, "/colorize", png, data={"hints": json.dumps(hints)})

    assert response.status_code == 200
    for hint in hints:
        received = chroma_at(response.content, hint["x"], hint["y"])
        direction = received @ chroma_of(str(hint["color"])) / np.hypot(*received)
        assert direction > 0.95 * np.hypot(*chroma_of(str(hint["color"])))
    np.testing.assert_allclose(chroma_at(response.content, 0.5, 0.5), (20, -15), atol=1)


def test_post_with_hints_on_turned_picture_are_upright(client: Client, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upload = encode(Image.new("L", (64, 96), 119), "PNG", exif=exif)
    hints = '[{"x": 0.05, "y": 0.05, "color": "#008000"}]'

    response = post(client, "/colorize", upload, data={"hints": hints})

    assert decode(response.content).shape == (64, 96, 3)
    assert chroma_at(response.content, 0.05, 0.05)[0] < -20
    assert chroma_at(response.content, 0.95, 0.05)[0] > 10


def test_post_with_bad_hint_says_which_one(client: Client, png: bytes) -> None:
    hints = '[{"x": 0.5, "y": 0.5, "color": "red"}, {"x": 0.5, "y": 1.25, "color": "red"}]'

    assert_invalid(
        post(client, "/colorize", png, data={"hints": hints}),
        {
            "location": "form",
            "name": "hints.1.y",
            "received": "1.25",
            "accepted": "a number from 0 to 1",
        },
    )


def test_post_with_no_hints_is_without(client: Client, png: bytes) -> None:
    plain = post(client, "/colorize", png)

    assert post(client, "/colorize", png, data={"hints": "[]"}).content == plain.content
    assert post(client, "/colorize", png, data={"hints": ""}).content == plain.content


@pytest.mark.parametrize(
    ("query", "hints", "name"),
    [
        ("palette=red", None, "palette"),
        ("variation=1", None, "variation"),
        ("", '[{"x": 0, "y": 0, "color": "red"}]', "hints"),
    ],
)
@pytest.mark.parametrize("route", ["/colorize", "/colorize/batch"])
def test_post_to_model_that_cannot_be_steered_says_what_it_takes(
    route: str, query: str, hints: str | None, name: str, client: Client, png: bytes
) -> None:
    part = "files" if route == "/colorize/batch" else "file"
    response = client.post(
        f"{route}?model=plain&{query}",
        files={part: png},
        data={} if hints is None else {"hints": hints},
    )

    assert response.status_code == 422
    assert response.json() == {
        "type": "/problems/input-not-taken",
        "title": "Input not taken",
        "status": 422,
        "detail": f"`{name}` needs a model that takes it. Received: plain, which takes lightness",
        "received": name,
        "accepted": ["lightness"],
    }


# Adjustments


@pytest.mark.parametrize("query", ["saturation=1", "brightness=1.0&contrast=1&tone=0"])
def test_post_with_defaults_answers_same_bytes(query: str, client: Client, png: bytes) -> None:
    assert post(client, f"/colorize?{query}", png).content == post(client, "/colorize", png).content


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("saturation=0", (50, 0, 0)),
        ("saturation=1.5", (50, 30, -22.5)),
        ("brightness=2", (80, 20, -15)),
        ("contrast=0", (50, 20, -15)),
        ("tone=0.5", (50, 24, -3)),
    ],
)
def test_post_with_adjustment_changes_that_alone(
    query: str, expected: tuple[float, ...], client: Client, png: bytes
) -> None:
    response = post(client, f"/colorize?{query}", png)

    np.testing.assert_allclose(rgb_to_lab(decode(response.content))[30, 40], expected, atol=0.7)
    # What the colours were before: the header can be sent back.
    assert response.headers["X-Colorize-Palette"] == PALETTES[0]


@pytest.mark.parametrize(
    ("query", "received", "accepted"),
    [
        ("saturation=2.5", "2.5", "a number from 0 to 2"),
        ("brightness=-1", "-1", "a number from 0 to 2"),
        ("contrast=nan", "nan", "a number from 0 to 2"),
        ("contrast=inf", "inf", "a number from 0 to 2"),
        ("tone=-2", "-2", "a number from -1 to 1"),
        ("tone=warm", "warm", "a number from -1 to 1"),
        ("tone=", "", "a number from -1 to 1"),
        ("variation=-1", "-1", "a whole number from 0 to 999"),
        ("variation=1000", "1000", "a whole number from 0 to 999"),
        ("quality=0", "0", "a whole number from 1 to 100"),
        ("quality=101", "101", "a whole number from 1 to 100"),
        ("quality=9.5", "9.5", "a whole number from 1 to 100"),
        ("quality=best", "best", "a whole number from 1 to 100"),
    ],
)
def test_post_out_of_range_says_what_is_accepted(
    query: str, received: str, accepted: str, client: Client, png: bytes
) -> None:
    assert_invalid(
        post(client, f"/colorize?{query}", png),
        {
            "location": "query",
            "name": query.partition("=")[0],
            "received": received,
            "accepted": accepted,
        },
    )


# Variations


def test_post_variations_answers_each_and_their_palettes(client: Client, png: bytes) -> None:
    response = post(client, "/colorize/variations?n=3", png)

    files = unzip(response)
    assert response.headers["Content-Disposition"] == (
        'attachment; filename="hills-v12-variations.zip"'
    )
    assert response.headers["X-Colorize-Palette"] == "; ".join(PALETTES)
    assert list(files) == ["hills-v12-0.png", "hills-v12-1.png", "hills-v12-2.png", "palettes.json"]
    assert json.loads(files["palettes.json"]) == [
        {
            "file": f"hills-v12-{number}.png",
            "variation": number,
            "palette": [f"#{color}" for color in PALETTES[number].split(",")],
        }
        for number in range(3)
    ]
    for number in range(3):
        alone = post(client, f"/colorize?variation={number}", png)
        assert alone.headers["X-Colorize-Palette"] == PALETTES[number]
        assert files[f"hills-v12-{number}.png"] == alone.content


def test_post_variations_go_on_where_asked(client: Client, png: bytes) -> None:
    files = unzip(post(client, "/colorize/variations?n=2&variation=7&format=jpeg", png))

    assert list(files) == ["hills-v12-7.jpg", "hills-v12-8.jpg", "palettes.json"]


def test_post_variations_take_the_rest_of_the_look(client: Client, png: bytes) -> None:
    hints = '[{"x": 0.1, "y": 0.1, "color": "#008000"}]'

    response = post(client, "/colorize/variations?n=2&saturation=0.5", png, data={"hints": hints})

    alone = post(client, "/colorize?variation=1&saturation=0.5", png, data={"hints": hints})
    assert unzip(response)["hills-v12-1.png"] == alone.content


def test_post_variations_accept_is_that_of_the_archive(client: Client, png: bytes) -> None:
    response = post(client, "/colorize/variations?n=1", png, headers={"Accept": "application/zip"})

    assert list(unzip(response)) == ["hills-v12-0.png", "palettes.json"]


def test_post_variations_as_sheet_is_one_picture(client: Client, png: bytes) -> None:
    response = post(client, "/colorize/variations?n=5&sheet=true", png)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Content-Disposition"] == 'inline; filename="hills-v12-variations.png"'
    assert response.headers["X-Colorize-Palette"] == "; ".join([*PALETTES, *PALETTES[:2]])
    assert decode(response.content).shape[1] > 3 * 96
    jpeg = post(client, "/colorize/variations?sheet=true", png, headers={"Accept": "image/jpeg"})
    assert jpeg.headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize("n", ["0", "17", "some"])
def test_post_variations_of_wrong_count_fails(n: str, client: Client, png: bytes) -> None:
    response = post(client, f"/colorize/variations?n={n}", png)

    assert_invalid(
        response,
        {
            "location": "query",
            "name": "n",
            "received": n,
            "accepted": "a whole number from 1 to 16",
        },
    )


@pytest.mark.parametrize("name", ["palette", "reference"])
def test_post_variations_of_given_colours_are_arrangements(
    name: str, client: Client, png: bytes, encode: Encode
) -> None:
    query = "&palette=teal,tomato,navy" if name == "palette" else ""
    picture = encode(Image.new("RGB", (8, 8), "tomato"), "PNG")
    files = {"reference": picture} if name == "reference" else {}

    response = post(client, f"/colorize/variations?n=3{query}", png, files=dict(files))

    palette = "008080,ff6347,000080" if name == "palette" else "ff6347"
    assert response.headers["X-Colorize-Palette"] == "; ".join([palette] * 3)
    archive = unzip(response)
    entries = json.loads(archive["palettes.json"])
    assert [entry["palette"] for entry in entries] == [
        [f"#{color}" for color in palette.split(",")]
    ] * 3
    alone = post(client, f"/colorize?variation=2{query}", png, files=dict(files))
    assert archive["hills-v12-2.png"] == alone.content
    assert len(set(archive.values())) == 4


def test_post_variations_of_given_palette_as_sheet(client: Client, png: bytes) -> None:
    response = post(client, "/colorize/variations?n=2&palette=red&sheet=true", png)

    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["X-Colorize-Palette"] == "ff0000; ff0000"


def test_post_variations_of_no_picture_is_a_problem(client: Client) -> None:
    response = post(client, "/colorize/variations", b"words")

    assert response.status_code == 415
    assert response.headers["Content-Type"] == PROBLEM


def test_post_variations_runs_the_network_once(
    steerable_app: FastAPI, client: Client, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    predict = Colorizer.predict

    def count(self: Colorizer, *args: Any, **kwargs: Any) -> Any:
        runs.append(kwargs["variations"])
        return predict(self, *args, **kwargs)

    monkeypatch.setattr(Colorizer, "predict", count)
    unzip(post(client, "/colorize/variations?n=8", png))

    assert runs == [range(8)]


# Comparison


def test_post_compare_answers_one_sheet(client: Client, png: bytes) -> None:
    response = post(client, "/colorize/compare?models=v1,v2,v12", png)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["Content-Disposition"] == 'inline; filename="hills-compare.png"'
    assert response.headers["X-Colorize-Palette"] == "; ".join([PALETTES[0]] * 3)
    assert response.headers["Server-Timing"].startswith("decode;dur=")


def test_post_compare_shows_all_models_unless_told(client: Client, png: bytes) -> None:
    response = post(client, "/colorize/compare", png)

    assert response.headers["X-Colorize-Palette"].count(";") == 3
    repeated = post(client, "/colorize/compare?models=v1,v1, v1", png)
    assert repeated.headers["X-Colorize-Palette"].count(";") == 0


def test_post_compare_of_unknown_model_names_known_ones(client: Client, png: bytes) -> None:
    response = post(client, "/colorize/compare?models=v1,v9", png)

    assert response.status_code == 404
    assert response.json()["accepted"] == ["plain", "v1", "v2", "v12"]


# Batch


def post_batch(
    client: Client, files: list[tuple[str, bytes]], query: str = "", **parts: Any
) -> httpx.Response:
    uploads = [("files", upload) for upload in files]
    return client.post(f"/colorize/batch?{query}", files=uploads, **parts)


def test_post_batch_answers_each_as_alone(client: Client, png: bytes, encode: Encode) -> None:
    jpeg = encode(Image.new("L", (40, 30), 90), "JPEG")

    response = post_batch(client, [("hills.png", png), ("sea.jpg", jpeg)], "palette=teal&tone=1")

    files = unzip(response)
    assert response.headers["Content-Disposition"] == 'attachment; filename="colorized-v12.zip"'
    assert list(files) == ["hills-v12.png", "sea-v12.jpg", "palettes.json"]
    for name, upload in (("hills-v12.png", png), ("sea-v12.jpg", jpeg)):
        assert files[name] == post(client, "/colorize?palette=teal&tone=1", upload).content
    assert json.loads(files["palettes.json"]) == [
        {"file": "hills-v12.png", "upload": "hills.png", "palette": ["#008080"]},
        {"file": "sea-v12.jpg", "upload": "sea.jpg", "palette": ["#008080"]},
    ]


def test_post_batch_reports_bad_files_and_goes_on(client: Client, png: bytes) -> None:
    uploads = [("a.txt", b"words"), ("b.png", png), ("c.png", png[:60]), ("d.png", png)]

    files = unzip(post_batch(client, uploads))

    assert list(files) == ["b-v12.png", "d-v12.png", "palettes.json", "errors.json"]
    errors = json.loads(files["errors.json"])
    assert [(error["file"], error["status"], error["type"]) for error in errors] == [
        ("a.txt", 415, "/problems/unsupported-format"),
        ("c.png", 422, "/problems/unreadable-picture"),
    ]
    assert len(files["errors.json"].splitlines()) == 4


def test_post_batch_keeps_names_and_none_twice(client: Client, png: bytes) -> None:
    names = ["a.png", "a.png", "../../a.png", "画.png", "C:\\x\\b.png", "errors.json"]

    files = unzip(post_batch(client, [(name, png) for name in names]))

    assert list(files) == [
        *("a-v12.png", "a-2-v12.png", "a-3-v12.png", "画-v12.png", "b-v12.png"),
        *("errors-v12.png", "palettes.json"),
    ]


def test_post_batch_without_any_picture_is_a_problem(client: Client) -> None:
    response = post_batch(client, [("a.txt", b"words"), ("b.png", b"")])

    assert response.status_code == 422
    assert response.headers["Content-Type"] == PROBLEM
    violations = response.json()["errors"]
    assert [(each["name"], each["received"]) for each in violations] == [
        ("files.0", "a.txt"),
        ("files.1", "b.png"),
    ]
    assert violations[1]["accepted"] == "A picture must have bytes. Received: 0 bytes"


def test_post_batch_of_too_many_files_says_how_many(
    steerable_settings: Settings, png: bytes
) -> None:
    settings = steerable_settings.model_copy(update={"max_batch_files": 2})
    with TestClient(create_app(settings)) as client:
        assert_invalid(
            post_batch(client, [("a.png", png)] * 3),
            {
                "location": "form",
                "name": "files",
                "received": "3 files",
                "accepted": "1 to 2",
            },
        )
        assert len(unzip(post_batch(client, [("a.png", png)] * 2))) == 3


def test_post_batch_of_unknown_model_is_a_problem(client: Client, png: bytes) -> None:
    assert post_batch(client, [("a.png", png)], "model=v9").status_code == 404


def test_post_batch_unexpected_error_is_reported_and_logged(
    client: Client, png: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    predict = Colorizer.predict

    def fail_on_small(self: Colorizer, lightness: Any, *args: Any, **kwargs: Any) -> Any:
        if lightness.shape == (2, 2):
            raise RuntimeError("a secret of the inside")
        return predict(self, lightness, *args, **kwargs)

    monkeypatch.setattr(Colorizer, "predict", fail_on_small)
    small = io.BytesIO()
    Image.new("L", (2, 2)).save(small, "PNG")

    files = unzip(post_batch(client, [("a.png", small.getvalue()), ("b.png", png)]))
    alone = post_batch(client, [("a.png", small.getvalue())])

    (error,) = json.loads(files["errors.json"])
    assert (error["file"], error["type"]) == ("a.png", "/problems/internal-error")
    assert "secret" not in files["errors.json"].decode()
    assert "a secret of the inside" in caplog.text
    assert (alone.status_code, alone.json()["type"]) == (500, "/problems/internal-error")


def test_post_batch_reads_files_that_wait_on_disk(client: Client, encode: Encode) -> None:
    """Larger than what the parser of forms keeps in memory."""
    noise = np.random.default_rng(0).integers(0, 256, (230, 400), np.uint8)
    large = encode(Image.fromarray(noise), "TIFF")
    files = unzip(post_batch(client, [("a.tiff", large), ("b.tiff", large)]))

    assert list(files) == ["a-v12.tiff", "b-v12.tiff", "palettes.json"]


def stream(
    app: FastAPI, path: str, parts: list[tuple[str, str, bytes]], look: Callable[[int], None]
) -> Iterator[bytes]:
    """Post a form and call `look` with the number of each piece of the answer as it leaves."""
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n'
        % (part.encode(), name.encode(), data)
        for part, name, data in parts
    )
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body + b"--x--\r\n", "more_body": False}

    async def send(message: Message) -> None:
        look(len(sent))
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", b"multipart/form-data; boundary=x")],
    }
    anyio.run(app, scope, receive, send)
    assert sent[0]["status"] == 200
    yield from (message["body"] for message in sent[1:])


@pytest.mark.parametrize("route", ["/colorize/batch", "/colorize/variations"])
def test_post_archive_streams_while_it_is_made(
    route: str,
    steerable_app: FastAPI,
    client: Client,
    png: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the n-th picture leaves, the work has gone on to the next one at most."""
    done: list[int] = []
    encode_image = pipeline.encode_image

    def count(*args: Any, **kwargs: Any) -> Any:
        done.append(1)
        return encode_image(*args, **kwargs)

    monkeypatch.setattr(pipeline, "encode_image", count)
    done_when_sent: list[int] = []
    parts = [("files", f"{number}.png", png) for number in range(6)]
    if route == "/colorize/variations":
        parts = [("file", "a.png", png)]

    pieces = list(stream(steerable_app, route, parts, lambda _: done_when_sent.append(len(done))))

    pictures = len(parts) if len(parts) > 1 else 4
    assert len(done) == pictures
    # The start of the answer, then a picture each.
    for number in range(1, pictures):
        assert done_when_sent[number] <= number + 1
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert len(archive.namelist()) == pictures + 1


@pytest.mark.parametrize("route", ["/colorize/batch", "/colorize/variations"])
def test_post_archive_that_has_begun_is_finished_while_answers_pile_up(
    route: str,
    steerable_app: FastAPI,
    client: Client,
    png: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unsent_bytes = [0]
    monkeypatch.setattr(steerable_app.state, "unsent_bytes", lambda: unsent_bytes[0], raising=False)

    def pile_up(_: int) -> None:
        unsent_bytes[0] = 1 << 40

    is_batch = route == "/colorize/batch"
    parts = [("files", f"{n}.png", png) for n in range(4)] if is_batch else [("file", "a.png", png)]

    pieces = list(stream(steerable_app, route, parts, pile_up))

    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert "errors.json" not in archive.namelist()
        assert len(archive.namelist()) == 5
    again = client.post(route, files={"files" if is_batch else "file": png})
    assert again.status_code == 503


@pytest.mark.parametrize("route", ["/colorize/batch", "/colorize/variations"])
def test_post_archive_made_in_many_turns_is_the_same(
    route: str,
    steerable_app: FastAPI,
    client: Client,
    png: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[bool] = []
    take_turn = Slots.stream

    def count(slots: Slots, *, may_be_refused: bool) -> AbstractAsyncContextManager[None]:
        begun.append(not may_be_refused)
        return take_turn(slots, may_be_refused=may_be_refused)

    monkeypatch.setattr(Slots, "stream", count)
    is_batch = route == "/colorize/batch"
    parts = [("files", f"{n}.png", png) for n in range(4)] if is_batch else [("file", "a.png", png)]
    at_once = b"".join(stream(steerable_app, route, parts, lambda _: None))
    assert begun == [False]

    monkeypatch.setattr(steerable_app.state.archive_room, "max_bytes", 1)
    in_turns = b"".join(stream(steerable_app, route, parts, lambda _: None))

    assert in_turns == at_once
    # Only the first could have been refused; two may be finished in each.
    assert begun in ([False, False, True, True, True], [False, False, True])


# Documentation


def test_openapi_shows_how_to_steer(client: Client) -> None:
    document = client.get("/openapi.json").json()

    for path in ("/colorize", "/colorize/variations", "/colorize/compare", "/colorize/batch"):
        operation = document["paths"][path]["post"]
        parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
        assert parameters["palette"]["examples"]["hex"]["value"] == "ff00ff,00ffff"
        for name, lowest in (("saturation", 0), ("brightness", 0), ("contrast", 0), ("tone", -1)):
            schema = parameters[name]["schema"]
            assert (schema["minimum"], schema["default"]) == (lowest, int(name != "tone"))
        assert all(parameter.get("description") for parameter in parameters.values())
        ((media_type, body),) = operation["requestBody"]["content"].items()
        assert media_type == "multipart/form-data"
        properties = document["components"]["schemas"][body["schema"]["$ref"].split("/")[-1]]
        none, one = map(json.loads, properties["properties"]["hints"]["examples"])
        assert (none, [hint["color"] for hint in one]) == ([], ["#ff8800"])
        assert all(part.get("description") for part in properties["properties"].values())
