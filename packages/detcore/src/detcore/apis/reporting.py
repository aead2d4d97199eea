"""A report after every evaluation, of a run and of a test alike."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cvcore import Config
from cvcore.environment import collect_env
from cvcore.runner import BaseRunner
from detcore.errors import DetcoreError
from detcore.report import Report, RunCurves, RunFacts, analyse, read_curves, write_report
from detcore.version import __version__

METRICS = "metrics.jsonl"
FOLDER = "report"  # in the work dir


class ReportWriter:
    """Writes ``WORK_DIR/report`` from what an evaluation hook hears.

    A report that cannot be written does not stop the run: the log says why.

    Args:
        dataset: What is evaluated.
        facts: What the report tells of the run; the epoch and the checkpoint are added.
        pictures: Worst and best images, at most so many of each.
        score_thr: Threshold of pictures and confusion matrix; by default that of the best F1.
    """

    def __init__(
        self, dataset: Any, facts: RunFacts, *, pictures: int = 8, score_thr: float | None = None
    ) -> None:
        self.dataset = dataset
        self.facts = facts
        self.pictures = pictures
        self.score_thr = score_thr

    def __call__(self, runner: BaseRunner, results: Any, scores: Mapping[str, Any]) -> None:
        """Write the report of this evaluation over the one before."""
        if runner.work_dir is None:
            return
        step = runner.iter + (runner.moment == "after_train_iter")
        record = {"mode": "val", "step": step, **scores}
        curves = read_curves(Path(runner.work_dir) / METRICS, [record])
        details = {"After": f"epoch {runner.epoch + 1}, iteration {step}"}
        try:
            page = self.write(results, scores, Path(runner.work_dir) / FOLDER, curves, details)
        except (DetcoreError, OSError) as error:
            runner.logger.warning("no report: %s", error)
        else:
            runner.logger.info("report: %s", page)

    def write(
        self,
        results: Sequence[Any],
        scores: Mapping[str, Any],
        folder: Path,
        curves: RunCurves,
        details: Mapping[str, str],
    ) -> Path:
        """Analyse and write; gives the path of the page.

        Raises:
            DetcoreError: The results are of a kind that is not reported on, such as proposals.
        """
        analysis = analyse(self.dataset, results, score_thr=self.score_thr, pictures=self.pictures)
        facts = replace(self.facts, details={**details, **self.facts.details})
        return write_report(Report(analysis, scores, facts, curves), folder)


def facts_of(
    cfg: Config, dataset: Any, *, commands: Sequence[str], checkpoint: str | None = None
) -> RunFacts:
    """What a report tells beside the figures: the config, the data, versions, the commands."""
    name = Path(cfg.filename).stem if cfg.filename else "config"
    environment = collect_env()
    details = {
        "Date": time.strftime("%Y-%m-%d %H:%M"),
        "Config": str(cfg.filename or "-"),
        **({"Checkpoint": checkpoint} if checkpoint else {}),
        "Annotations": str(getattr(dataset, "ann_file", type(dataset).__name__)),
        "Seed": str(cfg.get("seed", "-")),
        "detcore": __version__,
        **{key: str(environment[key]) for key in ("PyTorch", "Python", "OS")},
    }
    return RunFacts(name, details, list(commands), cfg.pretty_text)


def report_writer(
    cfg: Config, dataset: Any, *, commands: Sequence[str], checkpoint: str | None = None
) -> ReportWriter | None:
    """The writer that ``cfg.report`` asks for; None if that is False.

    ``report = False`` switches reports off; ``report = dict(pictures=4, score_thr=0.5)`` sets them.
    """
    settings = cfg.get("report", True)
    if settings is False or settings is None:
        return None
    options: dict[str, Any] = {} if settings is True else dict(settings)
    facts = facts_of(cfg, dataset, commands=commands, checkpoint=checkpoint)
    return ReportWriter(dataset, facts, **options)


def commands_of(cfg: Config) -> list[str]:
    """What trains this again, and what evaluates its last checkpoint again."""
    work_dir = Path(cfg["work_dir"])
    config = work_dir / f"{Path(cfg.filename).stem if cfg.filename else 'config'}.py"
    seed = "" if cfg.get("seed") is None else f" --seed {cfg['seed']}"
    metric = (cfg.get("evaluation") or {}).get("metric", "bbox")
    metrics = " ".join([metric] if isinstance(metric, str) else metric)
    return [
        f"detcore-train {config} --work-dir {work_dir}_again{seed}",
        f"detcore-test {config} {work_dir / 'latest.pth'} --eval {metrics} --work-dir {work_dir}",
    ]
