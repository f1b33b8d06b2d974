"""`python -m service`: serve over HTTP."""

import sys

import uvicorn
from pydantic import ValidationError

from service.settings import Settings

SWITCH_INTERVAL_S = 0.0005
"""How long a thread that wants the interpreter waits before it asks for it. With
the usual 5 ms, connections and idle slots wait for a thread that colours."""

if __name__ == "__main__":
    try:
        settings = Settings()
    except ValidationError as error:
        raise SystemExit(str(error)) from None
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    uvicorn.run(
        "service.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        # There are no WebSockets here; their library would only take time and memory.
        ws="none",
    )
