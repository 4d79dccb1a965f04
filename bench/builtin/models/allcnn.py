"""All-CNN: convolutions only, the other network of the PGU paper for CIFAR-10.

Citation: J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, Striving for Simplicity: The
All Convolutional Net, ICLR 2015 workshop; as the code of T. Hoang et al. (PGU, WACV 2024) has it:
eight convolutions without bias, each with batch norm and ReLU, no dropout, the mean over positions
and one linear layer. 1,620,010 parameters for 10 classes of 32 x 32 colour images.
"""

from __future__ import annotations

from torch import nn

VERSION = 1
LAYERS = [  # channels, kernel, stride
    (96, 3, 1), (96, 3, 1), (192, 3, 2),
    (192, 3, 1), (192, 3, 1), (192, 3, 2),
    (192, 3, 1), (192, 1, 1),
]  # fmt: skip


def allcnn(num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
    layers: list[nn.Module] = []
    for channels, kernel, stride in LAYERS:
        layers += [
            nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        ]
        in_channels = channels
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(in_channels, num_classes)]
    return nn.Sequential(*layers, *head)
