"""The table over several runs, and what must be known of them."""

from __future__ import annotations

from bench.reports.comparison.settings import DATA
from bench.reports.comparison.several import SHORT, Several
from bench.reports.notes import BOLD, how_to_read, of_each, unique, warnings
from bench.reports.tables.grid import Grid, group


def grid_of(several: Several) -> Grid:
    """One table over the main readouts of all runs."""
    groups = [
        group(
            run,
            several.readouts,
            several.best[place],
            [shares[place] for shares in several.shares.values()],
            several.values(place),
        )
        for place, run in enumerate(several.runs)
    ]
    costs = {heading: SHORT[heading] for heading in several.shares}
    return Grid(groups, several.readouts, list(several.settings), costs)


def notes_of(several: Several) -> list[str]:
    """How to read the tables, and what must be known of each run."""
    counts = [run.record["config"]["models"] for run in several.runs]
    notes = [*several.reading, *unique([how_to_read(count) for count in counts])]
    notes.append(f"{BOLD}; methods are compared within a run only")
    if DATA in several.settings:
        notes.append(
            "the runs name the same data set, but its data differ (see data, a hash of inputs, "
            "labels and classes): do not compare their numbers"
        )
    if len(set(counts)) > 1:
        notes.append("the runs differ in N: do not compare numbers over them that depend on N")
    return notes + of_each(dict(zip(several.labels, several.runs, strict=True)), warnings)
