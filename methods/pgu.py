"""PGU, projected-gradient unlearning: reverse training in directions that Dr does not use.

Citation: T. Hoang, S. Rana, S. Gupta, S. Venkatesh, Learn to Unlearn for Deep Neural Networks:
Minimizing Unlearning Interference with Gradient Projection, WACV 2024.
Equations: L = mean over Df of -log(1 - p_y + eps) - lam * H(p)                              (1)
  R_r R_r^T = R R^T - R_f R_f^T for each layer, R R^T cached when training ends             (2, 3)
  k: smallest with sum of the first k singular values >= gamma * their sum; M the first k vectors
  grad <- grad - grad M M^T, weights of convolutions and linear layers only                    (4)
De-poisoning: H is minimised (lam < 0), and the last linear layer also learns a scaling Q of its
core space (trust region, TRGP): W' = W + W B (Q - I) B^T, B the last ``trust_rank`` vectors of M.

Requests one after another: R R^T of what is left is carried on; R_f comes from the model at hand (5).

Deviations between paper and code, and what the default follows:
- Entropy: as printed, equation 1 minimises H for lam > 0; text and code maximise it. Text and code.
- k: the code's scripts for data removal, class removal and de-poisoning each count differently from
  the paper. Paper; rule=removal, class and depoison are the scripts.
- Patches of strided convolutions: the code unfolds with stride 1. Ours are those that the layer
  sees; unit_stride=true is the code. Groups, dilation and padding are the layer's own.
- The code sums R R^T over an augmented epoch of D (augmented=true), for class removal R_f too; ours
  are the images themselves, so that R_f is a part of R. Negative eigenvalues of the difference count as zero; the code takes
  their size (negative=size). De-poisoning code sums over clean data directly (space=retain).
- Epoch 0 only measures, so ``epochs`` holds one update fewer (code). Rate: exponential, per epoch.
- Batch norm stays in eval mode, dropout is active (code). No bias, no batch norm is updated (both).
- De-poisoning: the code takes H over the other classes, eps 0.1, rates 0.1 to 0.05 and augmented
  images; the paper H over all classes and the same rates as ever. Paper. The trust region of the code is fixed to 400
  vectors; ours is at most 400, and trust_rank=0 leaves it out.
- Requests one after another: the code's stop looks at all that was forgotten so far; ours at what is
  asked for now, as the earlier examples are gone. Its option to raise gamma each time is left out.
- Stopping, removal: when accuracy on Df falls below validation accuracy, the nearer of the last two
  states (both). When it never does, the code silently saves the original; ours is the last state,
  with a note. Class removal and de-poisoning (stop=fall): the code stops when accuracy on Dr, or on
  the *test* set, has fallen by 5 points, and returns that state; ours looks at validation accuracy
  (by ``tolerance``) and returns the state before. stop=never: the last epoch's state, as the code's
  after so many epochs. goal=auto takes removal or depoison from the request.
Published settings:
- data removal, AllCNN and ResNet-18: pgu[gamma=0.9]
- code for data removal: pgu[rule=removal,unit_stride=true,negative=size,augmented=true]
- code for class removal: pgu[rule=class,unit_stride=true,negative=size,augmented=true,batch_size=100,shuffle=true,stop=fall]
- code for de-poisoning: pgu[rule=depoison,unit_stride=true,space=retain,entropy=others,eps=0.1,lr=0.1,final_lr=0.05]
"""  # noqa: E501 (a setting is spelled on one line)

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from bench import seeds
from bench.config.limits import Count, Fraction, Natural, NonNegative, Positive
from bench.config.spelling import unknown
from bench.data.examples import Examples
from bench.methods.shared import stopping
from bench.methods.shared.projection import (
    Rule,
    core_bases,
    input_covariances,
    project_out,
    weight_layers,
)
from bench.methods.shared.reverse import reverse_loss
from bench.methods.shared.trust_region import TrustRegion
from bench.plugins.method import Method, Task
from bench.training.prediction import accuracy
from bench.training.trainer import BATCH_NORM

VERSION = 2
GAMMA = 0.95


