"""What a machine remembers of the speed of training, set by a test."""

from __future__ import annotations

from pathlib import Path

from bench.config.schema import Config
from bench.engine.graph import open_context
from bench.stages.networks import Networks
from bench.storage.records import write_record


def remember_speeds(config: Config, fp32: float, bf16: float) -> Path:
    """Let this machine remember these seconds of a training step; the file that holds them."""
    _ = open_context(config).once(Networks).settings  # measures, which makes the file
    (file,) = (Path(config.out) / "decoded").glob("precision-*.json")
    write_record(file, {"fp32": fp32, "bf16": bf16})
    return file
