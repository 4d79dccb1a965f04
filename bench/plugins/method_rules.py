"""The rules of an unlearning method that hold for every call of ``unlearn``.

The harness enforces them in each run, and `bench check` on a toy problem.
"""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from bench.errors import ContractError
from bench.plugins.method import Task


def fingerprint(model: nn.Module) -> str:
    """A hash of every parameter, buffer and mode of a model."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    digest.update(repr([module.training for module in model.modules()]).encode())
    return digest.hexdigest()


def refuse_violations(task: Task) -> None:
    """Raise ContractError if the method read something that it did not declare."""
    if task.violations:
        read = ", ".join(dict.fromkeys(task.violations))
        raise ContractError(f"read {read} without declaring it in needs = {task.needs!r}")


def check_result(model: nn.Module, before: str, result: nn.Module, task: Task) -> None:
    """Raise ContractError, with the reason, unless ``result`` is a proper unlearned model.

    Parameters
    ----------
    model
        The model that the method was given.
    before
        The fingerprint that ``model`` had then.
    result
        What the method returned.
    task
        The task that the method was given.
    """
    refuse_violations(task)
    if not isinstance(result, nn.Module):
        raise ContractError(f"unlearn returned {type(result).__name__}, not a torch.nn.Module")
    if fingerprint(model) != before:
        raise ContractError("changed the model it was given: work on copy.deepcopy(model)")
    expected, returned = model.state_dict(), result.state_dict()
    if {n: t.shape for n, t in expected.items()} != {n: t.shape for n, t in returned.items()}:
        raise ContractError("returned a model with other parameters than the one it was given")
    broken = [name for name, tensor in returned.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise ContractError(f"returned non-finite weights (NaN or infinity) in {broken[0]}")
