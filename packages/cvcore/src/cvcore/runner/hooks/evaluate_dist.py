"""The hook that evaluates during training on several processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import distributed
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from cvcore.dist import broadcast_object, is_distributed, is_main, patient_group
from cvcore.errors import CvcoreError
from cvcore.interrupt import Interrupted
from cvcore.parallel import MMFullyShardedDataParallel
from cvcore.runner.hooks.evaluate import EvalHook
from cvcore.runner.testing import multi_gpu_test

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


class DistEvalHook(EvalHook):
    """EvalHook of a run on several processes: all of them test, rank 0 scores and saves.

    Args:
        dataloader: See EvalHook.
        start: See EvalHook.
        interval: See EvalHook.
        by_epoch: See EvalHook.
        save_best: See EvalHook.
        rule: See EvalHook.
        test_fn: ``test_fn(model, dataloader, tmpdir=..., gpu_collect=...)`` gives all results on
            rank 0.
        greater_keys: See EvalHook.
        less_keys: See EvalHook.
        broadcast_bn_buffer: Take rank 0's statistics of batch normalisation on every rank first.
        tmpdir: Passed on to ``test_fn``; by default a folder in the work dir.
        gpu_collect: Passed on to ``test_fn``.
        out_dir: See EvalHook.
        file_client_args: See EvalHook.
        **eval_kwargs: See EvalHook.
    """

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
        broadcast_bn_buffer: bool = True,
        tmpdir: str | None = None,
        gpu_collect: bool = False,
        out_dir: str | Path | None = None,
        file_client_args: Mapping[str, Any] | None = None,
        **eval_kwargs: Any,
    ) -> None:
        super().__init__(
            dataloader,
            start=start,
            interval=interval,
            by_epoch=by_epoch,
            save_best=save_best,
            rule=rule,
            test_fn=test_fn or multi_gpu_test,
            greater_keys=greater_keys,
            less_keys=less_keys,
            out_dir=out_dir,
            file_client_args=file_client_args,
            **eval_kwargs,
        )
        self.broadcast_bn_buffer = broadcast_bn_buffer
        self.tmpdir = tmpdir
        self.gpu_collect = gpu_collect

    def before_run(self, runner: BaseRunner) -> None:
        """As that of EvalHook; and all ranks make the group in which they will wait."""
        super().before_run(runner)
        patient_group()

    def _do_evaluate(self, runner: BaseRunner) -> None:
        if self.broadcast_bn_buffer:
            self._broadcast_bn_buffer(runner)
        tmpdir = self.tmpdir or str(Path(runner.work_dir or ".") / ".eval_hook")
        results = self.test_fn(
            runner.model, self.dataloader, tmpdir=tmpdir, gpu_collect=self.gpu_collect
        )
        failure: BaseException | None = None
        score: float | None = None
        sharded = isinstance(runner.model, MMFullyShardedDataParallel)
        if is_main():
            runner.log_buffer.output["eval_iter_num"] = len(self.dataloader)
            try:
                score = self.evaluate(runner, results)
                if not sharded:
                    self._keep_if_best(runner, score)
            except (Exception, Interrupted) as error:
                failure = error
        # The others wait here as long as it takes, and stop too if rank 0 could not score.
        text = None if failure is None else f"{type(failure).__name__}: {failure}"
        signum = failure.signum if isinstance(failure, Interrupted) else None
        told = (text, signum, score, self.rule, self.key_indicator)
        told = broadcast_object(told, group=patient_group())
        text, signum, score, self.rule, self.key_indicator = told
        if failure is not None:
            raise failure
        if signum is not None:
            raise Interrupted(signum)
        if text is not None:
            raise CvcoreError(f"the evaluation failed on rank 0: {text}")
        if sharded:  # which all ranks have to put together
            self._keep_if_best(runner, score)

    def _broadcast_bn_buffer(self, runner: BaseRunner) -> None:
        if not is_distributed():
            return
        for module in runner.model.modules():
            if isinstance(module, _BatchNorm) and module.track_running_stats:
                distributed.broadcast(module.running_var, 0)
                distributed.broadcast(module.running_mean, 0)
