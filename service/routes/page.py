"""The pages for people: the start page, and two renderings of the documentation.

Nothing on them comes from another host, and a content security policy makes
the browser keep to that.
"""

import base64
import hashlib
import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

STATIC_DIR = Path(__file__).resolve().parent.parent / "static"
TITLE = "Colorization Autoencoder"

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
DOCS_POLICY = (
    "default-src 'none'; connect-src 'self'; font-src 'self' data:; "
    "img-src 'self' data: blob:; script-src 'self'{inline_scripts}; "
    # Both renderers write their styles into the page.
    "style-src 'self' 'unsafe-inline'; worker-src blob:; base-uri 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/")
async def show_start_page() -> FileResponse:
    """Answer the start page."""
    return FileResponse(STATIC_DIR / "index.html", headers={"Content-Security-Policy": PAGE_POLICY})


# Addresses are relative, so that the pages also work under a path of a proxy.
@router.get("/docs")
async def show_swagger_ui() -> HTMLResponse:
    """Answer the documentation in which requests can be tried."""
    return _with_policy(
        get_swagger_ui_html(
            openapi_url="openapi.json",
            title=TITLE,
            swagger_js_url="static/docs/swagger-ui-bundle.js",
            swagger_css_url="static/docs/swagger-ui.css",
            swagger_favicon_url="static/docs/favicon-32x32.png",
            # Without the first, a badge asks a public validator about our schema.
            swagger_ui_parameters={"validatorUrl": None, "tryItOutEnabled": True},
        )
    )


@router.get("/redoc")
async def show_redoc() -> HTMLResponse:
    """Answer the documentation for reading."""
    return _with_policy(
        get_redoc_html(
            openapi_url="openapi.json",
            title=TITLE,
            redoc_js_url="static/docs/redoc.standalone.js",
            redoc_favicon_url="static/docs/favicon-32x32.png",
            with_google_fonts=False,
        )
    )


def _with_policy(page: HTMLResponse) -> HTMLResponse:
    """Allow the page its own inline scripts, by their hashes, and nothing foreign."""
    inline_scripts = re.findall(rb"<script>(.*?)</script>", page.body, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script).digest()) for script in inline_scripts]
    sources = "".join(f" 'sha256-{digest.decode()}'" for digest in digests)
    page.headers["Content-Security-Policy"] = DOCS_POLICY.format(inline_scripts=sources)
    return page
