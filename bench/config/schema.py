"""The configuration: one set of keys for recipes, command-line flags and ``--set key=value``."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from bench.builtin.datasets.formats.truefake import find_root
from bench.config.folders import VARIABLE, data_home, named_home, places
from bench.config.limits import Count, Momentum, NonNegative, OpenFraction, Positive, in_words
from bench.config.spelling import NONE, parse_value, spell_value, split_list, unknown
from bench.errors import UserError

CONFIG, RUNS = "config.toml", "runs"  # the recipe of a run, in its folder OUT/runs/NAME
MINIATURE = "truefake-mini"
RECIPES = Path(__file__).parent.parent / "configs"

ChoiceList = Annotated[
    list[str], BeforeValidator(lambda v: split_list(v) if isinstance(v, str) else v)
]


def _some(names: list[str]) -> list[str]:
    if not names:
        raise ValueError("name at least one, see bench list")
    return names


SomeChoices = Annotated[ChoiceList, AfterValidator(_some)]


class Settings(BaseModel):
    """Strict about names, lenient about how a number is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class TrainSettings(Settings):
    """How originals and retrained models are trained; all of it goes into their content keys."""

    epochs: Count = 40
    """Passes over the training set."""
    batch_size: Count = 64
    """Examples a step."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """What makes the steps."""
    lr: Positive = 0.1
    """Learning rate of the first epoch."""
    final_lr: NonNegative = 0.0
    """Learning rate that a schedule ends with."""
    schedule: Literal["constant", "cosine", "exponential"] = "cosine"
    """How the learning rate gets from lr to final_lr, a step an epoch."""
    momentum: Momentum = 0.9
    """Of sgd."""
    nesterov: bool = True
    """Whether sgd looks ahead."""
    weight_decay: NonNegative = 5e-4
    """L2 penalty."""
    augment: Literal["none", "crop-flip", "detector"] = "none"
    """What an epoch does to each image: as is usual for CIFAR, or for the TrueFake detector."""
    crop: Count = 96
    """Side of what augment = detector leaves of a training image."""
    views: Annotated[int, Field(ge=0)] = 4
    """Augmented copies of which a frozen backbone's features are kept; 0: none are."""
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    """bf16: bf16 arithmetic, fp32 weights; auto: that where a short measurement says it pays."""

    def identity(self) -> dict[str, Any]:
        """The settings that decide a model's weights; those with an effect, as keys have them."""
        found = self.model_dump(mode="json")
        return {key: value for key, value in found.items() if key not in LATER or LATER[key](self)}


LATER = {  # settings that not every recipe is changed by
    "crop": lambda settings: settings.augment == "detector",
    "views": lambda settings: settings.augment != "none",
}
NEUTRAL = {"jobs", "device", "out", "timed", "data_dir", "download", "backend", "scheduler"}


class Config(Settings):
    """Everything a run depends on. The keys in ``NEUTRAL`` do not change its numbers."""

    dataset: str = "digits"
    """Data set: one of bench list datasets."""
    subset: Annotated[int, Field(ge=10)] | None = None
    """Use only so many training images."""
    validation: OpenFraction = 0.15
    """Share of the training images held out, where the data set does not say which."""
    test: OpenFraction = 0.2
    """Share of all images for tests, where the data set does not say which."""
    scenario: str = "poison"
    """What is to be forgotten: one of bench list scenarios."""
    model: str = "small-cnn"
    """Network: one of bench list models."""
    methods: SomeChoices = ["finetune", "neggrad", "ssd", "pgu"]
    """Unlearning methods of bench list methods, or all."""
    attacks: SomeChoices = [
        "errors",
        "entropy",
        "membership",
        "forgetting-quality",
        "u-lira",
        "gap",
    ]
    """Scores of bench list attacks, or all."""
    models: Count = 20
    """N, the models of each population."""
    originals: Literal["each", "one"] = "each"
    """each: N originals are unlearned; one: one original N times."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Everything random follows from it."""
    retain_sample: Count = 2000
    """Retained examples, at most, whose outputs are stored."""
    timed: Annotated[int, Field(ge=0)] = 3
    """The first so many models of each method run alone on the machine, for their time."""
    plugins: ChoiceList = []
    """Files of your own methods and other plugins."""
    train: TrainSettings = TrainSettings()

    jobs: Count | None = None
    """Processes that make models side by side; none: one for each GPU in use, or each core."""
    device: str = "auto"
    """cpu; one GPU (cuda:1); cuda: all GPUs in turn; auto: cuda where there is a GPU, else cpu."""
    out: str = "bench-results"
    """Folder for results."""
    data_dir: str | None = None
    """Folder that holds data sets; none: BENCH_DATA_DIR, or bench-data."""
    download: bool = False
    """Whether a data set that is missing is fetched."""
    backend: Literal["local", "dask"] = "local"
    """Whose processes: this machine's, or a dask cluster's."""
    scheduler: str | None = None
    """Address of dask's scheduler."""

    @property
    def threads(self) -> int:
        """How many scores are computed side by side: ``jobs``, or one for each core."""
        return cores() if self.jobs is None else self.jobs

    def identity(self) -> dict[str, Any]:
        """The keys that decide a run's numbers."""
        found = self.model_dump(mode="json", exclude=NEUTRAL)
        if self.originals == "each":  # as it was before there was a choice
            del found["originals"]
        names = [Path(file).name for file in self.plugins]  # a file may have been moved
        return found | {"train": self.train.identity(), "plugins": names}


