"""Say what a run would do, without making any cell."""

from __future__ import annotations

from collections.abc import Iterator

from bench.config.schema import Config
from bench.engine.begin import check, check_backend, run_folder, warn_of_differences
from bench.engine.execute import is_made
from bench.engine.forecast import REPORT_BYTES, REPORT_S, Forecast
from bench.engine.graph import Group, open_context, plan
from bench.stages.cell import Cell
from bench.stages.context import Context
from bench.storage.files import refuse_unwritable, writing_nothing


def describe_plan(config: Config) -> str:
    """What a run would do: cells by stage, what is stored, time and disk of the rest, and where.

    Raises UserError where the run itself would find that its results cannot be written.
    """
    with writing_nothing():
        context = open_context(config)
        refuse_unwritable(context.store.folder)
        check_backend(config)
        warn_of_differences(context)
        return "\n".join(_lines(context))


def _lines(context: Context) -> Iterator[str]:
    check(context)
    refuse_unwritable(run_folder(context))
    forecast, request = Forecast(context), None
    for group in plan(context):
        if group.request != request:
            request, split = group.request, context.split_at(group.request)
            gone = f"{len(split.asked)} examples, {len(split.forget)} forgotten by then"
            yield f"request {request}: {gone}"
        yield from _group_lines(context, group, forecast)
    report = f"{'report':<9} {'page, tables, figures':<24} {1:>4} cell,  {0:>4} there"
    yield f"{report} {forecast.add('report', REPORT_S, REPORT_BYTES, 'guess')}"
    yield forecast.total()
    yield f"results: {run_folder(context)}"


def _group_lines(context: Context, group: Group, forecast: Forecast) -> Iterator[str]:
    """A line for each row of a group."""
    rows: dict[tuple[str, str], list[Cell]] = {}
    for cell in group.cells:
        rows.setdefault((cell.row, cell.attack), []).append(cell)
    for (row, attack), cells in rows.items():
        missing = [cell for cell in cells if not is_made(context, cell)]
        name = f"{row} for {attack}" if attack else row
        unit = "cell, " if len(cells) == 1 else "cells,"
        stored = len(cells) - len(missing)
        line = f"{group.stage.name:<9} {name:<24} {len(cells):>4} {unit} {stored:>4} there"
        yield f"{line} {forecast.describe(group, missing)}" if missing else line
