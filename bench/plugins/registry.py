"""Finds plugins by scanning folders, installed packages and loose files; builds them by spelling.

A plugin is one file that holds one object: a method is a frozen dataclass with ``unlearn``, all
others are functions. Its keyword parameters are what a user may set in brackets. Listing reads the
files' text only, so that it needs neither torch nor xgboost.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import math
import re
import sys
import typing
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.config.limits import in_words
from bench.config.spelling import NONE, Choice, parse, spell_value, unknown
from bench.errors import UserError, one_line

ROOT = Path(__file__).parent.parent.parent
PACKAGES = {
    "methods": "bench.methods",
    "attacks": "bench.attacks",
    "datasets": "bench.builtin.datasets",
    "models": "bench.builtin.models",
    "scenarios": "bench.builtin.scenarios",
}
SINGULAR = {kind: kind.removesuffix("s") for kind in PACKAGES} | {"datasets": "data set"}
# What the harness passes to a function plugin; tells the kind of a function in a loose file.
PARAMETER = {"outputs": "attacks", "num_classes": "models", "training": "scenarios"}


@dataclass(frozen=True)
class Source:
    """What can be read off a plugin file without running it."""

    kind: str
    symbol: str
    name: str
    summary: str
    needs: tuple[str, ...] = ()
    prepares: bool = False
    params: tuple[str, ...] = ()  # of a function: name=default, as written
    about: str = ""  # the whole docstring

    @property
    def paper(self) -> str:
        """The first work that the docstring cites, up to its year."""
        text = " ".join(self.about.split())
        found = re.search(r"Citation: (.*?\b(?:19|20)\d\d)\b", text)
        return found.group(1) if found else ""

    @classmethod
    def read(cls, path: Path) -> Source:
        """Find the one plugin object of a file; raises UserError where there is none."""
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read plugin {path}: {error}") from error
        except SyntaxError as error:
            raise UserError(f"plugin {path}, line {error.lineno}: {error.msg}") from error
        name = _constant(tree.body, "NAME") or path.stem.replace("_", "-")
        about = ast.get_docstring(tree) or ""
        summary = unmarked(about.partition("\n")[0])
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                verbs = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
                if "unlearn" in verbs:
                    needs = tuple(_constant(node.body, "needs") or ())
                    prepares = "prepare" in verbs
                    return cls("methods", node.name, name, summary, needs, prepares, about=about)
            if isinstance(node, ast.FunctionDef) and node.name == path.stem:
                given = [argument.arg for argument in node.args.args]
                kinds = [PARAMETER[name] for name in given if name in PARAMETER]
                kind = kinds[0] if kinds else "datasets"
                params = tuple(
                    f"{argument.arg}={_spelled(default)}" if default else argument.arg
                    for argument, default in zip(
                        node.args.kwonlyargs, node.args.kw_defaults, strict=True
                    )
                )
                return cls(kind, node.name, name, summary, params=params, about=about)
        raise UserError(
            f"{path} holds no plugin: a method is a class with 'unlearn(self, model, task)', "
            f"anything else a function named '{path.stem}'"
        )


def _spelled(default: ast.expr) -> str:
    """A default as it would be typed."""
    try:
        return spell_value(ast.literal_eval(default))
    except ValueError:  # a name, or a call
        return ast.unparse(default)


def unmarked(docstring: str) -> str:
    """A docstring as a terminal shows it: code in single backticks."""
    return docstring.replace("``", "`")


def _constant(body: list[ast.stmt], name: str) -> Any:
    """The literal assigned to ``name`` in ``body``, or None."""
    for node in body:
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign):
            target = node.targets[0]
        if isinstance(target, ast.Name) and target.id == name and node.value is not None:
            return ast.literal_eval(node.value)
    return None


@dataclass(frozen=True)
class Entry:
    """A plugin that was found, not yet imported."""

    kind: str
    name: str
    path: Path | None = None
    module: str | None = None  # None: a loose file
    point: EntryPoint | None = None

    @cached_property
    def source(self) -> Source:
        if self.path is None:
            return Source(self.kind, "", self.name, f"from {self.point.value}")
        return Source.read(self.path)

    def load(self) -> Any:
        """Import the plugin's class or function."""
        if self.point is not None:
            return _loaded(lambda: self.point.load(), f"plugin {self.name} ({self.point.value})")
        if self.module is None:
            module = _loaded(lambda: _import_file(self.path), f"plugin {self.path}")
        else:
            module = importlib.import_module(self.module)
        return getattr(module, self.source.symbol)

    def version(self, target: Any) -> str:
        """What a content key holds of the code: the stated VERSION, or a hash of the file."""
        stated = getattr(sys.modules[target.__module__], "VERSION", None)
        if self.module is not None or (self.point is not None and stated is not None):
            return str(stated)
        code = Path(inspect.getfile(target)).read_bytes()
        return f"file {hashlib.sha256(code).hexdigest()[:16]}"


def _import_file(path: Path) -> ModuleType:
    name = f"bench_plugin_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _loaded(load: Callable[[], Any], what: str) -> Any:
    try:
        return load()
    except Exception as error:
        raise UserError(f"cannot load {what}: {one_line(error)}") from error


@dataclass(frozen=True)
class Plugin:
    """A plugin chosen by a user, with every parameter known and checked.

    ``label`` is its spelling: the name and those parameters that differ from their defaults.
    """

    kind: str
    label: str
    target: Any
    argument: str | None
    params: dict[str, Any]
    version: str

    def __call__(self, *given: Any) -> Any:
        """Build the method (no arguments), or call the function with what the harness gives."""
        if self.argument is not None:
            given = (self.argument, *given)
        return self.target(*given, **self.params)

    @property
    def identity(self) -> dict[str, Any]:
        """What of the plugin goes into a content key."""
        return {"name": self.label.partition("[")[0], "params": self.params, "code": self.version}


