"""Loops that several methods share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn

Loss = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]
Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


def descend(
    model: nn.Module, batches: Batches, loss: Loss, optimizer: torch.optim.Optimizer
) -> None:
    """One pass of ``optimizer`` over ``batches``, in whatever mode ``model`` is in."""
    for images, labels in batches:
        value = loss(model, images, labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
