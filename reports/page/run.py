"""The offline page of one run: everything that the template needs, from the records alone."""

from __future__ import annotations

from typing import Any

from bench.config.load import dump_toml
from bench.plugins.outputs import Readout
from bench.plugins.rows import RETRAIN
from bench.reports.comparison.figure import over_settings
from bench.reports.comparison.several import requests_of
from bench.reports.comparison.table import grid_of
from bench.reports.figures.answer import answer, measures, utility
from bench.reports.figures.panels import Drawing
from bench.reports.figures.readouts import readouts as readouts_figure
from bench.reports.notes import BOLD, RANKS, footnotes, row_notes, scenario_of, title
from bench.reports.page.about import parts
from bench.reports.page.forgotten import errors_by_group, predictions, samples
from bench.reports.page.sheets import Sheet
from bench.reports.page.svg import anchor, inline
from bench.reports.page.tables import REFERENCE, needs, page_table
from bench.reports.page.template import attacks, environment
from bench.reports.style import looks
from bench.reports.tables.grid import single
from bench.reports.tables.text import rank_table
from bench.results.compare import bold_rows
from bench.results.costs import COSTS, SHARE, costs, time_shares
from bench.results.finished import Finished, row_order
from bench.results.table import done_text, main_readouts


def run_html(run: Finished) -> str:
    """The page of a run."""
    record, drawing = run.record, Drawing(run)
    sheets = [Sheet(drawing, panel) for panel in drawing.panels]
    return (
        environment()
        .get_template("run.html")
        .render(
            title=title(run),
            scenario=scenario_of(record),
            record=record,
            run_name=run.folder.resolve().name,
            **_figures(run),
            **_tables(run),
            notes=footnotes(run),
            sheets=sheets,
            methods=[method(run, sheets, row) for row in drawing.rows],
            called=[*predictions(run), *errors_by_group(run)],
            requests=_requests(run),
            samples=samples(run),
            settings=dump_toml(record["config"]),
            abouts={kind: _abouts(run, kind) for kind in ("scenario", "model", "dataset")},
        )
    )


def _figures(run: Finished) -> dict[str, Any]:
    """The figures of the whole run, and what their captions name."""
    words = f"Trade-off of {title(run)}"
    return {
        "answer": inline(lambda: answer(run), "answer", words),
        "answer_narrow": inline(lambda: answer(run, narrow=True), "narrow", words),
        "readouts_figure": inline(
            lambda: readouts_figure(run), "readouts", "Main readouts of all rows"
        ),
        "measures": measures(run),
        "utility": utility(run),
        "has_time": any(time_shares(run.record).values()),
    }


def _tables(run: Finished) -> dict[str, Any]:
    """The comparison, that of each attack, and the ranks."""
    best, style = bold_rows(run.compared), looks(row_order(run))

    def table(readouts: list[Readout], time: bool) -> dict[str, Any]:
        return page_table(single(run, readouts, best, time), style)

    return {
        "comparison_table": table(main_readouts(run), True),
        "attacks": [
            attack | {"table": table(attack["readouts"], False)} for attack in attacks(run).values()
        ],
        "ranks": rank_table(run),
        "ranks_words": RANKS,
        "bold": BOLD,
    }


def _requests(run: Finished) -> dict[str, Any] | None:
    """The figure and the table over several requests, one after another."""
    if len(run.requests) < 2:
        return None
    several = requests_of(run)
    return {
        "figure": inline(lambda: over_settings(several), "requests", "Readouts request by request"),
        "table": page_table(grid_of(several), looks(several.rows)),
        "notes": several.reading,
    }


def _abouts(run: Finished, kind: str) -> dict[str, Any]:
    docstrings = run.record["about"][kind]
    return {label: parts(text) for label, text in docstrings.items()}


def method(run: Finished, sheets: list[Sheet], row: str) -> dict[str, Any]:
    """A row's panels, costs, notes and description."""
    record = run.record["rows"].get(row)
    return {
        "row": row,
        "anchor": anchor(row),
        "look": looks(row_order(run))[row],
        "reference": REFERENCE.get(row, ""),
        "figures": [
            {"sheet": sheet, "svg": sheet.panel(row), "number": sheet.caption(row)}
            for sheet in sheets
            if row in sheet.rows
        ],
        "costs": cost_lines(run, row),
        "needs": needs(run, row),
        "params": record["params"] if record else {},
        "done": done_text(run, row) if record else "",
        "notes": row_notes(run, row) if record else [],
        "failed": record["failures"] if record else [],
        "about": parts(run.record["about"]["methods"].get(row, "")),
    }


def cost_lines(run: Finished, row: str) -> list[tuple[str, str, str]]:
    """What a row cost: what, how much, and how much of retraining's."""
    cost = costs(run.record)
    if row not in cost:
        return []
    lines = []
    for name, (words, unit) in COSTS.items():
        value, whole = cost[row][name], cost[RETRAIN][name]
        if value is None or name == SHARE:
            continue
        amount = f"{value:,.0f}" if unit == "examples" else f"{value:.3g} {unit}"
        lines.append((words, amount, f"{value / whole:.3g}" if whole else ""))
    return lines
