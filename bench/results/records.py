"""Records: what is written into a run's folder when it, or one of its requests, is finished."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.split import Split
from bench.plugins.removal import gone_classes
from bench.plugins.scores import arrays_of, as_record
from bench.results.extras import extras
from bench.results.layout import CURVES, EXTRAS, RECORD, request_folder
from bench.results.manifest import Manifest
from bench.stages.cell import Cell
from bench.stages.context import Context
from bench.stages.gather import StoredOutputs
from bench.stages.score import read_scores
from bench.storage.files import write_atomic
from bench.storage.records import describe_file, pack_arrays, write_record

SIZES = ("train", "forget", "retain", "validation", "test")


def write_records(context: Context, manifest: Manifest, folder: Path, request: int | None) -> None:
    """Write scores, curves, extras and costs of one request; of the last one for the run, too."""
    scores = read_scores(context, request)
    outputs = context.once(StoredOutputs).at(request)
    arrays = {
        CURVES: pack_arrays(arrays_of(scores)),
        EXTRAS: pack_arrays(extras(context.split_at(request), outputs)),
    }
    record = {
        **run_record(context, manifest, request),
        **as_record(scores),
        "curves": describe_file(folder / CURVES, arrays[CURVES]),
        "extras": describe_file(folder / EXTRAS, arrays[EXTRAS]),
    }
    targets = {request_folder(folder, request)}
    if request == context.requests[-1]:
        targets.add(folder)  # all that was asked for is forgotten by the last
    for target in targets:
        for name, content in arrays.items():
            write_atomic(target / name, content)
        write_record(target / RECORD, record)


def run_record(context: Context, manifest: Manifest, request: int | None) -> dict[str, Any]:
    """What was run, on what and where, and what each method cost."""
    split = context.split_at(request)
    rows = {label: row_record(context, manifest, label, request) for label in manifest.methods}
    return {
        "config": context.config.model_dump(mode="json"),
        "data": {
            "name": split.data,
            "fingerprint": split.fingerprint,
            "note": split.data_note,
            "classes": list(split.classes),
        },
        "scenario": manifest.labels["scenario"],
        "forgotten_classes": forgotten_classes(split),
        "split_note": split.note,
        "audit": manifest.audit,
        "model": manifest.labels["model"],
        "precision": manifest.precision,
        "sizes": {part: len(getattr(split, part)) for part in SIZES},
        "rows": rows,
        "made_with": made_with(context, request),
        **_request_record(context, request),
        "provenance": manifest.provenance,
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "settings": manifest.settings,
        "about": manifest.about,
    }


def forgotten_classes(split: Split) -> list[str]:
    """The classes that are forgotten, where whole classes are and nothing else; else none."""
    asked = split.train_labels[split.forget]
    gone = gone_classes(split.train_labels[split.retain], asked)
    return [split.classes[label] for label in gone] if np.isin(asked, gone).all() else []


def made_with(context: Context, request: int | None) -> list[dict[str, Any]]:
    """The versions of libraries that models were made with, and how many by each.

    A store may hold models of another version; their records say which.
    """
    rows = context.rows
    cells = [context.model_cell(row, i, request) for row in rows for i in context.members]
    counts: Counter[tuple[tuple[str, str], ...]] = Counter(
        tuple(context.record(cell).get("versions", {}).items())
        for cell in cells
        if context.has_record(cell)
    )
    return [{"versions": dict(versions), "models": count} for versions, count in counts.items()]


def _request_record(context: Context, request: int | None) -> dict[str, int]:
    """Which of several requests it is, of how many, and for how many examples it asks."""
    if request is None:
        return {}
    asked = len(context.split_at(request).asked)
    return {"request": request, "requests": len(context.requests), "asked": asked}


def row_record(
    context: Context, manifest: Manifest, row: str, request: int | None
) -> dict[str, Any]:
    """A method's costs, notes and failures over its cells."""
    method = manifest.methods[row]
    cells = [context.model_cell(row, member, request) for member in context.members]
    made = [cell for cell in cells if context.has_record(cell)]
    records = [context.record(cell) for cell in made]
    failures = [failure for cell in cells for failure in _failures(context, cell)]
    prepared = []
    if method["prepares"]:
        starts = dict.fromkeys(context.start(cell.member) for cell in made)
        prepared = [context.record(Cell("prepare", row, start)) for start in starts]
    return {
        **method,
        "done": len(cells) - len(failures),
        "notes": [{"member": r["member"], "text": text} for r in records for text in r["notes"]],
        "cost": [record["cost"] for record in records],
        "prepare_cost": [record["cost"] for record in prepared],
        "carry_cost": [record["carry_cost"] for record in records if "carry_cost" in record],
        "failures": [failure_record(context, cell, why) for cell, why in failures],
    }


def _failures(context: Context, cell: Cell) -> list[tuple[Cell, dict[str, Any]]]:
    """Why one model of a row has no scores, if it has none: it was not made, or gives no number."""
    for step in (cell, replace(cell, stage="predict")):
        if failure := context.failure(step):
            return [(step, failure)]
    return []


def failure_record(context: Context, cell: Cell, failure: Mapping[str, Any]) -> dict[str, Any]:
    """Why a cell failed, and the file that holds the traceback."""
    request, reason = failure.get("request"), failure["reason"]
    if request not in (None, cell.request):
        reason = f"request {request} failed: {reason}"
    return {
        "member": cell.member,
        "stage": failure["stage"],
        "reason": reason,
        "file": str(context.store.failure_path(cell.stage, context.key(cell))),
    }
