"""The configuration: one set of keys for recipes, command-line flags and ``--set key=value``."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bench.errors import UserError
from bench.params import Count, Momentum, NonNegative, OpenFraction, Positive, in_words
from bench.places import VARIABLE, data_home, named_home, places
from bench.real_or_fake import find_root
from bench.spelling import parse_value, spell_value, split_list, unknown

MINIATURE = "truefake-mini"
HERE = Path(__file__).resolve().parent
RECIPES = HERE / "configs" if (HERE / "configs").is_dir() else HERE.parent / "configs"

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

    model_config = ConfigDict(extra="forbid", frozen=True)


class TrainSettings(Settings):
    """How originals and retrained models are trained; all of it goes into their content keys.

    ``crop``: the side of what augment = detector leaves of a training image. ``views``: of how many
    augmented copies of an image a frozen backbone's features are kept (0: none are kept, and every
    epoch goes through the whole network). ``precision``: bf16 is bf16 arithmetic with fp32 weights;
    auto takes it where a short measurement says that it pays.
    """

    epochs: Count = 40
    batch_size: Count = 64
    optimizer: Literal["sgd", "adam"] = "sgd"
    lr: Positive = 0.1
    final_lr: NonNegative = 0.0
    schedule: Literal["constant", "cosine", "exponential"] = "cosine"
    momentum: Momentum = 0.9
    nesterov: bool = True
    weight_decay: NonNegative = 5e-4
    augment: Literal["none", "crop-flip", "detector"] = "none"
    crop: Count = 96
    views: Annotated[int, Field(ge=0)] = 4
    precision: Literal["auto", "fp32", "bf16"] = "fp32"

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
    """Everything a run depends on.

    The keys in ``NEUTRAL`` do not change its numbers. ``device``: cpu, one GPU (cuda:1), or cuda:
    the processes take all GPUs in turn; auto is cuda where there is a GPU, else cpu. ``jobs``: how
    many processes make models side by side; None: one for each GPU that is used, or each core.
    """

    dataset: str = "digits"
    subset: Annotated[int, Field(ge=10)] | None = None
    validation: OpenFraction = 0.15
    test: OpenFraction = 0.2
    scenario: str = "poison"
    model: str = "small-cnn"
    methods: SomeChoices = ["finetune", "neggrad", "ssd", "pgu"]
    attacks: SomeChoices = [
        "errors",
        "entropy",
        "membership",
        "forgetting-quality",
        "u-lira",
        "gap",
    ]
    models: Count = 20
    originals: Literal["each", "one"] = "each"
    seed: Annotated[int, Field(ge=0)] = 0
    retain_sample: Count = 2000
    timed: Annotated[int, Field(ge=0)] = 3
    plugins: ChoiceList = []
    train: TrainSettings = TrainSettings()

    jobs: Count | None = None
    device: str = "auto"
    out: str = "bench-results"
    data_dir: str | None = None
    download: bool = False
    backend: Literal["local", "dask"] = "local"
    scheduler: str | None = None

    @property
    def threads(self) -> int:
        """How many scores are computed side by side: ``jobs``, or one for each core."""
        return cores() if self.jobs is None else self.jobs

    def identity(self) -> dict[str, Any]:
        """The keys that decide a run's numbers."""
        found = self.model_dump(mode="json", exclude=NEUTRAL)
        if self.originals == "each":  # as it was before there was a choice
            del found["originals"]
        return found | {"train": self.train.identity()}


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
    for key, value in [*given.items(), *assigned.items()]:
        _assign(merged, key, value)
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        raise UserError(_explain(error)) from None


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


def _explain(error: ValidationError) -> str:
    """The first thing that is wrong: its key, its value, and what is allowed."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return str(unknown("key", key, known_keys()))
    if first["type"] == "model_type":
        return f"{key} is a table: set one of its keys, such as {key}.epochs"
    value = first["input"] if isinstance(first["input"], str) else spell_value(first["input"])
    return f"{key} = {value}: {in_words(first)}"


def known_keys() -> list[str]:
    """Every key that a recipe, a flag or --set may give."""
    top = [key for key in Config.model_fields if key != "train"]
    return [*top, *(f"train.{key}" for key in TrainSettings.model_fields)]
