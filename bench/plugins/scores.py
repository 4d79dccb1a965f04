"""What the harness does with scores: check them, join those of all attacks, store them.

A record holds everything but the arrays; they lie beside it, named by list, place and field, such
as ``curves-3-y``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np

from bench.errors import UserError
from bench.plugins.outputs import (
    Curve,
    Panel,
    PerExample,
    Readout,
    Replicates,
    Score,
    Scores,
    Undefined,
)

ARRAYS: dict[str, tuple[type, tuple[str, ...]]] = {  # list of scores -> its type, its array fields
    "curves": (Curve, ("x", "y")),
    "replicates": (Replicates, ("values",)),
    "per_example": (PerExample, ("values",)),
}

NAMES = {  # list of scores -> the fields that name something in this run
    "readouts": ("name", "title", "short"),
    "scores": ("readout",),
    "panels": ("name", "title", "readout", "together"),
    "curves": ("panel",),
    "replicates": ("readout",),
    "per_example": ("name",),
    "undefined": ("readout",),
}


def as_record(scores: Scores) -> dict[str, Any]:
    """Plain values for JSON; ``arrays_of`` gives the arrays that belong beside them."""
    described = {
        kind: [
            {f.name: getattr(item, f.name) for f in fields(type_) if f.name not in arrays}
            for item in getattr(scores, kind)
        ]
        for kind, (type_, arrays) in ARRAYS.items()
    }
    return {
        "readouts": [asdict(readout) for readout in scores.readouts],
        "scores": [asdict(score) for score in scores.scores],
        "panels": [asdict(panel) for panel in scores.panels],
        "arrays": described,
        "notes": scores.notes,
        "undefined": [asdict(one) for one in scores.undefined],
    }


def arrays_of(scores: Scores) -> dict[str, np.ndarray]:
    """The arrays of scores by name, without empty ones."""
    return {
        f"{kind}-{place}-{name}": getattr(item, name)
        for kind, (_type, names) in ARRAYS.items()
        for place, item in enumerate(getattr(scores, kind))
        for name in names
        if getattr(item, name).size
    }


def from_record(record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Scores:
    """Scores from what ``as_record`` and ``arrays_of`` gave.

    Raises UserError for a record of an older version, which named its arrays otherwise.
    """
    if "panels" not in record:
        raise UserError("these scores are from an older version of bench: run `bench score` again")
    listed = {
        kind: [
            type_(
                **described,
                **{name: arrays.get(f"{kind}-{place}-{name}", np.empty(0)) for name in names},
            )
            for place, described in enumerate(record["arrays"][kind])
        ]
        for kind, (type_, names) in ARRAYS.items()
    }
    return Scores(
        [Readout(**values) for values in record["readouts"]],
        [Score(**values) for values in record["scores"]],
        record["notes"],
        [Panel(**values) for values in record["panels"]],
        **listed,
        undefined=[Undefined(**values) for values in record.get("undefined", [])],
    )


def merge(labels: Sequence[str], parts: Sequence[Scores]) -> Scores:
    """The scores of all attacks; another variant of one carries its parameters in its names."""
    together = Scores([], [])
    for label, scores in zip(labels, parts, strict=True):
        if _names(together) & _names(scores):
            scores = with_suffix(scores, f"[{label.partition('[')[2] or 'defaults]'}")
        for field in fields(Scores):
            getattr(together, field.name).extend(getattr(scores, field.name))
    return together


def _names(scores: Scores) -> set[tuple[str, str]]:
    readouts = {("readout", readout.name) for readout in scores.readouts}
    return readouts | {("panel", panel.name) for panel in scores.panels}


def with_suffix(scores: Scores, suffix: str) -> Scores:
    """The same scores under names that end in ``suffix``."""

    def renamed(item: Any, names: Sequence[str]) -> Any:
        changes = {n: getattr(item, n) + suffix for n in names if getattr(item, n)}
        if "title" in names:
            changes["title"] = f"{item.title} {suffix}"
        return replace(item, **changes)

    lists = {
        kind: [renamed(item, names) for item in getattr(scores, kind)]
        for kind, names in NAMES.items()
    }
    for place, panel in enumerate(lists["panels"]):
        shown = [name + suffix for name in panel.readouts]
        lists["panels"][place] = replace(panel, readouts=shown)
    return Scores(**lists, notes=scores.notes)


def check_scores(label: str, scores: Scores) -> None:
    """Raise UserError for what an attack did not announce, and for no number without a reason."""
    reasons = {readout.name: readout.undefined for readout in scores.readouts}
    for name in [*(s.readout for s in scores.scores), *(u.readout for u in scores.undefined)]:
        if name not in reasons:
            raise UserError(f"{label} gave '{name}' but announced {sorted(reasons)}")
    for score in scores.scores:
        if not (np.isfinite(score.value) or reasons[score.readout]):
            raise UserError(
                f"{label} gave {score.value} for {score.readout} of row {score.row}: say why in "
                "the readout (undefined=)"
            )
    _check_arrays(label, scores)
    panels = {panel.name: panel for panel in scores.panels}
    for curve in scores.curves:
        if curve.panel not in panels:
            raise UserError(f"{label} drew in '{curve.panel}' but announced {sorted(panels)}")
        _check_curve(label, panels[curve.panel], curve)


def _check_arrays(label: str, scores: Scores) -> None:
    """Raise UserError where an array is none, or does not hold numbers: it could not be stored."""
    for kind, (_type, names) in ARRAYS.items():
        for item in getattr(scores, kind):
            for name in names:
                array = getattr(item, name)
                if not (isinstance(array, np.ndarray) and array.dtype.kind in "biuf"):
                    raise UserError(f"{label}: {name} of {kind} must be a NumPy array of numbers")


def _check_curve(label: str, panel: Panel, curve: Curve) -> None:
    """Raise UserError where a curve does not fit its panel."""
    wanted = {
        "histogram": len(panel.edges) - 1,
        "line": len(curve.x),
        "bars": len(panel.labels),
    }.get(panel.kind, len(curve.y))
    if len(curve.y) != wanted:
        raise UserError(
            f"{label}: the curve of row '{curve.row}' in panel '{panel.name}' has {len(curve.y)} "
            f"values: must be {wanted}"
        )
