"""Features: what the last linear layer of a network sees."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from bench.errors import UserError
from bench.training.prediction import evaluating
from bench.training.trainer import head_of


def last_linear(model: nn.Module) -> nn.Linear:
    """The linear layer that is defined last: the classifier's head."""
    head = head_of(model)
    if head is None:
        raise UserError("the model has no linear layer to read features from")
    return head[1]


FEATURE_BATCH = 500  # images at once, where only features are wanted


@torch.no_grad()
def penultimate(model: nn.Module, image_batches: Iterable[torch.Tensor]) -> torch.Tensor:
    """The inputs of the last linear layer, float32 [n, d], in eval mode."""
    layer = last_linear(model)
    features = [torch.empty(0, layer.in_features, device=layer.weight.device)]
    handle = layer.register_forward_pre_hook(
        lambda _layer, inputs: features.append(inputs[0].reshape(-1, layer.in_features))
    )
    try:
        with evaluating(model):
            for images in image_batches:
                model(images)
    finally:
        handle.remove()
    return torch.cat(features)
