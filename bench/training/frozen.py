"""Networks of which only the last layer learns: their backbone and their head.

Where everything before the last linear layer is frozen, what that layer sees of an image is the
same for every model of every population: it is computed once, and the models are heads.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from bench.training.trainer import head_of


@dataclass(frozen=True)
class Frozen:
    """A network without its last layer, in eval mode, and that layer's size."""

    backbone: nn.Module
    width: int
    outputs: int

    def head(self) -> nn.Module:
        """A new last layer, drawn from the global generator."""
        return nn.Linear(self.width, self.outputs)


def frozen_part(model: nn.Module, images: torch.Tensor) -> Frozen | None:
    """The parts of a network of which the last linear layer alone learns; else None.

    The network is taken apart. ``images``: one or more, to see that nothing follows that layer.
    A network with dropout, which is another in training, is not taken for frozen.
    """
    name, head = head_of(model) or ("", None)
    learning = {id(weight) for weight in model.parameters() if weight.requires_grad}
    if not name or not learning or learning != {id(weight) for weight in head.parameters()}:
        return None
    if any(isinstance(module, nn.Dropout) and module.p for module in model.modules()):
        return None
    with torch.no_grad():
        expected = model.eval()(images)
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, nn.Identity())
        features = model(images)
        if features.shape[1:] != (head.in_features,) or not head(features).equal(expected):
            return None
    return Frozen(model, head.in_features, head.out_features)
