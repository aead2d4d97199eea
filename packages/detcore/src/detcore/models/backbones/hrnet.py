"""HRNet (Sun et al., "Deep High-Resolution Representation Learning for Human Pose Estimation")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from cvcore.cnn import (
    BaseModule,
    ModuleList,
    Sequential,
    build_conv_layer,
    build_norm_layer,
    conv_norm,
)
from detcore.errors import OptionError, check_option
from detcore.models.layers.init_choice import InitConfig, choose_init_cfg
from detcore.models.layers.norm_eval import keep_batch_statistics
from detcore.models.layers.res_blocks import BATCH_NORM, BasicBlock, Bottleneck, LayerConfig
from detcore.models.layers.res_layer import ResLayer
from detcore.registries import BACKBONES

_BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {
    "BASIC": BasicBlock,
    "BOTTLENECK": Bottleneck,
}
_NUM_STAGES = 4


def _conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int,
    conv_cfg: LayerConfig | None,
    norm_cfg: LayerConfig,
) -> list[nn.Module]:
    conv = build_conv_layer(
        conv_cfg,
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        bias=False,
    )
    return [conv, build_norm_layer(norm_cfg, out_channels)[1]]


class HRModule(BaseModule):
    """Residual blocks on every resolution, then an exchange between all of them.

    Args:
        num_branches: number of resolutions.
        blocks: class of the blocks.
        num_blocks: number of blocks of each branch.
        in_channels: channels of each branch's input.
        num_channels: channels of each branch's blocks, before expansion.
        multiscale_output: return all resolutions, or the finest alone.
        with_cp: recompute blocks in the backward pass to save memory.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms.
        block_init_cfg: recipe of the blocks' initialisation.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        num_branches: int,
        blocks: type[BasicBlock] | type[Bottleneck],
        num_blocks: Sequence[int],
        in_channels: Sequence[int],
        num_channels: Sequence[int],
        multiscale_output: bool = True,
        with_cp: bool = False,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig = BATCH_NORM,
        block_init_cfg: InitConfig | None = None,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        for name, values in (
            ("num_blocks", num_blocks),
            ("num_channels", num_channels),
            ("in_channels", in_channels),
        ):
            if len(values) != num_branches:
                raise OptionError(
                    f"HRModule: {name}={tuple(values)} needs one number a branch: {num_branches}"
                )
        self.num_branches = num_branches
        self.multiscale_output = multiscale_output
        self.conv_cfg = conv_cfg
        self.norm_cfg = norm_cfg
        self.branches = ModuleList(
            ResLayer(
                blocks,
                in_channels[branch],
                num_channels[branch],
                num_blocks[branch],
                conv_cfg=conv_cfg,
                norm_cfg=norm_cfg,
                with_cp=with_cp,
                init_cfg=block_init_cfg,
            )
            for branch in range(num_branches)
        )
        self.in_channels = [channels * blocks.expansion for channels in num_channels]
        self.relu = nn.ReLU(inplace=False)
        self.fuse_layers = None if num_branches == 1 else self._make_fuse_layers()

    def _make_fuse_layers(self) -> nn.ModuleList:
        """Return `[target][source]`: what brings one resolution to another."""
        targets = range(self.num_branches if self.multiscale_output else 1)
        return nn.ModuleList(
            nn.ModuleList(self._bridge(source, target) for source in range(self.num_branches))
            for target in targets
        )

    def _bridge(self, source: int, target: int) -> nn.Module | None:
        if source == target:
            return None
        inputs, outputs = self.in_channels[source], self.in_channels[target]
        if source > target:
            layers = _conv_norm(inputs, outputs, 1, 1, self.conv_cfg, self.norm_cfg)
            scale = 2 ** (source - target)
            return nn.Sequential(*layers, nn.Upsample(scale_factor=scale, mode="nearest"))
        steps: list[nn.Module] = []
        for _ in range(target - source - 1):
            halved = _conv_norm(inputs, inputs, 3, 2, self.conv_cfg, self.norm_cfg)
            steps.append(nn.Sequential(*halved, nn.ReLU(inplace=False)))
        steps.append(
            nn.Sequential(*_conv_norm(inputs, outputs, 3, 2, self.conv_cfg, self.norm_cfg))
        )
        return nn.Sequential(*steps)

    def forward(self, x: Sequence[Tensor]) -> list[Tensor]:
        """Map one tensor a branch to one a target."""
        features = [branch(part) for branch, part in zip(self.branches, x, strict=True)]
        if self.fuse_layers is None:
            return features
        outputs = []
        for bridges in self.fuse_layers:
            parts = [
                feature if bridge is None else bridge(feature)
                for bridge, feature in zip(bridges, features, strict=True)
            ]
            total = parts[0]
            for part in parts[1:]:
                total = total + part
            outputs.append(self.relu(total))
        return outputs


