"""Learn handwritten digits: python digits.py digits.toml WORK_DIR; again to go on."""

import sys

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset

from cvcore import Config, Registry, get_logger
from cvcore.cnn import BaseModule, ConvModule
from cvcore.runner import HOOKS, EpochBasedRunner, EvalHook, Hook
from cvcore.runner import build_optimizer, find_latest_checkpoint, set_random_seed

PARTS = Registry("part of the digits project")


@PARTS.register_module()
class Digits(Dataset):
    def __init__(self, held_out=False):
        digits = load_digits()
        mine = (torch.arange(len(digits.target)) % 5 == 0) == held_out
        self.images = torch.tensor(digits.images, dtype=torch.float32)[mine, None] / 16
        self.labels = torch.tensor(digits.target)[mine]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return {"img": self.images[index], "label": self.labels[index]}

    def evaluate(self, results, logger=None):
        return {"accuracy": (torch.stack(results) == self.labels).float().mean().item()}


@PARTS.register_module()
class DigitNet(BaseModule):
    smoothing = 0.0

    def __init__(self, width, norm_cfg, init_cfg=None):
        super().__init__(init_cfg)
        self.stem = ConvModule(1, width, 3, padding=1, norm_cfg=norm_cfg)
        self.body = ConvModule(width, 2 * width, 3, stride=2, padding=1, norm_cfg=norm_cfg)
        self.head = nn.Linear(2 * width * 4 * 4, 10)

    def forward(self, img, label, return_loss=True):
        scores = self.head(self.body(self.stem(img)).flatten(1))
        if return_loss:
            return nn.functional.cross_entropy(scores, label, label_smoothing=self.smoothing)
        return list(scores.argmax(dim=1))

    def train_step(self, batch, optimizer):
        loss = self(**batch)
        return {"loss": loss, "log_vars": {"loss": loss.item()}, "num_samples": len(batch["img"])}


@HOOKS.register_module()
class FadingSmoothingHook(Hook):
    def before_train_epoch(self, runner):
        runner.model.smoothing = 0.1 * (1 - runner.epoch / runner.max_epochs)


def main(config_file, work_dir):
    cfg = Config.fromfile(config_file)
    set_random_seed(cfg.seed)
    model, train, val = (PARTS.build(part) for part in (cfg.model, cfg.data.train, cfg.data.val))
    optimizer, logger = build_optimizer(model, cfg.optimizer), get_logger("digits")
    runner = EpochBasedRunner(
        model, optimizer=optimizer, work_dir=work_dir, logger=logger, max_epochs=cfg.epochs
    )
    runner.register_training_hooks(**cfg.hooks)
    runner.register_hook(EvalHook(DataLoader(val, batch_size=512), **cfg.evaluation), "LOW")
    if latest := find_latest_checkpoint(work_dir):
        runner.resume(latest)
    runner.run([DataLoader(train, cfg.batch_size, shuffle=True)], [("train", 1)])


if __name__ == "__main__":
    main(*sys.argv[1:])
