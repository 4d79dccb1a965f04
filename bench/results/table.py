"""Cells as printed, and the comparison of one run that is made of them.

Every printed cell comes from the same numbers: mean, spread over models, 95 % interval, and the gap
to the target with its own interval. A gap whose interval contains 0 is marked as not significantly
different.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.plugins.outputs import Readout, Score
from bench.results.costs import Share, time_shares
from bench.results.finished import Scored, row_order

NONE = "-"
SAME = "≈"  # the number is not significantly different from its target
TIME = "time / retraining"
TARGET = "target"  # the row of a table that says where the numbers should be
OF_RETRAINED, LOW, HIGH = " (retrained)", "low: ", "as retrain"  # around or instead of a target


@dataclass(frozen=True)
class Shown:
    """A cell as printed; empty texts where there is nothing to print.

    ``same``: not significantly different from the target. ``best``: may be set in bold. ``why``:
    the reason where there is no number.
    """

    value: str = NONE
    spread: str = ""
    low: str = ""
    high: str = ""
    same: bool = False
    best: bool = False
    why: str = ""

    def __str__(self) -> str:
        """``12.3 ±1.1 ≈ [11.8, 12.9]``: value, spread over models, same-as-target, interval."""
        text = self.value + (f" ±{self.spread}" if self.spread else "")
        text += f" {SAME}" if self.same else ""
        return text + (f" [{self.low}, {self.high}]" if self.low else "")


def format_score(score: Score | None, readout: Readout, best: bool = False) -> Shown:
    """A score in the digits of its readout."""
    if score is None:
        return Shown()
    low, high = (number(x, readout) for x in score.interval) if score.interval else ("", "")
    return Shown(
        number(score.value, readout),
        "" if score.spread is None else number(score.spread, readout),
        low,
        high,
        readout.better == "target" and same(score),
        best,
    )


def same(score: Score) -> bool:
    """Whether the data leave open that the number is at its target."""
    return score.gap_interval is not None and score.gap_interval[0] <= 0 <= score.gap_interval[1]


def number(value: float, readout: Readout) -> str:
    """Percentages with one decimal, other numbers with three; no minus sign before a zero."""
    text = f"{100 * value:.1f}" if readout.percent else f"{value:.3f}"
    return text.removeprefix("-") if float(text) == 0 else text


def heading(readout: Readout) -> str:
    """A readout's title with its unit."""
    return f"{readout.title} (%)" if readout.percent else readout.title


def main_readouts(run: Scored) -> list[Readout]:
    """What is shown where space is scarce; everything, of attacks that have no main readout.

    A readout that no row has is left out; a note says why.
    """
    known = known_readouts(run)
    return [readout for readout in known if readout.main] or known


def known_readouts(run: Scored) -> list[Readout]:
    """The readouts that some row has a number of, or a reason for having none."""
    scores = run.scores_of
    names = {s.readout for s in scores.scores} | {u.readout for u in scores.undefined}
    return [readout for readout in run.scores_of.readouts if readout.name in names]


def target_text(run: Scored, readout: Readout) -> str:
    """Where the column's numbers should be."""
    if readout.target is None:
        targets = (s.target for s in run.scores_of.scores if s.readout == readout.name)
        target = next((target for target in targets if target is not None), None)
        return NONE if target is None else number(target, readout) + OF_RETRAINED
    if readout.better == "high":
        return HIGH
    return (LOW if readout.better == "low" else "") + number(readout.target, readout)


def short_target(text: str) -> str:
    """A target's text where space is scarce."""
    return text.removeprefix(LOW).removesuffix(OF_RETRAINED).replace(HIGH, "high")


def cells(
    run: Scored, readouts: Sequence[Readout], best: Mapping[str, set[str]] | None = None
) -> dict[str, dict[str, Shown]]:
    """Row -> readout's name -> cell. ``best``: the rows of a readout that are set in bold."""
    scores = {(score.row, score.readout): score for score in run.scores_of.scores}
    reasons = {(one.row, one.readout): one.reason for one in run.scores_of.undefined}
    bold = best or {}

    def cell(row: str, readout: Readout) -> Shown:
        name = row, readout.name
        if name in reasons:
            return Shown(why=reasons[name])
        return format_score(scores.get(name), readout, row in bold.get(readout.name, ()))

    return {row: {r.name: cell(row, r) for r in readouts} for row in row_order(run)}


def share_text(share: Share) -> str:
    """A cost relative to retraining."""
    return NONE if share is None else f"{share:.3g}"


def done_text(run: Scored, row: str) -> str:
    """How many of a row's models there are, such as 19/20."""
    record = run.record["rows"].get(row)
    return f"{record['done']}/{run.record['config']['models']}" if record else NONE


def any_failed(run: Scored) -> bool:
    """Whether some model of some method failed."""
    return any(record["failures"] for record in run.record["rows"].values())


def comparison(run: Scored) -> pd.DataFrame:
    """Rows are methods, columns are readouts and cost, cells are printed text."""
    readouts, share = run.scores_of.readouts, time_shares(run.record)
    lines = {}
    for row, row_cells in cells(run, readouts).items():
        lines[row] = {r.title: str(row_cells[r.name]) for r in readouts}
        lines[row][TIME] = share_text(share.get(row))
        if any_failed(run):
            lines[row]["models"] = done_text(run, row)
    lines[TARGET] = {r.title: target_text(run, r) for r in readouts} | {TIME: "low"}
    return pd.DataFrame.from_dict(lines, orient="index").fillna(NONE)
