"""A multilayer perceptron on all pixels: linear layers with ReLU between them.

``width`` units in each of ``depth`` hidden layers.
"""

from __future__ import annotations

from math import prod

from torch import nn

from bench.params import Count

VERSION = 1


def mlp(
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    *,
    width: Count = 256,
    depth: Count = 2,
) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    inputs = in_channels * prod(image_size)
    for _layer in range(depth):
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, num_classes))
