"""SSD, selective synaptic dampening: shrink the weights that matter much more to Df than to D.

Citation: J. Foster, S. Schoepf, A. Brintrup, Fast Machine Unlearning Without Retraining Through
Selective Synaptic Dampening, AAAI 2024; LFSSD and ASSD: S. Schoepf, J. Foster, A. Brintrup,
Parameter-Tuning-Free Data Entry Error Unlearning with Adaptive Selective Synaptic Dampening, 2024,
and J. Foster et al., Loss-Free Machine Unlearning, 2024.
Equation: with importance I(.), every weight with I_f > alpha * I_D becomes
w <- w * min(lam * I_D / I_f, 1). No training, no retain data.
Deviations: the paper takes I as the diagonal Fisher information, an average of squared per-example
gradients (importance=example); the published code averages squared gradients of batch means, which
makes I_f and I_D depend on the batch size and on an incomplete last batch. The default follows the
code. I_D is over all of D and cached at training time (both); the Rice report takes Dr instead
(over=retain). Batch-norm scales and biases are dampened too (code). With mode=train, as in the
report's code, the passes over Dr and Df also move batch norm's running statistics, for good.
LFSSD (importance=label-free) takes the size of the gradient of |f(x)|^2, without labels. ASSD
(alpha=adaptive) sets alpha to a percentile of the finite I_f / I: the q-th with
q = 100 - ln(1 + 100 |Df| / |D|). ``forget_batch_size`` is for Df where it is not batch_size.
Published settings:
- classes: ssd; random examples: ssd[batch_size=128]; faces: ssd[alpha=50,lam=0.1]
- LFSSD: ssd[importance=label-free]
- ASSD (experiments; lam is 0.1 in the notebook's function): ssd[alpha=adaptive,over=retain]
- Rice report: ssd[lam=0.1,over=retain,mode=train]
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from bench.config.limits import Count, Positive
from bench.data.examples import Examples
from bench.methods.shared.importance import Kind, importance
from bench.plugins.method import Method, Task

VERSION = 2


@dataclass(frozen=True)
class SSD(Method):
    alpha: Positive | Literal["adaptive"] = 10.0
    lam: Positive = 1.0
    batch_size: Count = 64
    forget_batch_size: Count | None = None
    importance: Kind = "batch"
    over: Literal["all", "retain"] = "all"
    mode: Literal["eval", "train"] = "eval"

    needs = ("forget", "forget-labels")
    prepare_fields = ("batch_size", "importance", "mode")

    def requirements(self) -> tuple[str, ...]:
        parts = ["forget", *(["retain"] if self.over == "retain" else [])]
        labels = [] if self.importance == "label-free" else [f"{part}-labels" for part in parts]
        return (*parts, *labels)

    def prepares(self) -> bool:
        return self.over == "all"

    def prepare(self, model: nn.Module, data: Examples) -> dict[str, torch.Tensor]:
        return self._importance(copy.deepcopy(model), data)

    def _importance(self, model: nn.Module, data: Examples) -> dict[str, torch.Tensor]:
        return importance(model, data, self.batch_size, self.importance, self.mode)

    @torch.no_grad()
    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        model = copy.deepcopy(model)
        data = task.statistics if self.prepares() else self._importance(model, task.retain)
        size = self.forget_batch_size or self.batch_size
        forget = importance(model, task.forget, size, self.importance, self.mode)
        alpha = self.threshold(forget, data, len(task.forget), len(task.retain))
        for name, weight in model.named_parameters():
            if name in forget:
                weight.mul_(self.factor(forget[name], data[name], alpha))
        return model.eval()

    def threshold(
        self,
        forget: dict[str, torch.Tensor],
        data: dict[str, torch.Tensor],
        forgotten: int,
        kept: int,
    ) -> float:
        """alpha, or ASSD's percentile of the finite importance ratios."""
        if self.alpha != "adaptive":
            return self.alpha
        ratios = torch.cat([(forget[name] / data[name]).flatten() for name in forget]).cpu().numpy()
        finite = ratios[np.isfinite(ratios)]
        percent = 100 - math.log1p(100 * forgotten / (forgotten + kept))
        return float(np.percentile(finite, percent)) if len(finite) else math.inf

    def factor(self, forget: torch.Tensor, data: torch.Tensor, alpha: float) -> torch.Tensor:
        """What each weight is multiplied by, given its importance to Df and to D."""
        dampened = (self.lam * data / forget).clamp(max=1.0)  # 0 / 0 is never selected
        return torch.where(forget > alpha * data, dampened, torch.ones_like(data))
