"""Experiment trackers: the calls that their libraries document, and the real libraries offline."""

from __future__ import annotations

import csv
import importlib.util
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from tests.processes import Ended, python
from tests.processes import run as run_process
from torch import Tensor

from cvcore.errors import MissingExtraError
from cvcore.runner import HOOKS, BaseRunner, DvcliveLoggerHook, Hook


class Numbers(Hook):
    """Loss 1, 2, ... and a second for each iteration; a score of 0.25 after the epoch."""

    def after_train_iter(self, runner: Any) -> None:
        runner.log_buffer.update({"loss": float(runner.iter + 1), "time": 1.0})

    def after_train_epoch(self, runner: Any) -> None:
        runner.log_buffer.output.update(score=torch.tensor(0.25), note="text")
        runner.log_buffer.ready = True


@pytest.fixture
def run(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor]
) -> Callable[[dict[str, Any]], BaseRunner]:
    """Run an epoch of five iterations with a logger that reports every second one."""

    def go(config: dict[str, Any]) -> BaseRunner:
        runner = make_runner(max_epochs=1, meta={"seed": 3})
        model = runner.model
        model.train_step = lambda batch, optimizer: {"loss": model.linear.weight.sum()}  # type: ignore[method-assign, assignment]
        runner.register_hook(Numbers())
        runner.register_hook(HOOKS.build({"interval": 2, **config}), "VERY_LOW")
        runner.run([batches], [("train", 1)])
        return runner

    return go


def fake(monkeypatch: pytest.MonkeyPatch, name: str, **attributes: Any) -> None:
    module = ModuleType(name)
    module.__dict__.update(attributes)
    monkeypatch.setitem(sys.modules, name, module)


RATES = {"learning_rate": 0.1, "momentum": 0.9}
# Means of losses 1, 2 and 3, 4; then the score.
REPORTS = [
    {"train/loss": 1.5, **RATES},
    {"train/loss": 3.5, **RATES},
    {"val/score": 0.25, **RATES},
]


class Wandb:
    """Records what is asked of wandb and of its run."""

    def __init__(self) -> None:
        self.id = "abc"
        self.calls: list[Any] = []

    def init(self, **kwargs: Any) -> Wandb:
        self.calls.append(("init", kwargs))
        return self

    def define_metric(self, name: str, summary: str) -> None:
        self.calls.append(("define", name, summary))

    def log(self, values: dict[str, float], **kwargs: Any) -> None:
        self.calls.append((values, kwargs))

    def log_artifact(self, artifact: Any) -> None:
        self.calls.append(("artifact", artifact.name, artifact.files))

    def finish(self) -> None:
        self.calls.append("finish")


class Artifact:
    def __init__(self, name: str, type: str) -> None:
        self.name = f"{type}:{name}"
        self.files: list[str] = []

    def add_file(self, path: str) -> None:
        self.files.append(Path(path).name)


