"""Loops that several methods share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

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


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """The model in eval mode; every module's own mode is put back."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield model
    finally:
        for module, training in modes.items():
            module.training = training
