"""Every file of some folders, thrown at the service: pictures of all makers, good and broken.

`python -m bench.trial FOLDER...` starts the service and posts each file to each
route. An answer is good when it is a whole picture of the size that the upload
has when it is upright, or a problem document of the client's doing, within ten
seconds. Pillow, asked apart from the service, tells the sizes, and the lightness
of plain uploads. In the end the service is asked whether it is well, and how
large it has become.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from bench.processes import free_port, memory_bytes, running
from service.formats import PILLOW_FORMATS
from service.heif import is_heif
from service.metadata import UPRIGHT
from service.quiet import silence_libtiff

SLOWEST_S = 10.0
CONCURRENCY = 4
BATCH_FILES = 20
LARGEST_FILE_BYTES = 60_000_000
PLAIN_MODES = ("1", "L", "RGB")
"""Whose lightness nobody can see differently."""
MOST_LIGHTNESS_ERROR = 0.7
"""CIE L*: what rounding three channels to 8 bits can do; a step of grey is 0.4."""
LUMINANCE = (0.2126729, 0.7151522, 0.0721750)
REST_S = 3.0
"""In which the service gives back memory."""

PICTURE_QUERIES = (
    "model=v1&format=png",
    "model=v2&format=png",
    "model=v12&format=png",
    "format=jpeg",
    "format=webp",
    "format=avif",
    "format=tiff&metadata=keep",
    "format=png&metadata=keep&palette=navy,ff6347",
    "format=auto&metadata=keep",
)
ACCEPT = "image/webp;q=0.8, image/png, image/*;q=0.1"
"""Which wants PNG; what cannot be one may be anything."""
HINTS = json.dumps([{"x": 0.25, "y": 0.5, "color": "#ff8800"}])


class BadAnswerError(Exception):
    """An answer that nobody should get."""


@dataclass(frozen=True)
class Upload:
    """A file, and what Pillow makes of it.

    Parameters
    ----------
    path : Path
    data : bytes
    size : tuple of int, or None
        Width and height when upright; None when Pillow cannot read it.
    """

    path: Path
    data: bytes
    size: tuple[int, int] | None


@dataclass
class Tally:
    """What one route answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    refused_though_readable: list[str] = field(default_factory=list)


Check = Callable[[httpx.Response], None]


@dataclass(frozen=True)
class Question:
    """What is asked of a route.

    Parameters
    ----------
    address : str
        Path and query.
    part : str
        Name of the form part.
    uploads : sequence of Upload
    check : callable
        Raises `BadAnswerError` about an answer of 200 that is not good.
    is_steered : bool
        Whether there is a hint as well, and the file itself as the reference.
    accept : str
        What the client says that it takes.
    """

    address: str
    part: str
    uploads: Sequence[Upload]
    check: Check
    is_steered: bool = False
    accept: str = "*/*"

    @property
    def form(self) -> dict[str, Any]:
        """What is posted, as httpx takes it."""
        files = [(self.part, (each.path.name, each.data)) for each in self.uploads]
        if not self.is_steered:
            return {"files": files}
        (reference,) = files
        return {"files": [*files, ("reference", reference[1])], "data": {"hints": HINTS}}

    def describe(self, fault: str) -> str:
        """Say of which file a fault is."""
        return f"{self.address} {self.uploads[0].path}: {fault}"


def read_uploads(folders: Sequence[Path]) -> list[Upload]:
    """Read all files of folders, and let Pillow have a look at them."""
    warnings.simplefilter("ignore")
    silence_libtiff()
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return [
        Upload(path, path.read_bytes(), find_size(path))
        for path in paths
        if path.stat().st_size <= LARGEST_FILE_BYTES
    ]


def find_size(path: Path) -> tuple[int, int] | None:
    """Tell width and height of an upright picture; None when it is not one that is read here."""
    try:
        with Image.open(path, formats=PILLOW_FORMATS) as image:
            image.load()
            return ImageOps.exif_transpose(image).size
    # Broken files raise anything at all.
    except Exception:  # noqa: BLE001
        return None


