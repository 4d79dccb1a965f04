"""What each method cost: means over its cells, and relative to retraining measured the same way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from bench.plugins.rows import RETRAIN

Record = Mapping[str, Any]  # of a run
Share = float | None  # of retraining's time; None where a time is not known
WHOLE = RETRAIN  # the row whose time is 1
SHARE, SO_FAR, CARRY = "time_vs_retrain", "time_so_far_vs_retrain", "carry_time_s"
COSTS = {  # name -> what it is, unit
    "time_s": ("time of unlearning alone", "s"),
    SHARE: ("time / retraining", "ratio"),
    "prepare_time_s": ("time of preparation at training", "s"),
    "forward_examples": ("examples passed forward", "examples"),
    "backward_examples": ("examples passed backward", "examples"),
    "peak_memory_mb": ("peak memory", "MB"),
}


def costs(record: Record) -> dict[str, dict[str, float | None]]:
    """Per method: seconds, share of retraining, passes, memory; preparation stands apart."""
    whole = _seconds(record, WHOLE)
    table = {}
    for row, of_row in record["rows"].items():
        seconds = _seconds(record, row)
        table[row] = {
            "time_s": seconds,
            SHARE: _ratio(seconds, whole),
            "prepare_time_s": mean_of(of_row["prepare_cost"], "time_s"),
            "forward_examples": mean_of(of_row["cost"], "forward_examples"),
            "backward_examples": mean_of(of_row["cost"], "backward_examples"),
            "peak_memory_mb": mean_of(of_row["cost"], "peak_memory_mb"),
        }
    return table


def mean_of(cells: Iterable[Mapping[str, Any]], name: str) -> float | None:
    """The mean over cells of one of their costs, where it is known; None where it never is."""
    known = [cell[name] for cell in cells if cell[name] is not None]
    return sum(known) / len(known) if known else None


def _seconds(record: Record, row: str) -> float | None:
    return mean_of(record["rows"][row]["cost"], "time_s")


def _ratio(part: float | None, whole: float | None) -> Share:
    return part / whole if part is not None and whole else None


def time_shares(record: Record) -> dict[str, Share]:
    """Time of each method relative to retraining."""
    return {row: cost[SHARE] for row, cost in costs(record).items()}


def shares_so_far(records: Sequence[Record]) -> list[dict[str, Share]]:
    """After each of several requests: all of a method's time relative to retraining at each."""
    sums = {
        row: list(accumulate((_seconds(record, row) for record in records), _plus))
        for row in records[-1]["rows"]
    }
    return [
        {row: _ratio(times[place], sums[WHOLE][place]) for row, times in sums.items()}
        for place in range(len(records))
    ]


def _plus(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second
