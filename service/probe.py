"""`python -m service.probe`: ask the service on this machine whether it is alive.

For containers, which have no curl. It runs every few seconds, so it loads
nothing but the standard library.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping
from http import HTTPStatus

ALIVE = "/health/live"
TIMEOUT_S = 4.0
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not listened on
"""Who listens on all addresses is asked on this machine's own."""


def find_address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Tell where the service listens, by the variables that it reads itself.

    Parameters
    ----------
    environment : mapping of str to str

    Returns
    -------
    host : str
    port : int
    """

    def read(name: str, default: str) -> str:
        # As in `Settings`: the prefixed name wins, and nothing counts as not set.
        return environment.get(f"COLORIZE_{name}") or environment.get(name) or default

    host = read("HOST", "127.0.0.1")
    return EVERY_ADDRESS.get(host, host), int(read("PORT", "8000"))


def ask(host: str, port: int, path: str) -> int:
    """Return the status of the answer.

    Raises
    ------
    OSError, http.client.HTTPException
        When nobody answers, or not in HTTP.
    """
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def main(path: str = ALIVE) -> None:
    """End with status 0 when the answer is 200, else with 1 and a line that says why."""
    host, port = find_address(os.environ)
    try:
        status = ask(host, port, path)
    except (OSError, http.client.HTTPException) as error:
        raise SystemExit(f"{host}:{port}{path}: {error or type(error).__name__}") from None
    if status != HTTPStatus.OK:
        raise SystemExit(f"{host}:{port}{path}: {status}")


if __name__ == "__main__":
    main(*sys.argv[1:])
