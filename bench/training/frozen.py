"""Networks with a frozen backbone, of which only the last layer learns.

If everything before the last linear layer is frozen, then the features which that layer sees of an
image are the same for every model of every population. They are computed once, and the models are
heads.
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
    """The backbone and head of a network whose last linear layer alone learns; else None.

    Takes ``model`` apart, if it is such a network. Runs it on ``images`` (one is enough) to check
    that nothing follows that layer. Dropout makes a network a different one in training, so that a
    network with dropout does not count as frozen.
    """
    named_head = head_of(model)
    learning = {id(weight) for weight in model.parameters() if weight.requires_grad}
    if not named_head or not learning:
        return None
    name, head = named_head
    if not name or learning != {id(weight) for weight in head.parameters()}:
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
