"""Notes on numbers that do not exist: which one, of which row, and why."""

from __future__ import annotations

from collections.abc import Sequence

from bench.outside import shown
from bench.plugins.outputs import Readout
from bench.plugins.rows import RETRAINED
from bench.results.finished import Scored, row_order

MOST, LONGEST = 4, 60  # names in one note, letters of a name


def undefined_notes(run: Scored, readouts: Sequence[Readout] | None = None) -> list[str]:
    """A note for each reason, by default on all readouts: whose numbers are dashes for it."""
    shown = run.scores_of.readouts if readouts is None else readouts
    titles = {readout.name: readout.title for readout in shown}
    rows_of: dict[tuple[str, str], list[str]] = {}  # by reason and readout
    for one in run.scores_of.undefined:
        if one.readout in titles:
            rows_of.setdefault((one.reason, one.readout), []).append(one.row)
    titles_of: dict[tuple[str, tuple[str, ...]], list[str]] = {}  # by reason and rows
    for (reason, readout), rows in rows_of.items():
        titles_of.setdefault((reason, tuple(rows)), []).append(titles[readout])
    everyone = set(row_order(run))
    return [
        f"{some(named)}: no number (-) for {_rows(rows, everyone)}, because {reason}"
        for (reason, rows), named in titles_of.items()
    ]


def _rows(rows: Sequence[str], everyone: set[str]) -> str:
    if everyone <= set(rows):
        return "any row"
    return some(["the retrained models (the target)" if row == RETRAINED else row for row in rows])


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are: ``a, b and c`` or ``a, b, c and 7 more``."""
    unique = [shown(name, LONGEST) for name in dict.fromkeys(names)]
    if len(unique) > MOST:
        unique = [*unique[: MOST - 1], f"{len(unique) - MOST + 1} more"]
    *most, last = unique
    return f"{', '.join(most)} and {last}" if most else last
