"""What methods that take gradient steps have in common: their settings, the loop, the pairing of
retain with forget batches.

A method inherits the fields of ``Descent``, gives them its own published defaults, and says what an
epoch's batches are and what the loss of one is.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional

from bench.config.limits import Count, Momentum, NonNegative, Positive
from bench.data.examples import Examples
from bench.plugins.method import Method, Task
from bench.training.trainer import trainable, training_mode

Batch = tuple[Any, ...]


@dataclass(frozen=True)
class Descent(Method):
    """Steps: ``schedule`` moves the rate once an epoch; ``momentum`` is for sgd; ``mode`` is the
    model's while it learns (in eval mode batch norm keeps its statistics and dropout is off);
    ``shuffle=false`` takes examples in the order of the training set."""

    epochs: Count = 1
    batch_size: Count = 64
    optimizer: Literal["sgd", "adam"] = "sgd"
    lr: Positive = 0.01
    momentum: Momentum = 0.0
    weight_decay: NonNegative = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    mode: Literal["train", "eval"] = "train"
    shuffle: bool = True

    def descend(
        self,
        model: nn.Module,
        task: Task,
        epoch: Callable[[], Iterable[Batch]],
        loss: Callable[..., torch.Tensor],
        *,
        groups: Callable[[nn.Module], list[dict[str, Any]]] | None = None,
        clip: float = 0.0,
    ) -> nn.Module:
        """A copy of ``model`` after ``epochs`` rounds of ``epoch()``, in eval mode.

        Where that makes not one step, ``task`` is given a note.

        ``loss(student, *batch)`` is the scalar to go down; ``groups`` gives parameter groups with
        learning rates of their own; ``clip`` bounds the gradient's norm (0: no bound).
        """
        student = copy.deepcopy(model)
        student = training_mode(student) if self.mode == "train" else student.eval()
        weights = trainable(student)
        optimizer = self._optimizer(groups(student) if groups else [{"params": weights}])
        steps = 0
        rates = [group["lr"] for group in optimizer.param_groups]
        for done in range(self.epochs):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * self._share(done)
            for batch in epoch():
                value = loss(student, *batch)
                optimizer.zero_grad()
                value.backward()
                if clip:
                    nn.utils.clip_grad_norm_(weights, clip)
                optimizer.step()
                steps += 1
        if not steps:
            task.note("no step was taken: there was no batch to take it on")
        return student.eval()

    def order(self, task: Task) -> torch.Generator | None:
        """What batches are shuffled by, if they are."""
        return task.rng if self.shuffle else None

    def _optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        if self.optimizer == "adam":
            return torch.optim.Adam(groups, self.lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(groups, self.lr, self.momentum, weight_decay=self.weight_decay)

    def _share(self, done: int) -> float:
        """The share of the learning rate that is used after so many epochs."""
        if self.schedule == "cosine":
            return (1 + math.cos(math.pi * done / self.epochs)) / 2
        return 1.0


def endless(
    examples: Examples, size: int, rng: torch.Generator | None, reshuffle: bool = True
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of (images, labels), pass after pass; none of no examples.

    ``reshuffle=False`` repeats the batches of the first pass.
    """
    order = list(examples.positions(size, rng))
    while order:
        for chunk in order:
            batch = examples.take(chunk)
            yield batch.images, batch.labels
        if reshuffle and rng is not None:
            order = list(examples.positions(size, rng))


def pairs(
    retain: Iterable[tuple[torch.Tensor, torch.Tensor]],
    forget: Iterator[tuple[torch.Tensor, torch.Tensor]],
    unequal: Literal["use", "skip"] = "use",
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Each retain batch with the next forget batch: retain images, labels, forget images, labels.

    ``unequal="skip"`` leaves out pairs of different sizes, as published code does. Nothing to
    forget: no pairs.
    """
    for retained, forgotten in zip(retain, forget, strict=False):
        if unequal == "use" or len(forgotten[0]) == len(retained[0]):
            yield *retained, *forgotten


def cross_entropies(
    student: nn.Module,
    retained: torch.Tensor,
    retain_labels: torch.Tensor,
    forgotten: torch.Tensor,
    forget_labels: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss on the retain and on the forget batch of a pair, in that order."""
    retain = functional.cross_entropy(student(retained), retain_labels)
    return retain, functional.cross_entropy(student(forgotten), forget_labels)


def anchor(model: nn.Module, origin: nn.Module, strength: float) -> torch.Tensor:
    """strength / 2 * |w - w0|^2 over the parameters that are not frozen: L2 to the original."""
    distances = [
        ((weight - start.detach()) ** 2).sum()
        for weight, start in zip(model.parameters(), origin.parameters(), strict=True)
        if weight.requires_grad
    ]
    return 0.5 * strength * torch.stack(distances).sum()
