"""A detector behind HTTP; the parts import FastAPI, so they are reached through :func:`build`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvcore.errors import requires
from detcore.serve.settings import ServeSettings as ServeSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from detcore.apis.inference.detector import Detector


def build(detector: Detector, settings: ServeSettings | None = None) -> FastAPI:
    """The web application of a detector, for uvicorn or any other ASGI server.

    Raises:
        MissingExtraError: The extra ``serve`` is not installed.
    """
    for module in ("fastapi", "python_multipart", "prometheus_client"):
        requires(module, extra="serve", distribution="detcore")
    from detcore.serve.app import build_app

    return build_app(detector, settings or ServeSettings())
