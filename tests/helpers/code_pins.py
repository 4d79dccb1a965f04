"""Pins of the code behind every number: a hash beside the version that content keys hold.

``python -m tests.helpers.code_pins`` pins the code as it is now, and prints whose code changed
under an unchanged version. Do that only where the change cannot change numbers; else bump the
version first, so that results of the old code are not taken for those of the new.

Code is a file's syntax tree without comments, docstrings, imports for annotations, and the words of
errors. The code of a plugin or stage is its file and every file of ours that it imports, directly
or not.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.helpers.imports import import_graph

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "tests" / "recorded" / "code_pins.json"
PLUGINS = ("bench/attacks", "bench/methods", "bench/builtin/*")
STAGES = "bench/stages"
ONLY_WORDS = {
    "bench.errors",
    "bench.messages",
    "bench.outside",
}  # they produce text, never a number
# Stages that do not state their versions yet: until then, those of this module are theirs.
VERSIONS_OF = dict.fromkeys(
    (f"bench.stages.{name}" for name in ("predict", "relearn", "train", "unlearn")),
    "bench.stages.context",
)
REMEDY = (
    "bump the version, or re-pin with `python -m tests.helpers.code_pins` "
    "if the change cannot change numbers"
)


# Code ---------------------------------------------------------------------------------------------


def code_hash(source: str) -> str:
    """A hash of what a file does: the same whatever its prose and layout."""
    return _hash(repr(_skeleton(ast.parse(source))))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _skeleton(node: Any, words_count: bool = True) -> Any:
    """A syntax tree as nested lists; empty fields are left out, they differ between Pythons."""
    if isinstance(node, list):
        return [_skeleton(item, words_count) for item in node if not _is_prose(item)]
    if not isinstance(node, ast.AST):
        return repr(node)
    if not words_count and _is_text(node):
        return "words"
    words_count = words_count and not isinstance(node, ast.Raise)
    fields = (
        (name, _skeleton(value, words_count))
        for name, value in ast.iter_fields(node)
        if value not in (None, []) and name != "kind"
    )
    return [type(node).__name__, *fields]


def _is_text(node: ast.AST) -> bool:
    is_string = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return is_string or isinstance(node, ast.JoinedStr)


def _is_prose(statement: Any) -> bool:
    """Whether a statement is a docstring, or imports for annotations alone."""
    if isinstance(statement, ast.Expr):
        return _is_text(statement.value)
    return (
        isinstance(statement, ast.If)
        and ast.unparse(statement.test).endswith("TYPE_CHECKING")
        and not statement.orelse
    )


# Versions -----------------------------------------------------------------------------------------


def stated_versions(source: str) -> dict[str, Any]:
    """The versions that a file states: constants ``VERSION`` or ``..._VERSION``, and of stages.

    A stage is a class that has ``Stage`` among its bases, or that states ``name`` and ``version``;
    a file may hold several. None stands for a stage without a version.
    """
    tree = ast.parse(source)
    constants = _assigned(tree.body)
    found = {name: value for name, value in constants.items() if f"_{name}".endswith("_VERSION")}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        own = _assigned(node.body, constants)
        is_stage = any(ast.unparse(base).split(".")[-1] == "Stage" for base in node.bases)
        if is_stage or {"name", "version"} <= own.keys():
            found[node.name] = own.get("version")
    return found


def _assigned(body: list[ast.stmt], constants: dict[str, Any] | None = None) -> dict[str, Any]:
    """Names assigned in ``body``, with their literal values; None where it is something else."""
    found = {}
    for node in body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            for name, part in _pairs(target, value):
                if isinstance(part, ast.Name):
                    found[name] = (constants or {}).get(part.id)
                else:
                    found[name] = part.value if isinstance(part, ast.Constant) else None
    return found


def _pairs(target: ast.expr, value: ast.expr) -> Iterable[tuple[str, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, part in zip(target.elts, value.elts, strict=False):
            yield from _pairs(one, part)
    elif isinstance(target, ast.Name):
        yield target.id, value


# Pins ---------------------------------------------------------------------------------------------


def module_names(pattern: str) -> list[str]:
    """The modules in folders of this pattern."""
    files = sorted(ROOT.glob(f"{pattern}/[!_]*.py"))
    return [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]


def source_of(module: str) -> str:
    """The text of a module."""
    path = ROOT.joinpath(*module.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


def current_pins() -> dict[str, Any]:
    """The hash of every file that counts, and for each plugin and stage its version and files."""
    graph = import_graph(types=False)
    versions: dict[str, dict[str, Any]] = {}
    for pattern in PLUGINS:
        for name in module_names(pattern):
            stated = stated_versions(source_of(name))
            versions[name] = {"VERSION": stated.get("VERSION")}
    for name in module_names(STAGES):
        stated = stated_versions(source_of(name))
        if not stated and name in VERSIONS_OF:
            stated = stated_versions(source_of(VERSIONS_OF[name]))
        if stated:
            versions[name] = stated
    closures = {
        name: ({name} | graph.find_upstream_modules(name)) - ONLY_WORDS for name in versions
    }
    files = {name: code_hash(source_of(name)) for name in sorted(set().union(*closures.values()))}
    pins = {
        name: {
            "version": versions[name],
            "code": _hash("".join(files[part] for part in sorted(closures[name]))),
            "files": sorted(closures[name]),
        }
        for name in sorted(versions)
    }
    return {"files": files, "pins": pins}


def recorded_pins() -> dict[str, Any]:
    """The pins that were recorded."""
    return json.loads(FILE.read_text())


def changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    """For each plugin or stage whose code or version is not the pinned one: what happened."""
    found = {}
    for name in sorted(old["pins"].keys() | new["pins"].keys()):
        before, now = old["pins"].get(name), new["pins"].get(name)
        if before is None:
            found[name] = "has no pin yet"
        elif now is None:
            found[name] = "is pinned but no longer there"
        elif before["version"] != now["version"]:
            found[name] = f"states {in_words(now)}, pinned is {in_words(before)}"
        elif before["code"] != now["code"]:
            reasons = ", ".join(_reasons(before, now, old["files"], new["files"]))
            found[name] = f"changed under {in_words(now)} because of {reasons}"
    return found


def _reasons(before: dict, now: dict, old_files: dict, new_files: dict) -> Iterable[str]:
    for module in sorted({*before["files"], *now["files"]}):
        if module not in before["files"]:
            yield f"{module} (newly imported)"
        elif module not in now["files"]:
            yield f"{module} (no longer imported)"
        elif old_files[module] != new_files[module]:
            yield module


def in_words(pin: dict[str, Any]) -> str:
    """The versions of a pin, as the file states them."""
    return ", ".join(f"{name} = {value}" for name, value in pin["version"].items())


def main() -> None:
    """Pin the code as it is; say of each change whether its version changed too."""
    old = recorded_pins() if FILE.is_file() else {"files": {}, "pins": {}}
    new = current_pins()
    for name, what in changes(old, new).items():
        print(f"{name} {what}", file=sys.stderr)
    FILE.write_text(json.dumps(new, indent=1) + "\n")


if __name__ == "__main__":
    main()
