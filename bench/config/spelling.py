"""One spelling of a choice everywhere: ``pgu``, ``ssd[alpha=10,lam=1]``, ``npz:data/cifar10.npz``.

Command line, recipes, logs, tables and records all use it. A value is written as in TOML; what is
not TOML is taken as plain text, so ``poison[flip=pairs]`` needs no quotes.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from bench.errors import LONGEST, UserError, shown

NONE = "none"  # how None is written, where a parameter may be that
SHAPE = re.compile(r"(?P<name>[A-Za-z][\w+-]*)(?::(?P<argument>[^\[\]]+))?(?:\[(?P<params>.*)\])?")


@dataclass(frozen=True)
class Choice:
    """A plugin's name, the argument after its colon, and the parameters that were spelled out.

    ``typed``: the parameters' texts; where a parameter may be any word, ``none`` or ``1_000`` are.
    """

    name: str
    argument: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        argument = f":{self.argument}" if self.argument else ""
        params = ",".join(f"{key}={spell_value(value)}" for key, value in self.params.items())
        return f"{self.name}{argument}[{params}]" if params else f"{self.name}{argument}"


def parse(text: str) -> Choice:
    """Read ``name:argument[key=value,...]``; raises UserError where it is not of that form."""
    match = SHAPE.fullmatch(text.strip())
    if not match:
        raise UserError(
            f"cannot read '{shown(text)}': write NAME, NAME:ARGUMENT or NAME[key=value,...]"
        )
    typed: dict[str, str] = {}
    for part in split_list(match["params"] or ""):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise UserError(
                f"cannot read '{shown(part)}' in '{shown(text)}': parameters are written key=value"
            )
        if key.strip() in typed:
            raise UserError(f"'{shown(text)}' gives {shown(key.strip())} twice")
        typed[key.strip()] = value.strip()
    params = {key: parse_value(value) for key, value in typed.items()}
    return Choice(match["name"], match["argument"], params, typed)


def parse_value(text: str) -> Any:
    """A TOML value, or the text itself (``nan`` and ``inf`` too: they may be words)."""
    text = text.strip()
    if text.lstrip("+-") in ("nan", "inf"):
        return text
    try:
        values = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # no TOML, too many digits, or nested too deeply
        return text
    return values["value"] if len(values) == 1 else text  # a further line is no value


def spell_value(value: Any, nested: bool = False) -> str:
    """The shortest text that ``parse_value`` reads back as an equal value.

    Text inside lists and tables is ``nested``: TOML wants it quoted there.
    """
    if value is None:
        return NONE
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dict):
        items = (f"{_key(key)} = {spell_value(item, nested=True)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(spell_value(item, nested=True) for item in value) + "]"
    if isinstance(value, str) and (nested or not _reads_as_text(value)):
        return quote(value)
    return str(value)


def _key(key: str) -> str:
    """A key of a TOML table; a layer's name, such as 1.4, has to be quoted."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else quote(key)


def quote(value: Any) -> str:
    """Text, or a list of texts and numbers, as TOML wants it: JSON but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _reads_as_text(value: str) -> bool:
    return parse_value(value) == value and not re.search(r"[,\[\]{}=\"']", value)


def split_list(text: str) -> list[str]:
    """Split at the commas that stand outside brackets and quotes."""
    parts, depth, quote, escaped, current = [], 0, "", False, ""
    for character in text:
        if quote:
            closes = character == quote and not escaped
            escaped = character == "\\" and quote == '"' and not escaped
            quote = "" if closes else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "[{") - (character in "]}")
        if character == "," and depth == 0 and not quote:
            parts.append(current)
            current = ""
        else:
            current += character
    return [part.strip() for part in [*parts, current] if part.strip()]


def unknown(what: str, name: str, known: list[str]) -> UserError:
    """The error for a name that is not known: near matches first, then all."""
    near = map(shown, get_close_matches(name[:LONGEST], known, n=3, cutoff=0.5))
    hint = f"did you mean {words}? " if (words := " or ".join(near)) else ""
    names = ", ".join(map(shown, known))
    return UserError(f"unknown {what} '{shown(name)}': {hint}known: {names}")
