"""Finds plugins in our folders, installed packages and loose files, and builds them by spelling.

A plugin is one file that holds one object: a method is a frozen dataclass with ``unlearn``, all
others are functions. Its parameters are what a user may set in brackets.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, is_dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

from bench.config.spelling import Choice, parse, unknown
from bench.errors import UserError
from bench.outside import shown, user_path
from bench.plugins.chosen import Guest, Plugin
from bench.plugins.interrupts import is_interrupt
from bench.plugins.own_code import own_code
from bench.plugins.parameters import (
    argument_name,
    check_parameters,
    defaults_of,
    parameter_model,
    refuse_ignored,
)
from bench.plugins.source import Source

ROOT = Path(__file__).parent.parent.parent
PACKAGES = {
    "methods": "bench.methods",
    "attacks": "bench.attacks",
    "datasets": "bench.builtin.datasets",
    "models": "bench.builtin.models",
    "scenarios": "bench.builtin.scenarios",
}
SINGULAR = {kind: kind.removesuffix("s") for kind in PACKAGES} | {"datasets": "data set"}


@dataclass(frozen=True)
class Entry:
    """A plugin that can be named and is not imported yet."""

    source: Source
    place: Path | EntryPoint
    module: str = ""  # of a built-in plugin

    @property
    def kind(self) -> str:
        """The kind of plugin: one of ``PACKAGES``."""
        return self.source.kind

    @property
    def name(self) -> str:
        """What users type."""
        return self.source.name

    @property
    def where(self) -> str:
        """The file, or the object of an installed package, that holds the plugin."""
        return str(self.place) if isinstance(self.place, Path) else self.place.value

    def load(self) -> Any:
        """Import the plugin's class or function; raises UserError where a user's code fails."""
        if self.module:
            return getattr(importlib.import_module(self.module), self.source.symbol)
        guest = self.guest()
        try:
            with guest.watched():
                if guest.own is None:
                    return cast(EntryPoint, self.place).load()
                return getattr(guest.own.load(), self.source.symbol)
        except UserError:
            raise
        except BaseException as error:
            if is_interrupt(error):
                raise
            reason = guest.explain(error)
            raise UserError(f"cannot load plugin {self.where}: {reason}") from error

    def guest(self, target: Any = None) -> Guest:
        """Who the plugin is, where it did not come with the package; ``target``: once loaded."""
        name = f"{SINGULAR[self.kind]} {shown(self.name)}"
        if isinstance(self.place, Path):
            own = own_code(self.place)
            return Guest(f"{name} ({shown(self.place.name)})", own.file, own)
        file = Path(inspect.getfile(target)) if target is not None else Path(self.where)
        return Guest(f"{name} ({shown(self.where)})", file)

    def guarded(self) -> AbstractContextManager[None]:
        """Run code of the plugin; of one that is not ours, every error is one line."""
        return nullcontext() if self.module else self.guest().guarded()

    def load_hook(self, name: str) -> Any:
        """Import an optional function of the plugin's file; None where the file has none."""
        if name not in self.source.functions:
            return None
        return getattr(sys.modules[self.load().__module__], name)

    def version(self, target: Any) -> str:
        """What a content key holds of the code: the stated VERSION, or a hash of it.

        The author of a loose file need not state a version, so that its hash always counts. That
        of modules which it imports from its own folder counts, too.
        """
        stated = getattr(sys.modules[target.__module__], "VERSION", None)
        if self.module or (isinstance(self.place, EntryPoint) and stated is not None):
            return str(stated)
        return own_code(Path(inspect.getfile(target))).version


@cache
def _built_in(kind: str) -> tuple[Entry, ...]:
    """The plugins of one kind in this package; their files do not change while we run."""
    package = PACKAGES[kind]
    paths = sorted((ROOT / package.replace(".", "/")).glob("[!_]*.py"))
    return tuple(Entry(Source.read(path), path, f"{package}.{path.stem}") for path in paths)


def _installed(kind: str) -> Iterator[Entry]:
    """The plugins of one kind in other installed packages, by their entry points."""
    for point in entry_points(group=f"bench.{kind}"):
        yield Entry(Source(kind, "", point.name, f"from {point.value}"), point)


def _loose(file: str) -> Entry:
    """The plugin in a file that the user names."""
    path = user_path(file)
    if not path.exists():
        raise UserError(f"--plugin {shown(file)}: no such file")
    return Entry(Source.read(path), path)


class Registry:
    """All plugins that can be named: built-in, installed, and in the given loose files."""

    def __init__(self, files: tuple[str, ...] = ()):
        self._entries: dict[str, dict[str, Entry]] = {kind: {} for kind in PACKAGES}
        for kind in PACKAGES:
            for entry in (*_built_in(kind), *_installed(kind)):
                self._add(entry)
        for file in files:
            self._add(_loose(file))

    def _add(self, entry: Entry) -> None:
        entries, name, place = self._entries[entry.kind], entry.name, entry.place
        if name in entries:
            other = entries[name].place
            if isinstance(place, Path) and isinstance(other, Path) and place.samefile(other):
                return
            raise UserError(f"two {entry.kind} are called '{name}': rename {entry.where}")
        entries[name] = entry

    def entries(self, kind: str) -> list[Entry]:
        """All plugins of one kind, the built-in ones first."""
        return list(self._entries[kind].values())

    def find(self, kind: str, text: str) -> tuple[Entry, Choice]:
        """The plugin that ``text`` names, and how it is spelled.

        Raises UserError that lists near matches, then all names.
        """
        if kind == "datasets":
            _refuse_bare_path(text)
        choice, entries = parse(text), self._entries[kind]
        if choice.name not in entries:
            raise unknown(SINGULAR[kind], choice.name, list(entries))
        return entries[choice.name], choice

    def resolve(self, kind: str, text: str) -> Plugin:
        """Find, import and check what ``text`` spells, such as ``ssd[alpha=5]``."""
        entry, choice = self.find(kind, text)
        target = entry.load()
        if kind == "methods" and not is_dataclass(target):
            raise UserError(
                f"{choice.name}: put @dataclass(frozen=True) above class {target.__name__}"
            )
        model = parameter_model(target)
        params = check_parameters(choice.name, model, choice.params, choice.typed)
        _check_argument(choice, argument_name(target, kind))
        refuse_ignored(choice.name, target, params, choice.params)
        defaults = defaults_of(model)
        changed = {name: value for name, value in params.items() if value != defaults[name]}
        label = str(Choice(choice.name, choice.argument, changed))
        guest = None if entry.module else entry.guest(target)
        version = entry.version(target)
        return Plugin(kind, label, target, choice.argument, params, version, guest)


def _refuse_bare_path(text: str) -> None:
    """Raise UserError where a data set is given by its path alone: that does not say its format."""
    path = Path(text)
    is_folder = len(path.parts) > 1 and os.path.isdir(text)
    if ":" not in text and (is_folder or path.suffix == ".npz"):
        kind = "npz" if path.suffix == ".npz" else "folder"
        raise UserError(f"dataset = {shown(text)}: say how it is read: {kind}:{shown(text)}")


def _check_argument(choice: Choice, expected: str | None) -> None:
    if expected and not choice.argument:
        raise UserError(f"{choice.name} needs a {expected}: write {choice.name}:{expected.upper()}")
    if choice.argument and not expected:
        raise UserError(f"{choice.name} takes no ':{shown(choice.argument)}'")
