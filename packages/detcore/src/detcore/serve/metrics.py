"""What a server counts, in the text form that Prometheus reads."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counts of one server.

    Args:
        waiting: Gives the number of requests that wait for the model.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, waiting: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "detcore_requests", "Answered requests to /predict", ["status"], registry=self.registry
        )
        self._errors = Counter(
            "detcore_errors", "Requests to /predict answered 4xx or 5xx", registry=self.registry
        )
        self._seconds = Histogram(
            "detcore_request_seconds",
            "From the head of a request to the end of its answer",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._model_seconds = Histogram(
            "detcore_model_seconds", "Of a batch", buckets=SECONDS, registry=self.registry
        )
        self._batch_size = Histogram(
            "detcore_batch_size", "Pictures in a batch", buckets=BATCHES, registry=self.registry
        )
        queue = Gauge("detcore_queue_length", "Requests that wait", registry=self.registry)
        queue.set_function(waiting)
        ProcessCollector(registry=self.registry)  # memory and processor time of the server

    def request(self, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests.labels(status=str(status)).inc()
        self._seconds.observe(seconds)
        if status >= 400:
            self._errors.inc()

    def batch(self, size: int, seconds: float) -> None:
        """Count one batch that went through the model."""
        self._batch_size.observe(size)
        self._model_seconds.observe(seconds)

    def text(self) -> bytes:
        """Everything counted so far, in the text exposition format."""
        return generate_latest(self.registry)


class CountRequests:
    """Middleware that times every request to one path and notes its status."""

    def __init__(self, app: ASGIApp, metrics: Metrics, path: str) -> None:
        self.app = app
        self.metrics = metrics
        self.path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if scope["type"] != "http" or scope["path"] != self.path:
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            self.metrics.request(status, time.perf_counter() - started)
