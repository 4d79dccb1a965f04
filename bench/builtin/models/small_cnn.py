"""A small CNN for small images: three convolutions (two strided), batch norm, two linear layers.

It has every kind of parameter that unlearning methods treat differently: convolutions with and
without stride, batch-norm scales and running statistics, linear weights and biases. ``head=binary``
gives one output for two classes (trained and read as logits [0, z]).
"""

from __future__ import annotations

from typing import Literal

from torch import nn

from bench.config.limits import Count
from bench.errors import UserError

VERSION = 1


def small_cnn(
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    *,
    width: Count = 16,
    hidden: Count = 64,
    head: Literal["softmax", "binary"] = "softmax",
) -> nn.Sequential:
    if min(image_size) < 4:
        hint = ": add --model mlp for a table" if image_size == (1, 1) else ""
        raise UserError(f"small-cnn needs images of at least 4x4 pixels, not {image_size}{hint}")
    if head == "binary" and num_classes != 2:
        raise UserError(f"small-cnn[head=binary] is for 2 classes; the data has {num_classes}")

    def block(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]

    grid = [min(2, -(-side // 4)) for side in image_size]
    return nn.Sequential(
        *block(in_channels, width, stride=1),
        *block(width, 2 * width, stride=2),
        *block(2 * width, 4 * width, stride=2),
        nn.AdaptiveMaxPool2d(tuple(grid)),
        nn.Flatten(),
        nn.Linear(4 * width * grid[0] * grid[1], hidden),
        nn.ReLU(),
        nn.Linear(hidden, 1 if head == "binary" else num_classes),
    )
