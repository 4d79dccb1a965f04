"""PGU, projected-gradient unlearning: reverse training in directions that Dr does not use.

Citation: T. Hoang, S. Rana, S. Gupta, S. Venkatesh, Learn to Unlearn for Deep Neural Networks:
Minimizing Unlearning Interference with Gradient Projection, WACV 2024.
Equations: L = mean over Df of -log(1 - p_y + eps) - lam * H(p)                              (1)
  R_r R_r^T = R R^T - R_f R_f^T for each layer, R R^T cached when training ends             (2, 3)
  k: smallest with sum of the first k singular values >= gamma * their sum; M the first k vectors
  grad <- grad - grad M M^T, weights of convolutions and linear layers only                    (4)
De-poisoning: H is minimised (lam < 0), and the last linear layer also learns a scaling Q of its
core space (trust region, TRGP): W' = W + W B (Q - I) B^T, B the last ``trust_rank`` vectors of M.

Deviations between paper and code, and what the default follows:
- Entropy: as printed, equation 1 minimises H for lam > 0; text and code maximise it. Text and code.
- k: the code for data removal takes one vector fewer than the paper. Paper; rule=code is the other.
- Patches of strided convolutions: the code unfolds with stride 1. Ours are those that the layer
  sees; unit_stride=true is the code. Groups, dilation and padding are the layer's own.
- The code sums R R^T over an augmented epoch of D; ours are the images themselves, so that R_f is a
  part of R. Negative eigenvalues of the difference count as zero (the code takes their size).
- Epoch 0 only measures, so ``epochs`` holds one update fewer (code). Rate: exponential, per epoch.
- Batch norm stays in eval mode, dropout is active (code). No bias, no batch norm is updated (both).
- De-poisoning: the code takes H over the other classes, eps 0.1 and rates 0.1 to 0.05; the paper H
  over all classes and the same rates as ever. Paper; the code's are eps, lr, final_lr and
  entropy=others. Its trust region is fixed to 400 vectors; ours is at most 400.
- Stopping, removal: when accuracy on Df falls below validation accuracy, the nearer of the last two
  states (both). When it never does, the code silently saves the original; ours is the last state,
  with a note. De-poisoning: the code stops 5 points below the first *test* accuracy; ours looks at
  validation accuracy and returns the state before the fall.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from bench.examples import Examples
from bench.method import Method, Task
from bench.params import Count, Fraction, NonNegative, Positive
from bench.recipe import accuracy
from methods.shared.projection import core_bases, input_covariances, project_out, weight_layers
from methods.shared.trust_region import TrustRegion

VERSION = 1
BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class PGU(Method):
    gamma: Fraction | dict[str, Fraction] = 0.95
    lam: NonNegative = 0.2
    eps: Positive = 0.05
    epochs: Count = 100
    batch_size: Count = 128
    lr: Positive = 0.05
    final_lr: Positive = 0.01
    goal: Literal["auto", "removal", "depoison"] = "auto"
    entropy: Literal["all", "others"] = "all"
    rule: Literal["paper", "code"] = "paper"
    unit_stride: bool = False
    trust_rank: Count = 400
    tolerance: Fraction = 0.05

    needs = ("forget", "forget-labels", "validation", "validation-labels")
    prepare_fields = ("unit_stride", "batch_size")

    def prepare(self, model: nn.Module, data: Examples) -> dict[str, torch.Tensor]:
        return input_covariances(model, data.image_batches(self.batch_size), self.unit_stride)

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        model = copy.deepcopy(model)
        if not len(task.forget):
            return model.eval()
        depoison = (task.goal if self.goal == "auto" else self.goal) == "depoison"
        bases = self._core_spaces(model, task)
        states = self._epochs(model, task, bases, depoison)
        chosen = self._stop_at_fall(states, task) if depoison else self._stop_at_gap(states, task)
        model.load_state_dict(chosen)
        return model.eval()

    def _core_spaces(self, model: nn.Module, task: Task) -> dict[str, list[torch.Tensor]]:
        """Bases of the core space of Dr for each layer that is not frozen (gamma = 1)."""
        batches = task.forget.image_batches(self.batch_size)
        forget = input_covariances(model, batches, self.unit_stride)
        bases = {}
        for name, covariance in task.statistics.items():
            gamma = self.gamma
            if isinstance(gamma, dict):
                gamma = gamma.get(name, gamma.get("default", 0.95))
            if gamma < 1:
                retain = covariance - forget[name]
                bases[name] = [m.float() for m in core_bases(retain, gamma, self.rule)]
        return bases

    def _epochs(
        self, model: nn.Module, task: Task, bases: dict[str, list[torch.Tensor]], depoison: bool
    ) -> Iterator[tuple[dict[str, torch.Tensor], float, float]]:
        """After each epoch, the first without updates: weights, accuracy on Df and validation."""
        layers = weight_layers(model)
        weights = {n: m.weight for n, m in layers.items() if n in bases and m.weight.requires_grad}
        last = [name for name, layer in layers.items() if isinstance(layer, nn.Linear)][-1:]
        trust = None
        if depoison and last and last[0] in weights:
            trust = TrustRegion(weights.pop(last[0]), bases[last[0]][0], self.trust_rank)
        lam = -self.lam if depoison else self.lam
        decay = (self.final_lr / self.lr) ** (1 / self.epochs)
        for epoch in range(self.epochs):
            if epoch:
                self._one_epoch(model, task, weights, bases, trust, lam, self.lr * decay**epoch)
            yield copy.deepcopy(model.state_dict()), *self._accuracies(model, task)

    def _one_epoch(
        self,
        model: nn.Module,
        task: Task,
        weights: dict[str, nn.Parameter],
        bases: dict[str, list[torch.Tensor]],
        trust: TrustRegion | None,
        lam: float,
        lr: float,
    ) -> None:
        model.train()
        for module in model.modules():
            if isinstance(module, BATCH_NORM):
                module.eval()
        for images, labels in task.forget.batches(self.batch_size):
            loss = self.loss(model(images), labels, lam)
            trusted = [trust.weight] if trust else []
            gradients = torch.autograd.grad(loss, [*weights.values(), *trusted])
            with torch.no_grad():
                for (name, weight), gradient in zip(weights.items(), gradients, strict=False):
                    weight.sub_(project_out(gradient, bases[name]), alpha=lr)
                if trust:
                    trust.step(gradients[-1], lr)

    def loss(self, logits: torch.Tensor, labels: torch.Tensor, lam: float) -> torch.Tensor:
        """Equation 1, averaged over the batch; ``lam`` > 0 maximises the entropy."""
        log_p = logits.log_softmax(1)
        own = log_p.exp().gather(1, labels[:, None])[:, 0]
        if self.entropy == "others":
            others = torch.ones_like(log_p, dtype=torch.bool).scatter_(1, labels[:, None], False)
            log_p = logits[others].reshape(len(logits), -1).log_softmax(1)
        entropy = -(log_p.exp() * log_p).sum(1)
        return (-torch.log(1 - own + self.eps) - lam * entropy).mean()

    @staticmethod
    def _accuracies(model: nn.Module, task: Task) -> tuple[float, float]:
        return accuracy(model, task.forget), accuracy(model, task.validation)

    def _stop_at_gap(self, states: Iterator, task: Task) -> dict[str, torch.Tensor]:
        """Stop when Df is predicted no better than validation data; the nearer of two states."""
        previous, previous_gap, state = None, 0.0, {}
        for state, forget, validation in states:
            gap = validation - forget
            if gap > 0:
                if previous is None:
                    task.note("no step taken: Df was already predicted worse than validation data")
                    return state
                return previous if abs(previous_gap) < gap else state
            previous, previous_gap = state, gap
        task.note("early stopping never fired: the last state is returned")
        return state

    def _stop_at_fall(self, states: Iterator, task: Task) -> dict[str, torch.Tensor]:
        """Stop when validation accuracy has fallen by ``tolerance``; the state before the fall."""
        kept: dict[str, torch.Tensor] = {}
        start = None
        for epoch, (state, _forget, validation) in enumerate(states):
            start = validation if start is None else start
            if validation < start - self.tolerance:
                task.note(f"stopped at epoch {epoch}: validation accuracy had fallen")
                break
            kept = state
        return kept
