"""Tables as files that need no reader of ours: CSV, Markdown, JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bench.reports.notes import BOLD, RANKS, footnotes, title
from bench.reports.tables.grid import Grid, by_attack, single
from bench.results.compare import ranks, supported
from bench.results.costs import time_shares
from bench.results.finished import Finished
from bench.results.table import NONE, TIME, Shown, done_text, heading, share_text
from bench.results.tidy import long_table


def csv_text(table: pd.DataFrame) -> str:
    """A table of numbers as CSV."""
    return table.to_csv(index=False, lineterminator="\n")


def json_text(content: Any) -> str:
    """Plain values as readable JSON."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def run_values(run: Finished) -> dict[str, Any]:
    """The long table with what it belongs to: data, scenario, configuration, provenance."""
    kept = ("data", "scenario", "model", "sizes", "config", "provenance", "finished")
    rows = run.record["rows"]
    return {
        **{name: run.record[name] for name in kept},
        "failures": {row: of["failures"] for row, of in rows.items() if of["failures"]},
        "notes": footnotes(run),
        "scores": json.loads(long_table(run).to_json(orient="records")),
    }


def rank_table(run: Finished, short: bool = False) -> pd.DataFrame | None:
    """Ranks of the methods on the main readouts; None where nothing can be compared."""
    table = ranks(run, run.compared)
    main = {r.name: (r.short if short else "") or r.title for r in run.scores_of.readouts if r.main}
    table = table[[name for name in table.columns if name in main]]
    return None if table.empty else table.rename(columns=main).fillna(NONE)


def run_markdown(run: Finished) -> str:
    """The comparison, attack by attack, and what a reader must know beneath it."""
    best, parts = supported(run.compared), [f"# {_escape(title(run))}", ""]
    for name, readouts in by_attack(run.scores_of.readouts).items():
        parts += [f"## {_escape(name)}", ""] if name else []
        parts += [*grid_markdown(single(run, readouts, best, time=False)), ""]
    parts += ["## cost", "", *_costs(run), "", *_notes([*footnotes(run), BOLD]), ""]
    ranking = rank_table(run)
    if ranking is not None:
        lines = [[row, *map(str, of_row)] for row, of_row in ranking.T.items()]
        parts += [RANKS, "", *_table(["method", *ranking.columns], lines), ""]
    return "\n".join(parts)


def page_of_grid(title: str, grid: Grid, notes: Sequence[str]) -> str:
    """One table under a title, and what a reader must know beneath it, in Markdown."""
    return "\n".join([f"# {_escape(title)}", "", *grid_markdown(grid), "", *_notes(notes), ""])


def grid_markdown(grid: Grid) -> list[str]:
    """A comparison as a table in Markdown, one text a line."""
    header = [*grid.settings, "method", *map(heading, grid.readouts), *grid.costs]
    lines = [
        [*line.settings, line.row, *map(_cell, line.cells), *line.costs] for line in grid.lines
    ]
    return _table(header, lines)


def _cell(cell: Shown) -> str:
    text = str(cell)
    return text.replace(cell.value, f"**{cell.value}**", 1) if cell.best else text


def _costs(run: Finished) -> list[str]:
    lines = [
        [row, share_text(share), done_text(run, row)]
        for row, share in time_shares(run.record).items()
    ]
    return _table(["method", TIME, "models"], lines)


def _notes(notes: Sequence[str]) -> list[str]:
    return [f"- {_escape(note)}" for note in notes]


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    return [_line(header), _line(["---"] * len(header)), *map(_line, lines)]


def _line(texts: Sequence[str]) -> str:
    return "| " + " | ".join(_escape(text) or NONE for text in texts) + " |"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
