"""Parameter importance: the squared gradient of the loss, averaged over batches.

SSD's published code squares the gradient of each *batch mean*, so the batch size changes the
result; with ``batch_size=1`` it is the diagonal of the empirical Fisher information, as papers
write it.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional

from bench.examples import Examples


def squared_gradients(
    model: nn.Module, examples: Examples, batch_size: int
) -> dict[str, torch.Tensor]:
    """Mean over batches of (gradient of the batch's mean cross-entropy) squared, by parameter.

    Taken in eval mode, without shuffling, on every parameter that is not frozen (batch norm and
    biases included). No examples: zeros.
    """
    model = copy.deepcopy(model).eval()
    named = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    importance = {name: torch.zeros_like(weight) for name, weight in named.items()}
    count = 0
    with torch.enable_grad():
        for images, labels in examples.batches(batch_size):
            loss = functional.cross_entropy(model(images), labels)
            gradients = torch.autograd.grad(loss, list(named.values()))
            for name, gradient in zip(named, gradients, strict=True):
                importance[name] += gradient**2
            count += 1
    return {name: total / max(count, 1) for name, total in importance.items()}
