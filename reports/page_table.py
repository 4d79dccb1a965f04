"""Comparisons as the templates of the page take them: heads, and lines of cells."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from bench.plugins.outputs import Readout, Score
from bench.plugins.source import needs_in_words
from bench.reports.cost import costs
from bench.reports.style import looks
from bench.reports.table import TIME, Shown, cells, row_order, share_text, target_text

if TYPE_CHECKING:
    from bench.reports.several import Several
    from bench.results.run import Run

REFERENCE = {
    "original": "the model before unlearning: forget nothing",
    "retrain": "retrained again with other seeds: the floor of every distance",
    "constant": "always says the commonest class: what collapse scores",
}


def table(
    run: Run, shown: list[Readout], found: dict[str, dict[str, Shown]] | None = None
) -> dict[str, Any]:
    """A comparison for the template: heads, and a line for each row with its cells."""
    scores = {(score.row, score.readout): score for score in run.scores_of.scores}
    cost, style, found = costs(run), looks(row_order(run)), found or cells(run, shown)
    lines = []
    for row, shown_cells in found.items():
        values = [scores.get((row, r.name)) for r in shown]
        share = cost.get(row, {}).get("time_vs_retrain")
        lines.append(
            {
                "row": row,
                "anchor": anchor(row),
                "look": style[row],
                "reference": row in REFERENCE,
                "about": REFERENCE.get(row, ""),
                "cells": list(
                    zip(shown_cells.values(), [_sorting(v) for v in values], strict=True)
                ),
                "time": share_text(share),
                "share": "" if share is None else repr(share),
                "needs": needs(run, row),
                "failed": failures(run, row),
                "settings": (),
            }
        )
    return {"heads": heads(run, shown), "lines": lines, "time": TIME, "settings": ()}


def heads(run: Run, shown: list[Readout]) -> list[dict[str, Any]]:
    """Readouts with their targets."""
    return [{"readout": r, "target": target_text(run, r)} for r in shown]


def _sorting(score: Score | None) -> str:
    return "" if score is None else repr(float(score.value))


def anchor(name: str) -> str:
    """A name as an id of the page: letters and digits, and a hash where others were lost."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")
    lost = "" if plain == name else "-" + hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{plain}{lost}"


def needs(run: Run, row: str) -> str:
    """What a method reads, in words; nothing for rows that are no methods."""
    record = run.record["rows"].get(row)
    if record is None:
        return ""
    return needs_in_words(record["needs"], record.get("prepares", bool(record["prepare_cost"])))


def failures(run: Run, row: str) -> str:
    """How many of a row's models failed, and the first one's reason."""
    record = run.record["rows"].get(row)
    if not record or not record["failures"]:
        return ""
    first, count = record["failures"][0], run.record["config"]["models"]
    return (
        f"{len(record['failures'])} of {count} models failed: {first['stage']}, model "
        f"{first['member']}: {first['reason']}"
    )


def combined(several: Several) -> dict[str, Any]:
    """One comparison of all runs for the template, the settings that vary before the readouts."""
    style, lines = looks(several.rows), []
    for place, run in enumerate(several.runs):
        of_run = table(run, several.readouts, several.cells[place])
        targets = several.targets(run)
        target = {
            "row": "target",
            "look": None,
            "reference": True,
            "about": "where the numbers of this run should be",
            "cells": [(targets.get(r.name, Shown()), "") for r in several.readouts],
            "time": "low",
            "share": "",
            "needs": "",
            "failed": "",
        }
        for line in [*of_run["lines"], target]:
            look = style.get(line["row"])
            lines.append(line | {"look": look, "settings": several.values(place), "anchor": None})
    heads = [{"readout": r, "target": _wanted(r)} for r in several.readouts]
    return {"heads": heads, "lines": lines, "time": of_run["time"], "settings": several.settings}


def _wanted(readout: Any) -> str:
    if readout.target is None:
        return "the retrained models'"
    return {"high": "as retrain", "low": "low", "target": f"{readout.target:g}"}[readout.better]
