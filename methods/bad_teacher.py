"""Bad teacher: imitate an ignorant network on the forget set and the original on retained data.

Citation: V. S. Chundawat, A. K. Tarun, M. Mandal, M. Kankanhalli, Can Bad Teaching Induce
Forgetting?, AAAI 2023. Defaults are those of the authors' notebook.
Equation: L = mean over Df and a random part of Dr of KL(teacher(x) || student(x)), both softened by
the temperature; the teacher is a randomly initialised network on Df and the original on Dr.
Deviations: the published code averages the divergence over examples *and classes*, which divides
its gradient by the number of classes (reduction=mean, the default); the paper, and the report's
equation 3, sum over classes (reduction=batchmean). The usual factor T^2 is in neither. The student
learns in train mode, so batch norm sees the forget set too (code). No labels are used.
Published settings:
- as the paper writes the divergence: bad-teacher[reduction=batchmean]
- Rice report ("naive teachers"): bad-teacher[epochs=5,batch_size=64,weight_decay=0.005,retain_scale=3,reduction=batchmean]
"""  # noqa: E501 (a setting is spelled on one line)

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from bench.config.limits import Count, Fraction, Positive
from bench.data.examples import Examples
from bench.methods.shared.descent import Descent
from bench.methods.shared.divergence import softened_divergence
from bench.plugins.method import Task

VERSION = 1
Reduction = Literal["mean", "batchmean"]


@dataclass(frozen=True)
class BadTeacher(Descent):
    batch_size: Count = 256
    optimizer: Literal["sgd", "adam"] = "adam"
    lr: Positive = 1e-4
    retain_fraction: Fraction = 0.3
    retain_scale: Positive | None = None  # so many times as many as there are to forget
    temperature: Positive = 1.0
    reduction: Reduction = "mean"

    needs = ("forget", "retain")

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        competent = copy.deepcopy(model).eval()
        incompetent = task.recipe.fresh_model(task.rng).eval()
        both = task.forget.joined(self._kept(task))

        def epoch() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            for chunk in both.positions(self.batch_size, self.order(task)):
                yield both.take(chunk).images, chunk < len(task.forget)

        def loss(student: nn.Module, images: torch.Tensor, bad: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                teacher = torch.where(bad[:, None], incompetent(images), competent(images))
            return divergence(student(images), teacher, self.temperature, self.reduction)

        return self.descend(model, task, epoch, loss)

    def _kept(self, task: Task) -> Examples:
        """The part of Dr that is learnt, drawn at random; all of it in order for fraction 1."""
        wanted = self.retain_fraction * len(task.retain)
        if self.retain_scale is not None:
            wanted = self.retain_scale * len(task.forget)
        drawn = torch.randperm(len(task.retain), generator=task.rng)[: int(wanted)]
        return task.retain.take(drawn.sort().values)


def divergence(
    student: torch.Tensor, teacher: torch.Tensor, temperature: float, reduction: Reduction
) -> torch.Tensor:
    """KL(teacher || student) of softened logits [n, classes], averaged as ``reduction`` says."""
    each = softened_divergence(student, teacher, temperature)
    return each.mean() if reduction == "mean" else each.sum(1).mean()
