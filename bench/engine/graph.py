"""The graph of a run: its stages in order, and their cells request by request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from itertools import groupby
from pkgutil import iter_modules

from bench import stages as room
from bench.config.schema import Config
from bench.stages.cell import Cell
from bench.stages.context import PHASES, Context, Stage


@cache
def load_stages() -> dict[str, Stage]:
    """Every stage by name: a class in a file of bench/stages is all that a new one takes."""
    modules = [
        import_module(f"{room.__name__}.{info.name}") for info in iter_modules(room.__path__)
    ]
    classes = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Stage)
        and value.__module__ == module.__name__
        and not value.__abstractmethods__
    ]
    return {stage.name: stage() for stage in classes}


def open_context(config: Config) -> Context:
    """The context of a configuration, with all stages."""
    return Context(config, load_stages())


@dataclass(frozen=True)
class Group:
    """Cells of one stage that may be made at the same time."""

    stage: Stage
    request: int | None
    cells: list[Cell]


def plan(context: Context, stages: Iterable[Stage] | None = None) -> list[Group]:
    """All cells in the order in which they are made: what requests share, then each request.

    ``stages``: only cells of these; by default of all.
    """
    chosen = context.stages.values() if stages is None else stages
    cells = {stage.name: stage.cells(context) for stage in chosen}
    groups: dict[tuple[int | None, str], list[Cell]] = {}
    for name in in_order(context, cells):
        for cell in cells[name]:
            groups.setdefault((cell.request, name), []).append(cell)
    # Requests are numbered from 1; None, for what all of them share, comes first.
    ordered = sorted(groups.items(), key=lambda item: item[0][0] or 0)
    return [Group(context.stages[name], request, of_both) for (request, name), of_both in ordered]


def by_request(groups: Iterable[Group]) -> Iterator[tuple[int | None, Iterator[Group]]]:
    """The groups of each request, in the order of a plan."""
    return groupby(groups, key=lambda group: group.request)


def in_order(context: Context, cells: Mapping[str, Sequence[Cell]]) -> list[str]:
    """The stages that ``cells`` has, by phase, each after those whose artefacts it reads."""
    reads = stages_read(context, cells)
    known = {name: sources & cells.keys() - {name} for name, sources in reads.items()}
    names = TopologicalSorter(known).static_order()
    return sorted(names, key=lambda name: PHASES.index(context.stages[name].phase))


def stages_read(context: Context, cells: Mapping[str, Sequence[Cell]]) -> dict[str, set[str]]:
    """The stages whose artefacts each stage reads, from its ``cells``."""
    reads = {}
    for name, of_stage in cells.items():
        # Inputs of one row's cells differ by member only, so one cell of each row is enough.
        rows = {(cell.row, cell.attack): cell for cell in of_stage}
        reads[name] = {
            source.stage
            for cell in rows.values()
            for source in context.stages[name].inputs(context, cell)
        }
    return reads
