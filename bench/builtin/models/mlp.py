"""A multilayer perceptron on all pixels or all columns: linear layers with ReLU between them.

``width`` units in each of ``depth`` hidden layers. ``standardise`` puts a batch norm without
parameters before the first layer; its statistics are the mean over all training batches, and values
beyond ten deviations are clipped. ``auto`` does that for tables, whose columns have units of their
own, and not for pixels. So each model learns the scale from its own training set. Means of the
whole data set would tell a retrained model about examples that it must never have seen.
"""

from __future__ import annotations

from math import prod
from typing import Literal

from torch import nn

from bench.config.limits import Count

VERSION = 1
EPS = 1e-8  # columns may vary by thousandths
FARTHEST = 10.0  # deviations; a column that is rarely not 0 may be hundreds away from its mean


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
