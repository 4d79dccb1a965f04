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
        tree = _parse(path)
        functions = {node.name: node for node in _functions(tree.body)}
        describe = partial(
            cls,
            name=_constant(tree.body, "NAME") or path.stem.replace("_", "-"),
            docstring=ast.get_docstring(tree) or "",
            functions=frozenset(functions),
        )
        for node in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            verbs = {verb.name for verb in _functions(node.body)}
            if "unlearn" in verbs:
                needs = tuple(_constant(node.body, "needs") or ())
                return describe("methods", node.name, needs=needs, prepares="prepare" in verbs)
        if path.stem not in functions:
            raise UserError(
                f"{path} holds no plugin: a method is a class with 'unlearn(self, model, task)', "
                f"anything else a function named '{path.stem}'"
            )
        arguments = functions[path.stem].args
        return describe(_kind(arguments), path.stem, params=tuple(_parameters(arguments)))


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read plugin {path}: {error}") from error
    except SyntaxError as error:
        raise UserError(f"plugin {path}, line {error.lineno}: {error.msg}") from error


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
    except ValueError:  # a name, or a call
        return ast.unparse(default)


def _constant(body: Sequence[ast.stmt], name: str) -> Any:
    """The literal assigned to ``name`` in ``body``, or None."""
    for node in body:
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name) and target.id == name:
                return ast.literal_eval(node.value)
    return None


def for_terminal(docstring: str) -> str:
    """A docstring with code in single backticks."""
    return docstring.replace("``", "`")


def needs_in_words(needs: Iterable[str], prepares: bool) -> str:
    """Describe for people what a method reads."""
    return ", ".join([*needs, *(["training-time statistics"] if prepares else [])]) or "nothing"
