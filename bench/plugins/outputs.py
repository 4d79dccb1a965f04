"""What scores are computed from, and what they are: arrays in, numbers with intervals out.

Nothing here or in attacks/ knows of models or torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from bench import seeds
from bench.plugins.rows import RETRAINED

PARTS = ("forget", "retain", "validation", "test")
NO_CLASS = -1  # the label of an example whose class was removed


class ReadOnly:
    """Arrays that whoever is given them cannot write into: others read the same ones."""

    def __post_init__(self) -> None:
        for name, value in list(vars(self).items()):
            if isinstance(value, np.ndarray):
                vars(self)[name] = read_only(value)
            elif isinstance(value, Mapping) and any(
                isinstance(v, np.ndarray) for v in value.values()
            ):
                vars(self)[name] = {key: read_only(array) for key, array in value.items()}


def read_only(array: np.ndarray) -> np.ndarray:
    """A view of an array that cannot be written into."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True)
class Labels(ReadOnly):
    """Labels of one part, int64 [n]: as the original was trained on them, and as they truly are.

    ``NO_CLASS`` where the class itself was to be forgotten: no output stands for it any more.
    """

    train: np.ndarray
    true: np.ndarray


@dataclass(frozen=True)
class Population(ReadOnly):
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
class Relearning(ReadOnly):
    """How long each model of a row took to learn Df again, and whether it got there: [m]."""

    steps: np.ndarray
    reached: np.ndarray


