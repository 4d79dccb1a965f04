"""The settings of a run: one set of keys for recipes, command-line options and ``--set``.

The text under each field is the help of its option and the description in ``bench list keys``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo

from bench.config.limits import (
    Count,
    Momentum,
    Natural,
    NonNegative,
    OpenFraction,
    Positive,
    storable,
    without_truth,
)
from bench.config.spelling import split_list
from bench.outside import user_path


def _split(value: Any) -> Any:
    return split_list(value) if isinstance(value, str) else value


def _refuse_empty(names: list[str]) -> list[str]:
    if not names:
        raise ValueError("name at least one, see bench list")
    return names


def _refuse_impossible(path: str) -> str:
    user_path(path)
    return path


ChoiceList = Annotated[list[str], BeforeValidator(_split)]
FolderName = Annotated[str, AfterValidator(_refuse_impossible)]
SomeChoices = Annotated[ChoiceList, AfterValidator(_refuse_empty)]


@dataclass(frozen=True)
class Flag:
    """How the command line spells a setting, where that does not follow from its name and type."""

    metavar: str = ""
    example: str = ""
    short: str = ""
    name: str = ""
    repeated: bool = False


class Settings(BaseModel):
    """Strict about names, lenient about how a number is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _without_truth(cls, value: Any, field: ValidationInfo) -> Any:
        return without_truth(value, cls.model_fields[str(field.field_name)].annotation)

    @field_validator("*", mode="after")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        return value if isinstance(value, Settings) else storable(value)


class TrainSettings(Settings):
    """How original and retrained models are trained; part of the content keys of both."""

    epochs: Count = 40
    """Number of passes over the training set."""
    batch_size: Count = 64
    """Number of examples in each optimizer step."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """Optimizer."""
    lr: Positive = 0.1
    """Learning rate of the first epoch."""
    final_lr: NonNegative = 0.0
    """Learning rate at the end of the schedule."""
    schedule: Literal["constant", "cosine", "exponential"] = "cosine"
    """How the learning rate moves from lr to final_lr; it changes once per epoch."""
    momentum: Momentum = 0.9
    """Momentum of sgd."""
    nesterov: bool = True
    """Whether sgd uses Nesterov momentum."""
    weight_decay: NonNegative = 5e-4
    """Strength of the L2 penalty on weights."""
    augment: Literal["none", "crop-flip", "detector"] = "none"
    """Random changes to training images: those usual for CIFAR, or those of a detector of fakes."""
    crop: Count = 96
    """Side in pixels of the part of a training image that augment = detector keeps."""
    views: Natural = 4
    """Number of augmented copies whose features a frozen backbone keeps; 0 keeps none."""
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    """bf16 computes in bf16 with fp32 weights; auto does so where a short test finds it faster."""

    def identity(self) -> dict[str, Any]:
        """The settings that decide a model's weights, without those that have no effect here."""
        settings = self.model_dump(mode="json")
        return {
            key: value
            for key, value in settings.items()
            if key not in CONDITIONAL or CONDITIONAL[key](self)
        }


# Settings that change a model only where this holds.
CONDITIONAL: dict[str, Callable[[TrainSettings], bool]] = {
    "crop": lambda settings: settings.augment == "detector",
    "views": lambda settings: settings.augment != "none",
}
NEUTRAL = {"jobs", "device", "out", "timed", "data_dir", "download", "backend", "scheduler"}


class Config(Settings):
    """Everything that a run depends on. The keys in ``NEUTRAL`` do not change its numbers."""

    dataset: Annotated[str, Flag("NAME", "cifar10 or npz:PATH")] = "digits"
    """Data set; run `bench list datasets`."""
    subset: Annotated[int, Field(ge=10)] | None = None
    """Number of training images to use; by default all."""
    validation: Annotated[OpenFraction, Flag("FRACTION")] = 0.15
    """Fraction of the training images to hold out, where the data set has no validation set."""
    test: Annotated[OpenFraction, Flag("FRACTION")] = 0.2
    """Fraction of all images to hold out, where the data set has no test set."""
    scenario: Annotated[str, Flag("NAME", "class or poison[rate=0.2,flip=any]")] = "poison"
    """Rule that picks the forget set; run `bench list scenarios`."""
    copies: Literal["keep", "with"] = "keep"
    """Whether equal copies of a forgotten training example stay, or are forgotten with it."""
    model: Annotated[str, Flag("NAME", "resnet18 or small-cnn[width=32]")] = "small-cnn"
    """Network; run `bench list models`."""
    methods: Annotated[SomeChoices, Flag("NAMES", "pgu,ssd[alpha=5]", "-m")] = [
        "finetune",
        "neggrad",
        "ssd",
        "pgu",
    ]
    """Unlearning methods to compare, or all; run `bench list methods`."""
    attacks: Annotated[SomeChoices, Flag("NAMES", "errors,membership")] = [
        "errors",
        "entropy",
        "membership",
        "forgetting-quality",
        "u-lira",
        "gap",
    ]
    """Attacks and other scores to compute, or all; run `bench list attacks`."""
    models: Count = 20
    """Number of models in each population."""
    originals: Literal["each", "one"] = "each"
    """each: every unlearned model starts from an original of its own; one: all from the same."""
    seed: Natural = 0
    """Master seed; every random choice derives from it."""
    retain_sample: Count = 2000
    """Largest number of retained examples whose outputs are stored."""
    timed: Natural = 3
    """Number of models of each method that run alone on the machine, for a fair timing."""
    plugins: Annotated[ChoiceList, Flag("FILE", short="-p", name="--plugin", repeated=True)] = []
    """File with your own method or other plugin."""
    train: TrainSettings = TrainSettings()

    jobs: Annotated[Count | None, Flag(short="-j")] = None
    """Number of worker processes; by default one per GPU in use, or one per core."""
    device: Annotated[str, Flag("NAME", "cuda:1")] = "auto"
    """cpu, a single GPU, cuda for all GPUs in turn, or auto for GPUs where there are any."""
    out: Annotated[FolderName, Flag("FOLDER")] = "bench-results"
    """Folder that results are written to."""
    data_dir: Annotated[FolderName | None, Flag("FOLDER")] = None
    """Folder that holds data sets; by default what BENCH_DATA_DIR names, or bench-data."""
    download: bool = False
    """Download a data set that is missing, where its authors allow that."""
    backend: Literal["local", "dask"] = "local"
    """Whether processes of this machine or a dask cluster make the models."""
    scheduler: Annotated[str | None, Flag("ADDRESS", "tcp://host:8786")] = None
    """Address of the dask scheduler."""

    @property
    def threads(self) -> int:
        """Number of scores to compute in parallel: ``jobs``, or one per core."""
        return cores() if self.jobs is None else self.jobs

    def identity(self) -> dict[str, Any]:
        """The keys that decide a run's numbers."""
        keys = self.model_dump(mode="json", exclude=NEUTRAL)
        if self.originals == "each":  # older keys know no other choice
            del keys["originals"]
        if self.copies == "keep":
            del keys["copies"]
        names = [Path(file).name for file in self.plugins]  # a file may have been moved
        return keys | {"train": self.train.identity(), "plugins": names}


def cores() -> int:
    """Number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def known_keys() -> dict[str, FieldInfo]:
    """Every key that a recipe, an option or ``--set`` may give, with its type and default."""
    top = {key: field for key, field in Config.model_fields.items() if key != "train"}
    return top | {f"train.{key}": field for key, field in TrainSettings.model_fields.items()}
