"""The log: a JSON object a line, or lines for people on a terminal.

Every line of a request has its id. What is never logged: contents and names of
pictures, keys, and queries of addresses.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter

from service.settings import LogFormat

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being served."""

HUMAN_FORMAT = "%(asctime)s %(levelname)-7s %(message)s%(suffix)s"


def configure_logging(log_format: LogFormat, level: str) -> None:
    """Write all logs of the process to its standard error.

    Parameters
    ----------
    log_format : LogFormat
        ``auto`` is ``human`` on a terminal, else ``json``.
    level : str
        Of `logging`; for the service and its server. Of others only warnings are
        written: at the level of debugging they tell what pictures hold.
    """
    if log_format == "auto":
        log_format = "human" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler()
    handler.addFilter(add_request_id)
    handler.setFormatter(json_formatter() if log_format == "json" else human_formatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("service", "uvicorn"):
        logging.getLogger(name).setLevel(level)


def json_formatter() -> logging.Formatter:
    """Make the formatter for programs."""
    return JsonFormatter(
        "%(levelname)s %(name)s %(message)s",
        timestamp="time",
        rename_fields={"levelname": "level", "name": "logger"},
        # Of uvicorn, for terminals; and ours, for people.
        reserved_attrs=[*vars(logging.makeLogRecord({})), "color_message", "suffix"],
    )


def human_formatter() -> logging.Formatter:
    """Make the formatter for people."""
    return logging.Formatter(HUMAN_FORMAT, datefmt="%H:%M:%S")


def add_request_id(record: logging.LogRecord) -> bool:
    """Put the id of the request that is served on a record; keep every record."""
    current = request_id.get()
    if current is not None:
        record.request_id = current
    record.suffix = "" if current is None else f" [{current}]"
    return True
