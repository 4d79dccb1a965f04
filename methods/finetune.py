"""Fine-tuning on the retain set, hoping that what is not rehearsed fades (catastrophic forgetting).

Citation: A. Golatkar et al., Eternal Sunshine of the Spotless Net, CVPR 2020, as a baseline; the
defaults are those of J. Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023.
Equation: w <- w - lr * grad CE(Dr; w), for some epochs.
Deviations: published settings differ between papers (SSD's repository: lr 0.02, 5 epochs; the
NeurIPS 2023 starting kit: lr 0.001, 1 epoch); the default follows the OPTML code, whose learning
rate steps lie after the last epoch, so it is constant. Train mode: batch norm adapts to Dr.
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
class Finetune(Method):
    epochs: Count = 10
    batch_size: Count = 256
    lr: Positive = 0.01
    momentum: NonNegative = 0.9
    weight_decay: NonNegative = 5e-4

    needs = ("retain", "retain-labels")

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        return trained_copy(model, task.retain, task.rng, self._loss, **asdict(self))

    @staticmethod
    def _loss(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(model(images), labels)
