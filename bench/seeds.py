"""Seeds, each derived from a name instead of being drawn in order.

Every random decision has a name, such as ``(0, "digits", "poison", "unlearn", 3, "ssd")``. Its seed
is a hash of that name, so it does not depend on what ran before, in which process, or how often.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(*name: str | int) -> int:
    """A 63-bit seed for the decision called ``name``."""
    digest = hashlib.sha256(json.dumps(name).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def numpy_rng(*name: str | int) -> np.random.Generator:
    """A numpy generator for the decision called ``name``."""
    return np.random.default_rng(derive(*name))


def torch_rng(*name: str | int) -> torch.Generator:
    """A torch generator (on the CPU, also for models elsewhere) for the decision ``name``."""
    import torch

    return torch.Generator().manual_seed(derive(*name))


def global_state() -> tuple[Any, ...]:
    """The state of the global generators of python, numpy and torch, comparable with ``==``."""
    import torch

    numpy_state = np.random.get_state(legacy=False)
    twister = numpy_state.pop("state")
    return (
        random.getstate(),
        (twister["key"].tobytes(), twister["pos"], numpy_state),
        torch.get_rng_state().numpy().tobytes(),
    )


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Seed the global generators of python, numpy and torch, and restore them afterwards.

    For code that can only draw from them, such as layer initialisation and dropout.
    """
    import torch

    python_state, numpy_state = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
