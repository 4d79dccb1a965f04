"""What imports what: no circles, no long chains, and plugins and tests stand alone.

Which rooms may import which is stated in ``[tool.importlinter]`` of pyproject.toml, and checked by
``lint-imports``.
"""

from __future__ import annotations

import re
from pathlib import Path

import grimp

from tests.helpers.imports import as_text, circles, import_graph, longest_chain

MOST_MODULES = 12
PLUGINS = (
    "bench.attacks",
    "bench.methods",
    "bench.builtin.datasets",
    "bench.builtin.models",
    "bench.builtin.scenarios",
)


def small_graph(*imports: tuple[str, str]) -> grimp.ImportGraph:
    """A graph with these imports."""
    graph = grimp.ImportGraph()
    for importer, imported in imports:
        graph.add_import(importer=importer, imported=imported)
    return graph


def test_circles_are_found():
    graph = small_graph(("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "f"), ("f", "e"))
    assert circles(graph) == [["a", "b", "c", "a"], ["e", "f", "e"]]
    assert circles(small_graph(("a", "b"), ("a", "c"), ("b", "c"))) == []


def test_the_longest_chain_is_found():
    graph = small_graph(("a", "b"), ("a", "c"), ("b", "c"), ("c", "d"), ("a", "d"))
    assert longest_chain(graph) == ["a", "b", "c", "d"]


def test_no_modules_import_one_another():
    found = circles(import_graph())
    assert not found, "\n".join(["circles of imports:", *map(as_text, found)])


def test_chains_of_imports_are_short():
    assert not circles(import_graph())
    chain = longest_chain(import_graph())
    assert len(chain) <= MOST_MODULES, f"{len(chain)} modules in a chain:\n{as_text(chain)}"


def test_no_module_imports_the_package_whose_names_load_everything():
    importers = import_graph().find_modules_that_directly_import("bench")
    assert not importers, "import from the module that defines the name, not from 'bench'"


def test_plugins_do_not_import_one_another():
    """What two of them need belongs to ``shared``, where neither can change it unnoticed."""
    graph, found = import_graph(), set()
    for package in PLUGINS:
        files = {name for name in graph.find_children(package) if not graph.find_children(name)}
        for plugin in files:
            imported = graph.find_modules_directly_imported_by(plugin) & files
            found |= {(plugin, other) for other in imported}
    assert not found


def test_no_test_imports_another_test_or_conftest():
    """What tests share lies in tests/helpers; benchmarks may use it too."""
    folder = Path(__file__).parent
    name = r"(?:test_\w+|conftest)\b"
    pattern = re.compile(rf"\b(?:from|import)\s+tests[.\w]*(?:\.|\s+import\s.*\b){name}")
    found = [
        f"{file.relative_to(folder)}: {line.strip()}"
        for file in sorted(folder.rglob("*.py"))
        for line in file.read_text().splitlines()
        if pattern.search(line)
    ]
    assert found == []
