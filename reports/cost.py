"""What each method cost: means over its cells, and relative to retraining measured the same way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.results.run import Run

TIME_LIMIT = 0.2  # of retraining's time: the competition's rule
COSTS = {  # name -> what it is, unit
    "time_s": ("time of unlearning alone", "s"),
    "time_vs_retrain": ("time / retraining", "ratio"),
    "prepare_time_s": ("time of preparation at training", "s"),
    "forward_examples": ("examples passed forward", "examples"),
    "backward_examples": ("examples passed backward", "examples"),
    "peak_memory_mb": ("peak memory", "MB"),
}


def costs(run: Run) -> dict[str, dict[str, float | None]]:
    """Per method: seconds, share of retraining, passes, memory; preparation stands apart."""
    rows = run.record["rows"]
    retrain = mean(cost["time_s"] for cost in rows["retrain"]["cost"])
    table = {}
    for row, record in rows.items():
        seconds = mean(cost["time_s"] for cost in record["cost"])
        table[row] = {
            "time_s": seconds,
            "time_vs_retrain": seconds / retrain if seconds is not None and retrain else None,
            "prepare_time_s": mean(cost["time_s"] for cost in record["prepare_cost"]),
            "forward_examples": mean(cost["forward_examples"] for cost in record["cost"]),
            "backward_examples": mean(cost["backward_examples"] for cost in record["cost"]),
            "peak_memory_mb": mean(cost["peak_memory_mb"] for cost in record["cost"]),
        }
    return table


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def over_time(run: Run) -> list[str]:
    """Methods that took too long for the competition's rule, if its score is in the table."""
    if all(score.readout.partition("[")[0] != "final_score" for score in run.scores_of.scores):
        return []
    shares = {row: cost["time_vs_retrain"] for row, cost in costs(run).items() if row != "retrain"}
    return [row for row, share in shares.items() if share is not None and share > TIME_LIMIT]
