"""Everything that a report writes beside a run's records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.store import write_atomic
from reports.table import to_csv, to_markdown

if TYPE_CHECKING:
    from bench.results import Run


def write_report(run: Run, folder: Path) -> list[Path]:
    """Tables, comparisons of methods (CSV) and figures (PNG, SVG) of a run; returns the files.

    Of several requests those after the last one, and the CSV and figure over all.
    """
    from reports.figures import write_figures
    from reports.requests import write_requests

    texts = {
        "table.csv": to_csv(run),
        "table.md": to_markdown(run),
        "comparisons.csv": run.comparisons().to_csv(index=False, lineterminator="\n"),
    }
    for name, text in texts.items():
        write_atomic(folder / name, text.encode())
    tables = [folder / name for name in texts]
    return [*tables, *write_figures(run, folder), *write_requests(run, folder)]
