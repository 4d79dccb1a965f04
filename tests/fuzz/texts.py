"""Texts that are parsed: spellings of choices, ``--set`` values, recipes, headers of plugins."""

from __future__ import annotations

import json
import random
from pathlib import Path

from bench.config.load import load_config
from bench.config.spelling import parse, parse_value, spell_value, split_list
from bench.plugins.registry import Registry
from bench.plugins.source import Source
from tests.fuzz.kind import Given, Kind
from tests.fuzz.mutate import change_bytes, change_text
from tests.fuzz.spellings import ATTACK, CHOICES, KEYS, PLUGIN, RECIPE, assignment, key_of

ALL = tuple(text for texts in CHOICES.values() for text in texts)
WAYS = ("choice", "resolve", "set", "option", "value", "recipe", "recipe-bytes", "plugin")
_registry: list[Registry] = []


class Texts(Kind):
    """Parsed texts of every sort."""

    name, count = "texts", 100_000

    def prepare(self, home: Path) -> None:
        """Import the plugins once; loading them is not what is watched."""
        _registry[:] = [Registry()]
        for entry in (entry for kind in CHOICES for entry in _registry[0].entries(kind)):
            entry.load()

    def draw(self, rng: random.Random) -> Given:
        """Draw a way to parse, and a text for it."""
        way = rng.choice(WAYS)
        given = {"way": way, "key": "", "text": ""}
        if way == "resolve":
            given["key"] = rng.choice(list(CHOICES))
            given["text"] = change_text(rng, rng.choice(CHOICES[given["key"]]), ALL)
        elif way == "set":
            given["text"] = change_text(rng, assignment(rng), ALL)
        elif way == "option":
            name = rng.choice(list(KEYS))
            given["key"] = key_of(name)
            given["text"] = change_text(rng, rng.choice(KEYS[name]), ALL)
        elif way == "recipe":
            given["text"] = change_text(rng, RECIPE, ALL)
        elif way == "recipe-bytes":
            given["text"] = change_bytes(rng, RECIPE.encode()).hex()
        elif way == "plugin":
            given["key"], text = rng.choice((("mine.py", PLUGIN), ("plugin.py", ATTACK)))
            given["text"] = change_text(rng, text, ALL)
        else:
            given["text"] = change_text(rng, rng.choice(ALL), ALL)
        return Given(json.dumps(given).encode())

    def attempt(self, given: Given, folder: Path) -> None:
        """Parse the text in its way."""
        what = json.loads(given.content)
        way, key, text = what["way"], what["key"], what["text"]
        if way == "choice":
            str(parse(text))
            split_list(text)
        elif way == "resolve":
            _registry[0].resolve(key, text)
        elif way == "set":
            load_config({}, None, [text])
        elif way == "option":
            load_config({key: text})
        elif way == "value":
            spell_value(parse_value(text))
        else:
            self._read_file(way, key, text, folder)

    def _read_file(self, way: str, key: str, text: str, folder: Path) -> None:
        content = bytes.fromhex(text) if way == "recipe-bytes" else text.encode(errors="replace")
        file = folder / (key or "recipe.toml")
        file.write_bytes(content)
        if way == "plugin":
            Source.read(file)
            return
        config = load_config({}, str(file))
        config.identity()
