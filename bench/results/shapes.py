"""What has to stand in run.json and manifest.json before a report or a score is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from bench.config.shapes import MOST, Amount, Index, Number, Shape, Text
from bench.plugins.rows import RETRAIN
from bench.stages.shapes import CostShape

Texts = dict[str, Text]
StageName = Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]  # folders and files of the store
Member = Annotated[str, Field(pattern=r"^[0-9]{1,5}$")]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class NoteShape(Shape):
    """What one model's method said of itself."""

    member: Index
    text: Text


class FailureShape(Shape):
    """Why one model could not be made."""

    member: Index
    stage: Text
    reason: Text
    file: Text


class RowShape(Shape):
    """A method: its parameters, what it needs, what it cost, and how it failed."""

    params: dict[str, Any]
    needs: list[Text]
    prepares: bool
    done: Index
    notes: list[NoteShape]
    cost: list[CostShape]
    prepare_cost: list[CostShape]
    carry_cost: list[CostShape]
    failures: list[FailureShape]


class DataShape(Shape):
    """The data set of a run."""

    name: Text
    fingerprint: Text
    note: Text
    classes: Annotated[list[Text], Field(min_length=2)]


class ConfigShape(Shape):
    """The little of a configuration that reports compute with."""

    models: Annotated[int, Field(ge=1, le=MOST)]
    seed: Amount
    methods: list[Text]


class SizesShape(Shape):
    """Numbers of examples."""

    train: Amount
    forget: Amount
    retain: Amount
    validation: Amount
    test: Amount


class FileShape(Shape):
    """A file beside the record."""

    file: Text
    bytes: Amount
    sha256: Text


class CommitShape(Shape):
    """The git state of the source tree that made a run."""

    commit: Text
    changed: bool


class ProvenanceShape(Shape):
    """Versions and machine, as ``bench.storage.provenance`` writes them."""

    bench: Text
    python: Text
    libraries: dict[str, Text]
    system: Text
    processor: Text
    cores: Amount | None
    memory_gib: Number | None
    device: Text
    git: CommitShape | None
    command: Text


class RunShape(Shape):
    """The record of a run, without its scores (``bench.plugins.scores``)."""

    config: ConfigShape
    data: DataShape
    scenario: Text
    model: Text
    precision: Text
    split_note: Text = ""
    sizes: SizesShape
    rows: dict[str, RowShape]
    request: Annotated[int, Field(ge=1, le=MOST)] | None = None
    requests: Index = 0
    provenance: ProvenanceShape
    finished: Text
    settings: dict[str, dict[str, Any]]
    about: dict[str, Texts]
    curves: FileShape
    extras: FileShape

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if RETRAIN not in self.rows:
            raise ValueError(f"rows lack {RETRAIN}")
        kinds = {"dataset", "scenario", "model"}
        for name, part, wanted in (
            ("settings", self.settings, kinds),
            ("about", self.about, kinds | {"methods", "attacks"}),
        ):
            if missing := wanted - part.keys():
                raise ValueError(f"{name} lack {', '.join(sorted(missing))}")
        return self


class CellShape(Shape):
    """The cells of one population."""

    model_config = ConfigDict(strict=True, extra="forbid")

    stage: StageName
    row: Text
    member: Index
    request: Index | None
    attack: Text


class MethodShape(Shape):
    """What a manifest says of a method."""

    params: dict[str, Any]
    needs: list[Text]
    prepares: bool


class ManifestShape(Shape):
    """The manifest of a run."""

    keys: list[Annotated[tuple[CellShape, dict[Member, Key]], Field(strict=False)]]
    outputs: list[Text]
    methods: dict[str, MethodShape]
    settings: dict[str, dict[str, Any]]
    about: dict[str, Texts]
    labels: Texts
    precision: Text
    provenance: dict[str, Any]
    audit: dict[str, Any]
