"""Predict with a trained network: logits and accuracy, in eval mode."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from bench.data.examples import Examples

PREDICT_BATCH = 250  # images of up to 148 x 148; larger batches are slower and take more memory
PREDICT_PIXELS = PREDICT_BATCH * 148**2


def predict_batch(size: tuple[int, ...]) -> int:
    """How many inputs of ``size`` (height, width) go through a network at once."""
    return max(1, min(PREDICT_BATCH, PREDICT_PIXELS // math.prod(size)))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Put ``model`` in eval mode, and afterwards restore the mode of every module."""
    modes = {module: module.training for module in model.modules()}
    try:
        yield model.eval()
    finally:
        for module, training in modes.items():
            module.training = training


@torch.no_grad()
def predict(model: nn.Module, examples: Examples) -> torch.Tensor:
    """Class logits, float32 [n, classes] on the CPU, in eval mode."""
    batches = examples.image_batches(predict_batch(examples.size))
    with evaluating(model):
        logits = [model(images).float().cpu() for images in batches]
    return torch.cat(logits)


def accuracy(model: nn.Module, examples: Examples) -> float:
    """The share of ``examples`` for which ``model`` predicts the label it sees, in eval mode."""
    hits = predict(model, examples).argmax(1) == examples.labels.cpu()
    return hits.float().mean().item()
