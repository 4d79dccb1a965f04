"""Core gradient spaces: which input directions of a layer carry the retained data.

For each convolution and linear layer, R holds one column per input vector (for a convolution: per
patch). R R^T is all that is needed: its eigenvectors span the gradients of the layer's weights, and
those of Dr follow by subtraction (PGU, equations 2 and 3). Grouped convolutions have one R per
group, so every matrix here has a leading dimension ``groups`` (1 otherwise).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from bench.errors import UserError
from bench.training.prediction import evaluating

Layer = nn.Conv2d | nn.Linear


def weight_layers(model: nn.Module) -> dict[str, Layer]:
    """Convolutions and linear layers by name, in the order of definition."""
    return {name: m for name, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}


def input_vectors(layer: Layer, inputs: torch.Tensor, unit_stride: bool = False) -> torch.Tensor:
    """Float64 [groups, count, d]: the vectors that the layer multiplies its weights with.

    ``unit_stride``: patches at every position, as PGU's code takes them also for strided layers.
    """
    inputs = inputs.double()
    if isinstance(layer, nn.Linear):
        return inputs.reshape(1, -1, layer.in_features)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = functional.pad(inputs, layer._reversed_padding_repeated_twice, mode)
    stride = 1 if unit_stride else layer.stride
    patches = functional.unfold(padded, layer.kernel_size, layer.dilation, 0, stride)
    batch, _, places = patches.shape
    grouped = patches.reshape(batch, layer.groups, -1, places)
    return grouped.permute(1, 0, 3, 2).flatten(1, 2)


@torch.no_grad()
def input_covariances(
    model: nn.Module, image_batches: Iterable[torch.Tensor], unit_stride: bool = False
) -> dict[str, torch.Tensor]:
    """R R^T of every layer that is not frozen, float64 [groups, d, d], summed, in eval mode.

    Raises UserError for a layer that the network uses without calling it, as attention does with
    its output layer: what enters it is not seen, and nothing would be kept of it.
    """
    layers = {n: layer for n, layer in weight_layers(model).items() if layer.weight.requires_grad}
    total = {
        name: torch.zeros(groups, d, d, dtype=torch.float64, device=layer.weight.device)
        for name, layer in layers.items()
        for groups, d in [(getattr(layer, "groups", 1), layer.weight[0].numel())]
    }

    seen, passed = set(), False

    def accumulate(name: str, layer: Layer, inputs: torch.Tensor) -> None:
        seen.add(name)
        vectors = input_vectors(layer, inputs, unit_stride)
        total[name] += vectors.mT @ vectors

    handles = [
        layer.register_forward_pre_hook(lambda m, args, name=name: accumulate(name, m, args[0]))
        for name, layer in layers.items()
    ]
    try:
        with evaluating(model):
            for images in image_batches:
                model(images)
                passed = True
    finally:
        for handle in handles:
            handle.remove()
    unseen = [name for name in total if name not in seen]
    if passed and unseen:
        raise UserError(
            f"what enters layer {unseen[0]} cannot be seen, since the network does not call it as "
            "a module (attention): choose a network without, or freeze that layer"
        )
    return total


Rule = Literal["paper", "removal", "class", "depoison"]


def core_size(sigma: torch.Tensor, gamma: float, rule: Rule = "paper") -> int:
    """How many of the singular values ``sigma`` (descending) span the core space.

    By the share of sum(sigma) that the first k have. ``paper``: the smallest k whose share reaches
    gamma. PGU's three scripts: ``removal``: the number of k whose share does not exceed gamma,
    mostly one fewer; ``class``: one more than that; ``depoison``: the number whose share is below.
    """
    if gamma == 0 or sigma.sum() == 0:
        return 0  # nothing to keep
    share = sigma.cumsum(0) / sigma.sum()
    within = share <= gamma if rule in ("removal", "class") else share < gamma
    return min(int(within.sum()) + (rule in ("paper", "class")), len(sigma))


def core_bases(
    covariance: torch.Tensor,
    gamma: float,
    rule: Rule = "paper",
    negative: Literal["zero", "size"] = "zero",
) -> list[torch.Tensor]:
    """Orthonormal bases M [d, k] of the core space, one per group, most important first.

    ``negative``: what eigenvalues below zero, which subtraction leaves where the difference is near
    zero, count as: zero, or their size (as the singular values of the difference would have it).
    """
    values, vectors = torch.linalg.eigh(covariance)
    sizes = values.abs() if negative == "size" else values.clamp(min=0)
    sigma, order = sizes.sqrt().sort(dim=-1, descending=True)
    return [
        u[:, which[: core_size(s, gamma, rule)]]
        for u, s, which in zip(vectors, sigma, order, strict=True)
    ]


def project_out(gradient: torch.Tensor, bases: list[torch.Tensor]) -> torch.Tensor:
    """g - g M M^T, group by group, for a gradient in the shape of the layer's weight."""
    parts = gradient.flatten(1).chunk(len(bases))
    projected = [g - (g @ m) @ m.T for g, m in zip(parts, bases, strict=True)]
    return torch.cat(projected).reshape(gradient.shape)
