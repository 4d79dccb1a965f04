"""Parameter importance: how strongly the loss, or the output, depends on each weight.

SSD's published code squares the gradient of each *batch mean*, so the batch size changes the
result; with one example per batch it is the diagonal of the empirical Fisher information, as papers
write it. LFSSD takes the size of the gradient of the squared output instead, without labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from bench.data.examples import Examples
from bench.training.prediction import evaluating
from bench.training.trainer import training_mode

Kind = Literal["batch", "example", "label-free"]


def importance(
    model: nn.Module,
    examples: Examples,
    batch_size: int,
    kind: Kind = "batch",
    mode: Literal["train", "eval"] = "eval",
) -> dict[str, torch.Tensor]:
    """Mean over batches, by parameter, of an importance that is never negative.

    ``batch``: (gradient of the batch's mean cross-entropy) squared; ``example``: the same with one
    example per batch; ``label-free``: |gradient of the batch's mean |f(x)|^2|. Examples come in
    order, on every parameter that is not frozen (batch norm and biases included). In train mode
    the passes move the running statistics of ``model``, as published code does; give it a copy.
    No examples: zeros.
    """
    with evaluating(model):
        if mode == "train":
            training_mode(model)
        return _mean(model, examples, batch_size, kind)


def _mean(
    model: nn.Module, examples: Examples, batch_size: int, kind: Kind
) -> dict[str, torch.Tensor]:
    named = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    total = {name: torch.zeros_like(weight) for name, weight in named.items()}
    count = 0
    with torch.enable_grad():
        for loss in _losses(model, examples, 1 if kind == "example" else batch_size, kind):
            gradients = torch.autograd.grad(loss, list(named.values()), materialize_grads=True)
            for name, gradient in zip(named, gradients, strict=True):
                total[name] += gradient.abs() if kind == "label-free" else gradient**2
            count += 1
    return {name: value / max(count, 1) for name, value in total.items()}


def _losses(
    model: nn.Module, examples: Examples, batch_size: int, kind: Kind
) -> Iterator[torch.Tensor]:
    if kind == "label-free":
        for images in examples.image_batches(batch_size):
            yield (model(images) ** 2).sum(1).mean()
    else:
        for images, labels in examples.batches(batch_size):
            yield functional.cross_entropy(model(images), labels)
