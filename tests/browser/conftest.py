"""One browser and one service for all of these tests; a fresh page for each."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import CHROMIUM, running_chromium
from tests.service.processes import Service, running_service
from tests.steerable import write_steerable_models

TIMEOUT_MS = 60_000
"""A browser that has never been started, on a machine that others use, takes its time."""
MAX_UPLOAD_BYTES = 1_000_000


# Not of the session: while it lasts, a loop runs in this thread, which other tests need.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("THE PAGE IS NOT TESTED: no Chromium here (apt-get install chromium)")
    expect.set_options(timeout=TIMEOUT_MS)
    with running_chromium() as running:
        yield running


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """V1, V2 and V12, which take everything, and `plain`, which takes nothing."""
    return write_steerable_models(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="package")
def service(folder: Path) -> Iterator[Service]:
    log = folder / "service.log"
    with running_service(folder, log, max_upload_bytes=MAX_UPLOAD_BYTES) as running:
        yield running


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open pages; whatever one of them complains of is an error."""
    contexts = []
    complaints: list[str] = []

    def open_page(url: str, **options: object) -> Page:
        context = browser.new_context(
            permissions=["clipboard-read", "clipboard-write"], **{"viewport": None, **options}
        )
        context.set_default_timeout(TIMEOUT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            # What the service refuses is told by the browser, too: tests are about that.
            lambda message: (
                complaints.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text
                else None
            ),
        )
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(service: Service, new_page: Callable[..., Page]) -> Page:
    """The start page on a desk."""
    return new_page(service.url, viewport={"width": 1280, "height": 900})


@pytest.fixture(scope="package")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grey JPEG of 900 x 600 pixels, with a name that shells and forms stumble over."""
    rows, columns = np.mgrid[0:600, 0:900]
    samples = (120 + 80 * np.sin(rows / 90) + 50 * np.cos(columns / 70)).clip(0, 255)
    path = tmp_path_factory.mktemp("photo") / 'it\'s; a "wave", $HOME.jpg'
    buffer = io.BytesIO()
    Image.fromarray(samples.astype(np.uint8)).save(buffer, "JPEG", quality=92)
    path.write_bytes(buffer.getvalue())
    return path
