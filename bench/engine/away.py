"""Scoring where the data set is not: what of it a run keeps beside its records, and reads again.

Scores and reports need labels, names and the few images that a report shows. A run's folder keeps
them, so that a copy of the results can be scored on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.config.schema import CONFIG, Config, TrainSettings, read_recipe, results_of
from bench.engine.local import plan
from bench.errors import UserError
from bench.plugins.dataset import Data
from bench.results.extras import shown
from bench.stages.context import Cell, Experiment
from bench.storage.files import write_atomic
from bench.storage.records import (
    describe_file,
    pack_arrays,
    read_checked,
    read_record,
    unpack_arrays,
    write_record,
)

RECORD, ARRAYS = "data.json", "data.npz"
TOLD = ("name", "classes", "scale", "note", "fingerprint")
FIXED = ("validation", "test", "groups")


def keep(experiment: Experiment, folder: Path) -> None:
    """Write what scoring needs of the data set into a run's folder."""
    data, steps = experiment.data, experiment.requests
    arrays = {"labels": data.labels}
    arrays |= {name: found for name in FIXED if (found := getattr(data, name)) is not None}
    if not data.is_table:
        places = np.unique(np.concatenate([step.split.train[shown(step.split)] for step in steps]))
        arrays |= {"places": places, "images": np.stack([data.images[at] for at in places])}
    content = pack_arrays(arrays, compressed=True)
    write_atomic(folder / ARRAYS, content)
    record = {name: getattr(data, name) for name in TOLD}
    record |= {"frozen": experiment.frozen is not None, "provenance": experiment.provenance}
    record |= {"precision": experiment.settings.precision, "shape": list(data.images.shape)}
    write_record(folder / RECORD, record | {"arrays": describe_file(folder / ARRAYS, content)})


class _Images:
    """The few images that are kept, by their places in the whole."""

    dtype = np.dtype(np.uint8)

    def __init__(self, shape: tuple[int, ...], places: np.ndarray, images: np.ndarray):
        self.shape = shape
        self._kept = dict(zip(places.tolist(), images, strict=True))

    def __getitem__(self, place: int) -> np.ndarray:
        return self._kept[int(place)]


class _Data(Data):
    """A data set of which the images are elsewhere: checked when it was there."""

    def __post_init__(self) -> None:
        pass


class Away(Experiment):
    """The experiment of a run's folder, for scoring: no data set is read, no network is made."""

    def __init__(self, folder: Path, plugins: Sequence[str] = ()):
        """Raises UserError where ``folder`` lacks what scoring needs.

        ``plugins``: files to be used for those of the same names that the run was made with.
        """
        if not (folder / CONFIG).is_file():
            raise UserError(f"{folder} holds no run (no {CONFIG}): name a folder of OUT/runs")
        super().__init__(_config_of(folder, plugins))
        self.folder = folder
        if not (folder / RECORD).is_file():
            raise self._remade(f"{folder} says nothing of its data set (no {RECORD})")
        self._told = read_record(folder / RECORD, lambda: self._lost(RECORD))
        arrays = self._told["arrays"]
        content = read_checked(folder / ARRAYS, arrays, lambda: self._lost(ARRAYS))
        self._arrays = unpack_arrays(content)

    def _lost(self, name: str) -> None:
        raise self._remade(f"damaged file {self.folder / name} (its checksum does not match)")

    def _remade(self, what: str) -> UserError:
        command = f"bench run --config {self.folder / CONFIG} --until predict"
        return UserError(f"{what}: make it where the data set is, with: {command}")

    @cached_property
    def data(self) -> Data:
        told, arrays = self._told, self._arrays
        kept = arrays.get("places", np.array([])), arrays.get("images", ())
        data = _Data(
            name=told["name"],
            images=_Images(tuple(told["shape"]), *kept),
            labels=arrays["labels"],
            classes=tuple(told["classes"]),
            scale=told["scale"],
            note=told["note"],
            **{name: arrays.get(name) for name in FIXED},
        )
        data.__dict__["fingerprint"] = told["fingerprint"]
        return data

    @cached_property
    def frozen(self) -> Any:
        return self._told["frozen"] or None

    @property
    def settings(self) -> TrainSettings:
        return self.config.train.model_copy(update={"precision": self._told["precision"]})

    @property
    def provenance(self) -> dict[str, Any]:
        """Of where the models were made: their times are from there."""
        return self._told["provenance"]

    def check(self) -> None:
        """Raise UserError where something that scores are computed from is not in the store."""
        if not self.store.has("split", self.split.key):
            raise self._remade(f"the split is missing in {self.store.folder}")
        missing = [cell for step in self.requests for cell in _missing(step)]
        if missing:
            cell = missing[0]
            raise self._remade(
                f"{len(missing)} cells are missing in {self.store.folder} (the first: {cell.stage} "
                f"of {cell.row} {cell.member})"
            )


def _config_of(folder: Path, plugins: Sequence[str]) -> Config:
    """A run's configuration, with its results and plugins where they are now."""
    out = results_of(folder.resolve())
    if out is None:
        raise UserError(
            f"{folder} lies in no results folder: scoring reads OUT/store beside OUT/runs/NAME, "
            "so copy the whole of OUT"
        )
    config = Config.model_validate(read_recipe(str(folder / CONFIG)))
    given = {Path(file).name: file for file in plugins}
    files = [given.get(Path(file).name, file) for file in config.plugins]
    for file in files:
        if not Path(file).is_file():
            raise UserError(f"{folder} needs the plugin {Path(file).name}: add --plugin FILE")
    return config.model_copy(update={"out": str(out), "plugins": files})


def _missing(step: Experiment) -> list[Cell]:
    """The cells of a request that are neither there nor failed."""

    def has_failed(row: str, member: int) -> bool:
        start = step.failure(row, step.start(member))  # where nothing was prepared for any
        return bool(step.failure(row, member) or (start and start["stage"] == "prepare"))

    members = range(step.config.models)
    failed = {(row, i) for row in step.methods for i in members if has_failed(row, i)}
    cells = [cell for cells in plan(step) for cell in cells]
    return [c for c in cells if (c.row, c.member) not in failed and not step.has(c)]
