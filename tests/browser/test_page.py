"""The start page: from a grey picture to a coloured one, and all that can be said about it."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import MAX_UPLOAD_BYTES
from tests.service.processes import Service, running_service

DATA_DIR = Path(__file__).parents[1] / "service" / "data"
ROOT = Path(__file__).parents[2]


def open_sample(page: Page) -> None:
    page.locator(".sample").first.click()
    wait_for_color(page)


def open_file(page: Page, path: Path) -> None:
    page.locator("#file").set_input_files(path)
    wait_for_color(page)


def wait_for_color(page: Page) -> None:
    expect(page.get_by_role("slider", name="Before and after")).to_be_visible()
    wait_until_settled(page)


def wait_until_settled(page: Page) -> None:
    expect(page.locator("#frame")).not_to_have_class(re.compile("waiting"))
    expect(page.locator("#status")).not_to_have_text(re.compile("…"))


def hash_of(page: Page) -> dict[str, str]:
    # Of the page itself: the driver hears of a new address a little later.
    return dict(parse_qsl(page.evaluate("location.hash")[1:]))


def hint_of(page: Page) -> tuple[float, float, str]:
    """Where the only hint is, to what a pixel of the screen can tell, and its colour."""
    x, y, color = hash_of(page)["hints"].split(",")
    return round(float(x), 2), round(float(y), 2), color


def pixel(page: Page, canvas: str, x: float = 0.9, y: float = 0.5) -> list[int]:
    """Red, green and blue of a canvas at a place, in shares of its sides."""
    return page.evaluate(
        """([id, x, y]) => {
          const canvas = document.getElementById(id);
          const context = canvas.getContext("2d");
          const at = [Math.floor(canvas.width * x), Math.floor(canvas.height * y)];
          return [...context.getImageData(...at, 1, 1).data.slice(0, 3)];
        }""",
        [canvas, x, y],
    )


def pick_color(control: Locator, color: str) -> None:
    """What a colour picker does: it tells of a colour, then that it is chosen."""
    control.evaluate(
        """(input, color) => {
          input.value = color;
          input.dispatchEvent(new Event("input", { bubbles: true }));
          input.dispatchEvent(new Event("change", { bubbles: true }));
        }""",
        color,
    )


def click_picture(page: Page, x: float, y: float) -> None:
    # The first colour comes in with the slider before it, which may be under the pointer.
    page.locator("#frame").evaluate(
        "(frame) => frame.getAnimations().forEach((animation) => animation.finish())"
    )
    box = page.locator("#frame").bounding_box()
    assert box
    page.locator("#frame").click(position={"x": box["width"] * x, "y": box["height"] * y})


def drag(page: Page, start: Locator, x: float, y: float) -> None:
    wait_until_settled(page)
    box = start.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(x, y, steps=4)
    page.mouse.up()


def drop_files(page: Page, target: str, path: Path, name: str) -> None:
    """Drop a file as a file manager does."""
    page.evaluate(
        """([target, data, name]) => {
          const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], name));
          for (const type of ["dragenter", "dragover", "drop"]) {
            const event = new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true });
            document.querySelector(target).dispatchEvent(event);
          }
        }""",
        [target, base64.b64encode(path.read_bytes()).decode(), name],
    )


def test_sample_turns_to_color_with_one_click(page: Page) -> None:
    open_sample(page)

    red, green, blue = pixel(page, "grey")
    assert red == green == blue
    assert len(set(pixel(page, "colored"))) > 1
    expect(page.get_by_role("status")).to_have_text("Coloured by V12, in colours of its own choice")
    expect(page.locator(".sample")).to_have_count(8)


def test_pointer_over_sample_shows_its_color(page: Page) -> None:
    page.locator(".sample").first.hover()

    expect(page.locator(".sample").first).to_have_class(re.compile("bloomed"))


def test_divider_moves_by_keys_and_pointer(page: Page) -> None:
    open_sample(page)
    divider = page.get_by_role("slider", name="Before and after")

    expect(divider).to_have_attribute("aria-valuenow", "22")
    divider.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "24")
    divider.press("End")
    expect(divider).to_have_attribute("aria-valuetext", "100 % grey, 0 % in colour")
    divider.press("Home")
    expect(divider).to_have_attribute("aria-valuenow", "0")

    box = page.locator("#frame").bounding_box()
    assert box
    drag(page, divider.locator(".grip"), box["x"] + 0.6 * box["width"], box["y"] + 90)
    expect(divider).to_have_attribute("aria-valuenow", "60")
    assert hash_of(page) == {}


def test_chosen_file_is_downloaded_as_the_service_answers_it(
    page: Page, service: Service, photo: Path
) -> None:
    open_file(page, photo)
    page.locator("#saturation").fill("1.5")
    page.locator(".choice").nth(2).click()
    click_picture(page, 0.75, 0.5)
    wait_until_settled(page)

    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download full size").click()
    data = Path(waiting.value.path()).read_bytes()
    hints = [{"x": 0.75, "y": 0.5, "color": "#ff5a36"}]
    expected = httpx.post(
        f"{service.url}/colorize?model=v12&variation=2&saturation=1.5",
        files={"file": (photo.name, photo.read_bytes())},
        data={"hints": json.dumps(hints)},
    )
    assert data == expected.content
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.size) == ("JPEG", (900, 600))
    assert waiting.value.suggested_filename.endswith("-v12.jpg")


def test_download_comes_in_the_chosen_format(page: Page, photo: Path) -> None:
    open_file(page, photo)
    page.get_by_label("Format of the download").select_option("png")

    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download full size").click()
    assert Path(waiting.value.path()).read_bytes().startswith(b"\x89PNG")
    assert hash_of(page) == {"format": "png"}


def test_full_size_that_chooses_other_colors_is_not_saved_unasked(page: Page, photo: Path) -> None:
    def answer_other_colors(route: Route) -> None:
        headers = {
            "Content-Type": "image/jpeg",
            "Content-Disposition": 'inline; filename="other.jpg"',
            "X-Colorize-Palette": "123456",
        }
        route.fulfill(headers=headers, body=photo.read_bytes())

    open_file(page, photo)
    page.route(re.compile("/colorize\\?model=v12$"), answer_other_colors)
    page.get_by_role("button", name="Download full size").click()
    expect(page.locator("#other-colors-text")).to_contain_text("chose other colours")

    shown = [well.input_value()[1:] for well in page.locator(".well").all()]
    with page.expect_download():
        page.get_by_role("button", name="Save with the preview’s palette").click()
    assert hash_of(page)["palette"] == ",".join(shown)


def test_dropped_and_pasted_pictures_open(page: Page, photo: Path) -> None:
    drop_files(page, "#drop", photo, "dropped.jpg")
    wait_for_color(page)
    expect(page.locator("#picture-name")).to_have_text("dropped.jpg · 900 × 600")

    page.evaluate(
        """(data) => {
          const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([bytes], "pasted.jpg", { type: "image/jpeg" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
        }""",
        base64.b64encode(photo.read_bytes()).decode(),
    )
    expect(page.locator("#picture-name")).to_have_text("pasted.jpg · 900 × 600")


def test_picture_that_the_browser_cannot_read_opens_upright(page: Page) -> None:
    open_file(page, DATA_DIR / "turned.heic")

    width, height = re.findall(r"\d+", page.locator("#picture-name").inner_text())[-2:]
    answer = httpx.post(
        page.url.partition("#")[0] + "colorize",
        files={"file": (DATA_DIR / "turned.heic").read_bytes()},
    )
    assert Image.open(io.BytesIO(answer.content)).size == (int(width), int(height))


def test_models_change_and_stand_side_by_side(page: Page) -> None:
    open_sample(page)
    page.locator("#model-list label", has_text="V2").click()
    expect(page.get_by_role("status")).to_have_text("Coloured by V2, in colours of its own choice")
    assert hash_of(page) == {"model": "v2"}

    page.locator("#model-list label", has_text="All").click()
    expect(page.locator(".rival")).to_have_text(["Original", "plain", "V1", "V2", "V12"])
    expect(page.get_by_role("status")).to_have_text("4 models, side by side")
    page.get_by_role("button", name="Use V1", exact=True).click()
    expect(page.get_by_role("radio", name="V1", exact=True)).to_be_checked()

    page.locator("#model-list label", has_text="plain").click()
    wait_until_settled(page)
    # It takes nothing, so nothing is offered.
    for section in ("#palette", "#hint-panel", "#variations"):
        expect(page.locator(section)).to_be_hidden()


def test_variation_is_picked_by_click_and_key(page: Page) -> None:
    open_sample(page)
    expect(page.locator(".choice:not(.empty)")).to_have_count(8)
    page.locator(".choice").nth(1).click()
    wait_until_settled(page)
    first = pixel(page, "colored")
    assert hash_of(page) == {"variation": "1"}

    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Variation 2")).to_be_checked()
    wait_until_settled(page)
    assert pixel(page, "colored") != first


def test_variations_of_a_palette_keep_it(page: Page) -> None:
    open_sample(page)
    pick_color(page.locator(".well").first, "#3366cc")
    wait_until_settled(page)
    palette = hash_of(page)["palette"]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    expect(page.locator("#variation-list:not(.waiting) .choice:not(.empty)")).to_have_count(8)
    expect(page.get_by_role("radio", name="Your palette")).to_be_checked()
    before = pixel(page, "colored")
    page.locator(".choice").nth(2).click()
    wait_until_settled(page)

    assert hash_of(page) == {"palette": palette, "variation": "2"}
    expect(page.get_by_role("status")).to_have_text("Coloured by V12, in your palette, variation 2")
    assert pixel(page, "colored") != before
    # What was seen as a thumbnail is there already.
    assert not [url for url in asked if "variation=2" in url]
    curl_line = page.locator("#curl").text_content() or ""
    assert f"palette={palette}&variation=2" in curl_line


def test_palette_is_edited_locked_and_shuffled(page: Page) -> None:
    open_sample(page)
    wells = page.locator(".well")
    pick_color(wells.first, "#3366cc")
    wait_until_settled(page)
    palette = hash_of(page)["palette"].split(",")
    assert palette[0] == "3366cc"
    red, _, blue = pixel(page, "colored")
    assert blue > red

    page.locator(".lock").first.click()
    page.keyboard.press("s")
    expect(wells.nth(1)).not_to_have_value(f"#{palette[1]}")
    shuffled = hash_of(page)
    assert shuffled["palette"].split(",")[0] == shuffled["locked"] == "3366cc"

    page.get_by_role("button", name="Add a colour").click()
    expect(wells).to_have_count(len(palette) + 1)
    page.locator(".remove").last.click()
    expect(wells).to_have_count(len(palette))
    page.get_by_role("button", name="Model’s choice").click()
    expect(page.get_by_role("status")).to_have_text("Coloured by V12, in colours of its own choice")
    assert hash_of(page) == {}


def test_colors_come_from_a_reference_and_are_dragged(page: Page, service: Service) -> None:
    reference = ROOT / "samples" / "fluid-1.jpg"
    colors = httpx.post(f"{service.url}/palette", files={"file": reference.read_bytes()}).json()[
        "colors"
    ]
    open_sample(page)

    drop_files(page, "#palette", reference, "reference.jpg")
    chips = page.locator("#reference-colors .chip")
    expect(chips).to_have_count(len(colors))
    assert hash_of(page)["palette"] == ",".join(color["hex"][1:] for color in colors)

    target = page.locator(".swatch").nth(1).bounding_box()
    assert target
    pick_color(page.locator(".well").nth(1), "#010203")
    drag(page, chips.nth(1), target["x"] + 10, target["y"] + 10)
    expect(page.locator(".well").nth(1)).to_have_value(colors[1]["hex"])

    frame = page.locator("#frame").bounding_box()
    assert frame
    drag(page, chips.first, frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 4)
    assert hint_of(page) == (0.5, 0.25, colors[0]["hex"][1:])


def test_hint_is_placed_painted_dragged_and_deleted(page: Page) -> None:
    open_sample(page)
    before = pixel(page, "colored", 0.5, 0.25)
    click_picture(page, 0.5, 0.25)
    wait_until_settled(page)
    assert hint_of(page) == (0.5, 0.25, "ff5a36")
    assert pixel(page, "colored", 0.5, 0.25) != before

    pick_color(page.get_by_label("Colour of this hint").last, "#0044ff")
    assert hint_of(page) == (0.5, 0.25, "0044ff")
    page.keyboard.press("Escape")

    frame = page.locator("#frame").bounding_box()
    assert frame
    hint = page.locator(".hint")
    x, y = frame["x"] + 0.75 * frame["width"], frame["y"] + 0.5 * frame["height"]
    drag(page, hint, x, y)
    assert hint_of(page) == (0.75, 0.5, "0044ff")
    hint.press("ArrowLeft")
    assert hint_of(page) == (0.74, 0.5, "0044ff")

    drag(page, hint, frame["x"] - 60, y)
    expect(hint).to_have_count(0)
    page.get_by_role("button", name="Add a hint").click()
    expect(hint).to_be_focused()
    hint.press("Delete")
    expect(hint).to_have_count(0)
    assert hash_of(page) == {}


def test_slider_recolors_and_is_undone_as_one(page: Page) -> None:
    open_sample(page)
    before = pixel(page, "colored")
    slider = page.get_by_role("slider", name="Brightness")
    slider.focus()
    for _ in range(4):
        page.keyboard.down("ArrowRight")
    page.keyboard.up("ArrowRight")
    wait_until_settled(page)
    brighter = pixel(page, "colored")
    assert sum(brighter) > sum(before)

    page.locator(".choice").nth(1).click()
    page.keyboard.press("Control+z")
    expect(page.get_by_role("radio", name="The model’s first choice")).to_be_checked()
    while page.get_by_role("button", name="Undo").is_enabled():
        page.get_by_role("button", name="Undo").click()
    wait_until_settled(page)
    assert hash_of(page) == {}
    assert pixel(page, "colored") == before

    page.keyboard.press("Control+Shift+z")
    wait_until_settled(page)
    assert "brightness" in hash_of(page)


def test_link_restores_the_look_and_shares_no_picture(
    service: Service, new_page: Callable[..., Page], photo: Path
) -> None:
    words = (
        "model=v1&palette=112233,ff8800&tone=-0.5&format=webp&locked=ff8800&hints=0.25,0.5,00aa44"
    )
    page = new_page(f"{service.url}/#{words}")
    open_file(page, photo)

    expect(page.locator(".well").nth(1)).to_have_value("#ff8800")
    expect(page.locator("#tone")).to_have_value("-0.5")
    expect(page.locator(".hint")).to_have_count(1)
    page.get_by_role("button", name="Copy a link").click()
    link = page.evaluate("navigator.clipboard.readText()")
    assert dict(parse_qsl(urlsplit(link).fragment)) == dict(parse_qsl(words))
    assert urlsplit(link)._replace(fragment="").geturl() == f"{service.url}/"


def test_link_without_sense_gives_the_usual_look(
    service: Service, new_page: Callable[..., Page]
) -> None:
    page = new_page(f"{service.url}/#model=v9&palette=red&tone=hot&hints=2,2,zz;&variation=-1")
    open_sample(page)

    expect(page.get_by_role("status")).to_have_text("Coloured by V12, in colours of its own choice")


def test_file_that_is_no_picture_is_told_of_at_the_drop_zone(page: Page, tmp_path: Path) -> None:
    words = tmp_path / "words.jpg"
    words.write_text("no picture at all")
    page.locator("#file").set_input_files(words)

    expect(page.locator("#intake-problem").get_by_role("alert")).to_contain_text(
        "Unsupported format. "
    )
    # Nothing is lost: the next one opens.
    open_sample(page)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_file_that_is_too_big_is_told_of_at_the_download(page: Page, tmp_path: Path) -> None:
    noise = Image.effect_noise((1100, 1000), 90)
    path = tmp_path / "noise.png"
    noise.save(path)
    assert path.stat().st_size > MAX_UPLOAD_BYTES
    open_file(page, path)
    page.get_by_role("button", name="Download full size").click()

    alert = page.locator("#download-problem").get_by_role("alert")
    expect(alert).to_contain_text(f"{MAX_UPLOAD_BYTES:,}")
    expect(page.locator("#save")).to_be_enabled()


def test_large_upload_shows_its_progress(page: Page, photo: Path) -> None:
    open_file(page, photo)
    page.evaluate(
        """() => {
          window.seen = [];
          const text = document.getElementById("transfer-text");
          new MutationObserver(() => window.seen.push(text.textContent))
            .observe(text, { childList: true, characterData: true, subtree: true });
        }"""
    )
    with page.expect_download():
        page.get_by_role("button", name="Download full size").click()

    seen = page.evaluate("window.seen")
    assert seen[0].startswith("Sending")
    assert "Colouring at full size …" in seen


def test_busy_service_is_asked_again_after_a_countdown(page: Page) -> None:
    refusals = []

    def refuse_once(route: Route) -> None:
        if refusals:
            route.continue_()
            return
        refusals.append(route.request.url)
        route.fulfill(
            status=503,
            headers={"Retry-After": "2", "Content-Type": "application/problem+json"},
            body='{"title": "Overloaded", "status": 503}',
        )

    page.route(re.compile("/colorize\\?"), refuse_once)
    page.locator(".sample").first.click()

    expect(page.get_by_role("status")).to_have_text("The service is busy. Trying again in 1 s …")
    wait_for_color(page)
    assert len(refusals) == 1


def test_service_that_is_gone_is_told_of_and_tried_again(page: Page) -> None:
    open_sample(page)
    page.route("**/colorize?*", lambda route: route.abort())
    page.locator("#model-list label", has_text="V1").first.click()
    alert = page.locator("#preview-problem").get_by_role("alert")
    expect(alert).to_contain_text("No answer from the service.")

    page.unroute("**/colorize?*")
    alert.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status")).to_have_text("Coloured by V1, in colours of its own choice")
    expect(alert).to_be_hidden()


def test_key_is_asked_for_by_the_page(
    folder: Path, new_page: Callable[..., Page], tmp_path: Path
) -> None:
    with running_service(folder, tmp_path / "log", api_keys="open-sesame") as locked:
        page = new_page(locked.url)
        page.get_by_role("textbox", name="Key").fill("wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#key-note")).to_contain_text("not known")
        page.get_by_role("textbox", name="Key").fill("open-sesame")
        page.get_by_role("button", name="Use it").click()
        open_sample(page)

        assert page.evaluate("sessionStorage.getItem('key')") == "open-sesame"
        curl = page.locator("#curl").text_content() or ""
        assert '-H "Authorization: Bearer $COLORIZE_KEY"' in curl
        assert "open-sesame" not in page.url + curl


@pytest.mark.parametrize("query", ["", "&all=true"], ids=["one", "all"])
def test_snippets_give_exactly_this_look(
    query: str,
    service: Service,
    new_page: Callable[..., Page],
    photo: Path,
    tmp_path: Path,
) -> None:
    look = "model=v2&palette=0a0b0c,ff8800&contrast=1.2&hints=0.25,0.5,00aa44" + query
    page = new_page(f"{service.url}/#{look}")
    page.locator("#file").set_input_files(photo)
    expect(page.locator("#curl")).not_to_be_empty()
    if not query:
        wait_for_color(page)
    page.get_by_text("The same from your own code").click()
    page.get_by_role("button", name="Copy the curl line").click()
    curl = page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Copy the Python lines").click()
    expect(page.get_by_role("button", name="Copy the Python lines")).to_have_text("Copied")
    python = page.evaluate("navigator.clipboard.readText()")

    (tmp_path / photo.name).write_bytes(photo.read_bytes())
    answers = []
    for command in (["sh", "-c", curl], [sys.executable, "-c", python]):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
        (answer,) = [path for path in tmp_path.iterdir() if path.name != photo.name]
        answers.append((answer.name, answer.read_bytes()))
        answer.unlink()
    assert answers[0] == answers[1]
    expected = httpx.post(
        f"{service.url}/colorize{'/compare' if query else ''}",
        # `plain` takes no palette, so it is not on the sheet.
        params={"palette": "0a0b0c,ff8800", "contrast": 1.2}
        | ({"models": "v1,v2,v12"} if query else {"model": "v2"}),
        files={"file": (photo.name, photo.read_bytes())},
        data={"hints": '[{"x": 0.25, "y": 0.5, "color": "#00aa44"}]'},
    )
    assert expected.status_code == 200, expected.text
    assert answers[0][1] == expected.content
