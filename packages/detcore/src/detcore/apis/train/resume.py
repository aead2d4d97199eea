"""Where a run starts from: nothing, weights, or a checkpoint of itself that it goes on from."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

from cvcore import Config
from cvcore.errors import CvcoreError
from cvcore.runner import BaseRunner, find_latest_checkpoint
from detcore.errors import ClassMismatchError

MAX_SHOWN = 20
# Say where and how a run is started, not what it is.
OF_THE_START = ("auto_resume", "gpu_ids", "load_from", "resume_from", "work_dir")
ABSENT = "(absent)"


def start_from(runner: BaseRunner, cfg: Config, logger: logging.Logger) -> None:
    """Resume, or load weights, before the first iteration.

    Raises:
        CheckpointError: The checkpoint is of another model or optimizer.
        ClassMismatchError: It is of a model for other classes.
    """
    resume_from = cfg.get("resume_from")
    if resume_from is None and (cfg.get("auto_resume") or is_elastic_restart()):
        resume_from = find_latest_checkpoint(cfg["work_dir"], logger=logger)
        if resume_from is None:
            logger.info("--auto-resume: no checkpoint in %s yet, starting afresh", cfg["work_dir"])
    if resume_from:
        own = dict(runner.meta or {})
        runner.resume(str(resume_from))
        check_same_run((runner.resumed_checkpoint or {}).get("meta") or {}, own, cfg, logger)
    elif cfg.get("load_from"):
        runner.load_checkpoint(cfg["load_from"])


def is_elastic_restart() -> bool:
    """Whether torchrun has started this process again after a failure (``--max-restarts``)."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def check_same_run(
    saved: Mapping[str, Any], own: Mapping[str, Any], cfg: Config, logger: logging.Logger
) -> None:
    """Compare a checkpoint's classes and config with this run's; log what was changed.

    Raises:
        ClassMismatchError: The classes, or their order, are others.
    """
    classes, now = saved.get("CLASSES"), own.get("CLASSES")
    if classes is not None and now is not None and list(classes) != list(now):
        raise ClassMismatchError(
            f"the checkpoint was trained for the classes {_some(classes)}, this run has "
            f"{_some(now)}: resume with the classes that it has, in their order, or start a new "
            "run from its weights with load_from"
        )
    changes = list(_changes_since(saved.get("config"), cfg))
    if changes:
        more = len(changes) - MAX_SHOWN
        rows = changes[:MAX_SHOWN] + ([f"and {more} more"] if more > 0 else [])
        logger.warning("the config has changed since the checkpoint:\n  %s", "\n  ".join(rows))


def _some(names: Any) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:8]) + (f", ... ({len(listed)})" if len(listed) > 8 else "")


def _changes_since(text: Any, cfg: Config) -> Iterator[str]:
    if not isinstance(text, str):
        return
    try:
        before = Config.fromstring(text, ".py").to_dict()
        after = Config.fromstring(cfg.pretty_text, ".py").to_dict()
    except CvcoreError:  # a text that cannot be read says nothing of changes
        return
    for key in OF_THE_START:
        before.pop(key, None)
        after.pop(key, None)
    yield from _differences(before, after, "")


def _differences(before: Any, after: Any, place: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            path = f"{place}.{key}" if place else str(key)
            yield from _differences(before.get(key, ABSENT), after.get(key, ABSENT), path)
    elif before != after:
        yield f"{place}: {_short(before)} -> {_short(after)}"


def _short(value: Any) -> str:
    text = value if value is ABSENT else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
