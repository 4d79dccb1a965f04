"""What the harness does with scores: check them, join those of all attacks, store them.

A record holds everything but the arrays; they lie beside it, named by list, place and field, such
as ``curves-3-y``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, replace
from typing import Any, get_type_hints

import numpy as np
from pydantic import create_model

from bench.config.shapes import Shape
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


def _shape_of(type_: type, arrays: Sequence[str] = ()) -> Any:
    """The shape of a dataclass in a record, without its arrays; defaults may be left out."""
    hints = get_type_hints(type_)
    described = [f for f in fields(type_) if f.name not in arrays]
    needed = {f.name for f in described if f.default is f.default_factory is MISSING}
    keys = {f.name: (hints[f.name], ... if f.name in needed else None) for f in described}
    return _make_shape(type_.__name__, keys)


def _make_shape(name: str, keys: dict[str, Any]) -> Any:
    return create_model(f"{name}Shape", __base__=Shape, **keys)


_ARRAYS: dict[str, Any] = {kind: list[_shape_of(*types)] for kind, types in ARRAYS.items()}  # type: ignore[misc]
SCORES_SHAPE: type[Shape] = _make_shape(
    "Scores",
    {
        "readouts": list[_shape_of(Readout)],  # type: ignore[misc]
        "scores": list[_shape_of(Score)],  # type: ignore[misc]
        "panels": list[_shape_of(Panel)],  # type: ignore[misc]
        "notes": list[str],
        "arrays": _make_shape("Arrays", _ARRAYS),
        "undefined": (list[_shape_of(Undefined)], []),  # type: ignore[misc]
    },
)
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
    ``SCORES_SHAPE`` says what the record has to hold.
    """
    refuse_older(record)
    listed = {
        kind: [
            type_(
                **described,
                **{name: _array(arrays, f"{kind}-{place}-{name}") for name in names},
            )
            for place, described in enumerate(record["arrays"][kind])
        ]
        for kind, (type_, names) in ARRAYS.items()
    }
    scores = Scores(
        [Readout(**values) for values in record["readouts"]],
        [Score(**values) for values in record["scores"]],
        record["notes"],
        [Panel(**values) for values in record["panels"]],
        **listed,
        undefined=[Undefined(**values) for values in record.get("undefined", [])],
    )
    for score in scores.scores:
        _check_lengths(score)
    return scores


def refuse_older(record: Mapping[str, Any]) -> None:
    """Raise UserError for scores of an older version, which named its arrays otherwise."""
    if "panels" not in record:
        raise UserError("these scores are from an older version of bench: run `bench score` again")


def _check_lengths(score: Score) -> None:
    """Raise UserError unless intervals have two ends, and gaps belong to values."""
    ends = {len(interval) for interval in (score.interval, score.gap_interval) if interval}
    if not ends <= {2} or len(score.gaps) not in (0, len(score.values)):
        raise UserError(f"{score.readout} of {score.row} has intervals or gaps of a wrong length")


def _array(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    array = arrays.get(name, np.empty(0))
    if array.dtype.kind not in "iufb":
        raise UserError(f"{name} holds {array.dtype}; expected numbers")
    return array


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