def ask_each(
    address: str,
    uploads: Sequence[Upload],
    check: Callable[[Upload, httpx.Response], None],
    *,
    is_steered: bool = False,
    accept: str = "*/*",
) -> Iterator[Question]:
    """Ask about one file after the other."""
    for upload in uploads:
        yield Question(address, "file", [upload], partial(check, upload), is_steered, accept)


def ask_in_groups(uploads: Sequence[Upload]) -> Iterator[Question]:
    """Ask about many files at a time."""
    for start in range(0, len(uploads), BATCH_FILES):
        group = uploads[start : start + BATCH_FILES]
        check = partial(check_archive, len(group))
        yield Question("/colorize/batch", "files", group, check)


def questions(uploads: Sequence[Upload]) -> dict[str, Iterator[Question]]:
    """List what is asked, by route and query."""
    addresses = [f"/colorize?{query}" for query in PICTURE_QUERIES]
    asked = {address: ask_each(address, uploads, check_picture) for address in addresses}
    steered = "/colorize?format=jpeg"
    asked[f"{steered}, hints, reference"] = ask_each(
        steered, uploads, check_picture, is_steered=True
    )
    asked[f"/colorize, Accept: {ACCEPT}"] = ask_each(
        "/colorize", uploads, check_picture, accept=ACCEPT
    )
    asked["/palette"] = ask_each("/palette", uploads, check_palette)
    variations = "/colorize/variations?n=2"
    asked[variations] = ask_each(variations, uploads, lambda _, answer: check_archive(2, answer))
    asked["/colorize/compare"] = ask_each("/colorize/compare", uploads, check_sheet)
    asked["/colorize/batch"] = ask_in_groups(uploads)
    return asked


def check_picture(upload: Upload, response: httpx.Response) -> None:
    """Make sure that an answer is the picture that was sent, in colour."""
    with Image.open(io.BytesIO(response.content)) as answer:
        answer.load()
        if upload.size is not None and answer.size != upload.size:
            raise BadAnswerError(f"{answer.size} in place of {upload.size}")
        if answer.getexif().get(ExifTags.Base.Orientation, UPRIGHT) != UPRIGHT:
            raise BadAnswerError("it is to be turned")
        if answer.format == "PNG":
            error = lightness_error(upload.data, answer)
            if error > MOST_LIGHTNESS_ERROR:
                raise BadAnswerError(f"lightness off by {error:.2f}")


def check_sheet(_: Upload, response: httpx.Response) -> None:
    """Make sure that an answer is a picture."""
    with Image.open(io.BytesIO(response.content)) as answer:
        answer.load()


def check_palette(_: Upload, response: httpx.Response) -> None:
    """Make sure that there are colours."""
    if not response.json()["colors"]:
        raise BadAnswerError("no colours")


def check_archive(count: int, response: httpx.Response) -> None:
    """Make sure that a ZIP has a picture, or an error, for each of so many."""
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        names = archive.namelist()
        errors = json.loads(archive.read("errors.json")) if "errors.json" in names else []
        pictures = [name for name in names if not name.endswith(".json")]
        for name in pictures:
            with Image.open(io.BytesIO(archive.read(name))) as picture:
                picture.load()
    if len(pictures) + len(errors) != count:
        raise BadAnswerError(f"{len(pictures)} pictures and {len(errors)} errors of {count}")
    for error in errors:
        if not is_clients_doing(error["status"]):
            raise BadAnswerError(str(error))


def check_refusal(response: httpx.Response) -> None:
    """Make sure that what is no picture is a problem document, and of the client's doing."""
    if not is_clients_doing(response.status_code) or "Traceback" in response.text:
        raise BadAnswerError(response.text[:300])
    if response.headers["Content-Type"] != "application/problem+json":
        raise BadAnswerError("no problem document")


def is_clients_doing(status: int) -> bool:
    """Tell statuses that blame the upload from others."""
    return 400 <= status < 500


