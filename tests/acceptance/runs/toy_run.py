"""A small run with everything that a resume has to bring back, as a program of its own.

Dropout, batch normalisation, warm-up, a momentum schedule, averaged weights, samples that draw,
perhaps gradient accumulation, validation and evaluation. It says on standard output what it does,
so that a test can send it a signal at a chosen moment.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cvcore.dist import generator, get_dist_info, init_dist, set_random_seed, shutdown
from cvcore.interrupt import Interrupted
from cvcore.parallel import MMDistributedDataParallel
from cvcore.runner import (
    BaseRunner,
    DistEvalHook,
    DistSamplerSeedHook,
    EvalHook,
    Hook,
    build_runner,
    find_latest_checkpoint,
)
from detcore.datasets import build_dataloader


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Numbers:
    """Twelve pairs of numbers with noise of their own, made slowly if asked to."""

    CLASSES = ("a",)

    def __init__(self, seconds: float, evaluation_seconds: float = 0.0) -> None:
        self.flag = np.zeros(12, dtype=np.int64)
        self.seconds = seconds
        self.evaluation_seconds = evaluation_seconds

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> Tensor:
        if self.seconds:
            say("making a sample")
            time.sleep(self.seconds)
        noise = generator().normal(size=2)
        return torch.tensor([index / 6 - 1, 1.0]) + torch.from_numpy(noise).float() / 4

    def evaluate(self, results: list[Any], **_: Any) -> dict[str, float]:
        say("scoring")
        time.sleep(self.evaluation_seconds)
        return {"mAP": float(np.mean(results))}


class Toy(nn.Module):
    """A linear map with batch normalisation and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 3)
        self.norm = nn.BatchNorm1d(3)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x: Tensor, return_loss: bool = True) -> Any:
        found = self.dropout(self.norm(self.linear(x)))
        return found if return_loss else found.mean(1).tolist()

    def train_step(self, batch: Tensor, optimizer: Any, **_: Any) -> dict[str, Any]:
        loss = (self(batch) - 1).pow(2).mean()
        logged = {"loss": float(loss.detach())}
        return {"loss": loss, "log_vars": logged, "num_samples": len(batch)}

    def val_step(self, batch: Tensor, optimizer: Any = None, **_: Any) -> dict[str, Any]:
        return self.train_step(batch, optimizer)


class Says(Hook):
    """Tells where the run is, lr and momentum, and takes its time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def after_train_iter(self, runner: BaseRunner) -> None:
        loss = runner.outputs["log_vars"]["loss"]
        values = (runner.current_lr()[0], runner.current_momentum()[0], loss)
        say(f"step {runner.iter + 1} {' '.join(float(value).hex() for value in values)}")
        time.sleep(self.seconds)

    def after_val_iter(self, runner: BaseRunner) -> None:
        say(f"validated {runner.inner_iter}")
        time.sleep(self.seconds)


class Dicts:
    """Batches as dicts, which is what tests of a model are given."""

    def __init__(self, batches: Any) -> None:
        self.batches = batches

    def __call__(self, samples: list[Tensor]) -> dict[str, Tensor]:
        say("evaluated a batch")
        return {"x": torch.stack(samples)}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("work_dir", type=Path)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--iters", type=int)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--save-every", type=int, default=0, help="iterations; 0 is each epoch")
    parser.add_argument("--validate", action="store_true", help="a validation flow")
    parser.add_argument("--evaluate", action="store_true")
    parser.add_argument("--step-seconds", type=float, default=0)
    parser.add_argument("--data-seconds", type=float, default=0)
    parser.add_argument("--evaluation-seconds", type=float, default=0)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--ranks", action="store_true", help="torchrun's environment is set")
    return parser.parse_args(arguments)


def build(options: argparse.Namespace) -> tuple[BaseRunner, list[Any]]:
    set_random_seed(options.seed)
    torch.manual_seed(options.seed)
    model = Toy()
    if options.ranks:
        model = MMDistributedDataParallel(model, broadcast_buffers=False)
    kind = "IterBasedRunner" if options.iters else "EpochBasedRunner"
    length = {"max_iters": options.iters} if options.iters else {"max_epochs": options.epochs}
    runner: BaseRunner = build_runner(
        {"type": kind, **length},
        default_args={
            "model": model,
            "optimizer": torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
            "work_dir": str(options.work_dir),
            "logger": logging.getLogger("toy"),
            "meta": {},
        },
    )
    saving = {"interval": 1} if not options.save_every else {"interval": options.save_every}
    by_epoch = not options.iters
    runner.register_training_hooks(
        {
            "policy": "CosineAnnealing",
            "min_lr": 0,
            "by_epoch": False,
            "warmup": "linear",
            "warmup_iters": 14,
            "warmup_ratio": 0.1,
        },
        {
            "type": "GradientCumulativeOptimizerHook",
            "cumulative_iters": options.accumulate,
            "grad_clip": {"max_norm": 1.0},
        }
        if options.accumulate > 1
        else {"grad_clip": {"max_norm": 1.0}},
        {**saving, "by_epoch": by_epoch and not options.save_every},
        {"interval": 4, "hooks": [{"type": "TextLoggerHook"}]},
        momentum_config={"policy": "cyclic"},
        custom_hooks_config=[{"type": "EMAHook", "momentum": 0.1, "priority": 49}],
    )
    if by_epoch:
        runner.register_hook(DistSamplerSeedHook())
    runner.register_hook(Says(options.step_seconds))
    common = {"samples_per_gpu": options.batch, "workers_per_gpu": options.workers}
    common.update(dist=options.ranks, seed=3)
    loaders = [build_dataloader(Numbers(options.data_seconds), runner_type=kind, **common)]
    if options.validate:
        loaders.append(build_dataloader(Numbers(0), shuffle=False, **common))
    if options.evaluate:
        dataset = Numbers(0, options.evaluation_seconds)
        loader = build_dataloader(dataset, shuffle=False, **common)
        loader.collate_fn = Dicts(loader)
        settings = {"interval": 1 if by_epoch else 4, "by_epoch": by_epoch, "save_best": "mAP"}
        hook = DistEvalHook if options.ranks else EvalHook
        runner.register_hook(hook(loader, **settings), priority="LOW")
    if options.resume:
        runner.resume(str(find_latest_checkpoint(options.work_dir)))
    return runner, loaders


def main(arguments: list[str] | None = None) -> int:
    torch.set_num_threads(1)
    options = parse(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)
    logging.getLogger("toy").setLevel(logging.INFO)
    if options.ranks:
        init_dist("pytorch", "gloo")
    runner, loaders = build(options)
    flow = [("train", 4 if options.iters else 1)]
    if options.validate:
        flow.append(("val", 3 if options.iters else 1))
    try:
        runner.run(loaders, flow)
    except Interrupted as stop:
        say(f"stopped {runner.iter} on rank {get_dist_info()[0]}")
        sys.stderr.write(f"{stop}\n")
        return stop.exit_code
    say("done")
    if options.ranks:
        shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
