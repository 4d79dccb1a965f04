"""Retraining from scratch on the retain set: what every other method tries to be, at its cost.

Equation: w = A(Dr), with A the recipe that made the original, from new random weights. Every
parameter and every buffer is new; public code that resets only the last layer and calls it
retraining does something else. With its own seeds, this row shows what two honest retrainings score
against each other: the floor or ceiling of each score.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from bench.plugins.method import Method, Task

VERSION = 1


@dataclass(frozen=True)
class Retrain(Method):
    needs = ("retain", "retain-labels")

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        fresh = task.recipe.fresh_model(task.rng)
        return task.recipe.train(fresh, task.retain, task.rng)
