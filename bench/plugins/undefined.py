"""Numbers that do not exist: what an attack gives as nan is set apart, with the reason.

What is left is finite. Tables, comparisons and figures then find no number where there is none, and
print a dash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.plugins.outputs import Curve, Readout, Score, Scores, Undefined
from bench.plugins.rows import RETRAINED


def set_apart(scores: Scores) -> Scores:
    """The same scores, all finite; those that are not are listed as undefined.

    The reason is the one that the attack lists for this number, else the one of its readout. Where
    only the target does not exist, the number stays without one. Curves that cannot be drawn are
    left out, with a note.
    """
    readouts = {readout.name: readout for readout in scores.readouts}
    undefined = {(one.row, one.readout): one for one in scores.undefined}
    finite = []
    for score in scores.scores:
        readout = readouts.get(score.readout)
        if not _is_finite(score.value):
            name = score.row, score.readout
            undefined.setdefault(name, Undefined(*name, _reason(readout, score.value, score)))
            continue
        if not _is_finite(score.target):
            name = RETRAINED, score.readout
            undefined.setdefault(name, Undefined(*name, _reason(readout, score.target)))
        finite.append(_only_finite(score))
    curves, notes = _drawable(scores)
    return replace(
        scores,
        scores=finite,
        undefined=list(undefined.values()),
        curves=curves,
        notes=[*scores.notes, *notes],
    )


def _is_finite(value: Any) -> bool:
    return value is not None and bool(np.isfinite(value))


def _reason(readout: Readout | None, value: float | None, score: Score | None = None) -> str:
    """Why a number does not exist, with the number of models where that is not all of them."""
    known = readout.undefined if readout else ""
    reason = known or f"the attack gave {'nothing' if value is None else value}"
    values = score.values if score else ()
    missing = sum(not _is_finite(one) for one in values)
    return f"{reason} ({missing} of {len(values)} models)" if 0 < missing < len(values) else reason


def _only_finite(score: Score) -> Score:
    """The score in plain numbers, without what is not finite."""
    target = _number(score.target)
    values = tuple(_number(value) for value in score.values)
    gaps = [float(gap) for gap in score.gaps if _is_finite(gap)]
    known = target is not None
    return replace(
        score,
        value=float(score.value),
        target=target,
        interval=_interval(score.interval),
        spread=_number(score.spread),
        gap=_number(score.gap) if known else None,
        gap_interval=_interval(score.gap_interval) if known else None,
        values=values,
        gaps=tuple(gaps) if len(gaps) == len(score.gaps) else (),
    )


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _interval(ends: Sequence[float] | None) -> tuple[float, ...] | None:
    known = ends is not None and np.isfinite(ends).all()
    return tuple(float(end) for end in ends) if ends is not None and known else None


def _drawable(scores: Scores) -> tuple[list[Curve], list[str]]:
    """The curves without nan, and a note on the others; values to count may be infinite."""
    kinds = {panel.name: panel.kind for panel in scores.panels}
    kept: list[Curve] = []
    lost: dict[str, dict[str, None]] = {}
    for curve in scores.curves:
        beyond = np.isnan if kinds.get(curve.panel) == "values" else _not_finite
        if beyond(curve.y).any() or _not_finite(curve.x).any():
            lost.setdefault(curve.panel, {})[curve.row or "the reference"] = None
        else:
            kept.append(curve)
    titles = {panel.name: panel.title for panel in scores.panels}
    return kept, [
        f"{titles.get(panel, panel)}: a curve of {', '.join(rows)} is left out, because it holds "
        "values that are not finite"
        for panel, rows in lost.items()
    ]


def _not_finite(values: np.ndarray) -> np.ndarray:
    return ~np.isfinite(values)
