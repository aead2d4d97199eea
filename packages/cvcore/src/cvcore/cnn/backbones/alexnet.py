"""AlexNet in torchvision's form (Krizhevsky, "One weird trick", 2014)."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from cvcore.cnn.backbones.frozen import start_from

_FEATURES = 256 * 6 * 6


class AlexNet(nn.Module):
    """Five convolutions and, with classes, three linear layers; keys are torchvision's.

    Args:
        num_classes: classes to tell apart; -1 leaves the linear layers out.
    """

    def __init__(self, num_classes: int = -1) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        if num_classes > 0:
            self.classifier = nn.Sequential(
                nn.Dropout(),
                nn.Linear(_FEATURES, 4096),
                nn.ReLU(inplace=True),
                nn.Dropout(),
                nn.Linear(4096, 4096),
                nn.ReLU(inplace=True),
                nn.Linear(4096, num_classes),
            )

    def init_weights(self, pretrained: str | Path | None = None) -> None:
        """Load a checkpoint; without one, the layers keep what their constructors drew."""
        if pretrained is not None:
            start_from(self, pretrained)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 3, 224, 224) to (n, num_classes) scores, or any size to (n, 256, h, w)."""
        x = self.features(x)
        return self.classifier(x.flatten(1)) if self.num_classes > 0 else x
