"""The rules of an unlearning method that hold for every call of ``unlearn``.

The harness enforces them in each run, and `bench check` on a toy problem.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import nn

from bench.data.examples import Examples
from bench.errors import ContractError
from bench.plugins.method import Task
from bench.training.prediction import predict
from bench.training.trainer import BATCH_NORM

Weights = dict[str, torch.Tensor]
AGREE = 1e-5  # of the largest logit: the same network gives the same bits on one machine


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


def check_result(model: nn.Module, before: str, result: nn.Module, task: Task) -> Weights:
    """The weights of ``result``; raises ContractError, with the reason, if it is no proper model.

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
    if _shapes(expected) != _shapes(returned):
        raise ContractError("returned a model with other parameters than the one it was given")
    broken = [name for name, tensor in returned.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise ContractError(f"returned non-finite weights (NaN or infinity) in {broken[0]}")
    return returned


def _shapes(weights: Weights) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in weights.items()}


def check_answers(result: nn.Module, scored: nn.Module, examples: Examples, part: str) -> None:
    """Raise ContractError where a method's model is not the one that will be scored.

    Parameters
    ----------
    result
        What the method returned.
    scored
        The original's network with the weights of ``result``: what the harness stores.
    examples
        Examples of the part that both are compared on.
    part
        The name of that part.
    """
    result.to(memory_format=torch.channels_last)  # as stored ones are: or sums differ
    returned, stored = predict(result, examples), predict(scored, examples)
    if not (torch.isfinite(returned).all() and torch.isfinite(stored).all()):
        raise ContractError(f"returned a model with non-finite outputs on the {part} set")
    apart = (returned - stored).abs().max().item() if returned.shape == stored.shape else math.inf
    if not apart <= AGREE * stored.abs().max().item():
        raise ContractError(
            f"returned a model whose outputs on the {part} set are not those of its weights in the "
            f"original's network ({_apart(apart)}): only weights are stored and scored; "
            "express the change in them, without wrappers, hooks, attributes or other settings"
        )
    layers = dict(result.named_modules())
    for name, layer in scored.named_modules():
        if isinstance(layer, BATCH_NORM) and layers[name].momentum != layer.momentum:
            raise ContractError(
                f"returned a model with another momentum in {name}: only weights are stored and "
                f"scored; set it back to {layer.momentum}"
            )


def _apart(apart: float) -> str:
    return f"they differ by {apart:.2g}" if math.isfinite(apart) else "they have another shape"
