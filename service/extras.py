"""Libraries that only some need: what to install where they are missing."""

from __future__ import annotations

from importlib.util import find_spec


class MissingExtraError(Exception):
    """Something is wanted, and the library that does it is not installed."""


def require_extra(wanted: str, module: str, extra: str) -> None:
    """Make sure that a library is there, without loading it.

    Parameters
    ----------
    wanted : str
        What needs it, as the user called it.
    module : str
        Of the library.
    extra : str
        That brings it along.

    Raises
    ------
    MissingExtraError
        When it is not there; the message says what to install.
    """
    try:
        found = find_spec(module)
    # A package above it is missing, or was shut out.
    except (ModuleNotFoundError, ValueError):
        found = None
    if found is None:
        raise MissingExtraError(
            f"{wanted} needs the extra `{extra}`: pip install 'colorization-autoencoder[{extra}]'"
        )
