"""Cells: the units of work of a run, and what comes of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Cell:
    """One stage for one model of one row.

    ``row``: original, retrained, untrained or a method's label; of features, a part of the data; of
    scores, an attack's label. ``request``: which of several requests; None where the run has a
    single one, and for what all requests share. ``attack``: whose settings the cell follows.
    """

    stage: str
    row: str = ""
    member: int = 0
    request: int | None = None
    attack: str = ""

    def __str__(self) -> str:
        name = f"{self.stage} of {self.row} {self.member}" if self.row else self.stage
        return name if self.request is None else f"{name}, request {self.request}"


@dataclass(frozen=True)
class Artefact:
    """What a stage made of a cell: a record for JSON, with arrays or with a model's tensors."""

    record: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    tensors: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Size:
    """How much work a cell is: examples passed forward and backward through a network.

    ``seconds`` is work besides those passes, ``bytes`` is what it stores. ``is_guess``: the amount
    of work cannot be known in advance. ``network``: the one that is trained, or the frozen backbone
    before it.
    """

    forward: float = 0
    backward: float = 0
    bytes: int = 0
    seconds: float = 0
    is_guess: bool = False
    network: Literal["trained", "backbone"] = "trained"


class CellFailedError(Exception):
    """A plugin failed in one cell: ``record`` holds the reason. Other cells go on."""

    def __init__(self, record: Mapping[str, Any]):
        super().__init__(record["reason"])
        self.record = record
