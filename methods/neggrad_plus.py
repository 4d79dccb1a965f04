"""NegGrad+: down on the retain set and, at the same time, a little up on the forget set.

Citation: Y. Suprun, Machine Unlearning: A Pursuit for Privacy in Deep Learning Models, Rice
University 2023, section 4.2 ("advanced NegGrad", after D. Choi, D. Na, Towards Machine Unlearning
Benchmarks, 2023); M. Kurmanji et al., Towards Unbounded Machine Unlearning, NeurIPS 2023.
Equations: report:  L = CE(Dr) - lam * CE(Df)                                                  (2)
  SCRUB paper:      L = alpha * [CE(Dr) + anchor / 2 * |w - w0|^2] - (1 - alpha) * CE(Df)
Each retain batch meets the next forget batch; forget batches start again when they end, and go on
from epoch to epoch.
Deviations: the report's code leaves out every pair of batches of unequal size, so a forget set
smaller than a batch would never be used; ours uses them (unequal=skip is the code). Weight decay
5e-3 is the report's; its code cell has 0.1. SCRUB's code repeats the forget batches of the first
pass of each epoch (reshuffle=false), in eval mode, with an L2 pull to the original.
Published settings:
- SCRUB's code, small scale: neggrad+[loss=scrub,epochs=10,batch_size=128,optimizer=sgd,lr=0.01,weight_decay=0,mode=eval,anchor=0.1,reshuffle=false]
- MUFAC's code: neggrad+[lam=1,epochs=2,optimizer=sgd,lr=0.001,weight_decay=0,unequal=skip]
"""  # noqa: E501 (a setting is spelled on one line)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from bench.config.limits import Count, Fraction, NonNegative, Positive
from bench.methods.shared.descent import Descent, anchor, cross_entropies, endless, pairs
from bench.plugins.method import Task

VERSION = 2
NAME = "neggrad+"


@dataclass(frozen=True)
class NegGradPlus(Descent):
    optimizer: Literal["sgd", "adam"] = "adam"
    lr: Positive = 1e-4
    weight_decay: NonNegative = 5e-3
    loss: Literal["report", "scrub"] = "report"
    lam: NonNegative = 0.1
    alpha: Fraction = 0.95
    anchor: NonNegative = 0.0
    forget_batch_size: Count | None = None
    reshuffle: bool = True
    unequal: Literal["use", "skip"] = "use"

    needs = ("forget", "forget-labels", "retain", "retain-labels")

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        order, size = self.order(task), self.forget_batch_size or self.batch_size
        forgotten = endless(task.forget, size, order)

        def epoch() -> Iterator[tuple[torch.Tensor, ...]]:
            nonlocal forgotten
            if not self.reshuffle:
                forgotten = endless(task.forget, size, order, reshuffle=False)
            return pairs(task.retain.batches(self.batch_size, order), forgotten, self.unequal)

        def loss(student: nn.Module, *pair: torch.Tensor) -> torch.Tensor:
            losses = cross_entropies(student, *pair)
            pull = anchor(student, model, self.anchor) if self.anchor else 0.0
            return self.joint(*losses, pull)

        return self.descend(model, task, epoch, loss)

    def joint(
        self, retain: torch.Tensor, forget: torch.Tensor, pull: torch.Tensor | float = 0.0
    ) -> torch.Tensor:
        """The loss, given the cross-entropy on both sets and the pull to the original."""
        if self.loss == "report":
            return retain + pull - self.lam * forget
        return self.alpha * (retain + pull) - (1 - self.alpha) * forget
