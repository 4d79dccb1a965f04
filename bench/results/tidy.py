"""Long tables for pandas and the like: every number of a run on a line of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from bench.plugins.outputs import Readout, Score, Undefined
from bench.plugins.rows import RETRAINED
from bench.results.costs import CARRY, COSTS, SO_FAR, Share, costs, mean_of, shares_so_far
from bench.results.finished import Scored, row_order


def long_table(run: Scored) -> pd.DataFrame:
    """One line per row and readout, costs included; intervals and gaps as columns.

    Numbers are as computed: those of unit "fraction" are printed in per cent elsewhere. A number
    that does not exist is empty; ``undefined`` says why.
    """
    readouts = {readout.name: readout for readout in run.scores_of.readouts}
    lines = [_line(score, readouts[score.readout]) for score in run.scores_of.scores]
    lines += [
        _undefined_line(one, readouts[one.readout])
        for one in run.scores_of.undefined
        if one.row != RETRAINED  # that is a target, which the lines of other rows lack
    ]
    for row, cost in costs(run.record).items():
        for name, value in cost.items():
            title, unit = COSTS[name]
            if value is not None:
                line = {"row": row, "readout": name, "value": value, "better": "low"}
                lines.append(line | {"title": title, "unit": unit, "attack": "cost"})
    table = pd.DataFrame(lines)
    table.insert(0, "scenario", run.record["scenario"])
    table.insert(0, "dataset", run.record["data"]["name"])
    return table


def _undefined_line(undefined: Undefined, readout: Readout) -> dict[str, Any]:
    row, name = undefined.row, undefined.readout
    unknown = dict.fromkeys(("value", "spread", "low", "high", "target", "gap"))
    known = {"row": row, "readout": name, "undefined": undefined.reason}
    return known | unknown | _described(readout)


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
        **_described(readout),
    }


def _described(readout: Readout) -> dict[str, Any]:
    return {
        "better": readout.better,
        "title": readout.title,
        "unit": "fraction" if readout.percent else "",
        "attack": readout.attack,
    }


def wide_table(run: Scored) -> pd.DataFrame:
    """One line per method: each readout's value, spread and interval, then costs; numbers only.

    Columns without a number are left out, unless a number there is undefined.
    """
    scores = {(score.row, score.readout): score for score in run.scores_of.scores}
    cost, lines = costs(run.record), []
    for row in row_order(run):
        line: dict[str, object] = {"method": row}
        for readout in run.scores_of.readouts:
            score = scores.get((row, readout.name))
            low, high = (score and score.interval) or (None, None)
            line[readout.name] = score and score.value
            line[f"{readout.name}_spread"] = score and score.spread
            line[f"{readout.name}_low"], line[f"{readout.name}_high"] = low, high
        lines.append(line | cost.get(row, {}))
    table = pd.DataFrame(lines)
    undefined = {one.readout for one in run.scores_of.undefined}
    return table[[name for name in table if name in undefined or table[name].notna().any()]]


def model_table(run: Scored) -> pd.DataFrame:
    """One line per row, model and readout, where a number is a mean over models."""
    lines = []
    for score in run.scores_of.scores:
        members = _members(run, score)
        gaps: Sequence[float | None] = score.gaps or [None] * len(score.values)
        for member, value, gap in zip(members, score.values, gaps, strict=True):
            line = {"row": score.row, "member": member, "readout": score.readout}
            lines.append(line | {"value": value, "gap": gap})
    return pd.DataFrame(lines, columns=["row", "member", "readout", "value", "gap"])


def _members(run: Scored, score: Score) -> list[int]:
    """The models behind ``score.values``: those that did not fail, or one for all."""
    record = run.record["rows"].get(score.row, {"failures": []})
    failed = {failure["member"] for failure in record["failures"]}
    done = [member for member in range(run.record["config"]["models"]) if member not in failed]
    return done[: len(score.values)]


def requests_table(requests: Sequence[Scored]) -> pd.DataFrame:
    """Every number of every request, as ``long_table`` has them, and costs so far."""
    frames, so_far = [], shares_so_far([run.record for run in requests])
    for run, shares in zip(requests, so_far, strict=True):
        more = pd.DataFrame(_further_costs(run, shares))
        frame = pd.concat([long_table(run), more], ignore_index=True)
        frame[["dataset", "scenario"]] = frame[["dataset", "scenario"]].ffill()
        frame.insert(2, "request", run.record["request"])
        frame.insert(3, "forgotten", run.record["sizes"]["forget"])
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _further_costs(run: Scored, so_far: dict[str, Share]) -> Iterator[dict[str, str | float]]:
    for row, record in run.record["rows"].items():
        carried = mean_of(record["carry_cost"], "time_s")
        for name, value in ((SO_FAR, so_far[row]), (CARRY, carried)):
            if value is not None:
                yield {"row": row, "readout": name, "value": value}
