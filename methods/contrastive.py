"""Contrastive forgetting: push forget outputs away from retain outputs, repair, and repeat.

Citation: Y. Suprun, Machine Unlearning: A Pursuit for Privacy in Deep Learning Models, Rice
University 2023, section 6.1.2, on the entry ranked 2nd in the unlearning competition of NeurIPS
2023 (team fanchuan); settings of its published code.
Equations: stage 1, one epoch over Df: L = KL(uniform || softmax(z)), averaged over examples.
Stage 2, ``epochs`` times: a forget round, each forget batch F with a batch R of Dr,
  L = mean over i in F, t in R of -log softmax_t(z_i . z_t / temperature), z_t held fixed,
then a retain round, one epoch of CE over Dr.
Deviations: the report writes of a similarity of features, and of a first variant with augmented
positives; the published code takes the inner products of *logits* and the second variant, in which
each retain example is as good a partner as any. Code, also in what follows. Forget and retain
batches are zipped, so a round ends with the shorter. Train mode throughout: batch norm sees the
forget set. The retain round's rate is retain_lr for 64 examples and grows with the batch size; each
of the three optimizers keeps its momentum from round to round; the forget rate falls by a cosine,
step by step, to final_lr. Forget batches of 64 are those of the competition's loader. uniform_lr is
the rate of stage 1, forget_lr that of the forget rounds.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import CosineAnnealingLR

from bench.config.limits import Count, Momentum, NonNegative, Positive
from bench.plugins.method import Method, Task
from bench.training.trainer import trainable, training_mode

VERSION = 1


@dataclass(frozen=True)
class Contrastive(Method):
    epochs: Count = 8
    batch_size: Count = 256
    forget_batch_size: Count = 64
    temperature: Positive = 1.15
    uniform_lr: Positive = 5e-3
    forget_lr: Positive = 3e-4
    final_lr: NonNegative = 1e-6
    retain_lr: Positive = 1e-3
    momentum: Momentum = 0.9
    weight_decay: NonNegative = 1e-2  # of retain rounds
    shuffle: bool = True

    needs = ("forget", "retain", "retain-labels")

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        student = training_mode(copy.deepcopy(model))
        rng = task.rng if self.shuffle else None
        flatten = self._optimizer(student, self.uniform_lr)
        forget = self._optimizer(student, self.forget_lr)
        repair_lr = self.retain_lr * self.batch_size / 64
        repair = self._optimizer(student, repair_lr, self.weight_decay)
        steps = self.epochs * math.ceil(len(task.forget) / self.forget_batch_size)
        schedule = CosineAnnealingLR(forget, max(steps, 1), self.final_lr)
        for images in task.forget.image_batches(self.forget_batch_size, rng):
            _step(flatten, uniform_divergence(student(images)))
        for _round in range(self.epochs):
            self._forget_round(student, forget, schedule, task, rng)
            for images, labels in task.retain.batches(self.batch_size, rng):
                _step(repair, functional.cross_entropy(student(images), labels))
        return student.eval()

    def _optimizer(self, model: nn.Module, lr: float, decay: float = 0.0) -> torch.optim.SGD:
        return torch.optim.SGD(trainable(model), lr, self.momentum, weight_decay=decay)

    def _forget_round(
        self,
        student: nn.Module,
        optimizer: torch.optim.Optimizer,
        schedule: CosineAnnealingLR,
        task: Task,
        rng: torch.Generator | None,
    ) -> None:
        forget = task.forget.image_batches(self.forget_batch_size, rng)
        retain = task.retain.image_batches(self.batch_size, rng)
        for forgotten, partners in zip(forget, retain, strict=False):
            outputs = student(forgotten)
            with torch.no_grad():
                fixed = student(partners)
            _step(optimizer, contrast(outputs, fixed, self.temperature))
            schedule.step()


def uniform_divergence(logits: torch.Tensor) -> torch.Tensor:
    """Mean over examples of KL(uniform || softmax), for logits [n, classes]."""
    uniform = torch.full_like(logits, 1 / logits.shape[1])
    return functional.kl_div(logits.log_softmax(1), uniform, reduction="batchmean")


def contrast(forget: torch.Tensor, retain: torch.Tensor, temperature: float) -> torch.Tensor:
    """Mean over all pairs of -log softmax over the retain batch of the inner products of logits."""
    return -(forget @ retain.T / temperature).log_softmax(1).mean()


def _step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
