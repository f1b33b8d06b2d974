"""`python -m service`: serve over HTTP."""

from __future__ import annotations

import sys

import uvicorn
from pydantic import ValidationError

from service.app import create_app, load_models
from service.errors import ModelFileError
from service.settings import Settings

SWITCH_INTERVAL_S = 0.0005
"""How long a thread that wants the interpreter waits before it asks for it. With
the usual 5 ms, connections and idle slots wait for a thread that colours."""


def main() -> None:
    """Serve until stopped; what keeps the service from starting is said in one line each."""
    try:
        settings = Settings()
        registry = load_models(settings)
    except ValidationError as error:
        raise SystemExit(describe_settings_errors(error)) from None
    except ModelFileError as error:
        raise SystemExit(f"error: {error}") from None
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    uvicorn.run(
        create_app(settings, registry),
        host=settings.host,
        port=settings.port,
        # There are no WebSockets here; their library would only take time and memory.
        ws="none",
    )


def describe_settings_errors(error: ValidationError) -> str:
    """Say which variables cannot be used, and why, a line for each."""
    lines = []
    for details in error.errors():
        message = details["msg"].removeprefix("Value error, ")
        if details["loc"]:
            field = str(details["loc"][0])
            variable = field if field.isupper() else f"COLORIZE_{field.upper()}"
            message = f"{variable}: {message}. Received: {details['input']}"
        lines.append(f"error: {message}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