class Registry:
    """All plugins that can be named: built-in, installed, and in the given loose files."""

    def __init__(self, files: tuple[str, ...] = ()):
        self.files = files
        self._entries: dict[str, dict[str, Entry]] = {kind: {} for kind in PACKAGES}
        for kind, package in PACKAGES.items():
            for path in sorted((ROOT / package.replace(".", "/")).glob("[!_]*.py")):
                self._add(Entry(kind, Source.read(path).name, path, f"{package}.{path.stem}"))
            for point in entry_points(group=f"bench.{kind}"):
                self._add(Entry(kind, point.name, point=point))
        for file in files:
            path = Path(file)
            if not path.is_file():
                raise UserError(f"--plugin {file}: no such file")
            source = Source.read(path)
            self._add(Entry(source.kind, source.name, path))

    def _add(self, entry: Entry) -> None:
        known = self._entries[entry.kind]
        if entry.name in known:
            there = known[entry.name].path
            if entry.path and there and entry.path.samefile(there):
                return
            raise UserError(
                f"two {entry.kind} are called '{entry.name}': rename {entry.path or entry.point}"
            )
        known[entry.name] = entry

    def entries(self, kind: str) -> list[Entry]:
        return list(self._entries[kind].values())

    def find(self, kind: str, name: str) -> Entry:
        """The entry called ``name``; raises UserError that lists near matches, then all."""
        known = self._entries[kind]
        if name not in known:
            raise unknown(SINGULAR[kind], name, list(known))
        return known[name]

    def resolve(self, kind: str, text: str) -> Plugin:
        """Find, import and check what ``text`` spells."""
        if kind == "datasets":
            _refuse_path(text)
        choice = parse(text)
        entry = self.find(kind, choice.name)
        target = entry.load()
        if kind == "methods" and not is_dataclass(target):
            raise UserError(
                f"{choice.name}: put @dataclass(frozen=True) above class {target.__name__}"
            )
        declared = parameters(target)
        params = {
            name: check_value(f"{text}: {name}", choice.params.get(name, default), annotation)
            for name, (annotation, default) in declared.items()
        }
        for name in choice.params:
            if name not in declared:
                raise unknown(f"parameter of {choice.name}", name, list(declared) or ["none"])
        _check_argument(choice, target, kind)
        changed = {name: value for name, value in params.items() if value != declared[name][1]}
        label = str(Choice(choice.name, choice.argument, changed))
        return Plugin(kind, label, target, choice.argument, params, entry.version(target))


def _refuse_path(text: str) -> None:
    """Raise UserError where a data set's place is given without its kind."""
    path = Path(text)
    is_folder = len(path.parts) > 1 and path.is_dir()
    if ":" not in text and (is_folder or path.suffix == ".npz"):
        kind = "npz" if path.suffix == ".npz" else "folder"
        raise UserError(f"dataset = {text}: say how it is read: {kind}:{text}")


def parameters(target: Any) -> dict[str, tuple[Any, Any]]:
    """The settable parameters of a plugin: name -> (annotation, default)."""
    hints = typing.get_type_hints(target, include_extras=True)
    if is_dataclass(target):
        found = {field.name: field.default for field in fields(target)}
        missing = [name for name, default in found.items() if default is MISSING]
    else:
        keywords = [
            parameter
            for parameter in inspect.signature(target).parameters.values()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        ]
        found = {parameter.name: parameter.default for parameter in keywords}
        missing = [name for name, default in found.items() if default is inspect.Parameter.empty]
    if missing:
        raise UserError(f"{target.__name__}: parameter {missing[0]} needs a default")
    return {name: (hints.get(name, Any), default) for name, default in found.items()}


def check_value(where: str, value: Any, annotation: Any) -> Any:
    """``value`` as the annotated type; raises UserError that says what is allowed."""
    from pydantic import TypeAdapter, ValidationError

    if value == NONE and type(None) in typing.get_args(annotation):
        value = None
    try:
        checked = TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        message = ", or ".join(dict.fromkeys(map(in_words, error.errors())))
        said = message.replace(", or must be", ", or")
        raise UserError(f"{where} = {spell_value(value)}: {said}") from None
    if isinstance(checked, float) and not math.isfinite(checked):
        raise UserError(f"{where} = {value}: must be a finite number")
    return checked


def needs_in_words(needs: Iterable[str], prepares: bool) -> str:
    """What a method reads, for people."""
    return ", ".join([*needs, *(["training-time statistics"] if prepares else [])]) or "nothing"


GIVEN = {"datasets": 0, "models": 3}  # what the harness passes by position


def argument_name(target: Any, kind: str) -> str | None:
    """What is spelled after a colon, as in npz:PATH or torchvision:NAME; None: nothing."""
    if kind not in GIVEN:
        return None
    keyword = inspect.Parameter.KEYWORD_ONLY
    given = [p.name for p in inspect.signature(target).parameters.values() if p.kind is not keyword]
    return given[0] if len(given) > GIVEN[kind] else None


def _check_argument(choice: Choice, target: Any, kind: str) -> None:
    wanted = argument_name(target, kind)
    if wanted and not choice.argument:
        raise UserError(f"{choice.name} needs a {wanted}: write {choice.name}:{wanted.upper()}")
    if choice.argument and not wanted:
        raise UserError(f"{choice.name} takes no ':{choice.argument}'")
