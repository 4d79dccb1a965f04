"""Tables as files that need no reader of ours: CSV, Markdown, JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd

from bench.plugins.outputs import Readout
from bench.reports.cost import costs
from bench.reports.long import tidy
from bench.reports.notes import BOLD, RANKS, footnotes, title
from bench.reports.table import (
    NONE,
    TIME,
    Shown,
    cells,
    done_text,
    heading,
    rank_table,
    row_order,
    share_text,
    target_text,
)

if TYPE_CHECKING:
    from bench.results.run import Run


def csv_text(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, lineterminator="\n")


def wide(run: Run) -> pd.DataFrame:
    """One line per method: each readout's value, spread and interval, then costs; numbers only."""
    scores = {(score.row, score.readout): score for score in run.scores_of.scores}
    cost, lines = costs(run), []
    for row in row_order(run):
        line: dict[str, object] = {"method": row}
        for readout in run.scores_of.readouts:
            score = scores.get((row, readout.name))
            low, high = (score and score.interval) or (None, None)
            line[readout.name] = score and score.value
            line[f"{readout.name}_spread"] = score and score.spread
            line[f"{readout.name}_low"], line[f"{readout.name}_high"] = low, high
        lines.append(line | cost.get(row, {}))
    return pd.DataFrame(lines).dropna(axis=1, how="all")


def to_json(run: Run) -> str:
    """The long table with what it belongs to: data, scenario, configuration, provenance."""
    kept = ("data", "scenario", "model", "sizes", "config", "provenance", "finished")
    found = {name: run.record[name] for name in kept}
    found["failures"] = run.failed
    found["notes"] = footnotes(run)
    found["scores"] = json.loads(tidy(run).to_json(orient="records"))
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def to_markdown(run: Run) -> str:
    """The comparison, attack by attack, and what a reader must know beneath it."""
    notes = [f"- {_escape(note)}" for note in [*footnotes(run), BOLD]]
    parts = [f"# {_escape(title(run))}", ""]
    for name, readouts in by_attack(run.scores_of.readouts).items():
        parts += [*([f"## {_escape(name)}", ""] if name else []), *_comparison(run, readouts), ""]
    parts += ["## cost", "", *_costs(run), "", *notes, ""]
    ranking = rank_table(run)
    if ranking is not None:
        lines = [[row, *map(str, of_row)] for row, of_row in ranking.T.items()]
        parts += [RANKS, "", *markdown_table(["method", *ranking.columns], lines), ""]
    return "\n".join(parts)


def by_attack(readouts: list[Readout]) -> dict[str, list[Readout]]:
    """Readouts under the attack that gave them, in order."""
    found: dict[str, list[Readout]] = {}
    for readout in readouts:
        found.setdefault(readout.attack, []).append(readout)
    return found


def _comparison(run: Run, readouts: list[Readout]) -> list[str]:
    lines = [
        [row, *(_bold(of_row[r.name]) for r in readouts)]
        for row, of_row in cells(run, readouts).items()
    ]
    lines.append(["target", *(target_text(run, r) for r in readouts)])
    return markdown_table(["method", *map(heading, readouts)], lines)


def _costs(run: Run) -> list[str]:
    cost = costs(run)
    lines = [
        [row, share_text(cost[row]["time_vs_retrain"]), done_text(run, row)]
        for row in row_order(run)
        if row in cost
    ]
    return markdown_table(["method", TIME, "models"], lines)


def _bold(cell: Shown) -> str:
    text = str(cell)
    return text.replace(cell.value, f"**{cell.value}**", 1) if cell.best else text


def markdown_table(header: list[str], lines: list[list[str]]) -> list[str]:
    """A table in Markdown, one text a line."""
    return [_line(header), _line(["---"] * len(header)), *map(_line, lines)]


def _line(texts: list[str]) -> str:
    return "| " + " | ".join(_escape(text) or NONE for text in texts) + " |"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
