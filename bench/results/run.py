"""A run's folder: what is written when a run is finished, and that folder as a Python object."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.config.schema import Config
from bench.errors import UserError
from bench.plugins.card import about_of
from bench.plugins.outputs import Population, Scores
from bench.plugins.registry import Plugin
from bench.plugins.scores import arrays_of, as_record, from_record
from bench.results.finished import Comparison
from bench.stages.context import Cell, Experiment
from bench.stages.score import gather
from bench.storage.store import (
    describe_file,
    pack_arrays,
    read_checked,
    read_record,
    unpack_arrays,
    write_atomic,
    write_record,
)

if TYPE_CHECKING:
    import pandas as pd

RECORD = "run.json"
CURVES, EXTRAS = "curves.npz", "extras.npz"
REQUEST = "request-"


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder; reports are made from this alone.

    Of several requests, one after another, each is a run of its own in ``requests``; the run's own
    record and scores are those after the last one. ``extras``: what bench/results/extras.py made;
    empty in a run of an older version.
    """

    folder: Path
    record: dict[str, Any]
    scores_of: Scores
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """Read a run's folder; raises UserError where there is none or it is damaged."""
        folder = Path(folder)
        if not (folder / RECORD).is_file():
            raise UserError(
                f"{folder} holds no run (no {RECORD}): name a folder that bench run made"
            )
        record = read_record(folder / RECORD, lambda: _refuse_damaged(folder, RECORD))
        arrays = {
            name: unpack_arrays(
                read_checked(folder / name, record[kind], partial(_refuse_damaged, folder, name))
            )
            for kind, name in (("curves", CURVES), ("extras", EXTRAS))
            if kind in record
        }
        scores = from_record(record, arrays[CURVES])
        return cls(folder, record, scores, arrays.get(EXTRAS, {}))

    @property
    def failed(self) -> dict[str, list[dict[str, Any]]]:
        """Failure records by row."""
        return {
            row: cell["failures"] for row, cell in self.record["rows"].items() if cell["failures"]
        }

    @cached_property
    def requests(self) -> list[Run]:
        """The runs of all requests, in their order; of one, or of one of several, this run."""
        count = self.record.get("requests", 0)
        if self.folder != self._home:
            return [self]
        folders = [request_folder(self.folder, number) for number in range(1, count + 1)]
        return [Run.load(folder) for folder in folders] or [self]

    @property
    def _home(self) -> Path:
        """The folder of the whole run, of which this may be one request."""
        request = self.record.get("request")
        inside = request is not None and self.folder.name == f"{REQUEST}{request}"
        return self.folder.parent if inside else self.folder

    def scores(self) -> pd.DataFrame:
        """All numbers, tidy: one line per row and readout."""
        from bench.results.tidy import long_table  # pandas, only for who wants a table

        return long_table(self)

    def table(self) -> pd.DataFrame:
        """The comparison as printed: rows are methods, columns readouts."""
        from bench.results.table import comparison

        return comparison(self)

    def comparisons(self) -> pd.DataFrame:
        """Every pair of methods on every readout: difference, interval, p, p after Holm, better."""
        from bench.results.compare import as_table

        return as_table(self.compared)

    @cached_property
    def compared(self) -> list[Comparison]:
        """Every pair of methods on every readout; a report needs them three times."""
        from bench.results.compare import compare

        return compare(self)

    def outputs(self, row: str) -> Population:
        """Logits of a row's models; needs the store beside the run."""
        beside = {"out": str(self._home.parent.parent)}
        config = Config.model_validate(self.record["config"] | beside)
        found = gather(Experiment(config).at(self.record.get("request")))
        rows = {**found.rows, "retrained": found.retrained}
        if row not in rows:
            raise UserError(f"no row '{row}' in {self.folder}; rows: {', '.join(rows)}")
        return rows[row]


def _refuse_damaged(folder: Path, name: str) -> None:
    home = folder.parent if folder.name.startswith(REQUEST) else folder
    raise UserError(
        f"damaged file {folder / name} (its checksum does not match): make it anew with: bench "
        f"score {home}"
    )


