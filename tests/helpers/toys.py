"""Toy problems for tests of methods."""

from __future__ import annotations

import torch

from bench.checks.toys import FORGOTTEN, Toy
from bench.plugins.registry import Registry

REGISTRY = Registry()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def toy_task(text, network="softmax", **how):
    toy = Toy(network)
    plugin = REGISTRY.resolve("methods", text)
    return toy, toy.task(plugin, **how), plugin()


def retained(toy):
    """The retain set of a toy task, open to the test."""
    return toy.training.take(torch.arange(FORGOTTEN, len(toy.training)))
