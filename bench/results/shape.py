"""The shape of what a run's folder holds: it may come from anybody, with checksums that are right.

What reports and scores rely on stands here as types; more may be in a record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.config.limits import Natural
from bench.errors import UserError
from bench.outside import shown
from bench.plugins.outputs import Panel, Readout, Score

Models = Annotated[int, Field(ge=1, le=20_000)]
Requests = Annotated[int, Field(ge=1, le=10_000)]
Member = Annotated[str, Field(pattern="^[0-9]{1,6}$")]
Key = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]  # a name of a file, never a path
Texts = dict[str, str]


class Shape(BaseModel):
    """Some keys of a table, with values that need no conversion."""

    model_config = ConfigDict(extra="allow", strict=True)


class Described(Shape):
    """A file beside a record."""

    bytes: Natural
    sha256: str


class Cost(Shape):
    """What a cell cost."""

    time_s: float | None
    forward_examples: float | None = None
    backward_examples: float | None = None
    peak_memory_mb: float | None = None


class Note(Shape):
    """What a method said of a model."""

    member: Natural
    text: str


class Failure(Shape):
    """Why a cell failed."""

    member: Natural
    stage: str
    reason: str
    file: str


class Row(Shape):
    """A method's cells."""

    params: dict[str, Any]
    needs: list[str]
    prepares: bool
    done: Natural
    notes: list[Note]
    cost: list[Cost]
    prepare_cost: list[Cost]
    carry_cost: list[Cost]
    failures: list[Failure]


class Population(Shape):
    """Of a run's configuration, what comparisons take from it."""

    models: Models
    seed: Natural


class DataSet(Shape):
    """What a report says of the data."""

    name: str
    fingerprint: str
    note: str
    classes: list[str]


class Curve(Shape):
    """What a record says of an array beside it."""

    row: str


class RunShape(Shape):
    """``run.json``."""

    config: Population
    data: DataSet
    scenario: str
    split_note: str = ""
    model: str
    precision: str
    sizes: dict[str, Natural]
    rows: dict[str, Row]
    request: Requests | None = None
    requests: Requests = 1
    asked: Natural = 0
    provenance: dict[str, Any]
    finished: str
    settings: dict[str, dict[str, Any]]
    about: dict[str, Texts]
    readouts: list[Readout]
    scores: list[Score]
    panels: list[Panel] = []
    arrays: dict[str, list[Curve]]
    notes: list[str]
    curves: Described
    extras: Described


class StoredCell(Shape):
    """A cell as a manifest names it."""

    stage: str
    row: str
    member: Natural
    request: Requests | None
    attack: str


class MethodShape(Shape):
    """What a manifest says of a method."""

    params: dict[str, Any]
    code: str
    needs: list[str]
    prepares: bool


class ManifestShape(Shape):
    """``manifest.json``."""

    keys: list[tuple[StoredCell, dict[Member, Key]]]
    outputs: list[str]
    methods: dict[str, MethodShape]
    settings: dict[str, dict[str, Any]]
    about: dict[str, Texts]
    labels: Texts
    precision: str
    provenance: dict[str, Any]


def check_shape(shape: type[Shape], record: Mapping[str, Any], file: Path, advice: str) -> None:
    """Raise UserError, which ends in ``advice``, where a record lacks what its readers rely on."""
    text = json.dumps(record, ensure_ascii=False).encode(errors="replace")  # names of any bytes
    try:
        shape.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{shown(file)} does not hold what this version writes ({shown(place)}: "
            f"{shown(first['msg'])}): {advice}"
        ) from None
