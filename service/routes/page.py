"""The pages for people: the start page, and two renderings of the documentation.

Nothing on them comes from another host, and a content security policy makes
the browser keep to that.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles

from service.samples import draw_thumbnail, find_samples, find_samples_dir

STATIC_DIR = Path(__file__).resolve().parent.parent / "static"
TITLE = "Colorization Autoencoder"

PAGE_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' blob:; script-src 'self'; "
    "style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    # Texts never become markup, whatever a picture is called.
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
DOCS_POLICY = (
    "default-src 'none'; connect-src 'self'; font-src 'self' data:; "
    "img-src 'self' data: blob:; script-src 'self'{inline_scripts}; "
    # Both renderers write their styles into the page.
    "style-src 'self' 'unsafe-inline'; worker-src blob:; base-uri 'none'; frame-ancestors 'none'"
)

ASKED_AGAIN = {"Cache-Control": "no-cache"}
"""Browsers ask whether a file is still the same: parts of two versions do not mix."""

OPEN_PATHS = ("/", "/static/page/", "/samples", "/samples/")
"""What needs no key: the page, which asks for it, and what it shows before there is one."""

router = APIRouter(include_in_schema=False)


class PageFiles(StaticFiles):
    """The files of the pages, which change together."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        """Answer a file."""
        response = super().file_response(*args, **options)
        response.headers.update(ASKED_AGAIN)
        return response


@router.get("/")
async def show_start_page() -> FileResponse:
    """Answer the start page."""
    headers = {"Content-Security-Policy": PAGE_POLICY} | ASKED_AGAIN
    return FileResponse(STATIC_DIR / "page" / "index.html", headers=headers)


@router.get("/samples")
async def list_samples() -> list[dict[str, str]]:
    """List the samples of the start page, with addresses relative to it."""
    return [
        {
            "name": name,
            "picture": f"samples/{name}.jpg",
            "thumbnail": f"samples/thumbnails/{name}.jpg",
        }
        for name in find_samples(find_samples_dir())
    ]


@router.get("/samples/{name}.jpg")
async def show_sample(name: str) -> FileResponse:
    """Answer a sample, in grey."""
    return FileResponse(_find_sample(name))


@router.get("/samples/thumbnails/{name}.jpg")
def show_thumbnail(name: str) -> Response:
    """Answer a small copy of a sample."""
    headers = {"Cache-Control": "max-age=86400"}
    return Response(draw_thumbnail(_find_sample(name)), media_type="image/jpeg", headers=headers)


def _find_sample(name: str) -> Path:
    samples = find_samples(find_samples_dir())
    if name not in samples:
        raise HTTPException(404)
    return samples[name]


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
