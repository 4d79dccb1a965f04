"""Long tables for pandas and the like: every number of a run on a line of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.plugins.outputs import Readout, Score
from bench.reports.cost import COSTS, costs

if TYPE_CHECKING:
    from bench.results.run import Run


def tidy(run: Run) -> pd.DataFrame:
    """One line per row and readout, costs included; intervals and gaps as columns.

    Numbers are as computed: those of unit "fraction" are printed in per cent elsewhere.
    """
    readouts = {readout.name: readout for readout in run.scores_of.readouts}
    lines = [_line(score, readouts[score.readout]) for score in run.scores_of.scores]
    for row, cost in costs(run).items():
        for name, value in cost.items():
            title, unit = COSTS[name]
            if value is not None:
                found = {"row": row, "readout": name, "value": value, "better": "low"}
                lines.append(found | {"title": title, "unit": unit, "attack": "cost"})
    table = pd.DataFrame(lines)
    table.insert(0, "scenario", run.record["scenario"])
    table.insert(0, "dataset", run.record["data"]["name"])
    return table


def _line(score: Score, readout: Readout) -> dict[str, Any]:
    low, high = score.interval or (None, None)
    gap_low, gap_high = score.gap_interval or (None, None)
    return {
        "row": score.row,
        "readout": score.readout,
        "value": score.value,
        "spread": score.spread,
        "low": low,
        "high": high,
        "target": score.target,
        "gap": score.gap,
        "gap_low": gap_low,
        "gap_high": gap_high,
        "models": score.count,
        "better": readout.better,
        "title": readout.title,
        "unit": "fraction" if readout.percent else "",
        "attack": readout.attack,
    }


def cells(run: Run) -> pd.DataFrame:
    """One line per row, model and readout, where a number is a mean over models."""
    lines = []
    for score in run.scores_of.scores:
        members = _members(run, score)
        gaps = score.gaps or [None] * len(score.values)
        for member, value, gap in zip(members, score.values, gaps, strict=True):
            found = {"row": score.row, "member": member, "readout": score.readout}
            lines.append(found | {"value": value, "gap": gap})
    return pd.DataFrame(lines, columns=["row", "member", "readout", "value", "gap"])


def _members(run: Run, score: Score) -> list[int]:
    """The models behind ``score.values``: those that did not fail, or one for all."""
    record = run.record["rows"].get(score.row, {"failures": []})
    failed = {failure["member"] for failure in record["failures"]}
    there = [member for member in range(run.record["config"]["models"]) if member not in failed]
    return there[: len(score.values)]
