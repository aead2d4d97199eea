"""A report as a person sees it: in headless Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvcore.image import imwrite
from detcore.report import Report, RunFacts, analyse, write_report
from detcore.report.series import curves_of

pytestmark = pytest.mark.slow


@pytest.fixture
def page(plain: tuple[Any, list], tmp_path: Path) -> str:
    dataset, results = plain
    dataset.img_prefix = str(tmp_path)
    for info in dataset.data_infos:
        imwrite(np.full((50, 60, 3), 128, dtype=np.uint8), tmp_path / info["filename"])
    curves = curves_of([{"mode": "train", "step": i, "lr": 0.1, "loss": 9 - i} for i in range(5)])
    report = Report(analyse(dataset, results), {"mAP": 0.25}, RunFacts("run"), curves)
    return write_report(report, tmp_path / "report").as_uri()


@pytest.mark.parametrize("width", [400, 1280])
def test_it_renders_without_an_error_and_fits_the_window(
    browser: Any, page: str, width: int
) -> None:
    browser.set_window_size(width, 900)
    browser.get(page)
    assert browser.get_log("browser") == []
    pictures = browser.execute_script("return [...document.images].map(i => i.naturalWidth)")
    assert pictures == [60]  # the one with the missed dog, 60 pixels wide
    charts = browser.execute_script(
        "return [...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().height)"
    )
    assert len(charts) == 6  # loss, lr, AP, precision and recall, errors, confusion
    assert min(charts) > 20
    overflow = "return document.documentElement.scrollWidth - window.innerWidth"
    assert browser.execute_script(overflow) <= 0


def test_it_follows_the_scheme_of_the_reader(browser: Any, page: str) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.get(page)
        ground = "return getComputedStyle(document.body).backgroundColor"
        grounds[scheme] = [int(n) for n in browser.execute_script(ground)[4:-1].split(",")]
    assert min(grounds["light"]) > 200
    assert max(grounds["dark"]) < 60
