"""Several runs side by side: one table over all of them, and every number over what varies."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.config.spelling import spell_value
from bench.plugins.outputs import Readout
from bench.reports.compare import compare
from bench.reports.cost import costs
from bench.reports.latex import PREAMBLE, cell, escape, headings
from bench.reports.latex import table as latex_table
from bench.reports.long import cells as model_cells
from bench.reports.long import tidy
from bench.reports.notes import BOLD, INTERVALS, warnings
from bench.reports.plain import markdown_table, to_json, wide
from bench.reports.settings import ordered, varied
from bench.reports.table import (
    TIME,
    Shown,
    cells,
    heading,
    main_readouts,
    number,
    row_order,
    share_text,
)
from bench.reports.terminal import ROOMY, side_by_side
from bench.storage.store import content_key

if TYPE_CHECKING:
    from rich.table import Table

    from bench.results.run import Run


class Several:
    """Runs in the order of their settings, and what is printed of all of them."""

    def __init__(self, runs: Sequence[Run]):
        self.runs = ordered(runs)
        self.settings = varied(self.runs)

    @cached_property
    def labels(self) -> list[str]:
        """What tells each run from the others: ``rate = 0.2, seed = 1``."""
        return [
            ", ".join(f"{name.partition('.')[2] or name} = {_spelled(of[place])}"
                      for name, of in self.settings.items())
            for place in range(len(self.runs))
        ]  # fmt: skip

    @property
    def title(self) -> str:
        """One line that says what was compared."""
        data = list(dict.fromkeys(run.record["data"]["name"] for run in self.runs))
        names = ", ".join(self.settings)
        return f"{', '.join(data)}: {len(self.runs)} runs that differ in {names}"

    @property
    def name(self) -> str:
        """A folder's name: readable, and another one for other runs."""
        digest = content_key(runs=[run.record["curves"]["sha256"] for run in self.runs])[:8]
        plain = re.sub(r"[^A-Za-z0-9.]+", "-", self.title.partition(":")[0])
        return f"{plain}-{len(self.runs)}-runs-{digest}"

    @cached_property
    def readouts(self) -> list[Readout]:
        """The main readouts of all runs."""
        return list({r.name: r for run in self.runs for r in main_readouts(run)}.values())

    @cached_property
    def rows(self) -> list[str]:
        """The rows of all runs, sanity rows around the methods."""
        methods = dict.fromkeys(row for run in self.runs for row in row_order(run)[2:-1])
        return ["original", "retrain", *methods, "constant"]

    @property
    def notes(self) -> list[str]:
        """How to read the tables, and what must be known of each run."""
        notes = [
            f"{INTERVALS}, which is its own run's",
            f"{BOLD}; within its own run",
        ]
        if len({run.record["config"]["models"] for run in self.runs}) > 1:
            notes.append("the runs differ in N: forgetting quality F cannot be compared over them")
        each = zip(self.labels, self.runs, strict=True)
        told: dict[str, list[str]] = {}
        for label, run in each:
            for note in warnings(run):
                told.setdefault(note, []).append(label)
        return notes + [
            note if len(of) == len(self.runs) else f"{'; '.join(of)}: {note}"
            for note, of in told.items()
        ]

    def values(self, place: int) -> list[str]:
        """The settings of a run that vary, as printed."""
        return [_spelled(values[place]) for values in self.settings.values()]

    @cached_property
    def cells(self) -> list[dict[str, dict[str, Shown]]]:
        """The cells of each run; only main readouts are compared, the others take long."""
        return [cells(run, self.readouts, compare(run, main_readouts(run))) for run in self.runs]

    def lines(self) -> list[list[tuple[list[str], str, dict[str, Shown], str]]]:
        """By run: settings, row, cells, cost; the target last."""
        found = []
        for place, run in enumerate(self.runs):
            of_run, share = self.cells[place], costs(run)
            group = [
                (self.values(place), row, of_run[row],
                 share_text(share.get(row, {}).get("time_vs_retrain")))
                for row in row_order(run)
            ]  # fmt: skip
            group.append((self.values(place), "target", self.targets(run), "low"))
            found.append(group)
        return found

    def targets(self, run: Run) -> dict[str, Shown]:
        """Where the numbers of a run should be, by readout."""
        scores = {score.readout: score for score in run.scores_of.scores}
        return {
            r.name: Shown(number(scores[r.name].target, r))
            if r.name in scores and r.better != "high"
            else Shown("high" if r.better == "high" else "-")
            for r in self.readouts
        }

    def together(self, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """The runs' frames below one another, with a column for each setting that varies."""
        found = []
        for place, (run, frame) in enumerate(zip(self.runs, frames, strict=True)):
            frame = frame.copy()
            taken = set(frame.columns)
            for name, values in reversed(self.settings.items()):
                frame.insert(0, f"{name} (setting)" if name in taken else name, values[place])
            if "run" not in self.settings:
                frame.insert(0, "run", run.folder.resolve().name)
            found.append(frame)
        return pd.concat(found, ignore_index=True)

    def csv(self) -> dict[str, pd.DataFrame]:
        """Tables of numbers by file name."""
        return {
            "table.csv": self.together([wide(run) for run in self.runs]),
            "long.csv": self.together([tidy(run) for run in self.runs]),
            "cells.csv": self.together([model_cells(run) for run in self.runs]),
        }

    def to_markdown(self) -> str:
        """One table over all runs, and what a reader must know."""
        header = [*self.settings, "method", *map(heading, self.readouts), TIME]
        lines = [
            [*values, row, *(_bold(of_row[r.name]) for r in self.readouts), share]
            for group in self.lines()
            for values, row, of_row, share in group
        ]
        notes = [f"- {note}".replace("<", "&lt;") for note in self.notes]
        return "\n".join([f"# {self.title}", "", *markdown_table(header, lines), "", *notes, ""])

    def to_latex(self) -> str:
        """One table, a rule between runs."""
        heads = headings([*map(escape, self.settings), "method"], self.readouts, ["time"])
        groups = [
            [
                [
                    *map(escape, [*values, row]),
                    *(cell(of_row[r.name]) for r in self.readouts),
                    "--" if share == "-" else share,
                ]
                for values, row, of_row, share in group
            ]
            for group in self.lines()
        ]
        caption = f"{self.title}. {BOLD[0].upper()}{BOLD[1:]}."
        return PREAMBLE + latex_table(heads, groups, self.name, caption)

    def to_json(self) -> str:
        """All runs, each as its own report has it."""
        runs = [json.loads(to_json(run)) for run in self.runs]
        found = {"settings": self.settings, "runs": runs}
        return json.dumps(found, indent=1, ensure_ascii=False) + "\n"

    def terminal(self, width: int) -> list[Table]:
        """The combined table for a terminal: the settings beside every block of columns."""
        narrow = width < ROOMY
        lines, best = [], set()
        for group in self.lines():
            for values, row, of_row, share in group:
                best |= {(len(lines), name) for name, shown in of_row.items() if shown.best}
                texts = {name: str(shown) for name, shown in of_row.items()}
                settings = dict(zip(self.settings, values, strict=True))
                lines.append(settings | {"method": row} | texts | {TIME: share})
        heads = {r.name: (r.short if narrow else "") or heading(r) for r in self.readouts}
        return side_by_side(lines, list(self.settings), heads, best, width)


def _spelled(value: Any) -> str:
    return "-" if value is None else spell_value(value)


def _bold(shown: Shown) -> str:
    text = str(shown)
    return text.replace(shown.value, f"**{shown.value}**", 1) if shown.best else text
