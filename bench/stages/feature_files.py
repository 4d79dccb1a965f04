"""The features of a frozen backbone: in pieces in the store, and joined in one file for speed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.cached_arrays import mapped, replacing, reserved
from bench.stages.cell import Cell
from bench.stages.context import Context
from bench.storage.store import content_key

if TYPE_CHECKING:
    import torch

PIECE = 512  # images
PARTS = ("train", "validation", "test")


def pieces(context: Context, part: str) -> list[Cell]:
    """The cells that hold the features of a part, in order."""
    size = len(getattr(context.split, part))
    return [Cell("features", part, piece) for piece in range(-(-size // PIECE))]


def views(context: Context, part: str) -> int:
    """How many augmented copies of each image have features too."""
    settings = context.config.train
    return settings.views if part == "train" and settings.augment != "none" else 0


def load_features(context: Context, part: str, width: int) -> torch.Tensor:
    """All features of a part, float32 [n, 1 + views, width], from one file that workers share."""
    import torch

    keys = [context.key(cell) for cell in pieces(context, part)]
    file = context.decoded / f"features-{content_key(pieces=keys)}.npy"
    # Copy on write: torch wants an array that may be written, and nobody writes.
    whole = mapped(file, "c")
    if whole is None:
        with replacing(file) as partial:
            _join(context, part, width, partial)
        whole = mapped(file, "c")
    return torch.from_numpy(whole)


def _join(context: Context, part: str, width: int, file: Path) -> None:
    """Write all pieces of a part to one file."""
    shape = len(getattr(context.split, part)), 1 + views(context, part), width
    whole = reserved(file, shape)
    for cell in pieces(context, part):
        whole[cell.member * PIECE :][:PIECE] = context.tensors(cell)["features"].numpy()
    whole.flush()
