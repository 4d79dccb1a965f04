"""Cards: all about one plugin from its own file: docstring, parameters, what it needs."""

from __future__ import annotations

import inspect
from typing import Any

from bench.config.limits import allowed_values
from bench.config.load import RECIPES, recipes
from bench.config.spelling import parse, spell_value, unknown
from bench.errors import UserError
from bench.plugins.parameters import argument_name, defaults_of, parameter_model
from bench.plugins.registry import PACKAGES, SINGULAR, Entry, Registry
from bench.plugins.source import for_terminal, needs_in_words


def cards(name: str, files: tuple[str, ...] = ()) -> list[str]:
    """The card of every plugin called ``name``, of any kind, and the recipe of that name."""
    name = parse(name).name
    if name in PACKAGES:
        raise UserError(f'"{name}" is a kind of plugin; run `bench list {name}`')
    registry = Registry(files)
    entries = [entry for kind in PACKAGES for entry in registry.entries(kind)]
    texts = [card(entry) for entry in entries if entry.name == name]
    if name in recipes():
        texts.append(f"{name} (recipe)\n{(RECIPES / f'{name}.toml').read_text()}")
    if not texts:
        raise unknown("plugin or recipe", name, [*(entry.name for entry in entries), *recipes()])
    return texts


def card(entry: Entry) -> str:
    """Name and kind, docstring, parameters with defaults and limits, needs, and file."""
    target = entry.load()
    argument = argument_name(target, entry.kind)
    spelling = f"{entry.name}:{argument.upper()}" if argument else entry.name
    lines = [
        f"{spelling} ({SINGULAR[entry.kind]})",
        for_terminal(about_of(target)),
        "",
        *_parameter_table(target),
    ]
    if entry.kind == "methods":
        with entry.guarded():
            method = target()
            needs = needs_in_words(method.requirements(), method.prepares())
        lines.append(f"needs: {needs}")
    lines.append(f"file: {inspect.getfile(target)}")
    return "\n".join(lines)


def about_of(target: Any) -> str:
    """The docstring of a plugin's file: citation, equation, deviations from published code."""
    about = inspect.getdoc(inspect.getmodule(target)) or inspect.getdoc(target) or ""
    base = getattr(target, "__base__", None)
    if base is not None and base is not object and base.__module__ != "bench.plugins.method":
        about += "\n" + (inspect.getdoc(base) or "")
    return about


def _parameter_table(target: Any) -> list[str]:
    model = parameter_model(target)
    allowed = allowed_values(model)
    if not allowed:
        return ["parameters: none"]
    rows = [("name", "default", "allowed")]
    rows += [
        (name, spell_value(value), allowed[name]) for name, value in defaults_of(model).items()
    ]
    name_width, default_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [
        f"{name:<{name_width}}  {value:<{default_width}}  {text}" for name, value, text in rows
    ]
    label = "parameters: "
    return [label + lines[0], *(" " * len(label) + line for line in lines[1:])]
