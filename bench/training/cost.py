"""The cost of a piece of work: wall time, examples passed forward and backward, peak memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as hooks

from bench.training.memory import give_back


@dataclass
class Cost:
    """``time_s`` is None if the work did not have the machine to itself."""

    time_s: float | None = None
    forward_examples: int = 0
    backward_examples: int = 0
    peak_memory_mb: float | None = None

    def as_record(self) -> dict[str, Any]:
        return asdict(self)


@contextmanager
def measured(device: torch.device, alone: bool) -> Iterator[Cost]:
    """Measure the body of a ``with`` statement.

    Passes count the examples of every call of a whole network, copies and teachers included. Memory
    is what the body needed on top of what the process held before.

    Parameters
    ----------
    device
        Where the work runs; wall time waits until it has finished there.
    alone
        Whether the work has the machine to itself; otherwise no time is measured.

    Yields
    ------
    Cost
        Filled in as the work goes on, and complete when it has ended.
    """
    cost = Cost()
    with _counted_passes(cost):
        memory = _PeakMemory(device)
        _synchronise(device)
        start = time.perf_counter()
        yield cost
        _synchronise(device)
        if alone:
            cost.time_s = time.perf_counter() - start
        cost.peak_memory_mb = memory.read()


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _counted_passes(cost: Cost) -> Iterator[None]:
    depth = 0

    def enter(_module: nn.Module, _inputs: Any) -> None:
        nonlocal depth
        depth += 1

    def leave(module: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal depth
        depth -= 1
        if depth or not isinstance(output, torch.Tensor) or output.ndim == 0:
            return
        if next(module.parameters(), None) is None:
            return  # a loss or an activation called by itself
        count = output.shape[0]
        cost.forward_examples += count
        if output.requires_grad:

            def counted(_gradient: torch.Tensor) -> None:
                cost.backward_examples += count

            output.register_hook(counted)

    handles = [
        hooks.register_module_forward_pre_hook(enter),
        hooks.register_module_forward_hook(leave, always_call=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _PeakMemory:
    """Peak device memory, or on Linux the peak resident memory of this process."""

    def __init__(self, device: torch.device):
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self.before: float | None = torch.cuda.memory_allocated(device) / 2**20
            return
        # Memory that was freed before and kept for reuse would hide what is needed now.
        give_back()
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
        self.before = _status_mb("VmRSS")

    def read(self) -> float | None:
        if self.device.type == "cuda":
            peak: float | None = torch.cuda.max_memory_allocated(self.device) / 2**20
        else:
            peak = _status_mb("VmHWM")
        return None if peak is None or self.before is None else max(0.0, peak - self.before)


def _status_mb(field: str) -> float | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field)), None)
