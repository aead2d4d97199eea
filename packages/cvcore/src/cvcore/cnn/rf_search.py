"""Search for the dilation of convolutions (Gao et al., "RF-Next", arXiv 2206.06637).

A convolution is replaced by several of different dilations that share its weights. Their mixture
is learnt; its mean dilation is what the next, closer, set of branches is laid around.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.errors import ConfigError, hint

Pair = tuple[int, int]


@dataclass(frozen=True)
class RFSearchSettings:
    """What the key `search` of a config says.

    Args:
        step: steps of the search that are done.
        max_step: steps after which nothing changes any more.
        search_interval: epochs or iterations between changes.
        exp_rate: half the width of a new set of branches, as a share of the dilation.
        init_alphas: where the weights of branches start.
        mmin: smallest dilation.
        mmax: largest dilation.
        num_branches: how many dilations are tried at a time.
        skip_layer: convolutions whose name contains one of these stay as they are.
        normlize: `'absavg'`: shares of the weights' absolute values. (The word is the contract's.)
    """

    step: int = 0
    max_step: int = 11
    search_interval: int = 1
    exp_rate: float = 0.5
    init_alphas: float = 0.01
    mmin: int = 1
    mmax: int = 24
    num_branches: int = 2
    skip_layer: Sequence[str] = ()
    normlize: str = "absavg"

    def __post_init__(self) -> None:
        if self.num_branches < 2 or not 1 <= self.mmin <= self.mmax or self.exp_rate <= 0:
            raise ConfigError(
                f"receptive field search: num_branches={self.num_branches} from 2 on, dilations "
                f"mmin={self.mmin} to mmax={self.mmax} from 1 on, exp_rate={self.exp_rate} above 0"
            )
        if self.normlize != "absavg":
            raise ConfigError(f"receptive field search: normlize={self.normlize!r} is 'absavg'")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> RFSearchSettings:
        """The settings that `config['search']` holds."""
        search = dict(config.get("search", {}))
        for key in search:
            if key not in cls.__dataclass_fields__:
                known = hint(key, cls.__dataclass_fields__)
                raise ConfigError(f"receptive field search has no setting {key!r}{known}")
        return cls(**search)


def is_searchable(layer: nn.Module) -> bool:
    """Tell whether another dilation can be made up for by padding: odd kernels of plain layers."""
    return (
        isinstance(layer, nn.Conv2d)
        and type(layer).forward is nn.Conv2d.forward
        and not isinstance(layer.padding, str)
        and max(layer.kernel_size) > 1
        and all(size % 2 for size in layer.kernel_size)
    )


def set_dilation(layer: nn.Conv2d, dilation: Sequence[int]) -> None:
    """Give a convolution another dilation, and the padding that keeps its output's size."""
    layer.padding = _padding(layer, dilation)
    layer.dilation = (int(dilation[0]), int(dilation[1]))


def _padding(layer: nn.Conv2d, dilation: Sequence[int]) -> Pair:
    down, across = (
        int(padding) + (kernel - 1) // 2 * (new - old)
        for padding, kernel, new, old in zip(
            layer.padding, layer.kernel_size, dilation, layer.dilation, strict=True
        )
    )
    return down, across


class Conv2dRFSearchOp(nn.Module):
    """A convolution at several dilations; the outputs are summed by learnt shares.

    Args:
        op_layer: the convolution; its weights serve every branch.
        global_config: a config with the key `search`; see :class:`RFSearchSettings`.
        verbose: taken and without effect; the hook writes what is found to the log.
    """

    def __init__(
        self, op_layer: nn.Conv2d, global_config: Mapping[str, Any], verbose: bool = True
    ) -> None:
        super().__init__()
        if not is_searchable(op_layer):
            raise ConfigError(
                f"Conv2dRFSearchOp: {op_layer} cannot be searched; it takes a plain convolution "
                "with a kernel of odd size and padding in numbers"
            )
        self.op_layer = op_layer
        self.settings = RFSearchSettings.of(global_config)
        self.verbose = verbose
        self.dilation_rates: list[Pair] = []
        self.branch_weights = nn.Parameter(torch.empty(self.settings.num_branches))
        self.expand_rates()

    def normlize(self, weights: Tensor) -> Tensor:
        """Shares of the absolute values; equal shares where all are zero."""
        sizes = weights.abs() + torch.finfo(weights.dtype).tiny
        return sizes / sizes.sum()

    def expand_rates(self) -> None:
        """Lay the branches around the convolution's dilation, and weigh them alike again."""
        by_axis = [
            self._around(rate) if kernel > 1 else [rate] * self.settings.num_branches
            for rate, kernel in zip(self.op_layer.dilation, self.op_layer.kernel_size, strict=True)
        ]
        self.dilation_rates = list(dict.fromkeys(zip(*by_axis, strict=True)))
        nn.init.constant_(self.branch_weights, self.settings.init_alphas)

    def _around(self, rate: int) -> list[int]:
        """From rate * (1 - exp_rate) to rate * (1 + exp_rate) in even steps."""
        limits, count = self.settings, self.settings.num_branches
        reach = limits.exp_rate * rate
        steps = [rate - reach + 2 * reach * index / (count - 1) for index in range(count)]
        return [min(max(math.floor(step + 0.5), limits.mmin), limits.mmax) for step in steps]

    @torch.no_grad()
    def estimate_rates(self) -> None:
        """Give the convolution the mean dilation of its branches, by their shares."""
        shares = self.normlize(self.branch_weights[: len(self.dilation_rates)])
        rates = torch.tensor(self.dilation_rates, dtype=shares.dtype, device=shares.device)
        mean = (shares @ rates).clamp(self.settings.mmin, self.settings.mmax)
        set_dilation(self.op_layer, [math.floor(float(rate) + 0.5) for rate in mean])

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, in_channels, h, w) once a branch, and mix."""
        shares = self.normlize(self.branch_weights[: len(self.dilation_rates)])
        return torch.stack(
            [
                share * self._convolve(x, rate)
                for share, rate in zip(shares, self.dilation_rates, strict=True)
            ]
        ).sum(dim=0)

    def _convolve(self, x: Tensor, rate: Pair) -> Tensor:
        layer = self.op_layer
        padding = _padding(layer, rate)
        if layer.padding_mode != "zeros":
            (down, across), padding = padding, (0, 0)
            x = F.pad(x, (across, across, down, down), mode=layer.padding_mode)
        return F.conv2d(x, layer.weight, layer.bias, layer.stride, padding, rate, layer.groups)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}dilation_rates"] = torch.tensor(self.dilation_rates)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """As of every module; a checkpoint of MMCV lacks the dilations, which then stay."""
        key = f"{prefix}dilation_rates"
        rates = state_dict.get(key)
        if rates is not None:
            self.dilation_rates = [(int(down), int(across)) for down, across in rates]
        others = {name: value for name, value in state_dict.items() if name != key}
        super()._load_from_state_dict(
            others, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


def search_ops(model: nn.Module) -> Iterator[tuple[str, Conv2dRFSearchOp]]:
    """Every searching convolution of a model, by name."""
    for name, module in model.named_modules():
        if isinstance(module, Conv2dRFSearchOp):
            yield name, module
