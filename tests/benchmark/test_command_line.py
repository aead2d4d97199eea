"""The command line with processes that only pretend to work: what it writes, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from scripts.benchmark import cli, running, targets
from scripts.benchmark.inputs import Inputs, ModelFiles
from scripts.benchmark.process import Side, run_probe
from scripts.benchmark.rows import BASE, OURS, REFERENCE

Pretend = Callable[..., None]


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pretend:
    """Seconds that each side takes for everything; the losses of the reference can be off."""

    def set_up(seconds: dict[str, float], loss: float = 1.0) -> None:
        def run(side: Side, probe: str, arguments: dict[str, Any], threads: int) -> dict[str, Any]:
            figures = {"seconds": seconds[side.name], "peak_mib": 100.0}
            agree = {"loss": 1.0 if side.name == OURS else loss}
            return {"figures": figures, "agree": agree}

        @contextmanager
        def no_worktree(revision: str) -> Iterator[Path]:
            yield tmp_path / revision

        monkeypatch.setattr(running, "run_probe", run)
        monkeypatch.setattr(cli, "worktree_of", no_worktree)
        monkeypatch.setattr(
            Inputs, "model", lambda self, config, **_: ModelFiles("c.py", "w.pth", "FasterRCNN")
        )

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("")
    return set_up


def model(*words: str) -> list[str]:
    return ["model", "any_config", "--pairs", "3", "--threads", "1", *words]


@pytest.mark.parametrize(("mine", "code"), [(1.0, 0), (1.04, 0), (1.06, 1)])
def test_a_commit_slower_than_its_base_fails(pretend: Pretend, mine: float, code: int) -> None:
    pretend({OURS: mine, BASE: 1.0})
    assert cli.main(model("--base", "HEAD~1")) == code


def test_figures_are_written_with_their_ratios(pretend: Pretend, tmp_path: Path) -> None:
    pretend({OURS: 1.0, REFERENCE: 2.0})
    out, text = tmp_path / "new" / "figures.json", tmp_path / "figures.md"
    words = ["--against", str(tmp_path), "--out", str(out), "--markdown", str(text)]
    assert cli.main(model(*words)) == 0
    (row,) = json.loads(out.read_text(encoding="utf-8"))["rows"]
    time, memory = row["figures"]
    assert time["values"] == {OURS: [1.0] * 3, REFERENCE: [2.0] * 3}
    assert time["ratios"][REFERENCE] == {"median": 0.5, "lowest": 0.5, "highest": 0.5, "pairs": 3}
    assert memory["ratios"][REFERENCE]["median"] == 1.0
    lines = text.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "| work | ours | reference | ours / reference |"
    assert "| 1 s | 2 s | 0.500 (0.500 to 0.500, 3) |" in lines[2]


def test_no_figure_for_a_pair_whose_losses_differ(pretend: Pretend, tmp_path: Path) -> None:
    pretend({OURS: 1.0, REFERENCE: 2.0}, loss=1.002)
    out = tmp_path / "figures.json"
    assert cli.main(model("--against", str(tmp_path), "--out", str(out))) == 1
    (row,) = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert row["figures"] == []
    assert "loss is 1 in ours and 1.002 in reference" in row["refused"]


def test_rows_are_written_when_they_are_done(
    pretend: Pretend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends in its second row leaves the first."""
    pretend({OURS: 1.0, REFERENCE: 2.0})
    run = running.run_probe  # type: ignore[attr-defined]

    def cut_off(side: Side, probe: str, arguments: dict[str, Any], threads: int) -> dict[str, Any]:
        if arguments.get("operator") == "paste":
            raise KeyboardInterrupt
        return run(side, probe, arguments, threads)

    monkeypatch.setattr(running, "run_probe", cut_off)
    out = tmp_path / "figures.json"
    words = ["--against", str(tmp_path), "--pairs", "1", "--out", str(out)]
    with pytest.raises(KeyboardInterrupt):
        cli.main(["operators", "--only", "nms", "paste", *words])
    (row,) = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert row["name"].startswith("NMS")


def test_every_target_has_a_row(pretend: Pretend, tmp_path: Path) -> None:
    """The figures with a target, by short name; those of files that are made are left out."""
    pretend({})
    made = targets.rows(
        Inputs(tmp_path, partial(run_probe, threads=1)),
        configs=tmp_path, bccd=None, ann_file=None, img_prefix=None, steps=3,
    )  # fmt: skip
    cheap = [name for name in made if name not in {"start-up", "pipeline", "evaluation"}]
    aims = {name: [figure.target for figure in made[name]().figures] for name in cheap}
    assert aims["train-faster-r50"] == [0.70, 0.85]
    assert aims["train-faster-r18"] == [0.60, 0.85]
    assert aims["train-mask-r50"] == [0.70, 0.85]
    assert aims["train-retina-r50"] == [0.80, 0.85]
    assert aims["infer-faster-r50"] == aims["infer-mask-r50"] == [0.60]
    assert {*aims} >= {f"bf16-{key}" for key, _, _, _ in targets.STEPS}
    assert aims["bf16-mask-r50"] == [0.45]
    assert aims["assign"] == [0.3, 0.2]
    assert aims["configs"] == [0.2]


def test_an_unknown_row_is_answered_with_those_there_are(
    pretend: Pretend, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend({})
    assert cli.main(["targets", "--only", "trian"]) == 2
    assert "train-faster-r50" in capsys.readouterr().out
