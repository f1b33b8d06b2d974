"""`python -m service`: serve over HTTP."""

import uvicorn
from pydantic import ValidationError

from service.settings import Settings

if __name__ == "__main__":
    try:
        settings = Settings()
    except ValidationError as error:
        raise SystemExit(str(error)) from None
    uvicorn.run("service.app:create_app", factory=True, host=settings.host, port=settings.port)
