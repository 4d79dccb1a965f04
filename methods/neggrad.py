"""NegGrad, gradient ascent: training in reverse on the forget set alone.

Citation: A. Golatkar, A. Achille, S. Soatto, Eternal Sunshine of the Spotless Net, CVPR 2020;
defaults of J. Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023.
Equation: w <- w + lr * grad CE(Df; w). The loss has no upper bound, so a large lr diverges.
Deviations: none from the published code: train mode (batch norm adapts to Df), momentum and weight
decay of the shared optimizer stay on. Weight decay is not reversed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from bench.config.limits import Count, Momentum, NonNegative, Positive
from bench.methods.shared.descent import Descent
from bench.plugins.method import Task

VERSION = 2


@dataclass(frozen=True)
class NegGrad(Descent):
    epochs: Count = 5
    batch_size: Count = 256
    lr: Positive = 1e-4
    momentum: Momentum = 0.9
    weight_decay: NonNegative = 5e-4

    needs = ("forget", "forget-labels")

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        def loss(student: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return -functional.cross_entropy(student(images), labels)

        def epoch() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            return task.forget.batches(self.batch_size, self.order(task))

        return self.descend(model, task, epoch, loss)
