"""Comparisons as the templates of the page take them: heads, and lines of cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.plugins.outputs import Readout, Score
from bench.plugins.rows import CONSTANT, ORIGINAL, RETRAIN
from bench.plugins.source import needs_in_words
from bench.reports.page.svg import anchor
from bench.reports.style import Look
from bench.reports.tables.grid import Grid, Line
from bench.results.finished import Finished
from bench.results.table import TARGET, number, target_text

REFERENCE = {
    ORIGINAL: "the model before unlearning: forget nothing",
    RETRAIN: "retrained again with other seeds: the floor of every distance",
    CONSTANT: "always predicts the most common class: what collapse scores",
    TARGET: "where the numbers of this run should be",
}


def page_table(grid: Grid, looks: dict[str, Look]) -> dict[str, Any]:
    """A comparison for the template: heads, and a line for each row with its cells.

    The targets of a single run stand in the heads, those of several in lines of their own.
    """
    several = len(grid.groups) > 1
    lines = [line for line in grid.lines if several or line.row != TARGET]
    first = grid.groups[0][0].run
    return {
        "heads": [
            {"readout": r, "target": _wanted(r) if several else target_text(first, r)}
            for r in grid.readouts
        ],
        "lines": [_line(line, grid.readouts, looks, several) for line in lines],
        "settings": grid.settings,
        "costs": list(grid.costs),
        "full": bool(grid.costs),
    }


def _line(
    line: Line, readouts: Sequence[Readout], looks: dict[str, Look], several: bool
) -> dict[str, Any]:
    scores = {s.readout: s for s in line.run.scores_of.scores if s.row == line.row}
    values = [_sorting(scores.get(readout.name)) for readout in readouts]
    shares = ["" if share is None else repr(share) for share in line.shares]
    return {
        "row": line.row,
        "anchor": None if several else anchor(line.row),
        "look": looks.get(line.row),
        "reference": line.row in REFERENCE,
        "about": REFERENCE.get(line.row, ""),
        "settings": line.settings,
        "cells": list(zip(line.cells, values, strict=True)),
        "costs": list(zip(line.costs, shares, strict=True)),
        "needs": needs(line.run, line.row),
        "failed": _failures(line.run, line.row),
    }


def _wanted(readout: Readout) -> str:
    """The target of a column in which each run has its own."""
    if readout.target is None:
        return "the retrained models'"
    fixed = {"high": "as retrain", "low": "low"}
    return fixed.get(readout.better, number(readout.target, readout))


def _sorting(score: Score | None) -> str:
    return "" if score is None else repr(float(score.value))


def needs(run: Finished, row: str) -> str:
    """What a method reads, in words; nothing for rows that are no methods."""
    record = run.record["rows"].get(row)
    if record is None:
        return ""
    return needs_in_words(record["needs"], record["prepares"])


def _failures(run: Finished, row: str) -> str:
    """How many of a row's models failed, and the first one's reason."""
    record = run.record["rows"].get(row)
    if not record or not record["failures"]:
        return ""
    first, count = record["failures"][0], run.record["config"]["models"]
    return (
        f"{len(record['failures'])} of {count} models failed: {first['stage']}, model "
        f"{first['member']}: {first['reason']}"
    )
