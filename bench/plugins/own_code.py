"""The code of a loose plugin: its file, and the modules that it imports from beside it.

Their content is the plugin's version, so a helper that was edited counts like the plugin itself.
While the plugin runs, its folder is on ``sys.path``, as it is for a script. Its modules are visible
to it alone: two plugins may each have a ``helper.py``, and what runs is what was hashed.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

LOOSE = "bench_plugin_"  # how the modules of loose files begin
Sources = dict[str, tuple[Path, bytes]]  # by the module's name; that of the plugin is empty


class _Exact(SourceFileLoader):
    """Runs the source that was hashed, never compiled code that lies beside it."""

    def __init__(self, name: str, path: Path, source: bytes):
        super().__init__(name, str(path))
        self.source = source

    def path_stats(self, path: Any) -> Mapping[str, Any]:
        raise OSError(f"no compiled code is used for {path}")

    def get_data(self, path: Any) -> bytes:
        return self.source if str(path) == self.path else super().get_data(path)


@dataclass(frozen=True, eq=False)
class OwnCode:
    """A plugin's file and its own modules; ``version`` is a hash of their content."""

    file: Path
    version: str
    sources: Sources
    _loaded: dict[str, ModuleType] = field(default_factory=dict)

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Let the code that runs here import the plugin's own modules, and hide them afterwards."""
        path = list(sys.path)
        hidden = {name: sys.modules.pop(name) for name in self.sources if name in sys.modules}
        before = set(sys.modules)
        sys.modules.update(self._loaded)
        sys.path.insert(0, str(self.file.parent))
        sys.meta_path.insert(0, self)
        importlib.invalidate_caches()
        try:
            yield
        finally:
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _take_away(self.file.parent, path)
            for name in [name for name in sys.modules if name not in before]:
                if self._is_own(name, sys.modules[name]):
                    self._loaded[name] = sys.modules.pop(name)
            sys.modules.update(hidden)

    def find_spec(self, name: str, *_rest: object) -> ModuleSpec | None:
        """The plugin's own module of this name, for Python's import."""
        if name not in self.sources:
            return None
        path, source = self.sources[name]
        folders = [str(path.parent)] if path.name == "__init__.py" else None
        loader = _Exact(name, path, source)
        return importlib.util.spec_from_file_location(
            name, path, loader=loader, submodule_search_locations=folders
        )

    def portable(self) -> dict[str, str]:
        """The text of every file by its place beside the plugin, the plugin first."""
        texts = {self.file.name: self.sources[""][1].decode("utf-8")}
        for name, (path, source) in self.sources.items():
            if name:
                place = name.replace(".", "/")
                is_package = path.name == "__init__.py"
                file = f"{place}/__init__.py" if is_package else f"{place}.py"
                texts[file] = source.decode("utf-8")
        return texts

    def _is_own(self, name: str, module: ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        beside = file is not None and Path(file).parent == self.file.parent
        return name in self.sources or (beside and not name.startswith((LOOSE, "bench.")))

    def load(self) -> ModuleType:
        """Run the plugin's file, once in a process for the same content."""
        name = f"{LOOSE}{hashlib.sha256(f'{self.file} {self.version}'.encode()).hexdigest()[:12]}"
        if name in sys.modules:
            return sys.modules[name]
        loader = _Exact(name, *self.sources[""])
        spec = importlib.util.spec_from_file_location(name, self.file, loader=loader)
        if spec is None:
            raise ImportError("not a Python file (.py)")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module


def _take_away(folder: Path, before: list[str]) -> None:
    """Remove from ``sys.path`` the plugin's own folder, by whomever it was added."""
    kept = list(before)
    for entry in list(sys.path):
        if entry in kept:
            kept.remove(entry)
        elif Path(entry).resolve() == folder:
            sys.path.remove(entry)


def loaded_modules() -> list[ModuleType]:
    """The modules of all loose plugins, and those of their own that only they see."""
    plugins = [module for name, module in sys.modules.items() if name.startswith(LOOSE)]
    return plugins + [m for code in _remembered.values() for m in code._loaded.values()]


def own_code(file: Path) -> OwnCode:
    """The code of the plugin in ``file`` as it is now."""
    file = file.resolve()
    sources = _read_sources(file)
    digest = hashlib.sha256(sources[""][1])
    for name, (_path, source) in sorted(sources.items()):
        if name:
            digest.update(f"\0{name}\0".encode() + source)
    version = f"file {digest.hexdigest()[:16]}"
    return _remembered.setdefault((file, version), OwnCode(file, version, sources))


_remembered: dict[tuple[Path, str], OwnCode] = {}


def _read_sources(file: Path) -> Sources:
    """The file, and all modules of the user's folders that it imports, directly or not."""
    roots = [file.parent, *_users_folders()]
    sources = {"": (file, file.read_bytes())}
    waiting = [""]
    while waiting:
        importer = waiting.pop()
        path, source = sources[importer]
        package = importer if path.name == "__init__.py" else importer.rpartition(".")[0]
        for imported in _imports(source, package):
            for name, place in _files(imported, roots):
                if name not in sources:
                    sources[name] = place, place.read_bytes()
                    waiting.append(name)
    return sources


def _users_folders() -> list[Path]:
    """The folders on ``sys.path`` that are neither Python's nor those of installed packages."""
    theirs = [Path(each).resolve() for each in {sys.prefix, sys.base_prefix}]
    folders = [Path(entry).resolve() for entry in sys.path]
    return [
        folder
        for folder in folders
        if folder.is_dir() and not any(folder.is_relative_to(each) for each in theirs)
    ]


def _imports(source: bytes, package: str) -> Iterator[str]:
    """The full names of what a module may import, found without running it."""
    try:
        nodes: Iterable[ast.AST] = ast.walk(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError):  # importing it will say so
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            parts = [*(above if node.level else ()), *filter(None, [node.module])]
            yield from (".".join([*parts, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import(node.func) and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value


def _is_import(function: ast.expr) -> bool:
    return ast.unparse(function).rpartition(".")[2] in ("import_module", "__import__")


def _files(imported: str, roots: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """The files that importing a name reads: packages above it, then the module; none of ours."""
    first, *rest = imported.split(".")
    if not first or first == "bench" or first in sys.stdlib_module_names:
        return
    root = next((r for r in roots if _module(r, first) or (r / first).is_dir()), None)
    if root is None:
        return
    for length in range(len(rest) + 1):
        name = ".".join([first, *rest[:length]])
        if file := _module(root.joinpath(first, *rest[:length]).parent, name.rpartition(".")[2]):
            yield name, file


def _module(folder: Path, name: str) -> Path | None:
    """The file of the module or package ``name`` in a folder."""
    candidates = folder / name / "__init__.py", folder / f"{name}.py"
    return next((path for path in candidates if path.is_file()), None)
