"""The offline page of one run: everything that the template needs, from the records alone."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from bench.config import dump_toml
from bench.outputs import Readout, Score
from bench.registry import needs_in_words
from reports.about import parts
from reports.answer import answer, measures, utility
from reports.answer import readouts as readouts_figure
from reports.cost import COSTS, costs
from reports.forgotten import called, samples
from reports.notes import BOLD, RANKS, footnotes, of_row, title
from reports.panels import Drawing, Panel, panels_of
from reports.plain import by_attack
from reports.style import THEMED, looks
from reports.svg import Sheet, inline
from reports.table import (
    TIME,
    Shown,
    cells,
    done_text,
    heading,
    main_readouts,
    number,
    rank_table,
    row_order,
    share_text,
    target_text,
)

if TYPE_CHECKING:
    from jinja2 import Environment

    from bench.results import Run

REFERENCE = {
    "original": "the model before unlearning: forget nothing",
    "retrain": "retrained again with other seeds: the floor of every distance",
    "constant": "always says the commonest class: what collapse scores",
}


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates that escape everything but what is marked as made by us."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters["folding"] = folding
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


def folding(name: str) -> Markup:
    """A name that may be folded between its parameters."""
    return Markup(re.sub(r"([,\[])", r"\1<wbr>", str(escape(name))))


def to_html(run: Run) -> str:
    """The page of a run."""
    from bench.provenance import package_version

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
            called=called(run),
            samples=samples(run),
            settings=dump_toml(record["config"]),
            abouts={kind: _abouts(run, kind) for kind in ("scenario", "model", "dataset")},
        )
    )


def table(
    run: Run, shown: list[Readout], found: dict[str, dict[str, Shown]] | None = None
) -> dict[str, Any]:
    """A comparison for the template: heads, and a line for each row with its cells."""
    scores = {(score.row, score.readout): score for score in run.scores_of.scores}
    cost, style, found = costs(run), looks(row_order(run)), found or cells(run, shown)
    lines = []
    for row, shown_cells in found.items():
        values = [scores.get((row, r.name)) for r in shown]
        share = cost.get(row, {}).get("time_vs_retrain")
        lines.append(
            {
                "row": row,
                "anchor": anchor(row),
                "look": style[row],
                "reference": row in REFERENCE,
                "about": REFERENCE.get(row, ""),
                "cells": list(
                    zip(shown_cells.values(), [_sorting(v) for v in values], strict=True)
                ),
                "time": share_text(share),
                "share": "" if share is None else repr(share),
                "needs": needs(run, row),
                "failed": failures(run, row),
                "settings": (),
            }
        )
    return {"heads": heads(run, shown), "lines": lines, "time": TIME, "settings": ()}


def heads(run: Run, shown: list[Readout]) -> list[dict[str, Any]]:
    """Readouts with their targets."""
    return [{"readout": r, "target": target_text(run, r)} for r in shown]


def _sorting(score: Score | None) -> str:
    return "" if score is None else repr(float(score.value))


def anchor(name: str) -> str:
    """A name as an id of the page: letters and digits, and a hash where others were lost."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")
    lost = "" if plain == name else "-" + hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{plain}{lost}"


def needs(run: Run, row: str) -> str:
    """What a method reads, in words; nothing for rows that are no methods."""
    record = run.record["rows"].get(row)
    if record is None:
        return ""
    return needs_in_words(record["needs"], record.get("prepares", bool(record["prepare_cost"])))


def failures(run: Run, row: str) -> str:
    """How many of a row's models failed, and the first one's reason."""
    record = run.record["rows"].get(row)
    if not record or not record["failures"]:
        return ""
    first, count = record["failures"][0], run.record["config"]["models"]
    return (
        f"{len(record['failures'])} of {count} models failed: {first['stage']}, model "
        f"{first['member']}: {first['reason']}"
    )


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
