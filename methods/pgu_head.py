"""PGU on the head alone: the variant of the University of Trento's slides on real and fake faces.

Citation: N. Cappellaro, R. Zannoni, Machine Unlearning on TrueFake (slides), University of Trento
2025, and its published code; based on T. Hoang et al., Learn to Unlearn for Deep Neural Networks,
WACV 2024.
Equations: p the probability of the label that was learnt, H the entropy of the output,
  L = mean over Df of -log(1 - p + offset) - lam * H;
  U_k the directions of the features of Dr, of which the squared singular values reach ``share``;
  grad <- grad - grad U_k U_k^T for the last linear layer; its bias moves unprojected.
Deviations between slides, code and PGU, and what the default follows:
- Slides and code have the offset's sign turned: -log(1 - p - offset). For p > 1 - offset the loss
  is undefined and its gradient points *towards* the label. Ours is PGU's; sign=slides is theirs.
- The slides project onto the clean subspace (P g), the code onto its complement, as PGU does. Code;
  project=subspace is the slides'.
- k counts the directions whose share of the variance is still below ``share``, at least one (code).
  PGU counts singular values, not their squares. The code keeps all of up to ten directions; ours
  does not.
- The code's forget set was not the poisoned one, and carried clean labels; ours is Df with the
  labels that were learnt. Entropy is maximised although the purpose is de-poisoning (both).
- The subspace comes from ``sample`` drawn images of Dr, without augmentation (code: 101 augmented
  batches of 16). The state with the best accuracy on Dr is returned, the latest of equal ones, and
  a fall by ``tolerance`` ends the run (both code).
- Only the head moves, so features are computed once, in eval mode.
Published settings:
- slides, 20 % poison: pgu-head[sign=slides]
- slides, 50 % poison: pgu-head[sign=slides,epochs=3,lr=0.05,final_lr=0.01]
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from bench.config.limits import Count, Fraction, NonNegative, Positive
from bench.methods.shared.features import FEATURE_BATCH, last_linear, penultimate
from bench.methods.shared.reverse import reverse_loss
from bench.plugins.method import Method, Task

VERSION = 2
State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class PGUHead(Method):
    share: Fraction = 0.95
    offset: Positive = 0.1
    lam: NonNegative = 0.2
    epochs: Annotated[int, Field(ge=2)] = 10
    batch_size: Count = 16
    lr: Positive = 1e-3
    final_lr: Positive = 1e-4
    project: Literal["complement", "subspace"] = "complement"
    sign: Literal["pgu", "slides"] = "pgu"
    sample: Count = 1616
    keep: Literal["best", "last"] = "best"
    tolerance: Fraction = 0.05
    shuffle: bool = True

    needs = ("forget", "forget-labels", "retain", "retain-labels")

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        model = copy.deepcopy(model).eval()
        if not len(task.forget):
            return model
        head = last_linear(model)
        if not any(weight.requires_grad for weight in head.parameters()):
            task.note("the head is frozen: the original is returned")
            return model
        drawn = torch.randperm(len(task.retain), generator=task.rng)[: self.sample].sort().values
        sample = task.retain.take(drawn).image_batches(FEATURE_BATCH)
        states = self._epochs(model, head, self.subspace(penultimate(model, sample)), task)
        if self.keep == "last":
            *_, chosen = states
        else:
            kept = penultimate(model, task.retain.image_batches(FEATURE_BATCH))
            chosen = self._best(states, head, kept, task)
        head.load_state_dict(chosen)
        return model

    def subspace(self, features: torch.Tensor) -> torch.Tensor:
        """U_k, float32 [d, k], of features [n, d]."""
        features = features.double()
        values, vectors = torch.linalg.eigh(features.T @ features)
        variance = values.flip(0).clamp(min=0)
        within = variance.cumsum(0) / variance.sum() < self.share
        count = len(values) if self.share == 1 else max(1, int(within.sum()))
        return vectors.flip(1)[:, :count].float()

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """L, averaged over the batch; with sign=slides it may be NaN, with a finite gradient."""
        offset = self.offset if self.sign == "pgu" else -self.offset
        return reverse_loss(logits, labels, offset, self.lam)

    def _epochs(
        self, model: nn.Module, head: nn.Linear, basis: torch.Tensor, task: Task
    ) -> Iterator[State]:
        """The head after each epoch; the first epoch makes no update."""
        features = penultimate(model, task.forget.image_batches(FEATURE_BATCH))
        labels, rng = task.forget.labels, task.rng if self.shuffle else None
        moving = [weight for weight in head.parameters() if weight.requires_grad]
        decay = (self.final_lr / self.lr) ** (1 / self.epochs)
        for epoch in range(self.epochs):
            for chunk in task.forget.positions(self.batch_size, rng) if epoch else ():
                loss = self.loss(class_logits(head, features[chunk]), labels[chunk])
                for weight, gradient in zip(moving, torch.autograd.grad(loss, moving), strict=True):
                    step = gradient if weight is head.bias else self._projected(gradient, basis)
                    weight.data.sub_(step, alpha=self.lr * decay**epoch)
            yield copy.deepcopy(head.state_dict())

    def _projected(self, gradient: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
        inside = (gradient @ basis) @ basis.T
        return inside if self.project == "subspace" else gradient - inside

    def _best(
        self, states: Iterator[State], head: nn.Linear, kept: torch.Tensor, task: Task
    ) -> State:
        labels, best, start, chosen = task.retain.labels, -1.0, None, {}
        for state in states:
            with torch.no_grad():
                hits = class_logits(head, kept).argmax(1) == labels
            accuracy = hits.float().mean().item() if len(hits) else 0.0
            start = accuracy if start is None else start
            if accuracy >= best:
                best, chosen = accuracy, state
            if accuracy < start - self.tolerance:
                task.note("stopped early: accuracy on Dr had fallen")
                break
        return chosen


def class_logits(head: nn.Linear, features: torch.Tensor) -> torch.Tensor:
    """Logits [n, classes] of a head; one output z stands for two classes, [0, z]."""
    logits = functional.linear(features, head.weight, head.bias)  # no pass of the whole network
    return functional.pad(logits, (1, 0)) if head.out_features == 1 else logits
