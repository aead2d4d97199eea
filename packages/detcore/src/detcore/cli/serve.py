"""`detcore serve`: a detector behind HTTP, with a page to drop photographs on."""

from __future__ import annotations

import argparse

DESCRIPTION = (
    "Answer requests with detections: POST /predict, GET /health, /metrics and a page on /. "
    "Example: detcore serve latest.pth --port 8000"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A checkpoint, where to listen, how to batch, and what to allow."""
    add = parser.add_argument
    add("checkpoint", help="a checkpoint of detcore-train, which needs no config beside it")
    add("--config", help="for a checkpoint that holds no config of its own")
    add("--host", default="127.0.0.1", help="0.0.0.0 also serves other machines")
    add("--port", type=int, default=8000, help="0 takes any that is free")
    add("--device", help="such as cpu or cuda:0")
    add("--score-thr", type=float, default=0.3, help="least score, where a request names none")
    add("--batch-size", type=int, default=4, help="pictures that go through together, at most")
    add("--max-wait-ms", type=float, default=10, help="how long the first of a batch waits")
    add("--max-queue", type=int, default=64, help="requests at a time; others are answered 503")
    add("--max-megabytes", type=float, default=20, help="of an upload")
    add("--max-megapixels", type=float, default=50, help="of a picture")
    add("--timeout", type=float, default=60, help="seconds for a request, all told")
    add("--allow-urls", action="store_true", help="let requests name an address to fetch")


def run(args: argparse.Namespace) -> int:
    """Load the model and serve until a signal ends it; waiting requests are finished first."""
    from cvcore.errors import requires
    from detcore.apis.inference.detector import Detector
    from detcore.serve import ServeSettings, build

    uvicorn = requires("uvicorn", extra="serve", distribution="detcore")
    settings = ServeSettings(
        score_thr=args.score_thr,
        batch_size=args.batch_size,
        max_wait=args.max_wait_ms / 1e3,
        max_queue=args.max_queue,
        max_bytes=round(args.max_megabytes * 1e6),
        max_pixels=round(args.max_megapixels * 1e6),
        timeout=args.timeout,
        allow_urls=args.allow_urls,
    )
    app = build(Detector(args.checkpoint, args.config, device=args.device), settings)
    uvicorn.run(app, host=args.host, port=args.port, log_level="info")
    return 0
