"""SSD, selective synaptic dampening: shrink the weights that matter much more to Df than to D.

Citation: J. Foster, S. Schoepf, A. Brintrup, Fast Machine Unlearning Without Retraining Through
Selective Synaptic Dampening, AAAI 2024.
Equation: with importance I(.), every weight with I_f > alpha * I_D becomes
w <- w * min(lam * I_D / I_f, 1). No training, no retain data.
Deviations: the paper takes I as the diagonal Fisher information, an average of squared per-example
gradients; the published code averages squared gradients of batch means (batch size 64), which
makes I_f and I_D depend on the batch size and on an incomplete last batch. The default follows the
code; ``batch_size=1`` is the paper. I_D is over all of D and is cached at training time (both).
Batch-norm scales and biases are dampened too, running statistics are not (code).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn

from bench.examples import Examples
from bench.method import Method, Task
from bench.params import Count, Positive
from methods.shared.importance import squared_gradients

VERSION = 1


@dataclass(frozen=True)
class SSD(Method):
    alpha: Positive = 10.0
    lam: Positive = 1.0
    batch_size: Count = 64

    needs = ("forget", "forget-labels")
    prepare_fields = ("batch_size",)

    def prepare(self, model: nn.Module, data: Examples) -> dict[str, torch.Tensor]:
        return squared_gradients(model, data, self.batch_size)

    @torch.no_grad()
    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        model = copy.deepcopy(model)
        forget = squared_gradients(model, task.forget, self.batch_size)
        for name, weight in model.named_parameters():
            if name in forget:
                weight.mul_(self.factor(forget[name], task.statistics[name]))
        return model.eval()

    def factor(self, forget: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
        """What each weight is multiplied by, given its importance to Df and to D."""
        dampened = (self.lam * data / forget).clamp(max=1.0)  # 0 / 0 is never selected
        return torch.where(forget > self.alpha * data, dampened, torch.ones_like(data))
