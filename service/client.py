"""A client of the service, for programs in Python: `Client`, and `AsyncClient` alike.

It needs httpx: ``pip install 'colorization-autoencoder[client]'``.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Literal, TypedDict, TypeVar, Unpack
from urllib.parse import unquote

import httpx

from service.formats import WRITTEN_FORMATS

Result = TypeVar("Result")

PictureSource = str | os.PathLike[str] | bytes
"""A path, or the bytes of a file."""

MEDIA_TYPES = {
    output_format.extension: output_format.media_type for output_format in WRITTEN_FORMATS
}

DEFAULT_URL = "http://localhost:8000"
DEFAULT_TIMEOUT_S = 60.0


class Look(TypedDict, total=False):
    """How a picture is to be coloured; what is left out, the service chooses.

    Attributes
    ----------
    palette : str or sequence of str
        1 to 8 colours: hex or names of CSS; as one text they are comma separated.
        How much there is to be of one may follow it: ``navy:3``.
    reference : path or bytes
        A picture whose colours are used, in place of `palette`.
    hints : sequence of (x, y, color)
        Colours at points; x and y are shares of width and height.
    variation : int
        0 is the model's best choice, n its n-th alternative; of a palette or a
        reference, which of its colours go to the dark and which to the light.
    saturation, brightness, contrast : float
        0..2; 1 leaves as is.
    tone : float
        -1, cool, to 1, warm; 0 leaves as is.
    """

    palette: str | Sequence[str]
    reference: PictureSource
    hints: Sequence[tuple[float, float, str]]
    variation: int
    saturation: float
    brightness: float
    contrast: float
    tone: float


class SheetOptions(Look, total=False):
    """What can be said of a sheet.

    Attributes
    ----------
    format : str
        ``png``, ``jpeg``, ``webp``, ``avif``, ``tiff`` or ``bmp``; by default that
        of the picture, and PNG for a sheet.
    quality : int
        1..100, for lossy formats.
    """

    format: Literal["auto", "png", "jpeg", "webp", "avif", "tiff", "bmp"]
    quality: int


class Options(SheetOptions, total=False):
    """What can be said of a colouring.

    Attributes
    ----------
    model : str
        One of those that `Client.models` lists.
    metadata : str
        ``drop`` or ``keep``: EXIF, XMP, IPTC and comments of the picture.
    """

    model: str
    metadata: Literal["drop", "keep"]


@dataclass(frozen=True)
class Picture:
    """An answer.

    Attributes
    ----------
    data : bytes
        The file.
    name : str
        What to call it, after the upload.
    media_type : str
    palettes : list of list of str
        The colours that were used, as ``#rrggbb``, before adjustments; of a sheet
        those of each colouring on it.
    timings_ms : dict of str to float
        What each stage took, where the service tells.
    """

    data: bytes
    name: str
    media_type: str
    palettes: list[list[str]]
    timings_ms: dict[str, float] = field(default_factory=dict)

    @property
    def palette(self) -> list[str]:
        """The colours of the first, or only, colouring."""
        return self.palettes[0]

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the file.

        Parameters
        ----------
        path : path, optional
            A file, or a folder in which it gets its own name; by default the
            working directory.

        Returns
        -------
        Path
            Where it is.
        """
        target = Path(path or ".")
        if target.is_dir():
            # Names come from the network: only their last part counts.
            target = target / Path(self.name).name
        target.write_bytes(self.data)
        return target


@dataclass(frozen=True)
class FailedFile:
    """A file of a batch that could not be coloured; see `ProblemError` for the rest."""

    name: str
    status: int
    type: str
    title: str
    detail: str


@dataclass(frozen=True)
class Batch:
    """What became of many files."""

    pictures: list[Picture]
    errors: list[FailedFile]


@dataclass(frozen=True)
class Color:
    """A colour of a picture: ``#rrggbb``, CIE L*, a*, b*, and its share in [0, 1]."""

    hex: str
    lab: tuple[float, float, float]
    share: float


