"""What can be read off a plugin's file without running it: kind, name, docstring, needs, defaults.

Listing plugins reads text only, so that it needs neither torch nor xgboost.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.config.spelling import spell_value
from bench.errors import UserError
from bench.outside import read_text, reading, shown

NAME = re.compile(r"[A-Za-z][\w+-]*")  # of a plugin, as bench/config/spelling.py reads it
LONGEST_NAME = 64  # characters; names are parts of file names
# Parameters that the harness passes by position; they tell the kind of a function in a loose file.
KIND_OF_PARAMETER = {"outputs": "attacks", "num_classes": "models", "training": "scenarios"}


@dataclass(frozen=True)
class Source:
    """The text of a plugin's file, as far as it describes the plugin.

    ``symbol`` is the name of the class or function, ``name`` what users type, ``summary`` the first
    line of ``docstring``. ``params`` are a function's ``name=default`` as written, and
    ``functions`` the names of all functions of the file.
    """

    kind: str
    symbol: str
    name: str
    docstring: str = ""
    needs: tuple[str, ...] = ()
    prepares: bool = False
    params: tuple[str, ...] = ()
    functions: frozenset[str] = frozenset()

    @property
    def summary(self) -> str:
        """The first line of the docstring, as a terminal shows it."""
        return for_terminal(self.docstring.partition("\n")[0])

    @property
    def paper(self) -> str:
        """The first work that the docstring cites, up to its year."""
        text = " ".join(self.docstring.split())
        citation = re.search(r"Citation: (.*?\b(?:19|20)\d\d)\b", text)
        return citation.group(1) if citation else ""

    @classmethod
    def read(cls, path: Path) -> Source:
        """Find the one plugin of a file; raises UserError where there is none."""
        with reading(path, "a plugin"):
            return cls._of(_parse(path), path)

    @classmethod
    def _of(cls, tree: ast.Module, path: Path) -> Source:
        functions = {node.name: node for node in _functions(tree.body)}
        describe = partial(
            cls,
            name=_checked_name(_constant(tree.body, "NAME"), path),
            docstring=ast.get_docstring(tree) or "",
            functions=frozenset(functions),
        )
        for node in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            verbs = {verb.name for verb in _functions(node.body)}
            if "unlearn" in verbs:
                needs = _constant(node.body, "needs") or ()
                check_tuple(f"{shown(path)}: {node.name}", needs)
                return describe(
                    "methods", node.name, needs=tuple(needs), prepares="prepare" in verbs
                )
        if path.stem not in functions:
            raise UserError(
                f"{shown(path)} holds no plugin: a method is a class with "
                f"'unlearn(self, model, task)', anything else a function named '{shown(path.stem)}'"
            )
        arguments = functions[path.stem].args
        return describe(_kind(arguments), path.stem, params=tuple(_parameters(arguments)))


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(read_text(path, "a plugin"))
    except SyntaxError as error:
        raise UserError(f"plugin {shown(path)}, line {error.lineno}: {shown(error.msg)}") from error
    except (MemoryError, RecursionError):  # so Python's parser says it
        raise UserError(f"plugin {shown(path)}: its code is nested too deeply") from None


def _checked_name(stated: Any, path: Path) -> str:
    """What users type for a plugin: its NAME, or the name of its file."""
    name = path.stem.replace("_", "-") if stated is None else stated
    if not isinstance(name, str) or not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        where = "its file's name" if stated is None else "NAME"
        raise UserError(
            f"plugin {shown(path)}: {where} is {shown(name)!r}: must be text of at most "
            f"{LONGEST_NAME} letters, digits, '-' and '_' that begins with a letter; write NAME = "
            '"my-name" into the file'
        )
    return name


def check_tuple(label: str, needs: Any) -> None:
    """Raise UserError unless ``needs`` is a tuple of texts."""
    if isinstance(needs, str):
        raise UserError(f"method {label}: needs is text: write it as a tuple, ({shown(needs)!r},)")
    if not isinstance(needs, tuple | list) or not all(isinstance(need, str) for need in needs):
        raise UserError(
            f"method {label}: needs is {shown(needs)}: must be a tuple of texts, such as "
            '("forget", "retain")'
        )


def _functions(body: Sequence[ast.stmt]) -> Iterator[ast.FunctionDef]:
    return (node for node in body if isinstance(node, ast.FunctionDef))


def _kind(arguments: ast.arguments) -> str:
    """The kind of plugin that a function is, by the parameters that the harness passes to it."""
    names = [argument.arg for argument in arguments.args]
    kinds = [KIND_OF_PARAMETER[name] for name in names if name in KIND_OF_PARAMETER]
    return kinds[0] if kinds else "datasets"


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield f"{argument.arg}={_spell_default(default)}" if default else argument.arg


def _spell_default(default: ast.expr) -> str:
    """A default as a user would type it."""
    try:
        return spell_value(ast.literal_eval(default))
    except (ValueError, TypeError):  # a name, or a call
        return ast.unparse(default)


def _constant(body: Sequence[ast.stmt], name: str) -> Any:
    """The literal assigned to ``name`` in ``body``, or None."""
    for node in body:
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name) and target.id == name:
                return _literal(name, node.value)
    return None


def _literal(name: str, value: ast.expr) -> Any:
    """A value that is written out; raises UserError where it has to be computed."""
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"line {value.lineno}: {name} is computed: write its value itself, since plugins are "
            "listed without running them"
        ) from error


def for_terminal(docstring: str) -> str:
    """A docstring with code in single backticks."""
    return docstring.replace("``", "`")


def needs_in_words(needs: Iterable[str], prepares: bool) -> str:
    """Describe for people what a method reads."""
    return ", ".join([*needs, *(["training-time statistics"] if prepares else [])]) or "nothing"
