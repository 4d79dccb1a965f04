"""The graph of imports among our modules, lazy ones included."""

from __future__ import annotations

from functools import cache

import grimp


@cache
def import_graph(types: bool = True) -> grimp.ImportGraph:
    """Every module of ``bench``, those behind its links included, and what imports what.

    Without ``types``, imports that only annotations need (``if TYPE_CHECKING``) are left out.
    """
    return grimp.build_graph("bench", exclude_type_checking_imports=not types, cache_dir=None)


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """For each group of modules that import one another, directly or not, one circle, in order."""
    above = {module: graph.find_upstream_modules(module) for module in graph.modules}
    found, seen = [], set()
    for module in sorted(graph.modules):
        tangled = {other for other in above[module] if module in above[other]}
        if not tangled or module in seen:
            continue
        seen |= tangled | {module}
        ways = (
            graph.find_shortest_chain(imported, module)
            for imported in sorted(graph.find_modules_directly_imported_by(module) & tangled)
        )
        found.append([module, *min(filter(None, ways), key=len)])
    return found


def longest_chain(graph: grimp.ImportGraph) -> list[str]:
    """The longest way down from a module through imports; only for a graph without circles."""
    chains: dict[str, list[str]] = {}

    def chain(module: str) -> list[str]:
        if module not in chains:
            below = sorted(graph.find_modules_directly_imported_by(module))
            chains[module] = [module, *max(map(chain, below), key=len, default=[])]
        return chains[module]

    return max(map(chain, sorted(graph.modules)), key=len)


def as_text(chain: list[str]) -> str:
    """One line per module, each importing the next."""
    return "\n".join(f"  {'-> ' if place else ''}{name}" for place, name in enumerate(chain))
