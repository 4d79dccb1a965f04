"""SmallVGG: the network of the PGU paper for CIFAR-10.

Citation: T. Hoang et al., Learn to Unlearn for Deep Neural Networks, WACV 2024, section 4.1; the
layers are those of the published code: three blocks of 3 x 3 convolution, ReLU, pooling and batch
norm (after pooling in the first two, before it in the third), then 50 % dropout and two linear
layers. 5,681,674 parameters for 10 classes of 32 x 32 colour images.
"""

from __future__ import annotations

from torch import nn

from bench.errors import UserError

VERSION = 1


def smallvgg(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
    height, width = (side // 8 for side in image_size)
    if not height or not width:
        raise UserError(f"smallvgg needs images of at least 8 x 8, not {image_size}")
    features = nn.Sequential(
        nn.Conv2d(in_channels, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(128),
        nn.Conv2d(128, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(256),
        nn.Conv2d(256, 512, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(512), nn.MaxPool2d(2),
        nn.Flatten(),
    )  # fmt: skip
    classifier = nn.Sequential(
        nn.Dropout(0.5),
        nn.Linear(512 * height * width, 512), nn.ReLU(), nn.BatchNorm1d(512),
        nn.Linear(512, num_classes),
    )  # fmt: skip
    return nn.Sequential(features, classifier)
