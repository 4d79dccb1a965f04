"""A comparison of one or several runs as lines of cells, before it is written in some format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.plugins.outputs import Readout
from bench.plugins.rows import CONSTANT, RETRAIN
from bench.results.costs import Share, time_shares
from bench.results.finished import Finished
from bench.results.table import TARGET, TIME, Shown, cells, row_order, share_text, target_text

SHORT_TIME = "time"  # the heading of TIME where space is scarce


@dataclass(frozen=True)
class Line:
    """One row of a run, or where its numbers should be: a cell for each readout, then costs."""

    run: Finished
    row: str
    cells: Sequence[Shown]
    settings: Sequence[str] = ()
    shares: Sequence[Share] = ()

    @property
    def costs(self) -> list[str]:
        """The costs as printed."""
        if self.row == TARGET:
            return ["low"] * len(self.shares)
        return [share_text(share) for share in self.shares]


@dataclass(frozen=True)
class Grid:
    """Lines of one or several runs, with what stands above their columns.

    ``settings``: names of what varies between the runs. ``costs``: headings of the columns of
    costs, and what they are called where space is scarce.
    """

    groups: Sequence[Sequence[Line]]
    readouts: Sequence[Readout]
    settings: Sequence[str] = ()
    costs: Mapping[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> Iterator[Line]:
        """All lines, run by run."""
        return (line for group in self.groups for line in group)

    @property
    def sections(self) -> list[Sequence[Line]]:
        """The lines between which a table has rules: runs, or kinds of rows of a single run."""
        if len(self.groups) > 1:
            return list(self.groups)
        (lines,) = self.groups
        kinds = ({"original", RETRAIN}, {CONSTANT}, {TARGET})
        methods = [line for line in lines if not any(line.row in kind for kind in kinds)]
        before, after, last = ([line for line in lines if line.row in kind] for kind in kinds)
        return [section for section in (before, methods, after, last) if section]


def group(
    run: Finished,
    readouts: Sequence[Readout],
    best: Mapping[str, set[str]],
    shares: Sequence[Mapping[str, Share]] = (),
    settings: Sequence[str] = (),
) -> list[Line]:
    """The lines of one run, where its numbers should be last. ``best``: what is set in bold."""
    table = cells(run, readouts, best)
    lines = [
        Line(run, row, list(table[row].values()), settings, [share.get(row) for share in shares])
        for row in row_order(run)
    ]
    targets = [Shown(target_text(run, readout)) for readout in readouts]
    return [*lines, Line(run, TARGET, targets, settings, [None] * len(shares))]


def single(
    run: Finished, readouts: Sequence[Readout], best: Mapping[str, set[str]], time: bool = True
) -> Grid:
    """The comparison of one run; with ``time``, beside the time relative to retraining."""
    shares = [time_shares(run.record)] if time else []
    lines = group(run, readouts, best, shares)
    return Grid([lines], readouts, costs={TIME: SHORT_TIME} if time else {})


def by_attack(readouts: Sequence[Readout]) -> dict[str, list[Readout]]:
    """Readouts under the attack that gave them, in order."""
    groups: dict[str, list[Readout]] = {}
    for readout in readouts:
        groups.setdefault(readout.attack, []).append(readout)
    return groups
