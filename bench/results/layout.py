"""The files in a run's folder; its recipe and manifest are named where they are written."""

from __future__ import annotations

from pathlib import Path

RECORD, CURVES, EXTRAS = "run.json", "curves.npz", "extras.npz"
REQUEST = "request-"


def request_folder(folder: Path, request: int | None) -> Path:
    """Where the records of one of several requests lie in a run's folder."""
    return folder if request is None else folder / f"{REQUEST}{request}"
