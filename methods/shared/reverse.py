"""The loss of reverse training that PGU and its head-only form share."""

from __future__ import annotations

import torch


def reverse_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    eps: float,
    lam: float,
    spread: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean over the batch of -log(1 - p_y + eps) - lam * H, for logits [n, classes].

    H is the entropy of the softmax of ``spread``, by default of ``logits`` themselves.
    """
    log_p = logits.log_softmax(1)
    own = log_p.exp().gather(1, labels[:, None])[:, 0]
    if spread is not None:
        log_p = spread.log_softmax(1)
    entropy = -(log_p.exp() * log_p).sum(1)
    return (-torch.log(1 - own + eps) - lam * entropy).mean()
