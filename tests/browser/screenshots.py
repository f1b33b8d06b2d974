"""Pictures of the page for the documents: `python -m tests.browser.screenshots FOLDER`."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from service.settings import Settings
from tests.browser.chromium import running_chromium
from tests.service.processes import running_service

TIMEOUT_MS = 60_000
WIDTH = 1280
QUALITY = 82


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    log = Path(tempfile.mkdtemp()) / "service.log"
    with (
        running_service(Settings().models_dir, log) as service,
        running_chromium() as browser,
    ):
        desk = {"viewport": {"width": WIDTH, "height": 900}}
        page = open_page(browser, service.url, **desk)
        page.locator(".sample").nth(2).hover()
        expect(page.locator(".bloomed")).to_be_visible()
        keep(page, folder / "start.jpg")

        page = open_page(browser, service.url + "/#variation=5", **desk)
        color_sample(page, 4)
        keep(page, folder / "light.jpg")

        page = open_page(browser, service.url, color_scheme="dark", **desk)
        color_sample(page, 3)
        keep(page, folder / "dark.jpg")

        page = open_page(browser, service.url + "/#all=true", **desk)
        page.locator(".sample").nth(4).click()
        expect(page.locator("#status")).to_contain_text("side by side")
        expect(page.locator(".choice:not(.empty)")).to_have_count(8)
        keep(page, folder / "compare.jpg")

        phone = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5}
        page = open_page(browser, service.url + "/#variation=2", has_touch=True, **phone)
        color_sample(page, 1)
        keep(page, folder / "phone.jpg")


def open_page(browser: Browser, url: str, **options: object) -> Page:
    context = browser.new_context(reduced_motion="reduce", **options)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(url)
    expect(page.locator(".sample")).to_have_count(8, timeout=TIMEOUT_MS)
    page.wait_for_load_state("networkidle")
    return page


def color_sample(page: Page, index: int) -> None:
    page.locator(".sample").nth(index).click()
    settle(page)


def settle(page: Page) -> None:
    expect(page.locator(".choice:not(.empty)")).to_have_count(8, timeout=TIMEOUT_MS)
    expect(page.locator("#status")).to_contain_text("Coloured by", timeout=TIMEOUT_MS)
    expect(page.locator("#variation-list:not(.waiting)")).to_be_visible(timeout=TIMEOUT_MS)
    page.wait_for_load_state("networkidle")


def keep(page: Page, path: Path) -> None:
    """Write what is to be seen, as a small JPEG."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(path, quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
