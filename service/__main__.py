"""`python -m service`: serve over HTTP."""

from __future__ import annotations

import sys

from pydantic import ValidationError

from service.app import create_app, load_models
from service.errors import ExecutionProviderError, ModelFileError
from service.logs import configure_logging
from service.server import build_server
from service.settings import Settings
from service.tracing import MissingExtraError

SWITCH_INTERVAL_S = 0.0005
"""How long a thread that wants the interpreter waits before it asks for it. With
the usual 5 ms, connections and idle slots wait for a thread that colours."""


SECRET_FIELDS = ("api_keys", "colorize_api_keys")


def main() -> None:
    """Serve until stopped; what keeps the service from starting is said in one line each."""
    try:
        settings = Settings()
        configure_logging(settings.log_format, settings.log_level)
        app = create_app(settings, load_models(settings))
    except ValidationError as error:
        raise SystemExit(describe_settings_errors(error)) from None
    except (ExecutionProviderError, ModelFileError, MissingExtraError) as error:
        raise SystemExit(f"error: {error}") from None
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    build_server(app, settings).run()


def describe_settings_errors(error: ValidationError) -> str:
    """Say which variables cannot be used, and why, a line for each."""
    lines = []
    for details in error.errors():
        message = details["msg"].removeprefix("Value error, ")
        if details["loc"]:
            field = str(details["loc"][0])
            variable = field if field.isupper() else f"COLORIZE_{field.upper()}"
            message = f"{variable}: {message}"
            # Keys are nobody's business, not even that of the log.
            if field.lower() not in SECRET_FIELDS:
                message += f". Received: {details['input']}"
        lines.append(f"error: {message}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
