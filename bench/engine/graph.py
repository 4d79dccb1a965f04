"""The graph of a run: its stages in order, and their cells request by request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    groups: dict[tuple[int | None, str], list[Cell]] = {}
    for stage in in_order(context, context.stages.values() if stages is None else stages):
        for cell in stage.cells(context):
            groups.setdefault((cell.request, stage.name), []).append(cell)
    # Requests are numbered from 1; None, for what all of them share, comes first.
    by_request = sorted(groups.items(), key=lambda item: item[0][0] or 0)
    return [Group(context.stages[name], request, cells) for (request, name), cells in by_request]


def by_request(groups: Iterable[Group]) -> Iterator[tuple[int | None, Iterator[Group]]]:
    """The groups of each request, in the order of a plan."""
    return groupby(groups, key=lambda group: group.request)


def in_order(context: Context, stages: Iterable[Stage]) -> list[Stage]:
    """The stages by phase, each after those whose artefacts it reads."""
    by_name = {stage.name: stage for stage in stages}
    reads: dict[str, set[str]] = {}
    for stage in by_name.values():
        # Inputs of one row's cells differ by member only, so one cell of each row is enough.
        rows = {(cell.row, cell.attack): cell for cell in stage.cells(context)}
        sources = (source for cell in rows.values() for source in stage.inputs(context, cell))
        reads[stage.name] = {source.stage for source in sources} & by_name.keys() - {stage.name}
    names = TopologicalSorter(reads).static_order()
    return sorted((by_name[n] for n in names), key=lambda stage: PHASES.index(stage.phase))
