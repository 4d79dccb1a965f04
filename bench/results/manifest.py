"""The manifest of a run: the key of every cell, and what its methods and plugins say of themselves.

It is written into the run's folder before any cell is made. With it and the store, a copy of the
results can be scored and read on any machine, without the data set and without a method's code.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.config.load import CONFIG, check_config, read_recipe, results_of
from bench.config.schema import Config
from bench.config.shapes import check_shape
from bench.errors import UserError
from bench.outside import shown
from bench.results.shapes import ManifestShape
from bench.stages.cell import Cell
from bench.stages.context import Context, Stage
from bench.storage.records import read_record, write_record
from bench.storage.store import content_key

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a run consists of.

    ``keys``: content key by cell, of all but the scores. ``methods``: by label its parameters, the
    version of its code, what it needs and whether it prepares statistics. ``settings``: parameters
    of data set, scenario and model, defaults included. ``outputs``: the stages whose artefacts
    scores are computed from. ``about``: the plugins' own descriptions, by kind and label.
    ``precision``: of the arithmetic that models are trained in. ``audit``: the notes and copies
    that were found before training.
    """

    keys: Mapping[Cell, str]
    outputs: Sequence[str]
    methods: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Mapping[str, Any]]
    about: Mapping[str, Mapping[str, str]]
    labels: Mapping[str, str]
    precision: str
    provenance: Mapping[str, Any]
    audit: Mapping[str, Any] = field(default_factory=dict)


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest of a run into its folder."""
    populations: dict[Cell, dict[str, str]] = {}
    for cell, key in manifest.keys.items():
        populations.setdefault(replace(cell, member=0), {})[str(cell.member)] = key
    keys = [[asdict(cell), members] for cell, members in populations.items()]
    rest = {name: value for name, value in vars(manifest).items() if name != "keys"}
    write_record(folder / MANIFEST, {"keys": keys, **rest})


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a run's folder; raises UserError where there is none or it is damaged."""
    file = folder / MANIFEST
    if not (folder / CONFIG).is_file():
        raise UserError(f"{folder} holds no run (no {CONFIG}): name a folder of OUT/runs")
    if not file.is_file():
        raise _incomplete(folder, f"{folder} does not say what it consists of (no {MANIFEST})")
    record = read_record(file, lambda: _refuse_damaged(folder))
    again = resume(folder, until="predict")
    check_shape(ManifestShape, record, file, f"write it again with: {again}")
    keys = {
        replace(Cell(**cell), member=int(member)): key
        for cell, members in record["keys"]
        for member, key in members.items()
    }
    values = {name: record[name] for name in Manifest.__dataclass_fields__}
    return Manifest(**values | {"keys": keys})


def _refuse_damaged(folder: Path) -> None:
    raise _incomplete(folder, f"damaged file {folder / MANIFEST} (its checksum does not match)")


def _incomplete(folder: Path, what: str) -> UserError:
    command = resume(folder, until="predict")
    return UserError(f"{what}: make it where the data set is, with: {command}")


def resume(folder: Path, until: str = "") -> str:
    """The command that goes on with a run; it names the run's plugins, as the user has to."""
    try:
        plugins = stored_config(folder).plugins
    except UserError:
        plugins = []
    named = "".join(f" --plugin {shlex.quote(file)}" for file in plugins)
    stop = f" --until {until}" if until else ""
    return f"bench run --config {shlex.quote(str(folder / CONFIG))}{named}{stop}"


def stored_context(
    folder: Path, manifest: Manifest, stages: Mapping[str, Stage], plugins: Sequence[str] = ()
) -> Context:
    """The context of a run's folder: its keys as its manifest has them, and no data set.

    ``plugins``: files of the run's own attacks; no plugin that the folder names is ever loaded.
    Raises UserError where the folder lies in no results folder.
    """
    config = stored_config(folder).model_copy(update={"plugins": list(plugins)})
    return Context(config, stages, keys=manifest.keys, methods=list(manifest.methods))


def stored_config(folder: Path) -> Config:
    """The configuration of a run, with its results folder where it lies now."""
    out = results_of(folder.resolve())
    if out is None:
        raise UserError(
            f"{folder} lies in no results folder: its models' outputs are in OUT/store beside "
            "OUT/runs/NAME, so copy the whole of OUT"
        )
    return _read_config(folder).model_copy(update={"out": str(out)})


def _read_config(folder: Path) -> Config:
    """The configuration that a run's folder holds; UserError where it is none."""
    file = folder / CONFIG
    return check_config(read_recipe(str(file)), f"{shown(file)}: ")


def digest(config: Config, fingerprint: str) -> str:
    """What the name of a run's folder ends in: another one for other settings or data."""
    return content_key(config=config.identity(), data=fingerprint)[:8]


def refuse_edited(folder: Path, fingerprint: str) -> None:
    """Raise UserError where the configuration is not the one that the folder's name stands for.

    ``fingerprint``: of the data that the run was made of. A folder that the user renamed to
    something without a digest cannot be checked.
    """
    name = folder.resolve().name
    stated = re.search(r"-([0-9a-f]{8})$", name)
    if stated and stated[1] != digest(stored_config(folder), fingerprint):
        raise UserError(
            f"{shown(folder / CONFIG)} was edited, or is of another version: it is not the "
            f"configuration of the run {shown(name)}; undo the change, or make the other run with: "
            f"{resume(folder)}"
        )


def is_edited(folder: Path, recorded: Mapping[str, Any]) -> bool:
    """Whether the configuration in a folder differs from the one that its record was made with."""
    if not (folder / CONFIG).exists():
        return False
    try:
        return _read_config(folder).identity() != check_config(recorded).identity()
    except UserError:
        return True


def missing_cells(context: Context, manifest: Manifest) -> list[Cell]:
    """The cells of a run that are neither stored nor failed."""
    return [c for c in manifest.keys if not context.has_record(c) and not context.failure(c)]


def refuse_incomplete(folder: Path, context: Context, manifest: Manifest) -> None:
    """Raise UserError where something that scores are computed from is not in the store.

    Weights are not: a copy of the results may leave them out.
    """
    missing = [cell for cell in missing_cells(context, manifest) if cell.stage in manifest.outputs]
    if missing:
        raise _incomplete(
            folder,
            f"{len(missing)} cells are missing in {context.store.folder} (the first: {missing[0]})",
        )