@dataclass(frozen=True)
class Outputs(ReadOnly):
    """All outputs of a run.

    ``original`` and ``retrained``: the populations trained on D and on Dr, member by member paired.
    ``rows``: what is to be scored, sanity rows included. ``labels``: part -> labels. ``seed``: for
    the resampling of scores. Where whole classes are forgotten, their outputs and their validation
    and test examples are gone; those test examples are the part ``forgotten_test``. ``gone`` has
    the number of the class that each of them and each forget example had, by part.
    For attacks that declare such a stage: ``untrained``, untrained networks' outputs on Df;
    ``relearning``: how long each row and ``retrained`` took to learn Df again.
    ``notes``: what a reader must know of the rows. ``classes``: the name of each output.
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
    classes: Sequence[str] = ()

    @property
    def rows_and_retrained(self) -> dict[str, Population]:
        """All populations by row, the retrained models last."""
        return {**self.rows, RETRAINED: self.retrained}

    @property
    def num_classes(self) -> int:
        return self.original.logits["forget"].shape[2]

    @property
    def class_names(self) -> list[str]:
        """The name of each output; its number where names are not known."""
        return [str(name) for name in self.classes or range(self.num_classes)]

    def rng(self, *purpose: str | int) -> np.random.Generator:
        """The generator for one purpose; the same for every row, so rows stay comparable."""
        return seeds.numpy_rng(self.seed, "score", *purpose)


@dataclass(frozen=True)
class Readout:
    """What a number is: its heading, where it should be, and how to print it.

    ``target``: the value of a perfect method; None: the mean of the retrained population.
    ``main``: shown in the terminal's table; ``short``: its heading there where space is scarce.
    ``role``: what the number stands for in figures that summarise a run: what models say of Df
    ("forgetting"), what an adversary makes of that ("attack"), or how good the models still are
    ("utility"). Of the readouts in one role the figures show the one with the lowest
    ``preference``, the earlier of equals.
    ``time_limit``: the share of retraining's time above which the number does not count.
    ``attack``: whose number it is, as spelled; the harness fills it in.
    ``undefined``: why a row may have no such number, as it goes on after "because".
    """

    name: str
    title: str
    better: Literal["target", "low", "high"] = "target"
    target: float | None = None
    percent: bool = False
    main: bool = False
    short: str = ""
    role: Literal["", "forgetting", "attack", "utility"] = ""
    preference: int = 1
    time_limit: float | None = None
    attack: str = ""
    undefined: str = ""


@dataclass(frozen=True)
class Score:
    """One number of one row. Intervals are 95 %, over models; None where there is none.

    A number that cannot be computed is nan: the harness shows a dash, and the reason that the
    readout gives. In a finished run every number is finite, and what is undefined is None.
    ``spread``: standard deviation over models. ``gap``: value minus target, with an interval that
    knows the noise of both. ``values`` and ``gaps``: per model, where the number is a mean over
    models.
    """

    row: str
    readout: str
    value: float
    target: float | None
    count: int
    interval: Sequence[float] | None = None
    spread: float | None = None
    gap: float | None = None
    gap_interval: Sequence[float] | None = None
    values: Sequence[float | None] = ()
    gaps: Sequence[float] = ()


@dataclass(frozen=True)
class Undefined:
    """A number that does not exist, shown as a dash with the reason in a note.

    ``row``: "retrained" where the target is what does not exist. ``reason``: as it goes on after
    "because".
    """

    row: str
    readout: str
    reason: str


Limits = Sequence[float | None] | None


@dataclass(frozen=True)
class Panel:
    """A drawing of each row, on the same axes for all rows.

    ``kind`` says how a curve is drawn:

    - "histogram": ``y`` counts the bins between ``edges``; drawn as shares;
    - "values": ``y`` are values to count in those bins; what lies beyond counts in the last ones;
    - "line": ``y`` over ``x``;
    - "bars": ``y`` are heights, one for each of ``labels``;
    - "dots": needs no curve; draws the numbers of ``readouts`` beside their ``labels``.

    ``xlim`` and ``ylim``: ends of the axes; None where the data decide. ``diagonal``: draw what
    guessing gives, on square axes. ``behind``: what the grey curves are, in words. ``readout`` and
    ``symbol``: whose number stands in a row's heading, and what it is called there. ``together``:
    the name of a figure that draws all rows in one axes, beside other panels of that name; without
    one, each row has axes of its own.
    """

    name: str
    title: str
    kind: Literal["histogram", "values", "line", "bars", "dots"]
    xlabel: str = ""
    ylabel: str = ""
    xlim: Limits = None
    ylim: Limits = None
    xscale: Literal["linear", "log"] = "linear"
    yscale: Literal["linear", "log"] = "linear"
    edges: Sequence[float] = ()
    labels: Sequence[str] = ()
    readouts: Sequence[str] = ()
    diagonal: bool = False
    behind: str = ""
    readout: str = ""
    symbol: str = ""
    together: str = ""


EVERY_ROW = ""  # a grey curve for it stands behind every row


@dataclass(frozen=True, eq=False)
class Curve:
    """What one panel draws of one row: ``y``, for a line over ``x``, both float [n].

    ``behind``: a reference, drawn in grey behind the row's own curve, or behind ``EVERY_ROW``.
    """

    panel: str
    row: str
    y: np.ndarray
    x: np.ndarray = field(default_factory=lambda: np.empty(0))
    behind: bool = False


@dataclass(frozen=True, eq=False)
class Replicates:
    """A number of a population over draws of models, float [draws], to compare rows with.

    ``kind``: "bootstrap" where models were drawn, the same ones for every row; "jackknife" where
    groups of models were left out in turn.
    """

    row: str
    readout: str
    values: np.ndarray
    kind: Literal["bootstrap", "jackknife"]


@dataclass(frozen=True, eq=False)
class PerExample:
    """A number of each forgotten example that is worth keeping: float [n] or [models, n]."""

    row: str
    name: str
    values: np.ndarray


@dataclass(frozen=True)
class Scores:
    """What an attack returns: its readouts, a number per row and readout, and what to draw.

    ``panels`` and ``curves``: figures, which reports draw without knowing the attack.
    ``replicates``: what comparisons between rows need. ``per_example``: kept for later analyses.
    ``notes``: what a reader must know. ``undefined``: numbers that do not exist, with the reason;
    the harness adds those that are nan or infinite.
    """

    readouts: list[Readout]
    scores: list[Score]
    notes: list[str] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    replicates: list[Replicates] = field(default_factory=list)
    per_example: list[PerExample] = field(default_factory=list)
    undefined: list[Undefined] = field(default_factory=list)