@BACKBONES.register_module()
class HRNet(BaseModule):
    """A backbone that keeps its finest resolution to the end and adds coarser ones beside it.

    Args:
        extra: `stage1` to `stage4`, each with `num_modules`, `num_branches`, `block` (`'BASIC'`
            or `'BOTTLENECK'`), `num_blocks` and `num_channels` (a number a branch).
        in_channels: channels of the image.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms.
        norm_eval: batch norms keep their running statistics in training.
        with_cp: recompute blocks in the backward pass to save memory.
        zero_init_residual: start each block as the identity (its last norm's weight at 0).
        multiscale_output: return all four resolutions, or the finest alone.
        pretrained: older way to say `init_cfg=dict(type='Pretrained', checkpoint=...)`.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        extra: Mapping[str, Mapping[str, Any]],
        in_channels: int = 3,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig = BATCH_NORM,
        norm_eval: bool = True,
        with_cp: bool = False,
        zero_init_residual: bool = False,
        multiscale_output: bool = True,
        pretrained: str | None = None,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(choose_init_cfg("HRNet", init_cfg, pretrained))
        self.extra = _checked(extra)
        self.conv_cfg = conv_cfg
        self.norm_cfg = norm_cfg
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        self.zero_init_residual = zero_init_residual
        self.norm1_name, norm1 = build_norm_layer(norm_cfg, 64, postfix=1)
        self.norm2_name, norm2 = build_norm_layer(norm_cfg, 64, postfix=2)
        self.conv1 = build_conv_layer(conv_cfg, in_channels, 64, 3, stride=2, padding=1, bias=False)
        self.add_module(self.norm1_name, norm1)
        self.conv2 = build_conv_layer(conv_cfg, 64, 64, 3, stride=2, padding=1, bias=False)
        self.add_module(self.norm2_name, norm2)
        self.relu = nn.ReLU(inplace=True)

        first = self.extra["stage1"]
        block = _BLOCKS[first["block"]]
        self.layer1 = ResLayer(
            block,
            64,
            first["num_channels"][0],
            first["num_blocks"][0],
            conv_cfg=conv_cfg,
            norm_cfg=norm_cfg,
            with_cp=with_cp,
            init_cfg=self._block_init(block),
        )
        channels = [first["num_channels"][0] * block.expansion]
        for stage in range(2, _NUM_STAGES + 1):
            cfg = self.extra[f"stage{stage}"]
            wanted = [width * _BLOCKS[cfg["block"]].expansion for width in cfg["num_channels"]]
            setattr(self, f"transition{stage - 1}", self._make_transition(channels, wanted))
            whole = multiscale_output or stage < _NUM_STAGES
            setattr(self, f"stage{stage}", self._make_stage(cfg, wanted, whole))
            channels = wanted

    @property
    def norm1(self) -> nn.Module:
        """The norm after the first convolution."""
        return getattr(self, self.norm1_name)

    @property
    def norm2(self) -> nn.Module:
        """The norm after the second convolution."""
        return getattr(self, self.norm2_name)

    def _block_init(self, block: type[BasicBlock] | type[Bottleneck]) -> InitConfig | None:
        if not self.zero_init_residual:
            return None
        return {"type": "Constant", "val": 0, "override": {"name": block.last_norm}}

    def _make_transition(self, before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
        """Return what makes each branch of a stage from those of the stage before it."""
        transitions: list[nn.Module | None] = []
        for branch, outputs in enumerate(after):
            if branch < len(before) and before[branch] == outputs:
                transitions.append(None)
            elif branch < len(before):
                layers = _conv_norm(before[branch], outputs, 3, 1, self.conv_cfg, self.norm_cfg)
                transitions.append(nn.Sequential(*layers, nn.ReLU(inplace=True)))
            else:
                transitions.append(self._make_downsampling(before[-1], outputs, branch, before))
        return nn.ModuleList(transitions)

    def _make_downsampling(
        self, inputs: int, outputs: int, branch: int, before: Sequence[int]
    ) -> nn.Sequential:
        steps = []
        for step in range(len(before), branch + 1):
            width = outputs if step == branch else inputs
            layers = _conv_norm(inputs, width, 3, 2, self.conv_cfg, self.norm_cfg)
            steps.append(nn.Sequential(*layers, nn.ReLU(inplace=True)))
        return nn.Sequential(*steps)

    def _make_stage(
        self, cfg: Mapping[str, Any], in_channels: Sequence[int], multiscale_output: bool
    ) -> Sequential:
        block = _BLOCKS[cfg["block"]]
        num_modules = cfg["num_modules"]
        return Sequential(
            *(
                HRModule(
                    cfg["num_branches"],
                    block,
                    cfg["num_blocks"],
                    in_channels,
                    cfg["num_channels"],
                    multiscale_output=multiscale_output or module < num_modules - 1,
                    with_cp=self.with_cp,
                    conv_cfg=self.conv_cfg,
                    norm_cfg=self.norm_cfg,
                    block_init_cfg=self._block_init(block),
                )
                for module in range(num_modules)
            )
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map (n, 3, h, w) float to maps of strides 4, 8, 16 and 32."""
        x = self.relu(conv_norm(self.conv1, self.norm1, x))
        x = self.relu(conv_norm(self.conv2, self.norm2, x))
        features: list[Tensor] = [self.layer1(x)]
        for stage in range(2, _NUM_STAGES + 1):
            inputs = []
            for branch, transition in enumerate(getattr(self, f"transition{stage - 1}")):
                source = features[branch] if branch < len(features) else features[-1]
                inputs.append(source if transition is None else transition(source))
            features = getattr(self, f"stage{stage}")(inputs)
        return features

    def train(self, mode: bool = True) -> HRNet:
        """Switch to training, leaving batch norms as they are with `norm_eval`."""
        super().train(mode)
        if mode and self.norm_eval:
            keep_batch_statistics(self)
        return self


def _checked(extra: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    for stage in range(1, _NUM_STAGES + 1):
        name = f"stage{stage}"
        if name not in extra:
            raise OptionError(f"HRNet: extra needs stage1 to stage{_NUM_STAGES}; {name} is missing")
        cfg = extra[name]
        check_option("HRNet", f"{name}.block", cfg["block"], tuple(_BLOCKS))
        branches = cfg["num_branches"]
        if not len(cfg["num_blocks"]) == len(cfg["num_channels"]) == branches:
            raise OptionError(
                f"HRNet: {name} has num_branches={branches}, so num_blocks="
                f"{cfg['num_blocks']} and num_channels={cfg['num_channels']} need as many numbers"
            )
    return extra