def test_wandb_gets_rows_by_iteration_and_the_logs(
    run: Callable[..., BaseRunner], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wandb = Wandb()
    fake(monkeypatch, "wandb", init=wandb.init, Artifact=Artifact)
    (tmp_path / "run").mkdir()
    for name in ("a.log", "config.py", "b.pth"):
        (tmp_path / "run" / name).touch()
    run(
        {
            "type": "WandbLoggerHook",
            "init_kwargs": {"project": "p"},
            "define_metric_cfg": {"val/score": "max"},
        }
    )
    assert wandb.calls == [
        ("init", {"dir": str(tmp_path / "run"), "project": "p"}),
        ("define", "val/score", "max"),
        (REPORTS[0], {"step": 2}),
        (REPORTS[1], {"step": 4}),
        (REPORTS[2], {"step": 5}),
        ("artifact", "logs:logs-abc", ["a.log", "config.py"]),
        "finish",
    ]


def test_wandb_without_its_own_steps_gets_the_iteration_as_a_column(
    run: Callable[..., BaseRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = Wandb()
    fake(monkeypatch, "wandb", init=wandb.init)
    run({"type": "WandbLoggerHook", "with_step": False, "commit": False, "log_artifact": False})
    assert wandb.calls[1] == ({**REPORTS[0], "global_step": 2}, {"commit": False})
    assert wandb.calls[-1] == "finish"


def test_mlflow_gets_metrics_and_weights(
    run: Callable[..., BaseRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    def keep(path: str, folder: str) -> None:
        checkpoint = torch.load(path, weights_only=True)
        calls.append((folder, Path(path).name, checkpoint["meta"]["seed"]))

    fake(
        monkeypatch,
        "mlflow",
        set_experiment=lambda name: calls.append(("experiment", name)),
        active_run=lambda: None,
        start_run=lambda: calls.append("start"),
        set_tags=calls.append,
        log_params=calls.append,
        log_metrics=lambda values, step: calls.append((values, step)),
        log_artifact=keep,
        end_run=lambda: calls.append("end"),
    )
    run({"type": "MlflowLoggerHook", "exp_name": "e", "tags": {"a": "b"}, "params": {"c": 1}})
    assert calls == [
        ("experiment", "e"),
        "start",
        {"a": "b"},
        {"c": 1},
        (REPORTS[0], 2),
        (REPORTS[1], 4),
        (REPORTS[2], 1),
        ("models", "model.pth", 3),
        "end",
    ]


def test_clearml_gets_scalars(
    run: Callable[..., BaseRunner], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []

    def report_scalar(title: str, series: str, value: float, iteration: int) -> None:
        calls.append((title, series, value, iteration))

    task = SimpleNamespace(
        get_logger=lambda: SimpleNamespace(report_scalar=report_scalar),
        close=lambda: calls.append("close"),
    )
    fake(
        monkeypatch,
        "clearml",
        Task=SimpleNamespace(init=lambda **given: calls.append(given) or task),
    )
    run({"type": "ClearMLLoggerHook", "init_kwargs": {"project_name": "p"}})
    assert calls[:2] == [{"project_name": "p"}, ("train/loss", "train/loss", 1.5, 2)]
    assert ("val/score", "val/score", 0.25, 1) in calls
    assert calls[-1] == "close"


class Live:
    """Records what is asked of a Live of dvclive."""

    def __init__(self, **given: Any) -> None:
        self.calls: list[Any] = [given]
        self.step = 0

    def log_metric(self, name: str, value: float) -> None:
        self.calls.append((self.step, name, value))

    def make_summary(self) -> None: ...

    def log_artifact(self, path: str) -> None:
        self.calls.append(Path(path).name)

    def end(self) -> None:
        self.calls.append("end")


def test_dvclive_gets_metrics_and_the_checkpoint(
    run: Callable[..., BaseRunner], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    live = Live()
    run({"type": "DvcliveLoggerHook", "dvclive": live, "model_file": str(tmp_path / "m.pth")})
    assert (4, "train/loss", 3.5) in live.calls
    assert live.calls[-2:] == ["m.pth", "end"]
    assert torch.load(tmp_path / "m.pth", weights_only=True)["meta"]["epoch"] == 1
    made: list[dict[str, Any]] = []
    fake(monkeypatch, "dvclive", Live=lambda **given: made.append(given) or Live())
    run({"type": "DvcliveLoggerHook", "dir": "d"})
    assert made == [{"dir": "d"}]
    with pytest.raises(ValueError, match="dir would make a Live"):
        DvcliveLoggerHook(dvclive=live, dir="d")


@pytest.mark.parametrize("with_step", [True, False])
def test_neptune_gets_points_of_curves(
    run: Callable[..., BaseRunner], monkeypatch: pytest.MonkeyPatch, with_step: bool
) -> None:
    calls: list[Any] = []

    class Run:
        def __getitem__(self, name: str) -> Any:
            return SimpleNamespace(append=lambda value, **place: calls.append((name, value, place)))

        def stop(self) -> None:
            calls.append("stop")

    fake(monkeypatch, "neptune", init_run=lambda **given: calls.append(given) or Run())
    run({"type": "NeptuneLoggerHook", "init_kwargs": {"mode": "x"}, "with_step": with_step})
    assert calls[:2] == [{"mode": "x"}, ("train/loss", 1.5, {"step": 2} if with_step else {})]
    assert calls[-1] == "stop"


@pytest.mark.parametrize("name", ["Wandb", "Mlflow", "ClearML", "Dvclive", "Neptune"])
def test_without_the_library_the_pip_line_is_named(
    run: Callable[..., BaseRunner], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    module = name.lower()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'cvcore\[{module}\]'"):
        run({"type": f"{name}LoggerHook"})


# The real libraries run in a process of their own: they patch what they find.
SCRIPT = """
import sys
import torch
from torch import nn
from cvcore.runner import HOOKS, EpochBasedRunner, IterTimerHook

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(1))
    def train_step(self, batch, optimizer):
        loss = (self.a - batch).pow(2).sum()
        return dict(loss=loss, log_vars=dict(loss=float(batch)), num_samples=1)

{before}
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
runner = EpochBasedRunner(model, optimizer=optimizer, work_dir=sys.argv[1], max_epochs=2)
runner.register_hook(IterTimerHook())
runner.register_hook(HOOKS.build(dict(interval=1, {config})))
runner.run([[torch.tensor(1.0), torch.tensor(3.0)]], [('train', 1)])
{after}
"""


@pytest.fixture
def run_apart(tmp_path: Path) -> Callable[..., Ended]:
    """Run two epochs of two iterations (losses 1 and 3) with a logger, in another process."""

    def go(
        module: str, config: str, before: str = "", after: str = "", **environment: str
    ) -> Ended:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed; get it with: pip install 'cvcore[{module}]'")
        path = tmp_path / "script.py"
        path.write_text(SCRIPT.format(config=config, before=before, after=after), encoding="utf-8")
        command = python(path, tmp_path / "run")
        done = run_process(command, {"HOME": str(tmp_path), **environment}, tmp_path)
        assert done.code == 0, done.errors
        return done

    return go


def wandb_rows(path: Path) -> list[dict[str, float]]:
    """Rows of a run's file: a head of 7 bytes, then LevelDB's log of blocks of 32 KB.

    A block holds pieces with a head of checksum (4 bytes), length (2) and kind (1): a whole record,
    or the first, a middle or the last part of one.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, rows, parts = path.read_bytes(), 7, [], b""
    while place + 7 <= len(data):
        if place % 32768 > 32768 - 7:  # no head fits into the rest of the block
            place += 32768 - place % 32768
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            record = Record()
            record.ParseFromString(parts)
            parts = b""
            if record.HasField("history"):
                items = record.history.item
                rows.append({i.key or "/".join(i.nested_key): float(i.value_json) for i in items})
    return rows


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of wandb's own modules
def test_wandb_itself_keeps_every_row_offline(
    run_apart: Callable[..., Ended], tmp_path: Path
) -> None:
    done = run_apart("wandb", "type='WandbLoggerHook', init_kwargs=dict(mode='offline')")
    assert "will be ignored" not in done.errors
    (path,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    rows = wandb_rows(path)
    assert [row["train/loss"] for row in rows] == [1, 3, 1, 3]
    assert [row["_step"] for row in rows] == [1, 2, 3, 4]
    assert [row["learning_rate"] for row in rows] == [0.5] * 4


@pytest.mark.slow
def test_mlflow_itself_stores_metrics_and_weights(
    run_apart: Callable[..., Ended], tmp_path: Path
) -> None:
    run_apart(
        "mlflow",
        "type='MlflowLoggerHook', exp_name='e', tags=dict(a='b')",
        MLFLOW_TRACKING_URI=(tmp_path / "store").as_uri(),
        MLFLOW_ALLOW_FILE_STORE="true",
    )
    (metric,) = (tmp_path / "store").glob("*/*/metrics/train/loss")
    lines = [line.split() for line in metric.read_text(encoding="utf-8").splitlines()]
    assert [(float(value), int(step)) for _, value, step in lines] == [
        (1, 1),
        (3, 2),
        (1, 3),
        (3, 4),
    ]
    (weights,) = (tmp_path / "store").glob("*/*/artifacts/models/model.pth")
    assert "a" in torch.load(weights, weights_only=True)["state_dict"]


@pytest.mark.slow
def test_clearml_itself_reports_offline(run_apart: Callable[..., Ended], tmp_path: Path) -> None:
    run_apart(
        "clearml",
        "type='ClearMLLoggerHook', init_kwargs=dict(project_name='p', task_name='t')",
        before="from clearml import Task; Task.set_offline(True)",
    )
    (path,) = (tmp_path / ".clearml").rglob("metrics.jsonl")
    batches = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    events = [event for batch in batches for event in batch]
    losses = [(e["value"], e["iter"]) for e in events if e.get("metric") == "train/loss"]
    assert losses == [(1, 1), (3, 2), (1, 3), (3, 4)]


@pytest.mark.slow
def test_dvclive_itself_writes_its_tables(run_apart: Callable[..., Ended], tmp_path: Path) -> None:
    run_apart("dvclive", "type='DvcliveLoggerHook', save_dvc_exp=False, dir='live'")
    table = tmp_path / "live" / "plots" / "metrics" / "train" / "loss.tsv"
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [(float(r["loss"]), int(r["step"])) for r in rows] == [(1, 1), (3, 2), (1, 3), (3, 4)]


@pytest.mark.slow
def test_neptune_itself_takes_a_run_offline(
    run_apart: Callable[..., Ended], tmp_path: Path
) -> None:
    run_apart("neptune", "type='NeptuneLoggerHook', init_kwargs=dict(mode='offline')")
    stored = [p.read_bytes() for p in (tmp_path / ".neptune").rglob("*") if p.is_file()]
    assert sum(data.count(b'"train", "loss"') for data in stored) >= 4
