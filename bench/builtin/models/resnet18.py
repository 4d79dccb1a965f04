"""ResNet-18, trained from scratch.

Citation: K. He, X. Zhang, S. Ren, J. Sun, Deep Residual Learning for Image Recognition, CVPR 2016;
torchvision's network. ``stem=large`` is that of the paper, 7 x 7 with stride 2 and pooling, which
the PGU paper (Hoang et al., WACV 2024) uses on Tiny-ImageNet's 64 x 64 images; ``small`` is what
CIFAR-10 experiments take, 3 x 3 with stride 1 and no pooling. ``auto``: small below 64 pixels.
"""

from __future__ import annotations

from typing import Literal

from torch import nn

VERSION = 1


def resnet18(
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    *,
    stem: Literal["auto", "small", "large"] = "auto",
) -> nn.Module:
    from torchvision.models import resnet18 as build

    model = build(weights=None, num_classes=num_classes)
    small = stem == "small" or (stem == "auto" and min(image_size) < 64)
    if small:
        model.conv1 = nn.Conv2d(in_channels, 64, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
    else:
        model.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    return model
