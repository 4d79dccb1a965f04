"""Runs that were begun and never went on."""

from __future__ import annotations

from pathlib import Path

from bench.config.schema import Config
from bench.engine.begin import write_beginning
from bench.engine.graph import open_context, plan


def begin(config: Config) -> Path:
    """The folder of a run of which no cell is made yet."""
    context = open_context(config)
    return write_beginning(context, [c for group in plan(context) for c in group.cells])[0]
