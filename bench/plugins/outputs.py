"""What scores are computed from, and what they are: arrays in, numbers with intervals out.

Nothing here or in attacks/ knows of models or torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from bench import seeds
from bench.errors import UserError

PARTS = ("forget", "retain", "validation", "test")
NO_CLASS = -1  # the label of an example whose class was removed


@dataclass(frozen=True)
class Labels:
    """Labels of one part, int64 [n]: as the original was trained on them, and as they truly are.

    ``NO_CLASS`` where the class itself was to be forgotten: no output stands for it any more.
    """

    train: np.ndarray
    true: np.ndarray


@dataclass(frozen=True)
class Population:
    """Outputs of the models of one row.

    ``members``: int [m], which retrained model each is paired with; fewer than all where cells
    failed. ``logits``: part -> float32 [m, n, classes]. ``start``: the one original that all of
    them started from (``originals = one``), or None where each started from its own.
    """

    members: np.ndarray
    logits: Mapping[str, np.ndarray]
    start: int | None = None

    def __len__(self) -> int:
        return len(self.members)


@dataclass(frozen=True)
class Relearning:
    """How long each model of a row took to learn Df again, and whether it got there: [m]."""

    steps: np.ndarray
    reached: np.ndarray


@dataclass(frozen=True)
class Outputs:
    """All outputs of a run.

    ``original`` and ``retrained``: the populations trained on D and on Dr, member by member paired.
    ``rows``: what is to be scored, sanity rows included. ``labels``: part -> labels. ``seed``: for
    the resampling of scores. Where whole classes are forgotten, their outputs and their validation
    and test examples are gone; those test examples are the part ``forgotten_test``. ``gone`` has
    the number of the class that each of them and each forget example had, by part.
    For attacks that declare such a stage: ``untrained``, untrained networks' outputs on Df;
    ``relearning``: how long each row and ``retrained`` took to learn Df again.
    ``notes``: what a reader must know of the rows.
    """

    original: Population
    retrained: Population
    rows: Mapping[str, Population]
    labels: Mapping[str, Labels]
    seed: int = 0
    gone: Mapping[str, np.ndarray] = field(default_factory=dict)
    untrained: Population | None = None
    relearning: Mapping[str, Relearning] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def num_classes(self) -> int:
        return self.original.logits["forget"].shape[2]

    def rng(self, *purpose: str | int) -> np.random.Generator:
        """The generator for one purpose; the same for every row, so rows stay comparable."""
        return seeds.numpy_rng(self.seed, "score", *purpose)


@dataclass(frozen=True)
class Readout:
    """What a number is: its heading, where it should be, and how to print it.

    ``target``: the value of a perfect method; None: the mean of the retrained population.
    ``main``: shown in the terminal's table; ``short``: its heading there where space is scarce.
    ``attack``: whose number it is, as spelled; the harness fills it in.
    """

    name: str
    title: str
    better: Literal["target", "low", "high"] = "target"
    target: float | None = None
    percent: bool = False
    main: bool = False
    short: str = ""
    attack: str = ""


@dataclass(frozen=True)
class Score:
    """One number of one row. Intervals are 95 %, over models; None where there is none.

    ``spread``: standard deviation over models. ``gap``: value minus target, with an interval that
    knows the noise of both. ``values`` and ``gaps``: per model, where the number is a mean over
    models.
    """

    row: str
    readout: str
    value: float
    target: float
    count: int
    interval: Sequence[float] | None = None
    spread: float | None = None
    gap: float | None = None
    gap_interval: Sequence[float] | None = None
    values: Sequence[float] = ()
    gaps: Sequence[float] = ()


@dataclass(frozen=True)
class Scores:
    """What an attack found: its readouts, a number per row and readout, and curves to draw.

    ``curves``: arrays by name, ``"<row>|<curve>"``; ``"<row>|draws|<readout>"`` holds a number over
    the bootstrap's draws of models, the same for every row, ``"<row>|left_out|<readout>"`` the
    jackknife's. ``notes``: what a reader must know, such as why a number is missing.
    """

    readouts: list[Readout]
    scores: list[Score]
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def check_scores(label: str, scores: Scores) -> None:
    """Raise UserError if an attack returned a number that is not finite or not announced."""
    known = {readout.name for readout in scores.readouts}
    for item in scores.scores:
        if item.readout not in known:
            raise UserError(f"{label} gave '{item.readout}' but announced {sorted(known)}")
        if not np.isfinite(item.value):
            raise UserError(f"{label} gave {item.value} for {item.readout} of row {item.row}")
