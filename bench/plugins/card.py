"""Cards: what one plugin is, in full, from its own file: docstring, parameters, what it needs."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

from bench.config.schema import RECIPES, known_keys, recipes
from bench.config.spelling import parse, spell_value, unknown
from bench.errors import UserError
from bench.plugins.registry import (
    PACKAGES,
    SINGULAR,
    Entry,
    Registry,
    argument_name,
    needs_in_words,
    parameters,
    unmarked,
)

LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}
KINDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "none",
    "string": "text",
    "array": "list of names",
}


def cards(name: str, files: tuple[str, ...] = ()) -> list[str]:
    """The card of every plugin called ``name``, of whatever kind, and the recipe of that name."""
    name = parse(name).name
    own = (
        [f"{name} (recipe)\n{(RECIPES / f'{name}.toml').read_text()}"] if name in recipes() else []
    )
    if name in PACKAGES:
        raise UserError(f"{name} are many: bench list {name} names them")
    registry = Registry(files)
    entries = [entry for kind in PACKAGES for entry in registry.entries(kind)]
    found = [entry for entry in entries if entry.name == name]
    if not found and not own:
        raise unknown("plugin or recipe", name, [*(entry.name for entry in entries), *recipes()])
    return [card(entry) for entry in found] + own


def keys() -> dict[str, str]:
    """Every key of a recipe or --set, in order: what it is, what is allowed, its default."""
    return {
        key: f"{field.description}\n"
        f"{allowed(Annotated[field.annotation, field])} [{_brief(field.default)}]"
        for key, field in known_keys().items()
    }


def _brief(default: Any) -> str:
    return ",".join(default) if isinstance(default, list) else spell_value(default)


def card(entry: Entry) -> str:
    """Name and kind, docstring, parameters with defaults and what is allowed, needs, file."""
    target = entry.load()
    about = about_of(target)
    spelled = entry.name
    argument = argument_name(target, entry.kind)
    if argument:
        spelled += f":{argument.upper()}"
    lines = [f"{spelled} ({SINGULAR[entry.kind]})", unmarked(about), "", *_parameters(target)]
    if entry.kind == "methods":
        method = target()
        lines.append(f"needs: {needs_in_words(method.requirements(), method.prepares())}")
    lines.append(f"file: {inspect.getfile(target)}")
    return "\n".join(lines)


def about_of(target: Any) -> str:
    """What a plugin's file says of it: citation, equation, deviations."""
    about = inspect.getdoc(inspect.getmodule(target)) or inspect.getdoc(target) or ""
    base = getattr(target, "__base__", None)
    if base is not None and base is not object and base.__module__ != "bench.plugins.method":
        about += "\n" + (inspect.getdoc(base) or "")
    return about


def _parameters(target: Any) -> list[str]:
    declared = parameters(target)
    if not declared:
        return ["parameters: none"]
    rows = [
        (name, spell_value(default), allowed(annotation))
        for name, (annotation, default) in declared.items()
    ]
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    head = [f"parameters: {'name':<{wide[0]}}  {'default':<{max(wide[1], 7)}}  allowed"]
    indent = " " * len("parameters: ")
    return head + [
        f"{indent}{name:<{wide[0]}}  {default:<{max(wide[1], 7)}}  {text}"
        for name, default, text in rows
    ]


def allowed(annotation: Any) -> str:
    """What values an annotated parameter takes, in words."""
    from pydantic import TypeAdapter

    return _words(TypeAdapter(annotation).json_schema())


def _words(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return ", or ".join(_words(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "object":
        return "{NAME = VALUE}, each a " + _words(schema.get("additionalProperties", {}))
    limits = [text.format(f"{schema[key]:g}") for key, text in LIMITS.items() if key in schema]
    kind = KINDS.get(schema.get("type", ""), schema.get("type", "anything"))
    return ", ".join([kind, *limits])
