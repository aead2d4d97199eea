"""Hooks: learning rate, optimizer, checkpoints, evaluation, logs and the rest of a run."""

from __future__ import annotations

from cvcore.runner.hook import Hook
from cvcore.runner.hooks.checkpoint import CheckpointHook
from cvcore.runner.hooks.closure import ClosureHook
from cvcore.runner.hooks.early_stopping import EarlyStoppingHook
from cvcore.runner.hooks.ema import EMAHook, WeightAverageHook
from cvcore.runner.hooks.evaluate import EvalHook
from cvcore.runner.hooks.evaluate_dist import DistEvalHook
from cvcore.runner.hooks.logger import (
    ClearMLLoggerHook,
    DvcliveLoggerHook,
    LoggerHook,
    MlflowLoggerHook,
    NeptuneLoggerHook,
    TensorboardLoggerHook,
    TextLoggerHook,
    TrackerHook,
    WandbLoggerHook,
)
from cvcore.runner.hooks.lr_cycles import CyclicLrUpdaterHook, OneCycleLrUpdaterHook
from cvcore.runner.hooks.lr_plateau import ReduceOnPlateauLrUpdaterHook
from cvcore.runner.hooks.lr_updater import (
    CosineAnnealingLrUpdaterHook,
    CosineRestartLrUpdaterHook,
    ExpLrUpdaterHook,
    FixedLrUpdaterHook,
    FlatCosineAnnealingLrUpdaterHook,
    InvLrUpdaterHook,
    LinearAnnealingLrUpdaterHook,
    LrUpdaterHook,
    PolyLrUpdaterHook,
    StepLrUpdaterHook,
)
from cvcore.runner.hooks.memory import MemoryProfilerHook
from cvcore.runner.hooks.momentum_updater import (
    CosineAnnealingMomentumUpdaterHook,
    CyclicMomentumUpdaterHook,
    LinearAnnealingMomentumUpdaterHook,
    MomentumUpdaterHook,
    OneCycleMomentumUpdaterHook,
    StepMomentumUpdaterHook,
)
from cvcore.runner.hooks.optimize import GradientCumulativeOptimizerHook, OptimizerHook
from cvcore.runner.hooks.optimize_fp16 import Fp16OptimizerHook, GradientCumulativeFp16OptimizerHook
from cvcore.runner.hooks.profile import EmptyCacheHook, IterTimerHook, ProfilerHook
from cvcore.runner.hooks.rf_search import RFSearchHook, init_searched_model
from cvcore.runner.hooks.sync import DistSamplerSeedHook, SyncBuffersHook
from cvcore.runner.registry import HOOKS

__all__ = [
    "HOOKS",
    "CheckpointHook",
    "ClearMLLoggerHook",
    "ClosureHook",
    "CosineAnnealingLrUpdaterHook",
    "CosineAnnealingMomentumUpdaterHook",
    "CosineRestartLrUpdaterHook",
    "CyclicLrUpdaterHook",
    "CyclicMomentumUpdaterHook",
    "DistEvalHook",
    "DistSamplerSeedHook",
    "DvcliveLoggerHook",
    "EMAHook",
    "EarlyStoppingHook",
    "EmptyCacheHook",
    "EvalHook",
    "ExpLrUpdaterHook",
    "FixedLrUpdaterHook",
    "FlatCosineAnnealingLrUpdaterHook",
    "Fp16OptimizerHook",
    "GradientCumulativeFp16OptimizerHook",
    "GradientCumulativeOptimizerHook",
    "Hook",
    "InvLrUpdaterHook",
    "IterTimerHook",
    "LinearAnnealingLrUpdaterHook",
    "LinearAnnealingMomentumUpdaterHook",
    "LoggerHook",
    "LrUpdaterHook",
    "MemoryProfilerHook",
    "MlflowLoggerHook",
    "MomentumUpdaterHook",
    "NeptuneLoggerHook",
    "OneCycleLrUpdaterHook",
    "OneCycleMomentumUpdaterHook",
    "OptimizerHook",
    "PolyLrUpdaterHook",
    "ProfilerHook",
    "RFSearchHook",
    "ReduceOnPlateauLrUpdaterHook",
    "StepLrUpdaterHook",
    "StepMomentumUpdaterHook",
    "SyncBuffersHook",
    "TensorboardLoggerHook",
    "TextLoggerHook",
    "TrackerHook",
    "WandbLoggerHook",
    "WeightAverageHook",
    "init_searched_model",
]
