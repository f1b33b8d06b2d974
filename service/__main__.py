"""`python -m service`: serve over HTTP."""

from __future__ import annotations

import sys

from pydantic import ValidationError

from service.app import create_app, load_models
from service.errors import ExecutionProviderError, ModelFileError
from service.extras import MissingExtraError
from service.logs import configure_logging
from service.memory import keep_freed
from service.server import build_server
from service.settings import Settings, describe_settings_errors

SWITCH_INTERVAL_S = 0.0005
"""How long a thread that wants the interpreter waits before it asks for it. With
the usual 5 ms, connections and idle slots wait for a thread that colours."""


def main(**options: object) -> None:
    """Serve until stopped; what keeps the service from starting is said in one line each.

    Parameters
    ----------
    **options
        Of `Settings`, in place of what the environment says.
    """
    try:
        settings = Settings(**options)  # type: ignore[arg-type]
        configure_logging(settings.log_format, settings.log_level)
        app = create_app(settings, load_models(settings))
    except ValidationError as error:
        raise SystemExit(describe_settings_errors(error)) from None
    except (ExecutionProviderError, ModelFileError, MissingExtraError) as error:
        raise SystemExit(f"error: {error}") from None
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    keep_freed()
    build_server(app, settings).run()


if __name__ == "__main__":
    main()
