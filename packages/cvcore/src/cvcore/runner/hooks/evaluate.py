"""Hooks that evaluate during training and keep the best checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader

from cvcore.dist import is_main
from cvcore.errors import CvcoreError
from cvcore.interrupt import Interrupted, abandonable
from cvcore.runner.checkpoint import read_checkpoint
from cvcore.runner.hook import Hook
from cvcore.runner.hooks.checkpoint import output_folder
from cvcore.runner.hooks.logger.base import LoggerHook
from cvcore.runner.hooks.score_rules import GREATER_KEYS, LESS_KEYS, infer_rule, names_given
from cvcore.runner.iter_based import set_sampler_epoch
from cvcore.runner.random_state import preserved_random_state
from cvcore.runner.testing import single_gpu_test

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

INF = float("inf")
# Called with the runner, the results and their scores, on the rank that scores.
EvalListener = Callable[["BaseRunner", Any, Mapping[str, Any]], None]
CUT_SHORT = "evaluation_cut_short"  # names the iteration, among the hooks' messages


class EvalHook(Hook):
    """Evaluates every few epochs or iterations, and keeps the checkpoint with the best score.

    Args:
        dataloader: Its dataset has ``evaluate(results, logger=..., **eval_kwargs)``, which returns
            a dict of scores.
        start: First epoch or iteration to evaluate, also before any training if it is not later
            than where the run begins; None leaves it to the interval.
        interval: Epochs or iterations between evaluations.
        by_epoch: Count epochs.
        save_best: Name of the score that decides; ``'auto'`` is the first one; None keeps none.
        rule: ``'greater'`` or ``'less'`` is better; inferred from the name by default.
        test_fn: ``test_fn(model, dataloader)`` gives the results.
        greater_keys: Names, or parts of names, of scores of which the greater is better.
        less_keys: Names of those of which the less is better.
        out_dir: Folder that gets one folder for each run; by default the work dir itself is used.
        file_client_args: Storage of ``out_dir``, if its address does not tell.
        **eval_kwargs: Passed on to ``dataset.evaluate``.
    """

    rule_map: Mapping[str, Callable[[float, float], bool]] = {
        "greater": lambda new, old: new > old,
        "less": lambda new, old: new < old,
    }
    init_value_map: Mapping[str, float] = {"greater": -INF, "less": INF}
    _default_greater_keys: Sequence[str] = GREATER_KEYS
    _default_less_keys: Sequence[str] = LESS_KEYS

    def __init__(
        self,
        dataloader: DataLoader,
        start: int | None = None,
        interval: int = 1,
        by_epoch: bool = True,
        save_best: str | None = None,
        rule: str | None = None,
        test_fn: Callable[..., Any] | None = None,
        greater_keys: str | Sequence[str] | None = None,
        less_keys: str | Sequence[str] | None = None,
        out_dir: str | Path | None = None,
        file_client_args: Mapping[str, Any] | None = None,
        **eval_kwargs: Any,
    ) -> None:
        if not isinstance(dataloader, DataLoader):
            raise TypeError(f"dataloader is a DataLoader, not {type(dataloader).__name__}")
        if interval <= 0:
            raise ValueError(f"interval is a number from 1 on, not {interval}")
        if start is not None and start < 0:
            raise ValueError(f"start is a number from 0 on, not {start}")
        if save_best is not None and not isinstance(save_best, str):
            raise TypeError(f"save_best is the name of a score, not {save_best!r}")
        self.dataloader = dataloader
        self.start = start
        self.interval = interval
        self.by_epoch = by_epoch
        self.save_best = save_best
        self.test_fn: Callable[..., Any] = test_fn or single_gpu_test
        self.greater_keys = names_given(greater_keys, self._default_greater_keys)
        self.less_keys = names_given(less_keys, self._default_less_keys)
        self.out_dir: Any = out_dir
        self.file_client_args = file_client_args
        self.file_client: Any = None
        self.eval_kwargs = eval_kwargs
        self.listeners: list[EvalListener] = []
        self.initial_flag = True
        self.best_ckpt_path: str | None = None
        self.rule: str | None = None
        self.key_indicator: str | None = None
        if save_best is not None:
            self._init_rule(rule, save_best)

    def _init_rule(self, rule: str | None, key_indicator: str) -> None:
        """Settle which score decides, and in which direction."""
        if rule is not None and rule not in self.rule_map:
            raise KeyError(f"rule is one of {', '.join(self.rule_map)}, not {rule!r}")
        if rule is None and key_indicator != "auto":
            rule = infer_rule(key_indicator, self.greater_keys, self.less_keys)
        self.rule = rule
        self.key_indicator = key_indicator

    def before_run(self, runner: BaseRunner) -> None:
        """Find the folder, and the best checkpoint so far."""
        self.out_dir, self.file_client = output_folder(
            self.out_dir, runner.work_dir, self.file_client_args
        )
        if self.save_best is None:
            return
        if runner.meta is None:
            runner.meta = {}
        messages = runner.meta.setdefault("hook_msgs", {})
        if runner.resumed_checkpoint is not None:
            self._catch_up(runner, messages)
        self.best_ckpt_path = messages.get("best_ckpt")

    def _catch_up(self, runner: BaseRunner, messages: dict[str, Any]) -> None:
        """Take a best score that was found after the resumed checkpoint was written.

        Evaluation comes after saving, so that an epoch's own score is in the next checkpoint only;
        but it is in the best checkpoint, if that is of this epoch.
        """
        pattern = f"best_{_file_part(self.key_indicator)}_*.pth"
        if self.key_indicator == "auto":
            pattern = "best_*.pth"
        for path in sorted(Path(self.out_dir).glob(pattern)):
            try:
                meta = read_checkpoint(path, map_location="cpu").get("meta", {})
            except CvcoreError as error:
                runner.logger.warning("passed over: %s", error)
                continue
            if meta.get("iter") == runner.iter and "best_score" in meta.get("hook_msgs", {}):
                messages.update(meta["hook_msgs"])

    def before_train_iter(self, runner: BaseRunner) -> None:
        """Evaluate before the first iteration, if ``start`` asks for it."""
        if not self.by_epoch and self.initial_flag:
            self.initial_flag = False
            if self.start is not None and runner.iter >= self.start:
                self.after_train_iter(runner)

    def before_train_epoch(self, runner: BaseRunner) -> None:
        """Evaluate before the first epoch, if ``start`` or an earlier stop asks for it."""
        self.before_epoch(runner)
        if self.by_epoch and self.initial_flag:
            self.initial_flag = False
            if self.start is not None and runner.epoch >= self.start:
                self.after_train_epoch(runner)

    def after_train_iter(self, runner: BaseRunner) -> None:
        """Evaluate, if it is time; the training log comes out first, so that the two do not mix."""
        if self.by_epoch or not self._should_evaluate(runner):
            return
        for hook in runner.hooks:
            if isinstance(hook, LoggerHook):
                hook.after_train_iter(runner)
        runner.log_buffer.clear()
        try:
            self._evaluate_apart(runner)
        except Interrupted:
            if runner.meta is None:
                runner.meta = {}
            runner.meta.setdefault("hook_msgs", {})[CUT_SHORT] = runner.iter + 1
            raise

    def before_epoch(self, runner: BaseRunner) -> None:
        """Evaluate as after the iteration before, where a signal cut the evaluation short."""
        due = (runner.meta or {}).get("hook_msgs", {}).pop(CUT_SHORT, None)
        if due != runner.iter or self.by_epoch:
            return
        runner._iter -= 1
        outer, runner.moment = runner.moment, "after_train_iter"
        self._evaluate_apart(runner)
        for hook in runner.hooks:
            if isinstance(hook, LoggerHook):
                hook.after_train_iter(runner)
        runner.moment = outer
        runner._iter += 1

    def after_train_epoch(self, runner: BaseRunner) -> None:
        """Evaluate, if it is time."""
        if self.by_epoch and self._should_evaluate(runner):
            self._evaluate_apart(runner)

    def _evaluate_apart(self, runner: BaseRunner) -> None:
        # Every evaluation draws the same, however many were before it in this process.
        set_sampler_epoch(self.dataloader, 0)
        with preserved_random_state():
            self._do_evaluate(runner)
        runner.model.train()

    def _do_evaluate(self, runner: BaseRunner) -> None:
        results = self.test_fn(runner.model, self.dataloader)
        runner.log_buffer.output["eval_iter_num"] = len(self.dataloader)
        self._score(runner, results)

    def _score(self, runner: BaseRunner, results: Any) -> None:
        self._keep_if_best(runner, self.evaluate(runner, results))

    def _keep_if_best(self, runner: BaseRunner, key_score: float | None) -> None:
        if self.save_best is not None and key_score is not None:
            self._save_ckpt(runner, key_score)

    def _should_evaluate(self, runner: BaseRunner) -> bool:
        """Whether this epoch or iteration is one to evaluate."""
        current = (runner.epoch if self.by_epoch else runner.iter) + 1
        if self.start is None:
            return current % self.interval == 0
        return current >= self.start and (current - self.start) % self.interval == 0

    def evaluate(self, runner: BaseRunner, results: Any) -> float | None:
        """Score the results and log the scores; returns the one that decides about the best."""
        with abandonable():  # it can take minutes, and changes nothing of the run
            scores = self.dataloader.dataset.evaluate(
                results, logger=runner.logger, **self.eval_kwargs
            )
        runner.log_buffer.output.update(scores)
        runner.log_buffer.ready = True
        for listener in self.listeners:
            listener(runner, results, scores)
        if self.save_best is None:
            return None
        if not scores:
            runner.logger.warning("the evaluation returned no score, so no best one is looked for")
            return None
        if self.key_indicator == "auto":
            self._init_rule(self.rule, next(iter(scores)))
        if self.key_indicator not in scores:
            raise CvcoreError(
                f"the evaluation has no score {self.key_indicator!r} for save_best; it returned "
                f"{', '.join(scores)}"
            )
        return scores[self.key_indicator]

    def _save_ckpt(self, runner: BaseRunner, key_score: float) -> None:
        """Save the checkpoint if it is the best so far, then remove the best before."""
        unit = "epoch" if self.by_epoch else "iter"
        number = (runner.epoch if self.by_epoch else runner.iter) + 1
        if runner.meta is None:
            runner.meta = {}
        messages = runner.meta.setdefault("hook_msgs", {})
        rule = str(self.rule)
        best = messages.get("best_score", self.init_value_map[rule])
        if not self.rule_map[rule](key_score, best):
            return
        name = f"best_{_file_part(self.key_indicator)}_{unit}_{number}.pth"
        previous = self.best_ckpt_path
        self.best_ckpt_path = str(self.file_client.join_path(self.out_dir, name))
        messages.update(best_score=float(key_score), best_ckpt=self.best_ckpt_path)
        runner.save_checkpoint(self.out_dir, filename_tmpl=name, create_symlink=False)
        if previous and previous != self.best_ckpt_path and is_main():
            runner.checkpoint_writer.run(partial(self._remove, previous))
        runner.logger.info(
            "best %s so far: %.4f at %s %d, saved as %s",
            self.key_indicator,
            key_score,
            unit,
            number,
            name,
        )

    def _remove(self, path: str) -> None:
        if self.file_client.isfile(path):
            self.file_client.remove(path)


def _file_part(key: str | None) -> str:
    """A score's name as part of a file's."""
    return str(key).replace("/", "_").replace(" ", "_")