def lightness_error(upload: bytes, answer: Image.Image) -> float:
    """Find by how much L* of an answer differs, at most; 0 where it may be seen otherwise."""
    if is_heif(upload):
        return 0.0
    with Image.open(io.BytesIO(upload)) as image:
        is_plain = image.mode in PLAIN_MODES and image.format != "AVIF"
        if not is_plain or image.info.get("icc_profile") or image.has_transparency_data:
            return 0.0
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return float(np.abs(lightness(upright) - lightness(answer.convert("RGB"))).max())


def lightness(image: Image.Image) -> NDArray[np.float32]:
    """CIE L* of an sRGB picture, by the book, shape (H, W)."""
    codes = np.arange(256, dtype=np.float32) / 255
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    y = linear.astype(np.float32)[np.asarray(image)] @ np.asarray(LUMINANCE, np.float32)
    star: NDArray[np.float32] = np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)
    return star


async def ask_all(port: int, asked: Iterator[Question]) -> Tally:
    """Ask a few questions at a time, and look at what is answered."""
    tally = Tally()

    async def ask_on(client: httpx.AsyncClient) -> None:
        for question in asked:
            await ask(client, question, tally)

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        await asyncio.gather(*(ask_on(client) for _ in range(CONCURRENCY)))
    return tally


async def ask(client: httpx.AsyncClient, question: Question, tally: Tally) -> None:
    """Ask one question; faults go to the tally."""
    start = time.perf_counter()
    try:
        response = await client.post(
            question.address, **question.form, headers={"Accept": question.accept}
        )
    except httpx.HTTPError as error:
        tally.faults.append(question.describe(repr(error)))
        return
    seconds = time.perf_counter() - start
    tally.seconds.append(seconds)
    tally.statuses[response.status_code] += 1
    is_good = response.status_code == httpx.codes.OK
    if not is_good and question.part == "file" and question.uploads[0].size is not None:
        detail = f"{response.status_code} {response.json().get('detail')}"
        tally.refused_though_readable.append(question.describe(detail))
    try:
        await asyncio.to_thread(question.check if is_good else check_refusal, response)
    # What does not decode is as bad as what is wrong.
    except Exception as error:  # noqa: BLE001
        tally.faults.append(question.describe(f"{response.status_code} {error!r}"))
    if seconds > SLOWEST_S and len(question.uploads) == 1:
        tally.faults.append(question.describe(f"{seconds:.1f} s"))


def print_row(name: str, tally: Tally) -> None:
    """Print a row of the table."""
    statuses = ", ".join(f"{status}: {n}" for status, n in sorted(tally.statuses.items()))
    quantiles = np.percentile(tally.seconds, (50, 99, 100)) if tally.seconds else (0, 0, 0)
    times = ", ".join(f"{seconds:.2f}" for seconds in quantiles)
    print("|", " | ".join((f"`{name}`", statuses, times, str(len(tally.faults)))), "|", flush=True)


def main() -> int:
    """Run as told on the command line; the status is 1 when there are faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--only", help="ask of these addresses only: a part of them")
    parser.add_argument("--details", action="store_true", help="list what Pillow would read")
    options = parser.parse_args()
    uploads = read_uploads(options.folders)
    readable = sum(upload.size is not None for upload in uploads)
    print(f"{len(uploads)} files, of which Pillow reads {readable} as {', '.join(PILLOW_FORMATS)}")
    print("\n| route | statuses | seconds p50, p99, most | faults |\n| --- | --- | --- | --- |")
    faults: list[str] = []
    refused: list[str] = []
    port = free_port()
    command = [sys.executable, "-m", "service"]
    with running(command, port, "/health/ready", {"COLORIZE_PORT": str(port)}) as process:
        before_mb = memory_bytes(process.pid) / 1e6
        for name, asked in questions(uploads).items():
            if options.only is None or options.only in name:
                tally = asyncio.run(ask_all(port, asked))
                print_row(name, tally)
                faults += tally.faults
                refused += tally.refused_though_readable
        time.sleep(REST_S)
        ready = httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code
        after_mb = memory_bytes(process.pid) / 1e6
    print(f"\n/health/ready: {ready}. Memory: {before_mb:.0f} MB before, {after_mb:.0f} after.")
    print("\n".join(faults))
    if options.details:
        print("\nRefused, though Pillow reads it:", *refused, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
