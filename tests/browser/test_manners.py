"""What every page keeps to: accessible, small, strict, and without the internet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from service.routes.page import STATIC_DIR
from tests.browser.test_page import click_picture, open_sample, wait_for_color
from tests.service.processes import Service

MAX_PAGE_BYTES = 150_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(
    scheme: str, service: Service, new_page: Callable[..., Page], photo: Path
) -> None:
    # Without motion, so that nothing is judged while it fades in.
    page = new_page(
        service.url,
        color_scheme=scheme,
        reduced_motion="reduce",
        viewport={"width": 1280, "height": 900},
    )
    expect(page.locator(".sample")).to_have_count(8)
    reports = {"empty": Axe().run(page)}
    open_sample(page)
    expect(page.locator(".choice:not(.empty)")).to_have_count(8)
    page.get_by_text("The same from your own code").click()
    reports["colored"] = Axe().run(page)
    click_picture(page, 0.6, 0.4)
    page.locator("#another").set_input_files(
        {"name": "words.jpg", "mimeType": "image/jpeg", "buffer": b"words"}
    )
    expect(page.get_by_role("alert")).to_be_visible()
    page.locator("#reference-file").set_input_files(photo)
    expect(page.locator("#reference")).to_be_visible()
    reports["hint and problem"] = Axe().run(page)
    page.locator("#model-list label", has_text="All").click()
    expect(page.locator("#status")).to_contain_text("side by side")
    reports["comparison"] = Axe().run(page)

    found = {state: report.generate_report() for state, report in reports.items()}
    assert {state: text for state, text in found.items() if "Found 0" not in text} == {}


def test_phone_shows_everything_without_scrolling_sideways(
    service: Service, new_page: Callable[..., Page]
) -> None:
    page = new_page(service.url, viewport={"width": 360, "height": 740}, has_touch=True)
    page.locator(".sample").first.tap()
    wait_for_color(page)

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    frame = page.locator("#frame").bounding_box()
    page.locator("#tone").scroll_into_view_if_needed()
    # What is changed below is seen above.
    assert frame
    top = page.locator("#frame").bounding_box()
    assert top
    assert 0 <= top["y"] < 400


def test_page_works_by_keys_alone(page: Page) -> None:
    expect(page.locator(".sample")).to_have_count(8)
    page.locator(".sample").first.focus()
    page.keyboard.press("Enter")
    wait_for_color(page)

    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {
        "another",
        "share",
        "divider",
        "well",
        "mini lock",
        "mini remove",
        "shuffle",
        "reference-file",
        "add-color",
        "add-hint",
        "saturation",
        "brightness",
        "contrast",
        "tone",
        "save",
        "format",
    } <= reached


def test_page_is_small(service: Service) -> None:
    files = [path for path in (STATIC_DIR / "page").rglob("*") if path.is_file()]

    assert sum(path.stat().st_size for path in files) < MAX_PAGE_BYTES


def test_page_loads_only_what_it_counts(service: Service, new_page: Callable[..., Page]) -> None:
    page = new_page("about:blank")
    paths: list[str] = []
    page.on("request", lambda request: paths.append(urlsplit(request.url).path))
    page.goto(service.url)
    open_sample(page)

    own = {f"/static/page/{path.name}" for path in (STATIC_DIR / "page").iterdir()}
    fetched = set(paths) - own
    others = {path for path in fetched if not path.startswith("/samples")}
    assert others <= {"/", "/models", "/colorize", "/colorize/variations"}
    assert own <= set(paths) | {"/static/page/index.html"}


def test_policy_allows_nothing_inline_and_nothing_foreign(service: Service) -> None:
    policy = httpx.get(service.url).headers["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "http" not in policy
    assert policy.startswith("default-src 'none'; ")


@pytest.mark.parametrize(
    ("path", "shown"), [("/docs", ".opblock-post"), ("/redoc", "h1"), ("/", ".sample")]
)
def test_pages_work_without_the_internet(
    path: str, shown: str, service: Service, new_page: Callable[..., Page]
) -> None:
    page = new_page("about:blank")
    foreign: list[str] = []
    page.on(
        "request",
        lambda request: (
            foreign.append(request.url)
            if urlsplit(request.url).hostname not in ("127.0.0.1", None)
            else None
        ),
    )
    page.goto(service.url + path)

    expect(page.locator(shown).first).to_be_visible()
    assert foreign == []
