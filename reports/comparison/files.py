"""Tables of several runs: one over all of them, and every number with the settings beside it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.reports.comparison.several import Several
from bench.reports.comparison.table import grid_of, notes_of
from bench.reports.notes import of_each
from bench.reports.tables.latex import PREAMBLE, grid_latex
from bench.reports.tables.text import csv_text, json_text, page_of_grid, run_values
from bench.reports.undefined import undefined_notes
from bench.results.tidy import long_table, model_table, wide_table


def several_csv(several: Several) -> dict[str, str]:
    """Tables of numbers by file name."""
    makers = {"table.csv": wide_table, "long.csv": long_table, "cells.csv": model_table}
    return {
        name: csv_text(_joined(several, [make(run) for run in several.runs]))
        for name, make in makers.items()
    }


def _joined(several: Several, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The runs' frames below one another, with a column for each setting that varies."""
    joined = []
    for place, (run, frame) in enumerate(zip(several.runs, frames, strict=True)):
        values = {name: each[place] for name, each in several.settings.items()}
        if "run" not in values:
            values = {"run": run.folder.resolve().name} | values
        named = {f"{n} (setting)" if n in frame.columns else n: v for n, v in values.items()}
        left = pd.DataFrame([named] * len(frame), index=frame.index, columns=list(named))
        joined.append(pd.concat([left, frame], axis=1))
    return pd.concat(joined, ignore_index=True)


def several_markdown(several: Several) -> str:
    """One table over all runs, and what a reader must know."""
    return page_of_grid(several.title, grid_of(several), notes_of(several))


def several_latex(several: Several) -> str:
    """One table, a rule between runs."""
    runs = dict(zip(several.labels, several.runs, strict=True))
    notes = of_each(runs, lambda run: undefined_notes(run, several.readouts))
    return PREAMBLE + grid_latex(grid_of(several), several.name, several.title, notes)


def several_json(several: Several) -> str:
    """All runs, each as its own report has it."""
    runs = [run_values(run) for run in several.runs]
    return json_text({"settings": several.settings, "runs": runs})
