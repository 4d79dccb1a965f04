"""A multilayer perceptron on all pixels or all columns: linear layers with ReLU between them.

``width`` units in each of ``depth`` hidden layers. ``standardise``: batch norm without parameters
before the first layer, its statistics the mean over all batches of training, and what lies beyond
ten deviations cut off. A table needs it, since its columns have units of their own, and gets it
(auto); pixels need none. So each model learns the scale from its own training set: means taken of
the data set beforehand would tell a retrained model of what it must never have seen.
"""

from __future__ import annotations

from math import prod
from typing import Literal

from torch import nn

from bench.config.limits import Count

VERSION = 1
EPS = 1e-8  # columns may vary by thousandths
FARTHEST = 10.0  # deviations: a rare mark is hundreds away from its mean


def mlp(
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    *,
    width: Count = 256,
    depth: Count = 2,
    standardise: bool | Literal["auto"] = "auto",
) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    inputs = in_channels * prod(image_size)
    table = tuple(image_size) == (1, 1)
    if standardise is True or (standardise == "auto" and table):
        layers += [
            nn.BatchNorm1d(inputs, EPS, None, affine=False),
            nn.Hardtanh(-FARTHEST, FARTHEST),
        ]
    for _layer in range(depth):
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, num_classes))
