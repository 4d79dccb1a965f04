"""Fine-tuning on the retain set, hoping that what is not rehearsed fades (catastrophic forgetting).

Citation: A. Golatkar, A. Achille, S. Soatto, Eternal Sunshine of the Spotless Net, CVPR 2020 (as a
baseline); defaults of J. Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023.
Equation: w <- w - lr * grad [CE(Dr; w) + anchor / 2 * |w - w0|^2], for some epochs.
Deviations: there is no one published setting. The default follows the code of the NeurIPS 2023
paper, whose learning rate steps lie after the last epoch, so it is constant. Train mode: batch norm
adapts to Dr.
Published settings:
- SSD's code: finetune[epochs=5,lr=0.02,batch_size=128]
- competition's starting kit: finetune[epochs=1,lr=0.001,schedule=cosine,batch_size=128]
- Rice report: finetune[epochs=1,optimizer=adam,lr=0.0001,weight_decay=0.005,batch_size=64]
- SCRUB's code: finetune[momentum=0,weight_decay=0,mode=eval,anchor=0.1,batch_size=128]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from bench.config.limits import Count, Momentum, NonNegative
from bench.methods.shared.descent import Descent, anchor
from bench.plugins.method import Task

VERSION = 2


@dataclass(frozen=True)
class Finetune(Descent):
    epochs: Count = 10
    batch_size: Count = 256
    momentum: Momentum = 0.9
    weight_decay: NonNegative = 5e-4
    anchor: NonNegative = 0.0

    needs = ("retain", "retain-labels")

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        def loss(student: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            value = functional.cross_entropy(student(images), labels)
            return value + anchor(student, model, self.anchor) if self.anchor else value

        def epoch() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            return task.retain.batches(self.batch_size, self.order(task))

        return self.descend(model, task, epoch, loss)
