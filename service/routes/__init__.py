"""The routes: each parses a request, calls one function, and answers."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request

from service.admission import Slots
from service.colorizer import Registry
from service.errors import NotReadyError
from service.names import safe_stem


async def get_registry(request: Request) -> Registry:
    """Return the models that the application loaded at its start."""
    registry: Registry | None = getattr(request.app.state, "registry", None)
    if registry is None:
        raise NotReadyError
    return registry


LoadedRegistry = Annotated[Registry, Depends(get_registry)]


async def get_slots(request: Request, _: LoadedRegistry) -> Slots:
    """Return the threads that the application works with, which come with its models."""
    slots: Slots = request.app.state.slots
    return slots


WorkingSlots = Annotated[Slots, Depends(get_slots)]


def content_disposition(upload_name: str | None, ending: str, kind: str = "inline") -> str:
    """Name an answer after its upload.

    Parameters
    ----------
    upload_name : str or None
        As the client sent it: anything, paths and line breaks included.
    ending : str
        Comes in place of the extension, such as ``-v12.png``.
    kind : str
        ``inline`` for what browsers show, ``attachment`` for what they save.

    Returns
    -------
    header : str
        Plain ASCII, and all of Unicode beside it where there is more (RFC 6266).
    """
    name = safe_stem(upload_name) + ending
    plain = "".join(c if c.isascii() and c not in '"\\%' else "_" for c in name)
    disposition = f'{kind}; filename="{plain}"'
    if plain != name:
        disposition += f"; filename*=UTF-8''{quote(name, safe='')}"
    return disposition


def palette_header(palettes: Sequence[Sequence[str]]) -> str:
    """Write palettes of ``#rrggbb`` as ``X-Colorize-Palette``: as `palette` is written."""
    return "; ".join(",".join(color.lstrip("#") for color in palette) for palette in palettes)
