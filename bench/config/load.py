"""Reads configurations: merges recipes with what was typed, and explains what is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.config.limits import explain_error, may_be_none
from bench.config.schema import Config, known_keys
from bench.config.spelling import NONE, parse_value, quote, spell_value, split_list, unknown
from bench.errors import UserError
from bench.outside import read_text, reading, shown, user_path

CONFIG, RUNS = "config.toml", "runs"  # the recipe of a run, in its folder OUT/runs/NAME
LONGEST_RECIPE, MOST_DOTS = 2**16, 200  # bytes, dots in a key: tomllib takes minutes for more
RECIPES = Path(__file__).parent.parent / "configs"


def load_config(
    overrides: Mapping[str, Any], recipe: str | None = None, settings: Sequence[str] = ()
) -> Config:
    """Merge a recipe, options and ``--set`` pairs into one configuration; later ones win.

    Parameters
    ----------
    overrides
        Values by key, such as ``{"models": 5, "train.epochs": 10}``; None means not given.
    recipe
        Name or path of a recipe. By default the recipe named like the data set, if there is one.
    settings
        Texts ``key=value``, as ``--set`` takes them.

    Raises
    ------
    UserError
        Where a key is unknown, a value is not allowed or the recipe cannot be read.
    """
    typed = merge_typed(overrides, settings)
    recipe = recipe or _default_recipe(str(typed.get("dataset", Config().dataset)))
    values = read_recipe(recipe) if recipe else {}
    if recipe and Path(recipe).name == CONFIG and (results := results_of(Path(recipe).parent)):
        values["out"] = str(results)
        _refuse_unnamed_plugins(recipe, values.get("plugins"), typed)
    for key, value in typed.items():
        _assign(values, key, None if value == NONE and _accepts_none(key) else value)
    return check_config(values)


def check_config(values: Mapping[str, Any], where: str = "") -> Config:
    """The configuration of these values; ``where`` they stand precedes what is wrong with them."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{where}{_explain(error)}") from None
    except RecursionError as error:
        raise UserError(f"{where}a value is nested too deeply") from error


def _refuse_unnamed_plugins(recipe: str, plugins: Any, typed: Mapping[str, Any]) -> None:
    """Raise UserError where a run's own folder, which anybody may have sent, names plugins."""
    if plugins and "plugins" not in typed:
        files = split_list(plugins) if isinstance(plugins, str) else plugins
        named = " ".join(f"--plugin {file}" for file in files)
        raise UserError(
            f"{shown(recipe)} names plugins, whose code would be executed: if you trust them, name "
            f"them yourself: {shown(named)}"
        )


def merge_typed(overrides: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """What a user typed, by key: the options that were given, then ``--set`` pairs, which win."""
    assigned = dict(_read_assignment(text) for text in settings)
    given = {key: value for key, value in overrides.items() if value is not None}
    return {key: value for key, value in given.items() if key not in assigned} | assigned


def _default_recipe(dataset: str) -> str | None:
    name = dataset.partition("[")[0]
    return name if name in {path.stem for path in RECIPES.glob("*.toml")} else None


def results_of(folder: Path) -> Path | None:
    """The results folder that contains a run's ``folder``, wherever both were copied to."""
    return folder.parent.parent if folder.parent.name == RUNS else None


def recipes() -> dict[str, str]:
    """The recipes that come with the package: name -> first comment line."""
    lines = {path.stem: path.read_text().partition("\n")[0] for path in RECIPES.glob("*.toml")}
    return {name: line.lstrip("# ") for name, line in sorted(lines.items())}


def read_recipe(name: str) -> dict[str, Any]:
    """Read a TOML file by its path, or a recipe of the package by its name."""
    path = Path(name) if name.endswith(".toml") or "/" in name else RECIPES / f"{name}.toml"
    if not user_path(path).exists():
        known = ", ".join(recipes())
        raise UserError(f"--config {shown(name)}: no such file or recipe; recipes: {known}")
    with reading(path, "a recipe (TOML)"):
        text = read_text(path, "a recipe (TOML)", LONGEST_RECIPE)
        if max(part.count(".") for part in re.split(r"[\n=,\[\]{}]", text)) > MOST_DOTS:
            raise UserError(f"{shown(path)}: no key of a recipe has more than {MOST_DOTS} dots")
        return tomllib.loads(text)


def dump_toml(values: Mapping[str, Any]) -> str:
    """The TOML text of plain values, lists and one level of tables; None is left out."""
    lines, tables = [], []
    for key, value in values.items():
        if isinstance(value, Mapping):
            tables.append(f"\n[{key}]\n{dump_toml(value)}")
        elif value is not None:
            lines.append(f"{key} = {quote(value)}\n")
    return "".join(lines + tables)


def _read_assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {shown(text)}: write key=value, for example --set train.epochs=10")
    return key.strip(), parse_value(value)


def _assign(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a key such as ``train.epochs`` in nested tables."""
    *tables, last = key.split(".")
    if len(tables) > 1:
        raise unknown("key", key, list(known_keys()))
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise UserError(f"--set {shown(key)}: '{shown(table)}' is not a table")
    if isinstance(value, Mapping) and isinstance(values.get(last), dict):
        values[last].update(value)
    else:
        values[last] = value


def _accepts_none(key: str) -> bool:
    field = known_keys().get(key)
    return field is not None and may_be_none(field)


def _explain(error: ValidationError) -> str:
    """Say what is wrong first: the key, its value, and what is allowed."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return str(unknown("key", key, list(known_keys())))
    if first["type"] == "model_type":
        return f"{key} is a table: set one of its keys, such as {key}.epochs"
    value = first["input"] if isinstance(first["input"], str) else spell_value(first["input"])
    return f"{shown(key)} = {shown(value)}: {explain_error(first)}"
