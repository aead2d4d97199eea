"""The web application: a page, predictions, health and metrics."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.requests import ClientDisconnect

from detcore.apis.inference.detector import Detector
from detcore.apis.inference.predictions import Prediction
from detcore.serve.decode import drawn
from detcore.serve.metrics import CountRequests
from detcore.serve.refusal import RefusalError
from detcore.serve.service import PredictionService
from detcore.serve.settings import ServeSettings
from detcore.serve.uploads import read_upload
from detcore.version import __version__

Form = Literal["json", "image"]
# The page is one file and asks nobody but this server.
PAGE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
PICTURE = {"schema": {"type": "string", "format": "binary"}}
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "image/*": PICTURE,
            "application/octet-stream": PICTURE,
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"image": {"type": "string", "format": "byte"}},
                }
            },
        },
    }
}


def build_app(detector: Detector, settings: ServeSettings) -> FastAPI:
    """The application of one detector; on shutdown it finishes the requests that wait."""
    service = PredictionService(detector, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(title="detcore", version=__version__, lifespan=lifespan)
    app.state.service = service
    app.add_middleware(CountRequests, metrics=service.metrics, path="/predict")
    app.add_exception_handler(RefusalError, _refuse)
    _add_predict(app, service)
    _add_watching(app, service)
    return app


def _add_predict(app: FastAPI, service: PredictionService) -> None:
    settings, door = service.settings, Door(service.settings.max_queue)

    @app.post("/predict", openapi_extra=UPLOAD, response_model=None)
    async def predict(
        request: Request,
        score_thr: Annotated[float | None, Query(ge=0, le=1)] = None,
        form: Annotated[Form | None, Query(alias="format")] = None,
        masks: Annotated[bool, Query(description="run lengths of the masks, as COCO's")] = False,
    ) -> Response:
        """What is on a picture: as JSON, or as the picture with everything drawn on it."""

        async def answer() -> Response:
            content = await read_upload(request, settings)
            prediction = await service.predict(content, score_thr)
            kind = picture_kind(request.headers.get("accept", ""), form)
            if kind is None:
                return JSONResponse(await service.in_thread(lambda: record_of(prediction, masks)))
            picture = await service.in_thread(lambda: drawn(prediction, kind))
            return Response(picture, media_type=f"image/{kind.lower()}")

        with door.passed():
            try:
                return await asyncio.wait_for(answer(), settings.timeout)
            except asyncio.TimeoutError as error:
                message = f"not done within {settings.timeout:g} seconds, the limit here"
                raise RefusalError(504, message) from error
            except ClientDisconnect as error:
                raise RefusalError(400, "the connection ended within the upload") from error


def _add_watching(app: FastAPI, service: PredictionService) -> None:
    page = files("detcore.serve").joinpath("page.html").read_text(encoding="utf-8")

    @app.get("/", include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})

    @app.get("/health")
    async def health() -> JSONResponse:
        """Whether requests are taken, by which model, and the limits."""
        settings = service.settings
        facts = {
            "status": "closing" if service.closing else "ok",
            "model": type(service.detector.model).__name__,
            "classes": service.detector.class_names,
            "waiting": service.batcher.waiting,
            "score_thr": settings.score_thr,
            "max_bytes": settings.max_bytes,
            "max_pixels": settings.max_pixels,
            "version": __version__,
        }
        return JSONResponse(facts, 503 if service.closing else 200)

    @app.get("/metrics")
    async def metrics() -> Response:
        """Counts, in Prometheus' text form."""
        return Response(service.metrics.text(), media_type=service.metrics.content_type)


class Door:
    """Lets a number of requests in at a time, so that uploads cannot fill the memory."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.inside = 0

    @contextmanager
    def passed(self) -> Iterator[None]:
        """One place, for as long as the block runs; 503 where all are taken."""
        if self.inside >= self.places:
            message = f"{self.places} requests are being answered already; try again later"
            raise RefusalError(503, message)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


def record_of(prediction: Prediction, masks: bool = False) -> dict[str, Any]:
    """The JSON answer: size of the picture, and one record an object."""
    height, width = prediction.image.shape[:2]
    records = prediction.to_records()
    if masks and prediction.masks is not None:
        for record, coco in zip(records, prediction.to_coco(), strict=True):
            record["segmentation"] = coco["segmentation"]
    return {"width": width, "height": height, "detections": records}


def picture_kind(accept: str, form: Form | None) -> str | None:
    """``JPEG`` or ``PNG`` where a picture is asked for, None where JSON is.

    Args:
        accept: The header of that name; of several types, the first that is served counts among
            those of the highest quality.
        form: Has the last word where it is given.
    """
    if form == "json":
        return None
    served = {"image/png": "PNG", "image/jpeg": "JPEG", "image/*": "JPEG"}
    served_or_json: dict[str, str | None] = {**served, "application/json": None, "*/*": None}
    wanted = sorted(_media_types(accept), key=lambda pair: -pair[1])
    kinds = [served_or_json[name] for name, quality in wanted if quality and name in served_or_json]
    if form == "image":
        return next(filter(None, kinds), "JPEG")
    return kinds[0] if kinds else None


def _media_types(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        yield name, 0.0 if math.isnan(quality) else quality


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusalError)
    headers = {"Retry-After": "1"} if error.status == 503 else None
    return JSONResponse({"error": error.message}, error.status, headers=headers)