class ProblemError(Exception):
    """What the service answers in place of a picture.

    Attributes
    ----------
    status : int
        Of HTTP.
    type : str
        Stable: what programs tell problems apart by.
    title, detail : str
        For people.
    problem : dict
        The whole document (RFC 9457), `received` and `accepted` included.
    retry_after_s : float or None
        When to come back, where the service says so.
    """

    def __init__(self, response: httpx.Response) -> None:
        try:
            self.problem: dict[str, Any] = dict(response.json())
        except (ValueError, TypeError):
            # What a proxy between us and the service says.
            self.problem = {"detail": response.text[:200]}
        self.status = response.status_code
        self.type = str(self.problem.get("type", "about:blank"))
        self.title = str(self.problem.get("title", response.reason_phrase))
        self.detail = str(self.problem.get("detail", self.title))
        retry_after = response.headers.get("Retry-After", "")
        self.retry_after_s = float(retry_after) if retry_after.isdecimal() else None
        super().__init__(f"{self.status} {self.title}: {self.detail}")


class Client:
    """Asks a service to colour pictures.

    Parameters
    ----------
    url : str
        Where the service listens.
    timeout_s : float
        How long to wait for anything to happen.
    headers : mapping of str to str, optional
        Sent with every request.
    transport : httpx.BaseTransport, optional
        Something else than the network.

    Raises
    ------
    ProblemError
        From every method, when the service answers with a problem.
    httpx.TransportError
        From every method, when there is no answer.

    Examples
    --------
    >>> from service.client import Client
    >>> client = Client("http://localhost:8000")

    A picture in the model's colours, and in yours:

    >>> picture = client.colorize("samples/geometric-1-grey.jpg")
    >>> picture.name
    'geometric-1-grey-v12.jpg'
    >>> picture = client.colorize("samples/geometric-1-grey.jpg", palette=["navy", "ff6347"])
    >>> picture.palette
    ['#000080', '#ff6347']
    >>> picture.save("colour.jpg").name
    'colour.jpg'

    In the colours of another picture, with an orange spot, a little warmer, as PNG:

    >>> picture = client.colorize(
    ...     "samples/geometric-1-grey.jpg",
    ...     model="v1",
    ...     reference="samples/fluid-1.jpg",
    ...     hints=[(0.25, 0.5, "#ff8800")],
    ...     tone=0.2,
    ...     format="png",
    ... )
    >>> picture.media_type
    'image/png'

    Alternatives to choose from, one by one or on one sheet, and all models side by side:

    >>> [each.name for each in client.variations("samples/fluid-1-grey.jpg", 2)]
    ['fluid-1-grey-v12-0.jpg', 'fluid-1-grey-v12-1.jpg']
    >>> client.variation_sheet("samples/fluid-1-grey.jpg", 8).name
    'fluid-1-grey-v12-variations.png'
    >>> client.compare("samples/fluid-1-grey.jpg", models=["v1", "v2"]).name
    'fluid-1-grey-compare.png'

    Many files at once; those that are no pictures do not stop the others:

    >>> batch = client.batch(["samples/fluid-1-grey.jpg", "samples/fluid-2-grey.jpg", b"words"])
    >>> [each.name for each in batch.pictures]
    ['fluid-1-grey-v12.jpg', 'fluid-2-grey-v12.jpg']
    >>> [error.title for error in batch.errors]
    ['Unsupported format']

    The colours of a picture:

    >>> colors = client.palette("samples/fluid-1.jpg", colors=4)
    >>> len(colors), colors[0].share > colors[-1].share
    (4, True)

    What goes wrong is an exception that says what is accepted:

    >>> try:
    ...     client.colorize("samples/fluid-1-grey.jpg", saturation=3)
    ... except ProblemError as error:
    ...     print(error.status, error.detail)
    422 `saturation`: a number from 0 to 2. Received: 3
    >>> client.close()
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=url, timeout=timeout_s, headers=headers, transport=transport
        )

    def colorize(self, picture: PictureSource, **options: Unpack[Options]) -> Picture:
        """Colour a picture; `Options` says how."""
        return self._send(_colorize(picture, options))

    def variations(
        self, picture: PictureSource, n: int = 4, **options: Unpack[Options]
    ) -> list[Picture]:
        """Colour a picture in `n` ways, 1..16, beginning with `variation`."""
        return self._send(_variations(picture, n, options))

    def variation_sheet(
        self, picture: PictureSource, n: int = 4, **options: Unpack[Options]
    ) -> Picture:
        """Show `n` ways, 1..16, side by side."""
        return self._send(_variation_sheet(picture, n, options))

    def compare(
        self,
        picture: PictureSource,
        models: Sequence[str] | None = None,
        **options: Unpack[SheetOptions],
    ) -> Picture:
        """Show the original beside what models make of it; all models by default."""
        return self._send(_compare(picture, models, options))

    def batch(self, pictures: Iterable[PictureSource], **options: Unpack[Options]) -> Batch:
        """Colour many pictures with one request."""
        return self._send(_batch(pictures, options))

    def palette(self, picture: PictureSource, colors: int = 6) -> list[Color]:
        """Find the colours of a picture, 1..8 of them at most."""
        return self._send(_palette(picture, colors))

    def models(self) -> list[dict[str, Any]]:
        """List the cards of all models."""
        return self._send(_MODELS)

    def model(self, name: str) -> dict[str, Any]:
        """Describe a model."""
        return self._send(_model(name))

    def close(self) -> None:
        """Close the connections; a ``with`` statement does that by itself."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, call: _Call[Result]) -> Result:
        return call.answer(self._http.request(call.method, call.path, **call.content))


