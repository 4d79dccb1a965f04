"""Loops that several methods share."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn

from bench.examples import Examples

Loss = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]


def trained_copy(
    model: nn.Module,
    examples: Examples,
    rng: torch.Generator,
    loss: Loss,
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    momentum: float,
    weight_decay: float,
) -> nn.Module:
    """A copy of ``model``, trained in train mode by SGD on shuffled epochs; back in eval mode."""
    model = copy.deepcopy(model).train()
    optimizer = torch.optim.SGD(model.parameters(), lr, momentum, weight_decay=weight_decay)
    for _epoch in range(epochs):
        for images, labels in examples.batches(batch_size, rng):
            value = loss(model, images, labels)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    return model.eval()