def cores() -> int:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def load_config(
    overrides: Mapping[str, Any], recipe: str | None = None, settings: tuple[str, ...] = ()
) -> Config:
    """Merge a recipe, the command line's flags and its ``--set`` pairs; later ones win.

    Without a named recipe, the one called like the data set is taken, if there is one.
    """
    assigned = dict(_read_assignment(text) for text in settings)
    given = {key: value for key, value in overrides.items() if value is not None}
    dataset = str(assigned.get("dataset", given.get("dataset", Config().dataset)))
    if dataset.partition("[")[0] == "truefake":
        of_recipe = read_recipe(recipe).get("data_dir") if recipe else None
        named = assigned.get("data_dir", given.get("data_dir", of_recipe))
        if not truefake_is_meant(named):
            dataset = MINIATURE
            assigned.pop("dataset", None)
            given["dataset"] = dataset
    if recipe is None and (RECIPES / f"{dataset.partition('[')[0]}.toml").exists():
        recipe = dataset.partition("[")[0]
    merged = read_recipe(recipe) if recipe else {}
    if recipe and Path(recipe).name == CONFIG and (results := results_of(Path(recipe).parent)):
        merged["out"] = str(results)
    for key, value in [*given.items(), *assigned.items()]:
        _assign(merged, key, None if value == NONE and _may_be_none(key) else value)
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        raise UserError(_explain(error)) from None


def results_of(folder: Path) -> Path | None:
    """The results folder that a run's ``folder`` lies in, wherever both were copied to."""
    return folder.parent.parent if folder.parent.name == RUNS else None


def truefake_is_meant(data_dir: str | None) -> bool:
    """Whether TrueFake is to be read: it is in the default place, or the user named a place.

    If not, says in a line that the miniature stands in.
    """
    with places(data_dir):
        home, is_named = data_home(), named_home() is not None
    if is_named or find_root(home) is not None:
        return True
    print(
        f"truefake: no copy in ./{home} (name its place with --data-dir or {VARIABLE}); using the "
        f"built-in miniature {MINIATURE}",
        file=sys.stderr,
    )
    return False


def recipes() -> dict[str, str]:
    """The recipes that come with the package: name -> first comment line."""
    lines = {path.stem: path.read_text().partition("\n")[0] for path in RECIPES.glob("*.toml")}
    return {name: line.lstrip("# ") for name, line in sorted(lines.items())}


def read_recipe(name: str) -> dict[str, Any]:
    """A TOML file by its path, or a recipe of the package by its name."""
    path = Path(name) if name.endswith(".toml") or "/" in name else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(recipes())
        raise UserError(f"--config {name}: no such file or recipe; recipes: {known}")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}") from error


def dump_toml(values: Mapping[str, Any]) -> str:
    """The TOML text of plain values, lists and one level of tables; None is left out."""
    lines, tables = [], []
    for key, value in values.items():
        if isinstance(value, Mapping):
            tables.append(f"\n[{key}]\n{dump_toml(value)}")
        elif value is not None:
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines + tables)


def _read_assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {text}: write key=value, for example --set train.epochs=10")
    return key.strip(), parse_value(value)


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise UserError(f"--set {key}: '{table}' is not a table")
    if isinstance(value, Mapping) and isinstance(values.get(last), dict):
        values[last].update(value)
    else:
        values[last] = value


def _may_be_none(key: str) -> bool:
    field = known_keys().get(key)
    return field is not None and type(None) in get_args(field.annotation)


def _explain(error: ValidationError) -> str:
    """The first thing that is wrong: its key, its value, and what is allowed."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return str(unknown("key", key, list(known_keys())))
    if first["type"] == "model_type":
        return f"{key} is a table: set one of its keys, such as {key}.epochs"
    value = first["input"] if isinstance(first["input"], str) else spell_value(first["input"])
    return f"{key} = {value}: {in_words(first)}"


def known_keys() -> dict[str, FieldInfo]:
    """Every key that a recipe, a flag or --set may give, with its type and default."""
    top = {key: field for key, field in Config.model_fields.items() if key != "train"}
    return top | {f"train.{key}": field for key, field in TrainSettings.model_fields.items()}