class AsyncClient:
    """The same as `Client`, for asynchronous programs.

    Parameters
    ----------
    url, timeout_s, headers
        As of `Client`.
    transport : httpx.AsyncBaseTransport, optional
        Something else than the network.

    Raises
    ------
    ProblemError, httpx.TransportError
        As of `Client`.

    Examples
    --------
    >>> import asyncio
    >>> from service.client import AsyncClient
    >>> async def color_two() -> list[str]:
    ...     async with AsyncClient("http://localhost:8000") as client:
    ...         pictures = await asyncio.gather(
    ...             client.colorize("samples/fluid-1-grey.jpg", palette="teal,gold"),
    ...             client.colorize("samples/fluid-2-grey.jpg", variation=3),
    ...         )
    ...     return [picture.name for picture in pictures]
    >>> asyncio.run(color_two())
    ['fluid-1-grey-v12.jpg', 'fluid-2-grey-v12.jpg']
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, timeout=timeout_s, headers=headers, transport=transport
        )

    async def colorize(self, picture: PictureSource, **options: Unpack[Options]) -> Picture:
        """Colour a picture; `Options` says how."""
        return await self._send(_colorize(picture, options))

    async def variations(
        self, picture: PictureSource, n: int = 4, **options: Unpack[Options]
    ) -> list[Picture]:
        """Colour a picture in `n` ways, 1..16, beginning with `variation`."""
        return await self._send(_variations(picture, n, options))

    async def variation_sheet(
        self, picture: PictureSource, n: int = 4, **options: Unpack[Options]
    ) -> Picture:
        """Show `n` ways, 1..16, side by side."""
        return await self._send(_variation_sheet(picture, n, options))

    async def compare(
        self,
        picture: PictureSource,
        models: Sequence[str] | None = None,
        **options: Unpack[SheetOptions],
    ) -> Picture:
        """Show the original beside what models make of it; all models by default."""
        return await self._send(_compare(picture, models, options))

    async def batch(self, pictures: Iterable[PictureSource], **options: Unpack[Options]) -> Batch:
        """Colour many pictures with one request."""
        return await self._send(_batch(pictures, options))

    async def palette(self, picture: PictureSource, colors: int = 6) -> list[Color]:
        """Find the colours of a picture, 1..8 of them at most."""
        return await self._send(_palette(picture, colors))

    async def models(self) -> list[dict[str, Any]]:
        """List the cards of all models."""
        return await self._send(_MODELS)

    async def model(self, name: str) -> dict[str, Any]:
        """Describe a model."""
        return await self._send(_model(name))

    async def close(self) -> None:
        """Close the connections; an ``async with`` statement does that by itself."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _send(self, call: _Call[Result]) -> Result:
        return call.answer(await self._http.request(call.method, call.path, **call.content))


@dataclass(frozen=True)
class _Call(Generic[Result]):
    """A request, and how its answer is read: what both clients have in common."""

    method: str
    path: str
    read: Callable[[httpx.Response], Result]
    content: dict[str, Any] = field(default_factory=dict)

    def answer(self, response: httpx.Response) -> Result:
        if not response.is_success:
            raise ProblemError(response)
        return self.read(response)


