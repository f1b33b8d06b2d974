"""The routes: each parses a request, calls one function, and answers."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request

from service.colorizer import Registry
from service.errors import NotReadyError

STEM_LIMIT = 100
"""Characters of an upload's name that the answer's name keeps."""


def get_registry(request: Request) -> Registry:
    """Return the models that the application loaded at its start."""
    registry: Registry | None = getattr(request.app.state, "registry", None)
    if registry is None:
        raise NotReadyError
    return registry


LoadedRegistry = Annotated[Registry, Depends(get_registry)]


def content_disposition(upload_name: str | None, ending: str) -> str:
    """Name an answer after its upload.

    Parameters
    ----------
    upload_name : str or None
        As the client sent it: anything, paths and line breaks included.
    ending : str
        Comes in place of the extension, such as ``-v12.png``.

    Returns
    -------
    header : str
        Plain ASCII, and all of Unicode beside it where there is more (RFC 6266).
    """
    name = _stem(upload_name or "") + ending
    plain = "".join(c if c.isascii() and c not in '"\\%' else "_" for c in name)
    disposition = f'inline; filename="{plain}"'
    if plain != name:
        disposition += f"; filename*=UTF-8''{quote(name, safe='')}"
    return disposition


def _stem(upload_name: str) -> str:
    """Reduce a name to what is safe in that of a file."""
    base = upload_name.replace("\\", "/").rpartition("/")[2]
    stem = base.rpartition(".")[0] or base
    printable = "".join(character for character in stem if character.isprintable())
    return printable.strip(" .")[:STEM_LIMIT] or "picture"
