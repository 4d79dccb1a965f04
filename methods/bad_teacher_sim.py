"""Bad teacher with similarity sampling: repair only the neighbourhood of what is forgotten.

Citation: Y. Suprun, Machine Unlearning: A Pursuit for Privacy in Deep Learning Models, Rice
University 2023, section 6.1.1, on the entry ranked 12th on the public board of the NeurIPS 2023
unlearning competition; based on V. S. Chundawat et al., Can Bad Teaching Induce Forgetting?, 2023.
Equations: kept = union over Df of the ``neighbours`` nearest retain images in feature space;
w_j = number of forget images that have j among their nearest, divided by its mean over the kept;
forget batch: L = mean KL(bad(x) || student(x)); retain batch: L = mean w_j KL(original || student).
Deviations: the report describes the method in words and its code cell is empty. Stated there: the
bad teacher is pre-trained on Dr, the student starts at the original, retain images are chosen and
weighted by similarity, batches alternate, Adam at 1e-4 with weight decay 5e-3 for five epochs. Our
reading: features are the inputs of the last linear layer, nearest is by cosine, three neighbours
(the report's retain_scale), five epochs of the recipe for the bad teacher, and as many retain as
forget batches, each kept image once an epoch. Divergences sum over classes (the report's equation
3). No labels but for the bad teacher.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from bench.config.limits import Count, NonNegative, Positive
from bench.data.examples import Examples
from bench.methods.shared.descent import Descent
from bench.methods.shared.divergence import softened_divergence
from bench.methods.shared.features import FEATURE_BATCH, penultimate
from bench.plugins.method import Task

VERSION = 1


@dataclass(frozen=True)
class BadTeacherSim(Descent):
    epochs: Count = 5
    optimizer: Literal["sgd", "adam"] = "adam"
    lr: Positive = 1e-4
    weight_decay: NonNegative = 5e-3
    neighbours: Count = 3
    teacher_epochs: Count = 5
    temperature: Positive = 1.0

    needs = ("forget", "retain", "retain-labels")

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        competent, bad = copy.deepcopy(model).eval(), self._bad_teacher(task)
        near = nearest(
            penultimate(model, task.forget.image_batches(FEATURE_BATCH)),
            penultimate(model, task.retain.image_batches(FEATURE_BATCH)),
            self.neighbours,
        )
        chosen, counts = near.flatten().unique(return_counts=True)
        kept = task.retain.take(chosen)
        weights = counts / counts.float().mean()

        def epoch() -> Iterator[tuple[torch.Tensor, nn.Module, torch.Tensor]]:
            for forgotten, chunk in self._alternate(task, kept):
                if forgotten:
                    yield task.forget.take(chunk).images, bad, torch.ones_like(chunk)
                else:
                    yield kept.take(chunk).images, competent, weights[chunk]

        def loss(
            student: nn.Module, images: torch.Tensor, teacher: nn.Module, weight: torch.Tensor
        ) -> torch.Tensor:
            with torch.no_grad():
                target = teacher(images)
            return weighted_divergence(student(images), target, weight, self.temperature)

        return self.descend(model, task, epoch, loss)

    def _bad_teacher(self, task: Task) -> nn.Module:
        settings = task.recipe.settings.model_copy(update={"epochs": self.teacher_epochs})
        recipe = replace(task.recipe, settings=settings)
        return recipe.train(recipe.fresh_model(task.rng), task.retain, task.rng)

    def _alternate(self, task: Task, kept: Examples) -> Iterator[tuple[bool, torch.Tensor]]:
        """Forget and retain batches in turn: (whether to forget, positions)."""
        rng = self.order(task)
        forget = list(task.forget.positions(self.batch_size, rng))
        retain = kept.positions(-(-len(kept) // max(len(forget), 1)), rng)
        for chunk in forget:
            yield True, chunk
            repair = next(retain, None)
            if repair is not None:
                yield False, repair


def nearest(queries: torch.Tensor, candidates: torch.Tensor, count: int) -> torch.Tensor:
    """Indices [queries, count] of the candidates with the largest cosine similarity."""
    candidates = functional.normalize(candidates).T
    count = min(count, candidates.shape[1])
    neighbours = [
        (functional.normalize(chunk) @ candidates).topk(count).indices
        for chunk in queries.split(FEATURE_BATCH)
    ]
    return torch.cat(neighbours) if neighbours else torch.empty(0, count, dtype=torch.long)


def weighted_divergence(
    student: torch.Tensor, teacher: torch.Tensor, weight: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Mean over examples of weight * KL(teacher || student) of softened logits [n, classes]."""
    return (weight * softened_divergence(student, teacher, temperature).sum(1)).mean()