def _colorize(picture: PictureSource, options: Options) -> _Call[Picture]:
    content = _write_form("file", [picture], options)
    return _Call("POST", "/colorize", _read_picture, content)


def _variations(picture: PictureSource, n: int, options: Options) -> _Call[list[Picture]]:
    content = _write_form("file", [picture], options, n=n)
    return _Call(
        "POST", "/colorize/variations", lambda response: _read_archive(response).pictures, content
    )


def _variation_sheet(picture: PictureSource, n: int, options: Options) -> _Call[Picture]:
    content = _write_form("file", [picture], options, n=n, sheet=True)
    return _Call("POST", "/colorize/variations", _read_picture, content)


def _compare(
    picture: PictureSource, models: Sequence[str] | None, options: SheetOptions
) -> _Call[Picture]:
    names = {} if models is None else {"models": ",".join(models)}
    content = _write_form("file", [picture], options, **names)
    return _Call("POST", "/colorize/compare", _read_picture, content)


def _batch(pictures: Iterable[PictureSource], options: Options) -> _Call[Batch]:
    return _Call("POST", "/colorize/batch", _read_archive, _write_form("files", pictures, options))


def _palette(picture: PictureSource, colors: int) -> _Call[list[Color]]:
    content = _write_form("file", [picture], {}, colors=colors)
    return _Call("POST", "/palette", _read_colors, content)


def _model(name: str) -> _Call[dict[str, Any]]:
    return _Call("GET", f"/models/{name}", _read_json)


def _read_json(response: httpx.Response) -> Any:
    return response.json()


_MODELS: _Call[list[dict[str, Any]]] = _Call("GET", "/models", _read_json)


def _write_form(
    part: str, pictures: Iterable[PictureSource], options: Options | SheetOptions, **query: Any
) -> dict[str, Any]:
    """Sort options into query, form fields and files, as httpx takes them."""
    params: dict[str, Any] = {**options, **query}
    files = [(part, _open(picture)) for picture in pictures]
    data = {}
    if "reference" in params:
        files.append(("reference", _open(params.pop("reference"))))
    if "hints" in params:
        hints = [{"x": x, "y": y, "color": color} for x, y, color in params.pop("hints")]
        data["hints"] = json.dumps(hints)
    if not isinstance(params.get("palette", ""), str):
        params["palette"] = ",".join(params["palette"])
    return {"params": params, "data": data, "files": files}


def _open(picture: PictureSource) -> tuple[str, bytes]:
    """Name and bytes of a picture."""
    if isinstance(picture, bytes):
        return "picture", picture
    path = Path(picture)
    return path.name, path.read_bytes()


def _read_picture(response: httpx.Response) -> Picture:
    header = response.headers.get("X-Colorize-Palette", "")
    timings = (part.split(";dur=") for part in response.headers["Server-Timing"].split(", "))
    return Picture(
        response.content,
        _read_name(response.headers["Content-Disposition"]),
        response.headers["Content-Type"],
        [[f"#{color}" for color in palette.split(",")] for palette in header.split("; ")],
        {stage: float(elapsed_ms) for stage, elapsed_ms in timings},
    )


def _read_name(disposition: str) -> str:
    """Take the name out of ``Content-Disposition``: all of Unicode first (RFC 6266)."""
    if match := re.search(r"filename\*=UTF-8''(\S+)", disposition):
        return unquote(match[1])
    match = re.search(r'filename="([^"]+)"', disposition)
    return match[1] if match else "picture"


def _read_archive(response: httpx.Response) -> Batch:
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        entries = json.loads(archive.read("palettes.json"))
        pictures = [
            Picture(
                archive.read(entry["file"]),
                entry["file"],
                MEDIA_TYPES[Path(entry["file"]).suffix],
                [entry["palette"]],
            )
            for entry in entries
        ]
        failed = archive.read("errors.json") if "errors.json" in archive.namelist() else b"[]"
    errors = [
        FailedFile(*(error[key] for key in ("file", "status", "type", "title", "detail")))
        for error in json.loads(failed)
    ]
    return Batch(pictures, errors)


def _read_colors(response: httpx.Response) -> list[Color]:
    return [
        Color(color["hex"], tuple(color["lab"]), color["share"])
        for color in response.json()["colors"]
    ]
