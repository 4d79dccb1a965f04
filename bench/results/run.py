"""A finished run as a Python object, read from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.config.shapes import check_shape
from bench.errors import UserError
from bench.outside import printable, reading
from bench.plugins.outputs import Population, Scores
from bench.plugins.scores import SCORES_SHAPE, check_scores, from_record, refuse_older
from bench.results.extras import check_extras
from bench.results.finished import Comparison
from bench.results.layout import CURVES, EXTRAS, RECORD, REQUEST, request_folder
from bench.results.manifest import read_manifest, refuse_incomplete, stored_context
from bench.results.shapes import RunShape
from bench.stages.gather import StoredOutputs
from bench.storage.records import read_checked, read_record, unpack_arrays

if TYPE_CHECKING:
    import pandas as pd

MOST_ARRAYS = 2**28  # bytes of arrays beside a record


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder; reports are made from this alone.

    Of several requests, one after another, each is a run of its own in ``requests``; the run's own
    record and scores are those after the last one. ``extras``: what bench/results/extras.py made.
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
        refuse_older(record)
        for shape in (RunShape, SCORES_SHAPE):
            check_shape(shape, record, folder / RECORD, f"write it again with: {_remake(folder)}")
        arrays = {name: _read_arrays(folder, name, record) for name in (CURVES, EXTRAS)}
        record = _printable(record)
        with reading(folder / RECORD, "the scores of a run"):
            scores = from_record(record, arrays[CURVES])
            check_scores(str(folder / RECORD), scores)
        with reading(folder / EXTRAS, "arrays of a run"):
            check_extras(arrays[EXTRAS], len(record["data"]["classes"]))
        return cls(folder, record, scores, _printable(arrays[EXTRAS]))

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
        """Logits of a row's models, from the store of the results folder; no data set is needed.

        Raises UserError for an unknown row, and where the store was not copied along.
        """
        manifest = read_manifest(self._home)
        context = stored_context(self._home, manifest, stages={})
        refuse_incomplete(self._home, context, manifest)
        stored = StoredOutputs(context).at(self.record.get("request"))
        rows = _printable(stored.rows_and_retrained)
        if row not in rows:
            raise UserError(f"no row '{row}' in {self.folder}; rows: {', '.join(rows)}")
        return rows[row]


def _printable(value: Any, keep: str = "") -> Any:
    """The same content without control characters: names may come from anybody's folder.

    Only what plugins say of themselves (``about``) has several lines.
    """
    if isinstance(value, str):
        return printable(value, keep)
    if isinstance(value, dict):
        return {
            printable(name): _printable(inner, "\n" if name == "about" else keep)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_printable(inner, keep) for inner in value]
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        texts = [printable(str(text)) for text in value.flat]
        return np.array(texts, dtype=str).reshape(value.shape)
    return value


def _read_arrays(folder: Path, name: str, record: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays in a file beside a record."""
    description = record[Path(name).stem]
    if description["bytes"] > MOST_ARRAYS:
        raise UserError(f"{folder / name} has more than {MOST_ARRAYS:,} bytes: no run writes those")
    content = read_checked(folder / name, description, partial(_refuse_damaged, folder, name))
    return unpack_arrays(content, folder / name)


def _refuse_damaged(folder: Path, name: str) -> None:
    raise UserError(
        f"damaged file {folder / name} (its checksum does not match): write it again with: "
        f"{_remake(folder)}"
    )


def _remake(folder: Path) -> str:
    return f"bench score {folder.parent if folder.name.startswith(REQUEST) else folder}"
