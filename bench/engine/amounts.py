"""Times and sizes in words, and what files take up on a disk."""

from __future__ import annotations

import math

BLOCK = 4096  # bytes that files take up on disk in steps of


def on_disk(size: int) -> int:
    """Bytes that a payload of ``size`` and its record take up."""
    return (math.ceil(size / BLOCK) + 1) * BLOCK


def duration(seconds: float) -> str:
    """Rounded for a reader: 40 s, 12.5 min, 3.0 h."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 9.5 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def amount(size: float) -> str:
    """Rounded for a reader: 12 MB."""
    return next(
        f"{size / unit:.{int(size < 10 * unit)}f} {name}"
        for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B"))
        if size >= unit or unit == 1
    )
