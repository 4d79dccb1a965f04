"""Where networks run: the device that a process takes, and how many processes there are."""

from __future__ import annotations

import errno
import os
import re
import socket
from functools import cache
from itertools import count
from multiprocessing import current_process
from typing import TYPE_CHECKING

from bench.config.schema import cores
from bench.errors import UserError

if TYPE_CHECKING:
    import torch

ANY_GPU = ("auto", "cuda")
MOST = 4  # processes a core


def gpu_count() -> int:
    """The GPUs that torch can use here."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def process_count(jobs: int | None, device: str, gpus: int) -> int:
    """How many processes work side by side: ``jobs``, else one a GPU in use, or one a core.

    At most MOST a core: more would only wait for one another, and fill the memory.
    """
    if jobs is not None:
        return min(jobs, MOST * cores())
    if device in ANY_GPU and gpus:
        return gpus
    on_cpu = device == "auto" or device.partition(":")[0] == "cpu"
    return cores() if on_cpu else 1


def find_device(name: str) -> torch.device:
    """The torch device called ``name``; of any GPU, this process's own, see ``device_name``."""
    import torch

    name = device_name(name, gpu_count())
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        known = name == "cuda" or re.fullmatch(r"cuda:\d+", name)
        reason = "torch finds no such GPU here" if known else "not a device that can be used here"
        gpus = "".join(f", cuda:{number}" for number in range(gpu_count()))
        raise UserError(f"device = {name}: {reason}; allowed: auto, cpu{gpus}") from error
    return device


def device_name(name: str, gpus: int) -> str:
    """What ``name`` stands for where there are so many GPUs: the processes take them in turn.

    A process keeps its GPU for life. The main process takes the first.
    """
    if name not in ANY_GPU:
        return name
    if not gpus:
        return "cpu" if name == "auto" else name
    return f"cuda:{_place() % gpus if gpus > 1 else 0}"


@cache
def _place() -> int:
    """The first number that no living process with the same parent has; 0 in the main process.

    Not the number in the process's name: where one replaces another, or an earlier pool left some,
    that would not be the GPU that is free.
    """
    if current_process().name == "MainProcess":
        return 0
    return next(place for place in count() if _taken(f"bench-{os.getppid()}-{place}"))


_held: list[socket.socket] = []


def _taken(name: str) -> bool:
    """Take a name on this machine until the process ends, however it does; False: another has it.

    By an abstract socket of Linux: it leaves no file.
    """
    mine = socket.socket(socket.AF_UNIX)
    try:
        mine.bind(f"\0{name}")
    except OSError as error:
        mine.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    _held.append(mine)
    return True
