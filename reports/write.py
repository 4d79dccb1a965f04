"""What a report writes: page, tables and figures, in the formats asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from bench.reports.comparison.files import (
    several_csv,
    several_json,
    several_latex,
    several_markdown,
)
from bench.reports.comparison.several import Several, requests_of
from bench.reports.tables.latex import run_latex
from bench.reports.tables.text import csv_text, json_text, run_markdown, run_values
from bench.results.compare import as_table
from bench.results.finished import Finished
from bench.results.tidy import long_table, model_table, requests_table, wide_table
from bench.storage.files import write_atomic

Subject = TypeVar("Subject")
FORMATS = ("html", "csv", "md", "latex", "json", "figures")
PAGE, MARKDOWN, LATEX, JSON = "index.html", "table.md", "table.tex", "table.json"


def write_report(run: Finished, folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the files of a report into ``folder``; returns them, the page first."""
    written = _write_texts(run, RUN_TEXTS, folder, formats)
    return written + (_run_figures(run, folder) if "figures" in formats else [])


def write_several(several: Several, folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the report of several runs side by side; returns the files, the page first."""
    written = _write_texts(several, SEVERAL_TEXTS, folder, formats)
    return written + (_several_figures(several, folder) if "figures" in formats else [])


def _write_texts(
    subject: Subject,
    makers: Mapping[str, Callable[[Subject], dict[str, str]]],
    folder: Path,
    formats: Sequence[str],
) -> list[Path]:
    texts: dict[str, str] = {}
    for kind, make in makers.items():
        if kind in formats:
            texts |= make(subject)
    for name, text in texts.items():
        write_atomic(folder / name, text.encode())
    return [folder / name for name in texts]


def _run_page(run: Finished) -> dict[str, str]:
    from bench.reports.page.run import run_html  # matplotlib, only for who wants pictures

    return {PAGE: run_html(run)}


def _several_page(several: Several) -> dict[str, str]:
    from bench.reports.page.several import several_html

    return {PAGE: several_html(several)}


def _run_csv(run: Finished) -> dict[str, str]:
    tables = {
        "table.csv": wide_table(run),
        "long.csv": long_table(run),
        "cells.csv": model_table(run),
        "comparisons.csv": as_table(run.compared),
    }
    if len(run.requests) > 1:
        tables["requests.csv"] = requests_table(run.requests)
    return {name: csv_text(table) for name, table in tables.items()}


def _run_figures(run: Finished, folder: Path) -> list[Path]:
    from bench.reports.comparison.figure import over_settings
    from bench.reports.figures.files import figures_of, save

    figures = figures_of(run)
    if len(run.requests) > 1:
        figures["requests"] = lambda: over_settings(requests_of(run))
    return save(figures, folder)


def _several_figures(several: Several, folder: Path) -> list[Path]:
    from bench.reports.comparison.figure import over_settings
    from bench.reports.figures.files import save

    return save({"settings": lambda: over_settings(several)}, folder)


RUN_TEXTS: dict[str, Callable[[Finished], dict[str, str]]] = {
    "html": _run_page,
    "csv": _run_csv,
    "md": lambda run: {MARKDOWN: run_markdown(run)},
    "latex": lambda run: {LATEX: run_latex(run)},
    "json": lambda run: {JSON: json_text(run_values(run))},
}
SEVERAL_TEXTS: dict[str, Callable[[Several], dict[str, str]]] = {
    "html": _several_page,
    "csv": several_csv,
    "md": lambda several: {MARKDOWN: several_markdown(several)},
    "latex": lambda several: {LATEX: several_latex(several)},
    "json": lambda several: {JSON: several_json(several)},
}