def request_folder(folder: Path, request: int | None) -> Path:
    """Where the records of one of several requests lie in a run's folder."""
    return folder if request is None else folder / f"{REQUEST}{request}"


def write_run(
    experiment: Experiment,
    folder: Path,
    scores: Scores,
    extras: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write the run's curves and extras, then its record."""
    arrays = {CURVES: pack_arrays(arrays_of(scores)), EXTRAS: pack_arrays(extras or {})}
    for name, content in arrays.items():
        write_atomic(folder / name, content)
    config, split, data = experiment.config, experiment.split, experiment.data
    record = {
        "config": config.model_dump(mode="json"),
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint,
            "note": data.note,
            "classes": list(data.classes),
        },
        "scenario": experiment.scenario.label,
        "split_note": split.note,
        "model": experiment.model.label,
        "precision": experiment.settings.precision,
        "sizes": {
            part: len(getattr(split, part))
            for part in ("train", "forget", "retain", "validation", "test")
        },
        "rows": {row: row_record(experiment, row) for row in experiment.methods},
        **request_record(experiment),
        "provenance": experiment.provenance,
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "settings": settings(experiment),
        "about": about(experiment),
        "curves": describe_file(folder / CURVES, arrays[CURVES]),
        "extras": describe_file(folder / EXTRAS, arrays[EXTRAS]),
        **as_record(scores),
    }
    write_record(folder / RECORD, record)


def settings(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Every parameter of what was chosen by name, defaults spelled out: runs can be compared."""
    return {kind: plugin.params for kind, plugin in _chosen(experiment).items()}


def _chosen(experiment: Experiment) -> dict[str, Plugin]:
    dataset = experiment.registry.resolve("datasets", experiment.config.dataset)
    return {"dataset": dataset, "scenario": experiment.scenario, "model": experiment.model}


def about(experiment: Experiment) -> dict[str, dict[str, str]]:
    """What the plugins' own files say of them, by label: a report travels without the code."""
    kinds = {"attacks": experiment.attacks, "methods": experiment.methods}
    kinds |= {kind: {plugin.label: plugin} for kind, plugin in _chosen(experiment).items()}
    return {
        kind: {label: about_of(plugin.target) for label, plugin in plugins.items()}
        for kind, plugins in kinds.items()
    }


def request_record(experiment: Experiment) -> dict[str, int]:
    """Which of several requests it is, of how many, and for how many examples it asks."""
    if experiment.request is None:
        return {}
    asked = len(experiment.split.asked)
    return {"request": experiment.request, "requests": len(experiment.requests), "asked": asked}


def row_record(experiment: Experiment, row: str) -> dict[str, Any]:
    """A method's costs, notes and failures over its cells."""
    plugin = experiment.methods[row]
    cells = [Cell("unlearn", row, member) for member in range(experiment.config.models)]
    there = [cell for cell in cells if experiment.has(cell)]
    records = [experiment.store.record("unlearn", experiment.key(cell)) for cell in there]
    prepared = []
    if plugin().prepares():
        starts = dict.fromkeys(experiment.start(cell.member) for cell in there)
        prepares = [Cell("prepare", row, start) for start in starts]
        prepared = [experiment.store.record("prepare", experiment.key(c)) for c in prepares]
    failures = [experiment.failure(row, cell.member) for cell in cells if cell not in there]
    return {
        "params": plugin.params,
        "code": plugin.version,
        "needs": list(plugin().requirements()),
        "done": len(there),
        "notes": [{"member": r["member"], "text": t} for r in records for t in r["notes"]],
        "cost": [r["cost"] for r in records],
        "prepares": plugin().prepares(),
        "prepare_cost": [r["cost"] for r in prepared],
        "carry_cost": [r["carry_cost"] for r in records if "carry_cost" in r],
        "failures": [
            {name: failure[name] for name in ("member", "stage", "reason", "file")}
            for failure in failures
            if failure
        ],
    }
