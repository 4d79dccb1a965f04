"""NegGrad, gradient ascent: training in reverse on the forget set alone.

Citation: A. Golatkar et al., Eternal Sunshine of the Spotless Net, CVPR 2020; L. Graves et al.,
Amnesiac Machine Learning, AAAI 2021. Defaults: GA of J. Jia et al., Model Sparsity Can Simplify
Machine Unlearning, NeurIPS 2023 (README of the published code).
Equation: w <- w + lr * grad CE(Df; w). The loss has no upper bound, so a large lr diverges.
Deviations: none from the published code: train mode (batch norm adapts to Df), momentum and weight
decay of the shared optimizer stay on. Weight decay is not reversed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn import functional

from bench.method import Method, Task
from bench.params import Count, NonNegative, Positive
from methods.shared.training import trained_copy

VERSION = 1


@dataclass(frozen=True)
class NegGrad(Method):
    epochs: Count = 5
    batch_size: Count = 256
    lr: Positive = 1e-4
    momentum: NonNegative = 0.9
    weight_decay: NonNegative = 5e-4

    needs = ("forget", "forget-labels")

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        return trained_copy(model, task.forget, task.rng, self._loss, **asdict(self))

    @staticmethod
    def _loss(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return -functional.cross_entropy(model(images), labels)