@dataclass(frozen=True)
class PGU(Method):
    gamma: Fraction | dict[str, Fraction] = GAMMA
    lam: NonNegative = 0.2
    eps: Positive = 0.05
    epochs: Annotated[int, Field(ge=2)] = 100
    batch_size: Count = 128
    lr: Positive = 0.05
    final_lr: Positive = 0.01
    goal: Literal["auto", "removal", "depoison"] = "auto"
    entropy: Literal["all", "others"] = "all"
    rule: Rule = "paper"
    space: Literal["subtract", "retain"] = "subtract"
    negative: Literal["zero", "size"] = "zero"
    unit_stride: bool = False
    augmented: bool = False
    shuffle: bool = False
    trust_rank: Natural = 400
    stop: Literal["auto", "gap", "fall", "never"] = "auto"
    tolerance: Fraction = 0.05

    needs = ("forget", "forget-labels", "validation", "validation-labels")
    prepare_fields = ("unit_stride", "batch_size", "augmented")

    def requirements(self) -> tuple[str, ...]:
        stops = ("validation", "validation-labels") if self.stop != "never" else ()
        return ("forget", "forget-labels", *stops, *(["retain"] if self.space == "retain" else []))

    def prepares(self) -> bool:
        return self.space == "subtract"

    def prepare(self, model: nn.Module, data: Examples) -> dict[str, torch.Tensor]:
        batches: Iterable[torch.Tensor] = data.image_batches(self.batch_size)
        if self.augmented:
            rng = seeds.torch_rng("pgu", "augmented statistics")
            batches = (images for images, _ in data.batches(self.batch_size, rng, "crop-flip"))
        return input_covariances(model, batches, self.unit_stride)

    def carried(self, model: nn.Module, task: Task) -> dict[str, torch.Tensor]:
        return self._retain_covariances(model, task)

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        model = copy.deepcopy(model)
        if not len(task.forget):
            return model.eval()
        depoison = (task.goal if self.goal == "auto" else self.goal) == "depoison"
        bases = self._core_spaces(model, task)
        layers = weight_layers(model)
        if not any(layers[name].weight.requires_grad for name in bases):
            task.note("every layer is frozen: the original is returned")
            return model.eval()
        states = self._epochs(model, task, bases, depoison)
        model.load_state_dict(self._choose(states, model, task, depoison))
        return model.eval()

    def _retain_covariances(self, model: nn.Module, task: Task) -> dict[str, torch.Tensor]:
        """R_r R_r^T by layer: equation 3, or directly."""
        part = task.retain if self.space == "retain" else task.forget
        covariances = input_covariances(
            model, part.image_batches(self.batch_size), self.unit_stride
        )
        if self.space == "retain":
            return covariances
        return {name: task.statistics[name] - part for name, part in covariances.items()}

    def _core_spaces(self, model: nn.Module, task: Task) -> dict[str, list[torch.Tensor]]:
        """Bases of the core space of Dr for each layer that is not frozen (gamma = 1)."""
        bases = {}
        gammas = self.gamma if isinstance(self.gamma, dict) else {"default": self.gamma}
        default = gammas.get("default", GAMMA)
        layers = weight_layers(model)
        for name in gammas:
            if name not in layers and name != "default":
                raise unknown("layer of the model", name, [*layers, "default"])
        for name, covariance in self._retain_covariances(model, task).items():
            gamma = gammas.get(name, default)
            if gamma < 1:
                core = core_bases(covariance, gamma, self.rule, self.negative)
                bases[name] = [basis.float() for basis in core]
        return bases

    def _epochs(
        self, model: nn.Module, task: Task, bases: dict[str, list[torch.Tensor]], depoison: bool
    ) -> Iterator[stopping.State]:
        """The weights after each epoch; the first epoch makes no update."""
        layers = weight_layers(model)
        weights = {n: m.weight for n, m in layers.items() if n in bases and m.weight.requires_grad}
        last = [name for name, layer in layers.items() if isinstance(layer, nn.Linear)][-1:]
        trust = None
        if depoison and self.trust_rank and last and last[0] in weights:
            trust = TrustRegion(weights.pop(last[0]), bases[last[0]][0], self.trust_rank)
        lam = -self.lam if depoison else self.lam
        decay = (self.final_lr / self.lr) ** (1 / self.epochs)
        for epoch in range(self.epochs):
            if epoch:
                self._one_epoch(model, task, weights, bases, trust, lam, self.lr * decay**epoch)
            yield copy.deepcopy(model.state_dict())

    def _one_epoch(
        self,
        model: nn.Module,
        task: Task,
        weights: dict[str, torch.Tensor],
        bases: dict[str, list[torch.Tensor]],
        trust: TrustRegion | None,
        lam: float,
        lr: float,
    ) -> None:
        model.train()
        for module in model.modules():
            if isinstance(module, BATCH_NORM):
                module.eval()
        for images, labels in task.forget.batches(
            self.batch_size, task.rng if self.shuffle else None
        ):
            loss = self.loss(model(images), labels, lam)
            trusted = [trust.weight] if trust else []
            gradients = torch.autograd.grad(
                loss, [*weights.values(), *trusted], materialize_grads=True
            )
            with torch.no_grad():
                for (name, weight), gradient in zip(weights.items(), gradients, strict=False):
                    weight.sub_(project_out(gradient, bases[name]), alpha=lr)
                if trust:
                    trust.step(gradients[-1], lr)

    def loss(self, logits: torch.Tensor, labels: torch.Tensor, lam: float) -> torch.Tensor:
        """Equation 1, averaged over the batch; ``lam`` > 0 maximises the entropy."""
        if self.entropy == "all":
            return reverse_loss(logits, labels, self.eps, lam)
        others = torch.ones_like(logits, dtype=torch.bool).scatter_(1, labels[:, None], False)
        spread = logits[others].reshape(len(logits), -1)
        return reverse_loss(logits, labels, self.eps, lam, spread)

    def _choose(
        self, states: Iterator[stopping.State], model: nn.Module, task: Task, depoison: bool
    ) -> stopping.State:
        """The state to return; accuracies are measured on the live model, epoch by epoch."""
        rule = self.stop if self.stop != "auto" else "fall" if depoison else "gap"
        if rule == "never":
            *_, last = states
            return last
        if rule == "fall":
            measured = ((state, accuracy(model, task.validation)) for state in states)
            return stopping.at_fall(measured, self.tolerance, task.note)
        both = (
            (state, accuracy(model, task.forget), accuracy(model, task.validation))
            for state in states
        )
        return stopping.at_gap(both, task.note)
