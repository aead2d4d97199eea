"""The page as a person uses it: in headless Chromium, against a real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.detcore.serve.process import Server

pytestmark = pytest.mark.slow


def until(browser: Any, script: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 20, 0.05).until(lambda driver: driver.execute_script(script))


@pytest.fixture
def page(browser: Any, server: Server) -> Any:
    browser.set_window_size(1100, 900)
    browser.get(server.address)
    until(browser, "return document.getElementById('model').textContent.includes('MaskRCNN')")
    return browser


DROP = """
const picker = document.createElement("input");
picker.type = "file"; picker.id = "given"; document.body.append(picker);
"""
DROPPED = """
const transfer = new DataTransfer();
transfer.items.add(document.getElementById("given").files[0]);
document.getElementById("drop").dispatchEvent(
  new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
document.getElementById("given").remove();
"""
SHOWN = """
const photo = document.getElementById("photo");
return !document.getElementById("result").hidden && photo.naturalWidth;
"""


def choose(page: Any, path: Path) -> None:
    page.find_element("id", "file").send_keys(str(path))


def drop(page: Any, path: Path) -> None:
    page.execute_script(DROP)
    page.find_element("id", "given").send_keys(str(path))
    page.execute_script(DROPPED)


@pytest.mark.parametrize("give", [choose, drop])
@pytest.mark.parametrize("width", [400, 1100])
def test_a_photograph_is_shown_with_its_boxes(
    page: Any, scenes: Path, give: Callable[[Any, Path], None], width: int
) -> None:
    page.set_window_size(width, 900)
    give(page, scenes / "images" / "val_00000.jpg")
    assert until(page, SHOWN) == 128
    boxes, rows = "svg rect", "#list li"
    assert len(page.find_elements("css selector", boxes)) > 3
    photo = page.execute_script("return document.images[0].getBoundingClientRect().toJSON()")
    for box in page.find_elements("css selector", boxes):
        place = page.execute_script("return arguments[0].getBoundingClientRect().toJSON()", box)
        for near, far in (("left", "right"), ("top", "bottom")):
            assert photo[near] - 3 <= place[near] <= place[far] <= photo[far] + 3
    assert len(page.find_elements("css selector", rows)) == len(
        page.find_elements("css selector", boxes)
    )
    overflow = "return document.documentElement.scrollWidth - window.innerWidth"
    assert page.execute_script(overflow) <= 0
    assert page.get_log("browser") == []


def test_the_slider_leaves_out_what_is_unsure(page: Any, scenes: Path) -> None:
    choose(page, scenes / "images" / "val_00000.jpg")
    until(page, SHOWN)
    count = "return document.querySelectorAll('svg rect').length"
    before = page.execute_script(count)
    scores = [float(row.text) for row in page.find_elements("css selector", "#list data")]
    middle = sorted(scores)[len(scores) // 2] + 0.01
    page.execute_script(
        "const least = document.getElementById('least'); least.value = arguments[0];"
        "least.dispatchEvent(new Event('input'))",
        middle,
    )
    assert 0 <= page.execute_script(count) < before


def test_a_file_that_is_no_picture_is_answered_with_the_reason(
    page: Any, tmp_path: Path, scenes: Path
) -> None:
    (tmp_path / "note.txt").write_text("hello")
    drop(page, tmp_path / "note.txt")
    said = "const said = document.getElementById('said'); return said.className && said.textContent"
    assert "not a picture" in until(page, said)
    page.get_log("browser")  # Chromium notes the 415
    choose(page, scenes / "images" / "val_00000.jpg")
    assert until(page, SHOWN) == 128


def test_it_follows_the_scheme_of_the_reader(page: Any) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        ground = "return getComputedStyle(document.body).backgroundColor"
        grounds[scheme] = [int(n) for n in page.execute_script(ground)[4:-1].split(",")]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert min(grounds["light"]) > 200
    assert max(grounds["dark"]) < 60
