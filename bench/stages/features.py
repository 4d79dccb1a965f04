"""Features: a frozen backbone's view of every image, computed once for all populations.

Kept in pieces, by content: the images, the network, and how training images are augmented decide a
piece; neither labels nor the forget set do, so that all scenarios and methods share them. Each
piece is a cell: pieces are made side by side, and what is finished outlives an interruption.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from bench import seeds
from bench.data.cached_arrays import mapped, replacing, reserved
from bench.stages.context import Cell, Experiment
from bench.storage.store import content_key

if TYPE_CHECKING:
    import torch

VERSION = 1
PIECE = 512  # images
PARTS = ("train", "validation", "test")


def cells(experiment: Experiment) -> list[Cell]:
    """A cell for each piece of each part; none where the network is not frozen."""
    if not experiment.frozen:
        return []
    return [cell for part in PARTS for cell in _pieces(experiment, part)]


def _pieces(experiment: Experiment, part: str) -> list[Cell]:
    size = len(getattr(experiment.split, part))
    return [Cell("features", part, piece) for piece in range(-(-size // PIECE))]


def key(experiment: Experiment, part: str, piece: int | None = None) -> str:
    """The content key of a piece, or of a whole part."""
    index = getattr(experiment.split, part)
    settings = experiment.config.train
    views = view_count(experiment, part)
    return content_key(
        stage="features",
        version=VERSION,
        data=experiment.data.fingerprint,
        model=experiment.model.identity,
        images=hashlib.sha256(index.astype("<i8").tobytes()).hexdigest(),
        piece=piece,
        **({"views": views, "augment": settings.augment, "crop": settings.crop} if views else {}),
    )


def view_count(experiment: Experiment, part: str) -> int:
    settings = experiment.config.train
    return settings.views if part == "train" and settings.augment != "none" else 0


def features(experiment: Experiment, cell: Cell, alone: bool) -> None:
    """Compute and store one piece: float32 [images, 1 + views, width]."""
    import torch

    from bench.training.cost import measured
    from bench.training.prediction import predict_batch

    part, settings = cell.row, experiment.config.train
    pool = experiment.raw_pool(part)
    first = cell.member * PIECE
    index = torch.arange(first, min(first + PIECE, len(pool)), device=pool.device)
    backbone = experiment.frozen.backbone
    seen = []
    with measured(experiment.device, alone) as cost, torch.no_grad():
        for view in range(1 + view_count(experiment, part)):
            rng = seeds.torch_rng("features", key(experiment, part), view)
            chunks = index.split(predict_batch(pool.size))
            augment = settings.augment if view else "none"
            found = [backbone(images).cpu() for images in pool.epoch(chunks, augment, rng)]
            seen.append(torch.cat(found))
    record = {"part": part, "piece": cell.member, "cost": cost.as_record()}
    tensor = torch.stack(seen, dim=1)
    experiment.store.write_tensors("features", experiment.key(cell), record, {"features": tensor})


def load(experiment: Experiment, part: str) -> torch.Tensor:
    """All features of a part, float32 [n, 1 + views, width], from one file that workers share."""
    file = experiment.decoded / f"features-{key(experiment, part)}.npy"
    # Copy on write: torch wants an array that may be written, and nobody writes.
    whole = mapped(file, "c")
    if whole is None:
        with replacing(file) as partial:
            _join(experiment, part, partial)
        whole = mapped(file, "c")
    import torch

    return torch.from_numpy(whole)


def _join(experiment: Experiment, part: str, file: Path) -> None:
    size, views = len(getattr(experiment.split, part)), view_count(experiment, part)
    shape = size, 1 + views, experiment.frozen.width
    whole = reserved(file, shape)
    for cell in _pieces(experiment, part):
        stored = experiment.store.tensors("features", experiment.key(cell))["features"]
        whole[cell.member * PIECE :][:PIECE] = stored.numpy()
    whole.flush()
