"""What a report writes of a run: page, tables and figures, in the formats asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.reports import plain
from bench.reports.requests import over_requests
from bench.storage.files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.reports.several import Several
    from bench.results.run import Run

FORMATS = ("html", "csv", "md", "latex", "json", "figures")
PAGE = "index.html"


def write_report(run: Run, folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the files of a report into ``folder``; returns them, the page first."""
    texts = {name: text for kind in FORMATS if kind in formats for name, text in files(run, kind)}
    for name, text in texts.items():
        write_atomic(folder / name, text.encode())
    written = [folder / name for name in texts]
    if "figures" in formats:
        from bench.reports.figures import write_figures

        written += write_figures(run, folder)
    return written


def write_several(several: Several, folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the report of several runs side by side; returns the files, the page first."""
    texts: dict[str, str] = {}
    if "html" in formats:
        from bench.reports.several_page import to_html

        texts[PAGE] = to_html(several)
    if "csv" in formats:
        texts |= {name: plain.csv_text(table) for name, table in several.csv().items()}
    makers = {"md": several.to_markdown, "latex": several.to_latex, "json": several.to_json}
    names = {"md": "table.md", "latex": "table.tex", "json": "table.json"}
    texts |= {names[kind]: make() for kind, make in makers.items() if kind in formats}
    for name, text in texts.items():
        write_atomic(folder / name, text.encode())
    written = [folder / name for name in texts]
    if "figures" in formats:
        from bench.reports.figures import save
        from bench.reports.over_settings import over_settings

        written += save({"settings": lambda: over_settings(several)}, folder)
    return written


def files(run: Run, kind: str) -> list[tuple[str, str]]:
    """Names and texts of the files of one format."""
    if kind == "html":
        from bench.reports.page import to_html

        return [(PAGE, to_html(run))]
    if kind == "csv":
        from bench.reports.long import cells, tidy

        tables = {"table.csv": plain.wide(run), "long.csv": tidy(run), "cells.csv": cells(run)}
        tables["comparisons.csv"] = run.comparisons()
        if len(run.requests) > 1:
            tables["requests.csv"] = over_requests(run)
        return [(name, plain.csv_text(table)) for name, table in tables.items()]
    if kind == "md":
        return [("table.md", plain.to_markdown(run))]
    if kind == "latex":
        from bench.reports.latex import to_latex

        return [("table.tex", to_latex(run))]
    return [("table.json", plain.to_json(run))] if kind == "json" else []
