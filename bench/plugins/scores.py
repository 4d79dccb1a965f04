"""Scores: what an attack's numbers look like as records, and how those of several are merged."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from bench.errors import UserError
from bench.plugins.outputs import Readout, Score, Scores


def merged(labels: list[str], found: list[Scores]) -> Scores:
    """The scores of all attacks; another variant of one carries its parameters in its names."""
    together = Scores([], [], {}, [])
    for label, scores in zip(labels, found, strict=True):
        taken = {readout.name for readout in together.readouts}
        if taken & {readout.name for readout in scores.readouts}:
            scores = with_suffix(scores, f"[{label.partition('[')[2] or 'defaults]'}")
        together.readouts.extend(scores.readouts)
        together.scores.extend(scores.scores)
        together.curves.update(scores.curves)
        together.notes.extend(scores.notes)
    return together


def with_suffix(scores: Scores, suffix: str) -> Scores:
    """The same scores under names that end in ``suffix``."""
    return Scores(
        [
            replace(
                r,
                name=r.name + suffix,
                title=f"{r.title} {suffix}",
                short=r.short and r.short + suffix,
            )
            for r in scores.readouts
        ],
        [replace(score, readout=score.readout + suffix) for score in scores.scores],
        {name + suffix: curve for name, curve in scores.curves.items()},
        scores.notes,
    )


def check_scores(label: str, scores: Scores) -> None:
    """Raise where an attack gave a number that is not one, or that it did not announce."""
    known = {readout.name for readout in scores.readouts}
    for item in scores.scores:
        if item.readout not in known:
            raise UserError(f"{label} gave '{item.readout}' but announced {sorted(known)}")
        if not np.isfinite(item.value):
            raise UserError(f"{label} gave {item.value} for {item.readout} of row {item.row}")


def as_record(scores: Scores) -> dict[str, Any]:
    """Plain values for JSON; curves are stored beside it."""
    return {
        "readouts": [asdict(readout) for readout in scores.readouts],
        "scores": [asdict(item) for item in scores.scores],
        "notes": scores.notes,
    }


def from_record(record: dict[str, Any], curves: dict[str, np.ndarray]) -> Scores:
    """What ``as_record`` wrote."""
    readouts = [Readout(**fields) for fields in record["readouts"]]
    scores = [Score(**fields) for fields in record["scores"]]
    return Scores(readouts, scores, curves, record["notes"])
