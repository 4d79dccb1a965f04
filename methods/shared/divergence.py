"""The divergence by which students imitate teachers."""

from __future__ import annotations

import torch
from torch.nn import functional


def softened_divergence(
    student: torch.Tensor, teacher: torch.Tensor, temperature: float
) -> torch.Tensor:
    """The terms of KL(teacher || student) of logits [n, classes] softened by ``temperature``."""
    target = (teacher / temperature).log_softmax(1)
    imitation = (student / temperature).log_softmax(1)
    return functional.kl_div(imitation, target, reduction="none", log_target=True)
