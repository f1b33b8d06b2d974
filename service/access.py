"""Who may use the service: everybody, or those who have one of its keys."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.error_answers import answer_error
from service.errors import UnauthorizedError

HEALTH = ("/health/", "/v2/health/")
"""Needs no key: whoever restarts a process has none."""

SCRIPTED = "XMLHttpRequest"
"""How requests of the page say who they are: it asks for the key by itself."""


class Keys:
    """The keys of the service, any of which will do.

    Parameters
    ----------
    keys : sequence of str
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    def know(self, key: bytes) -> bool:
        """Compare with all of them, in a time that tells nothing of them."""
        digest = _digest(key)
        # All of them, also after one that is equal.
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


class AccessMiddleware:
    """Ask for a key.

    As `Authorization: Bearer KEY`, as `X-API-Key: KEY`, or as the password of
    Basic, which browsers ask for by themselves.

    Parameters
    ----------
    app : ASGIApp
    keys : Keys
    open_paths : sequence of str
        What needs none: paths, and beginnings of paths that end with a slash.
    """

    def __init__(self, app: ASGIApp, keys: Keys, open_paths: Sequence[str] = ()) -> None:
        self.app = app
        self._paths = frozenset(open_paths)
        self._beginnings = (
            *HEALTH,
            *(path for path in open_paths if path.strip("/") and path.endswith("/")),
        )
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or self._is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        received = read_key(headers)
        if received is not None and self._keys.know(received):
            await self.app(scope, receive, send)
            return
        error = UnauthorizedError(
            "none" if received is None else "one that is not known",
            is_scripted=headers.get("X-Requested-With") == SCRIPTED,
        )
        await answer_error(error)(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path in self._paths or path.startswith(self._beginnings)


def read_key(headers: Headers) -> bytes | None:
    """Find the key of a request; None when it has none."""
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode()
    if scheme.lower() == "basic":
        try:
            _, _, password = base64.b64decode(credentials, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return b""
        return password
    key = headers.get("X-API-Key")
    return None if key is None else key.encode()


def _digest(key: bytes) -> bytes:
    """Make all keys of one length: comparing takes as long for each."""
    return hashlib.sha256(key).digest()
