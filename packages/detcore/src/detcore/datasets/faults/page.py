"""Findings as one HTML page that needs no other file, with pictures of the worst."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import numpy as np
from PIL import Image

from cvcore.errors import ImageDecodeError
from cvcore.fileio import atomic_write
from cvcore.image import draw_instances, imread
from detcore.datasets.faults.kinds import ERROR, NOTE, WARNING
from detcore.datasets.faults.ledger import Example, Fault, Ledger

PICTURES = 4  # of a fault
SIDE = 360  # longest side of a picture in pixels
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .35rem .6rem;
  border-bottom: 1px solid #ddd; vertical-align: top } td.number { text-align: right }
.error { color: #b00020 } .warning { color: #8a5a00 } .note { color: #555 }
h2 { margin-top: 2.2rem; font-size: 1.1rem } figure { display: inline-block;
  margin: .5rem 1rem .5rem 0; max-width: 360px; vertical-align: top }
figcaption { font-size: .85rem; overflow-wrap: anywhere }
img { max-width: 100%; border: 1px solid #ccc } li { overflow-wrap: anywhere }
"""


def write_page(ledger: Ledger, title: str, path: Path) -> None:
    """Write the page; pictures are part of it."""
    faults = list(ledger)
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>",
        f"<h1>{html.escape(title)}</h1>",
        _summary(ledger),
        _table(faults),
        *(_section(number, fault) for number, fault in enumerate(faults)),
        "</html>\n",
    ]
    with atomic_write(path) as file:
        file.write("\n".join(parts).encode())


def _summary(ledger: Ledger) -> str:
    sets = "".join(
        f"<li>{html.escape(name)}: "
        + ", ".join(f"{count} {what}" for what, count in totals.items())
        + "</li>"
        for name, totals in ledger.totals.items()
    )
    counts = ", ".join(
        f"<span class='{severity}'>{ledger.count(severity)} {severity}s</span>"
        for severity in (ERROR, WARNING, NOTE)
    )
    return f"<ul>{sets}</ul><p>{counts}</p>"


def _table(faults: list[Fault]) -> str:
    rows = "".join(
        f"<tr><td class='{fault.kind.severity}'>{fault.kind.severity}</td>"
        f"<td>{html.escape(fault.where)}</td>"
        f"<td><a href='#f{number}'>{html.escape(fault.kind.title)}</a></td>"
        f"<td class='number'>{fault.count}</td><td>{html.escape(fault.kind.remedy)}</td></tr>"
        for number, fault in enumerate(faults)
    )
    if not rows:
        return "<p>Nothing was found.</p>"
    sections = "".join(f"<th>{name}</th>" for name in ("", "set", "fault", "count", "remedy"))
    return f"<table><tr>{sections}</tr>{rows}</table>"


def _section(number: int, fault: Fault) -> str:
    lines = "".join(
        f"<li><b>{html.escape(example.what)}</b> {html.escape(example.detail)}</li>"
        for example in fault.examples
    )
    more = fault.count - len(fault.examples)
    rest = f"<li>and {more} more</li>" if more > 0 else ""
    shown = [example for example in fault.examples if example.path][:PICTURES]
    figures = "" if fault.kind.severity == NOTE else "".join(map(_figure, shown))
    heading = f"{html.escape(fault.where)}: {html.escape(fault.kind.title)} ({fault.count})"
    title = f"<h2 id='f{number}' class='{fault.kind.severity}'>{heading}</h2>"
    return f"{title}<ul>{lines}{rest}</ul>{figures}"


def _figure(example: Example) -> str:
    picture = picture_of(example)
    if picture is None:
        return ""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[..., ::-1])).save(buffer, "JPEG", quality=85)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    caption = html.escape(f"{example.what}: {example.detail}")
    return (
        f"<figure><img alt='{caption}' src='data:image/jpeg;base64,{encoded}'>"
        f"<figcaption>{caption}</figcaption></figure>"
    )


def picture_of(example: Example) -> np.ndarray | None:
    """(h, w, 3) BGR, the image with the box, on a frame that shows what is outside of it."""
    try:
        image = imread(example.path or "")
    except ImageDecodeError:
        return None
    scale = min(SIDE / max(image.shape[:2]), 1.0)
    size = (max(int(image.shape[1] * scale), 1), max(int(image.shape[0] * scale), 1))
    small = np.array(Image.fromarray(image).resize(size))
    if example.box is None:
        return small
    margin = SIDE // 8
    framed = np.full((size[1] + 2 * margin, size[0] + 2 * margin, 3), 235, dtype=np.uint8)
    framed[margin : margin + size[1], margin : margin + size[0]] = small
    x, y, width, height = np.array(example.box) * scale + [margin, margin, 0, 0]
    corners = np.array([[x, y, x + width, y + height]])
    limit = [framed.shape[1] - 1, framed.shape[0] - 1] * 2
    return draw_instances(
        framed, np.clip(corners, 0, limit), np.zeros(1, dtype=np.int64), class_names=["box"]
    )
