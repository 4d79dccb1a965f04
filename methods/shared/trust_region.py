"""Trust-region gradient projection for one linear layer.

Citation: S. Lin, L. Yang, D. Fan, J. Zhang, TRGP: Trust Region Gradient Projection for Continual
Learning, ICLR 2022, as PGU uses it with the core space of the retain set as trust region.
Equation: W' = W + W B (Q - I) B^T. W moves orthogonally to the core space, Q (identity at first)
rescales within it. With G the gradient at W': dL/dQ = (W B)^T G B.
"""

from __future__ import annotations

import torch

from bench.methods.shared.projection import project_out

SCALE_RATE = 0.1  # Q's learning rate as a share of W's, in PGU's published code


class TrustRegion:
    """Holds W and Q of a layer; ``weight``, the layer's own parameter, is always W'."""

    def __init__(self, weight: torch.Tensor, core: torch.Tensor, rank: int):
        """``weight``: [out, d]; ``core``: M [d, k]; its last ``rank`` vectors are rescaled."""
        self.weight = weight
        self.core = core
        self.basis = core[:, -rank:]
        self.plain = weight.detach().clone()
        self.scale = torch.eye(self.basis.shape[1], device=weight.device)

    @torch.no_grad()
    def step(self, gradient: torch.Tensor, lr: float) -> None:
        """One step of gradient descent on W and Q, given the gradient at W'."""
        scale_gradient = (self.plain @ self.basis).T @ gradient @ self.basis
        self.plain -= lr * project_out(gradient, [self.core])
        self.scale -= SCALE_RATE * lr * scale_gradient
        change = self.scale - torch.eye(len(self.scale), device=self.scale.device)
        self.weight.copy_(self.plain + self.plain @ self.basis @ change @ self.basis.T)
