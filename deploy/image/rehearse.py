"""`rehearse.py ROOT`: run the service once before it is shipped, and compile what it used.

An image whose files nobody may write cannot keep compiled modules, so each start
would compile hundreds of them, those of the standard library too. Here the
service of the folder ROOT, which will be `/` of the image, starts, shows its
pages and colours a picture; what it loaded by then is compiled, and only that.
The compiled modules hold no times, so that the same sources give the same bytes.
"""

from __future__ import annotations

import http.client
import importlib.util
import py_compile
import sys
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import uvicorn

# What a process of its own will load, when a HEIC comes, is compiled as well.
import service.heif_decoder  # noqa: F401
from service.app import create_app
from service.server import build_server
from service.settings import Settings

PATHS = ("/", "/docs", "/openapi.json", "/health/ready", "/models", "/metrics")
SAMPLE = Path("samples/geometric-1-grey.jpg")
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 60.0


def main() -> None:
    """Rehearse and compile; fail when an answer is not 200."""
    root = Path(sys.argv[1]).resolve()
    settings = Settings()
    server = build_server(create_app(settings), settings)
    visitor = Visitor(server, settings.port)
    visitor.start()
    server.run()
    visitor.join()
    if visitor.problem:
        raise SystemExit(visitor.problem)
    compiled = sum(compile_into(root, source) for source in loaded_sources())
    sys.stdout.write(f"{compiled} modules compiled\n")


class Visitor(threading.Thread):
    """A client that looks at everything, then stops the server.

    Parameters
    ----------
    server : uvicorn.Server
    port : int
    """

    def __init__(self, server: uvicorn.Server, port: int) -> None:
        super().__init__()
        self.server = server
        self.port = port
        self.problem: str | None = "the service did not start"

    def run(self) -> None:
        """Visit; `problem` is None when all went well."""
        try:
            self._wait_until_started()
            for path in PATHS:
                self._ask("GET", path)
            self._ask("POST", "/colorize", SAMPLE.read_bytes())
            for model in ("v1", "v2", "v12"):
                self._ask("POST", f"/colorize?model={model}&format=png", SAMPLE.read_bytes())
            self.problem = None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.problem = f"{type(error).__name__}: {error}"
        finally:
            self.server.should_exit = True

    def _wait_until_started(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.server.started:
            if time.monotonic() > deadline:
                raise ValueError(self.problem)
            time.sleep(0.05)

    def _ask(self, method: str, path: str, picture: bytes | None = None) -> None:
        body, headers = None, {}
        if picture is not None:
            lines = (
                b"--picture",
                b'Content-Disposition: form-data; name="file"; filename="sample.jpg"',
                b"",
                picture,
                b"--picture--",
                b"",
            )
            body = b"\r\n".join(lines)
            headers["Content-Type"] = "multipart/form-data; boundary=picture"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_S)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise ValueError(f"{method} {path}: {answer.status} {answer.read()[:500]!r}")
        answer.read()
        connection.close()


def loaded_sources() -> Iterator[Path]:
    """List the files of all modules that are loaded, in one and the same order."""
    files = {getattr(module, "__file__", None) for module in sys.modules.values()}
    yield from sorted(Path(file) for file in files if file and file.endswith(".py"))


def compile_into(root: Path, source: Path) -> bool:
    """Compile a module to where an interpreter in the image looks for it.

    Parameters
    ----------
    root : Path
        Of the image.
    source : Path
        Below `root`, or of the interpreter that runs, which is also the image's.

    Returns
    -------
    compiled : bool
        Not when it is this program.
    """
    if source == Path(__file__):
        return False
    in_image = Path("/", source.relative_to(root)) if source.is_relative_to(root) else source
    cache = Path(importlib.util.cache_from_source(str(in_image)))
    py_compile.compile(
        str(source),
        cfile=str(root / cache.relative_to("/")),
        dfile=str(in_image),
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    return True


if __name__ == "__main__":
    main()
