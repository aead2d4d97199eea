"""One detector that answers many at a time: decode, wait, detect, within the time allowed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from detcore.apis.inference.detector import Detector
from detcore.apis.inference.infer import inference_detector
from detcore.apis.inference.predictions import Prediction, prediction_of
from detcore.serve.batcher import Batcher, ClosedError, QueueFullError
from detcore.serve.decode import decode
from detcore.serve.metrics import Metrics
from detcore.serve.refusal import RefusalError
from detcore.serve.settings import ServeSettings

T = TypeVar("T")
CODEC_THREADS = 2  # each holds a decoded picture or two

_logger = logging.getLogger("detcore")


@dataclass(frozen=True, slots=True)
class Job:
    """A picture, and how sure its detections have to be."""

    pixels: np.ndarray  # (h, w, 3) uint8 BGR
    score_thr: float


class PredictionService:
    """Predictions for requests that come at the same time, in batches.

    Args:
        detector: Used by one thread only.
        settings: Limits and batching.
    """

    def __init__(self, detector: Detector, settings: ServeSettings) -> None:
        self.detector = detector
        self.settings = settings
        self.metrics = Metrics(lambda: self.batcher.waiting)
        self.batcher = Batcher(
            self._detect,
            batch_size=settings.batch_size,
            max_wait=settings.max_wait,
            max_queue=settings.max_queue,
            observe=self.metrics.batch,
        )
        self.closing = False
        self._codec = ThreadPoolExecutor(CODEC_THREADS, thread_name_prefix="codec")

    async def predict(self, content: bytes, score_thr: float | None = None) -> Prediction:
        """What is on a picture file.

        Raises:
            RefusalError: 413, 415, 422: see :func:`detcore.serve.decode.decode`; 503: too many
                wait, or the server is shutting down; 500: the model failed, as the log says.
        """
        if self.closing:
            raise RefusalError(503, "the server is shutting down")
        pixels = await self.in_thread(lambda: decode(content, self.settings.max_pixels))
        threshold = self.settings.score_thr if score_thr is None else score_thr
        try:
            future = self.batcher.submit(Job(pixels, threshold))
        except (QueueFullError, ClosedError) as error:
            raise RefusalError(503, f"{error}; try again later") from error
        try:
            return await asyncio.wrap_future(future)
        except Exception as error:
            _logger.exception("the model failed on a picture of %s pixels", pixels.shape[:2])
            raise RefusalError(500, "the model failed on this picture; see the log") from error

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Decode or encode beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._codec, work)

    def close(self) -> None:
        """Take nothing more and finish everything that waits; answers can still be encoded."""
        self.closing = True
        self.batcher.close()

    def _detect(self, jobs: Sequence[Job]) -> list[Prediction]:
        results = inference_detector(self.detector.model, [job.pixels for job in jobs])
        names = self.detector.class_names
        return [
            prediction_of(job.pixels, result, names, score_thr=job.score_thr)
            for job, result in zip(jobs, results, strict=True)
        ]
