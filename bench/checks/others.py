"""The contracts of scenarios, models and data sets."""

from __future__ import annotations

import numpy as np
import torch

from bench.checks.contract import Check, require
from bench.plugins.chosen import Plugin
from bench.plugins.dataset import Data
from bench.plugins.scenario import TrainingSet, find_problem


def check_scenario(plugin: Plugin) -> None:
    """Same seed, same request; some are forgotten, some kept; only labels of those change."""
    labels = np.repeat(np.arange(4), 25)
    people = np.arange(100) % 20
    training = TrainingSet(labels.copy(), tuple("abcd"), people, np.arange(100))
    request, again = (plugin(training, np.random.default_rng(1)) for _ in range(2))
    require(np.array_equal(training.labels, labels), "changed the labels it was given")
    problem = find_problem(request, training)
    require(not problem, problem)
    require(0 < request.forget.sum() < len(labels), "must leave some to forget and some to keep")
    require(np.array_equal(request.forget, again.forget), "differs from call to call: use rng")


def check_model(plugin: Plugin) -> None:
    """Builds for grey and colour images, with one output for each class."""
    for channels, side in ((1, 8), (3, 32)):
        model = plugin(5, channels, (side, side)).eval()
        shape = tuple(model(torch.zeros(2, channels, side, side)).shape)
        require(shape == (2, 5), f"gave outputs of shape {shape} for 2 images and 5 classes")


def check_dataset(plugin: Plugin) -> None:
    """Loads twice with the same content."""
    first, second = plugin(), plugin()
    require(isinstance(first, Data), f"returned {type(first).__name__}, not bench.Data")
    require(first.fingerprint == second.fingerprint, "gave other content when loaded again")


CHECKS: dict[str, Check] = {
    "scenarios": check_scenario,
    "models": check_model,
    "datasets": check_dataset,
}
