"""The offline page of one run: everything that the template needs, from the records alone."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from bench.config.load import dump_toml
from bench.config.spelling import spell_value
from bench.reports.about import parts
from bench.reports.answer import answer, measures, utility
from bench.reports.answer import readouts as readouts_figure
from bench.reports.cost import COSTS, costs
from bench.reports.forgotten import by_group, called, samples
from bench.reports.notes import BOLD, RANKS, footnotes, of_row, title
from bench.reports.page_table import REFERENCE, anchor, combined, heads, needs, table
from bench.reports.panels import Drawing, Panel, panels_of
from bench.reports.plain import by_attack
from bench.reports.requests import NOTES as REQUEST_NOTES
from bench.reports.requests import draw as over_requests
from bench.reports.several import Several
from bench.reports.style import THEMED, looks
from bench.reports.svg import Sheet, inline
from bench.reports.table import (
    done_text,
    heading,
    main_readouts,
    number,
    rank_table,
    row_order,
)

if TYPE_CHECKING:
    from jinja2 import Environment

    from bench.results.run import Run


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates that escape everything but what is marked as made by us."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("bench.reports", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters |= {"folding": folding, "coded": coded, "spelled": spell_value}
    script = made.loader.get_source(made, "page.js")[0]
    style = made.loader.get_source(made, "page.css")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    made.globals |= {
        "script": Markup(script),
        "style": Markup(style),
        "script_hash": f"sha256-{digest}",
        "themed": lambda color: THEMED.get(color, color),
        "heading": heading,
        "number": number,
    }
    return made


def coded(text: str) -> Markup:
    """A docstring's text, with what it sets in backticks as code."""
    return Markup(re.sub(r"(`+)(.+?)\1", r"<code>\2</code>", str(escape(text))))


def folding(name: str) -> Markup:
    """A name that may be folded between its parameters."""
    return Markup(re.sub(r"([,\[])", r"\1<wbr>", str(escape(name))))


def to_html(run: Run) -> str:
    """The page of a run."""
    from bench.storage.provenance import package_version

    record, drawing = run.record, Drawing(run)
    sheets = {kind.name: Sheet(drawing, kind) for kind in panels_of(run)}
    return (
        environment()
        .get_template("run.html")
        .render(
            title=title(run),
            record=record,
            run_name=run.folder.resolve().name,
            made_by=package_version(),
            answer=inline(lambda: answer(run), "answer", f"Trade-off of {title(run)}"),
            answer_narrow=inline(lambda: answer(run, True), "narrow", f"Trade-off of {title(run)}"),
            readouts_figure=inline(
                lambda: readouts_figure(run), "readouts", "Main readouts of all rows"
            ),
            measures=measures(run),
            utility=utility(run),
            has_time=any(cost["time_vs_retrain"] for cost in costs(run).values()),
            comparison_table=table(run, main_readouts(run)),
            attacks=[of | {"table": table(run, of["readouts"])} for of in attacks(run)],
            ranks=rank_table(run),
            ranks_words=RANKS,
            bold=BOLD,
            notes=footnotes(run),
            sheets=sheets,
            methods=[method(run, sheets, row) for row in drawing.rows],
            called=[*called(run), *by_group(run)],
            requests=_requests(run),
            samples=samples(run),
            settings=dump_toml(record["config"]),
            abouts={kind: _abouts(run, kind) for kind in ("scenario", "model", "dataset")},
        )
    )


def _requests(run: Run) -> dict[str, Any] | None:
    """The figure and the table over several requests, one after another."""
    if len(run.requests) < 2:
        return None
    several = Several(run.requests)
    several.settings = {"request": [step.record["request"] for step in run.requests]}
    return {
        "figure": inline(lambda: over_requests(run), "requests", "Readouts request by request"),
        "table": combined(several),
        "notes": REQUEST_NOTES,
    }


def attacks(run: Run) -> list[dict[str, Any]]:
    """Every attack with its readouts and its own description."""
    about = run.record.get("about", {}).get("attacks", {})
    return [
        {
            "name": name,
            "anchor": anchor(name or "all"),
            "readouts": readouts,
            "heads": heads(run, readouts),
            "about": parts(about.get(name, "")),
        }
        for name, readouts in by_attack(run.scores_of.readouts).items()
    ]


def _abouts(run: Run, kind: str) -> dict[str, Any]:
    found = run.record.get("about", {}).get(kind, {})
    return {label: parts(text) for label, text in found.items()}


def method(run: Run, sheets: dict[str, Sheet], row: str) -> dict[str, Any]:
    """A row's panels, costs, notes and description."""
    record = run.record["rows"].get(row)
    figures = [
        {"kind": of.kind, "svg": of.panel(row), "number": caption(of.drawing, of.kind, row)}
        for of in sheets.values()
        if row in of.rows
    ]
    return {
        "row": row,
        "anchor": anchor(row),
        "look": looks(row_order(run))[row],
        "reference": REFERENCE.get(row, ""),
        "figures": figures,
        "costs": cost_lines(run, row),
        "needs": needs(run, row),
        "params": record["params"] if record else {},
        "done": done_text(run, row) if record else "",
        "notes": of_row(run, row) if record else [],
        "failed": record["failures"] if record else [],
        "about": parts(run.record.get("about", {}).get("methods", {}).get(row, "")),
    }


def caption(drawing: Drawing, kind: Panel, row: str) -> str:
    """The number of a panel with its interval."""
    score = drawing.score(row, kind.readout) if kind.readout else None
    if score is None:
        return ""
    readout = next(r for r in drawing.run.scores_of.readouts if r.name == kind.readout)
    text = f"{kind.symbol} {number(score.value, readout)}{' %' if readout.percent else ''}"
    if score.interval is not None:
        text += " [{}, {}]".format(*(number(end, readout) for end in score.interval))
    return text


def cost_lines(run: Run, row: str) -> list[tuple[str, str, str]]:
    """What a row cost: what, how much, and how much of retraining's."""
    cost = costs(run)
    if row not in cost:
        return []
    lines = []
    for name, (words, unit) in COSTS.items():
        value, whole = cost[row][name], cost["retrain"][name]
        if value is None or name == "time_vs_retrain":
            continue
        amount = f"{value:,.0f}" if unit == "examples" else f"{value:.3g} {unit}"
        lines.append((words, amount, f"{value / whole:.3g}" if whole else ""))
    return lines
