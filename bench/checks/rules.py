"""What all contract tests share: how a check is called, fails, and looks at global state."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.errors import ContractError

Check = Callable[..., None]
NamedCheck = tuple[str, Callable[[], None]]


def require(condition: bool, message: str) -> None:
    """Raise ContractError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ContractError(message)


def check_name(check: Check) -> str:
    """The name of a check in words, from that of its function."""
    return check.__name__.removeprefix("check_").replace("_", " ")


def global_random_state() -> tuple[Any, ...]:
    """The state of the global generators of Python, NumPy and PyTorch, comparable."""
    import torch

    numpy_state = np.random.get_state(legacy=False)
    key = numpy_state.pop("state")
    return (
        random.getstate(),
        numpy_state,
        (key["key"].tobytes(), key["pos"]),
        torch.get_rng_state().numpy().tobytes(),
    )
