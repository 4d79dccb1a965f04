"""Where networks run: which device a process uses, how many processes, on how many threads."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from multiprocessing import current_process
from typing import TYPE_CHECKING

from bench.config.schema import cores
from bench.errors import UserError

if TYPE_CHECKING:
    import torch

ANY_GPU = ("auto", "cuda")
MOST = 4  # processes for each core


def gpu_count() -> int:
    """How many GPUs torch can use on this machine."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def process_count(jobs: int | None, device: str, gpus: int) -> int:
    """How many processes run in parallel: ``jobs``, or else one for each GPU in use or core.

    At most MOST for each core: more would only wait for one another, and fill the memory.
    """
    if jobs is not None:
        return min(jobs, MOST * cores())
    if device in ANY_GPU and gpus:
        return gpus
    on_cpu = device == "auto" or device.partition(":")[0] == "cpu"
    return cores() if on_cpu else 1


def find_device(name: str) -> torch.device:
    """The torch device called ``name``; for ``auto`` and ``cuda`` see ``device_name``."""
    import torch

    name = device_name(name, gpu_count())
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        known = name == "cuda" or re.fullmatch(r"cuda:\d+", name)
        reason = "torch finds no such GPU here" if known else "this machine has no such device"
        gpus = "".join(f", cuda:{number}" for number in range(gpu_count()))
        raise UserError(f"device = {name}: {reason}; allowed: auto, cpu{gpus}") from error
    return device


def device_name(name: str, gpus: int) -> str:
    """The device that ``name`` means for this process, on a machine with so many GPUs.

    ``auto`` and ``cuda`` distribute the processes over the GPUs. The main process uses the first
    one, and a process keeps its GPU until it ends.
    """
    if name not in ANY_GPU:
        return name
    if not gpus:
        return "cpu" if name == "auto" else name
    return f"cuda:{_place() % gpus if gpus > 1 else 0}"


@cache
def _place() -> int:
    """The first number that no living process of the same parent has; 0 in the main process.

    The number in the process's name will not do: it goes on counting when a process replaces
    another, or when an earlier pool left some, and so would miss the GPU that is free.
    """
    if current_process().name == "MainProcess":
        return 0
    return next(place for place in count() if _reserve(f"bench-{os.getppid()}-{place}"))


_reserved: list[socket.socket] = []


def _reserve(name: str) -> bool:
    """Reserve a name on this machine until the process ends; False if another process has it.

    The name is an abstract socket of Linux, which leaves no file behind, however a process ends.
    """
    reservation = socket.socket(socket.AF_UNIX)
    try:
        reservation.bind(f"\0{name}")
    except OSError as error:
        reservation.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    _reserved.append(reservation)
    return True


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one torch thread, so that sums are added in one order, for any ``jobs``."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
