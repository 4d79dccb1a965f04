"""The comparison of one run: rows are methods, columns readouts, each cell printed one way.

Every printed cell comes from the same numbers: mean, spread over models, 95 % interval, and the gap
to the target with its own interval. A gap whose interval contains 0 is marked as not told apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from bench.plugins.outputs import Readout, Score
from bench.reports.compare import ranks
from bench.reports.cost import costs
from bench.reports.notes import SAME

if TYPE_CHECKING:
    from bench.reports.compare import Comparison
    from bench.results.run import Run

NONE = "-"
TIME = "time / retraining"


@dataclass(frozen=True)
class Shown:
    """A cell as printed; empty texts where there is nothing to print.

    ``same``: not told apart from the target. ``best``: may be set in bold.
    """

    value: str = NONE
    spread: str = ""
    low: str = ""
    high: str = ""
    same: bool = False
    best: bool = False

    def __str__(self) -> str:
        """``12.3 ±1.1 ≈ [11.8, 12.9]``: value, spread over models, same-as-target, interval."""
        text = self.value + (f" ±{self.spread}" if self.spread else "")
        text += f" {SAME}" if self.same else ""
        return text + (f" [{self.low}, {self.high}]" if self.low else "")


def shown(score: Score | None, readout: Readout, best: bool = False) -> Shown:
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
    """Do the data leave open whether the number is at its target?"""
    return score.gap_interval is not None and score.gap_interval[0] <= 0 <= score.gap_interval[1]


def number(value: float, readout: Readout) -> str:
    """Percentages with one decimal, other numbers with three; no minus sign before a zero."""
    text = f"{100 * value:.1f}" if readout.percent else f"{value:.3f}"
    return text.removeprefix("-") if float(text) == 0 else text


def heading(readout: Readout) -> str:
    return f"{readout.title} (%)" if readout.percent else readout.title


def row_order(run: Run) -> list[str]:
    """Sanity rows frame the methods: original and retrain first, the constant predictor last."""
    methods = [row for row in run.record["rows"] if row != "retrain"]
    return ["original", "retrain", *methods, "constant"]


def main_readouts(run: Run) -> list[Readout]:
    """What is shown where space is scarce; everything, of attacks that have no main readout.

    A readout that no row has is left out; a note says why.
    """
    scored = {score.readout for score in run.scores_of.scores}
    known = [readout for readout in run.scores_of.readouts if readout.name in scored]
    return [readout for readout in known if readout.main] or known


def target_text(run: Run, readout: Readout) -> str:
    """Where the column's numbers should be."""
    if readout.target is None:
        paired = [s for s in run.scores_of.scores if s.readout == readout.name]
        return f"{number(paired[0].target, readout)} (retrained)" if paired else NONE
    if readout.better == "high":
        return "as retrain"
    return ("low: " if readout.better == "low" else "") + number(readout.target, readout)


def supported(compared: Iterable[Comparison]) -> dict[str, set[str]]:
    """Per readout the rows that may be set in bold.

    None is better, some other is worse, and whatever looks nearer to the target is bold too: else a
    number would stand out beside a plain one that looks better.
    """
    found: dict[str, list[Comparison]] = {}
    for pair in compared:
        found.setdefault(pair.readout, []).append(pair)
    return {readout: _bold(pairs) for readout, pairs in found.items()}


def _bold(pairs: list[Comparison]) -> set[str]:
    sides = {pair: (pair.first, pair.second) for pair in pairs}
    told = [pair for pair in pairs if pair.better is not None]
    lost = {row for pair in told for row in sides[pair] if row != pair.better}
    best = {pair.better for pair in told} - lost
    nearer = [sides[p] if p.difference < 0 else sides[p][::-1] for p in pairs if p.difference]
    while dimmed := {far for near, far in nearer if far in best and near not in best}:
        best -= dimmed
    return best


def cells(
    run: Run, readouts: list[Readout], compared: Iterable[Comparison] | None = None
) -> dict[str, dict[str, Shown]]:
    """Row -> readout's name -> cell."""
    scores = {(score.row, score.readout): score for score in run.scores_of.scores}
    best = supported(run.compared if compared is None else compared)
    return {
        row: {
            r.name: shown(scores.get((row, r.name)), r, row in best.get(r.name, ()))
            for r in readouts
        }
        for row in row_order(run)
    }


def share_text(share: float | None) -> str:
    """A cost relative to retraining."""
    return NONE if share is None else f"{share:.3g}"


def done_text(run: Run, row: str) -> str:
    """How many of a row's models there are, such as 19/20."""
    record = run.record["rows"].get(row)
    return f"{record['done']}/{run.record['config']['models']}" if record else NONE


def comparison(run: Run, main_only: bool = False) -> pd.DataFrame:
    """Rows are methods, columns are readouts and cost, cells are printed text."""
    readouts = main_readouts(run) if main_only else run.scores_of.readouts
    cost, lines = costs(run), {}
    for row, of_row in cells(run, readouts).items():
        line = {r.title: str(of_row[r.name]) for r in readouts}
        line[TIME] = share_text(cost.get(row, {}).get("time_vs_retrain"))
        if run.failed:
            line["models"] = done_text(run, row)
        lines[row] = line
    target = {r.title: target_text(run, r) for r in readouts}
    lines["target"] = target | {TIME: "low"}
    return pd.DataFrame.from_dict(lines, orient="index").fillna(NONE)


def rank_table(run: Run, short: bool = False) -> pd.DataFrame | None:
    """Ranks of the methods on the main readouts; None where nothing can be compared."""
    found = ranks(run, run.compared)
    main = {r.name: (r.short if short else "") or r.title for r in run.scores_of.readouts if r.main}
    found = found[[name for name in found.columns if name in main]]
    return None if found.empty else found.rename(columns=main).fillna(NONE)
