"""Features: a frozen backbone's view of every image, computed once for all populations.

Kept in pieces, by content: the images, the network, and how training images are augmented decide a
piece. Neither labels nor the forget set do, so that all scenarios and methods share them. Pieces
are made in parallel, and a finished piece outlives an interruption.
"""

from __future__ import annotations

import hashlib
from typing import Any

import torch

from bench import seeds
from bench.stages.cell import Artefact, Cell, Size
from bench.stages.context import Context, Stage
from bench.stages.feature_files import PIECE, views
from bench.stages.networks import Networks
from bench.storage.store import content_key
from bench.training.cost import measured
from bench.training.prediction import predict_batch


class Features(Stage):
    """Compute the features of one piece of a part: float32 [images, 1 + views, width]."""

    name, version, phase, shared = "features", 2, "train", True

    def cells(self, context: Context) -> list[Cell]:
        return context.once(Networks).feature_cells

    def inputs(self, context: Context, cell: Cell) -> list[Cell]:
        return []  # no label and no forget set: other scenarios share what is made

    def settings(self, context: Context, cell: Cell) -> dict[str, Any]:
        return _settings(context, cell.row) | {"piece": cell.member}

    def make(self, context: Context, cell: Cell, alone: bool) -> Artefact:
        networks, part = context.once(Networks), cell.row
        pool, augment = networks.images(part), context.config.train.augment
        first = cell.member * PIECE
        index = torch.arange(first, min(first + PIECE, len(pool)), device=pool.device)
        assert networks.frozen  # otherwise there is no such cell
        backbone, name, seen = networks.frozen.backbone, _seed_name(context, part), []
        with measured(networks.device, alone) as cost, torch.no_grad():
            for view in range(1 + views(context, part)):
                rng = seeds.torch_rng("features", name, view)
                chunks = index.split(predict_batch(pool.size))
                epoch = pool.epoch(chunks, augment if view else "none", rng)
                seen.append(torch.cat([backbone(images).cpu() for images in epoch]))
        record = {"part": part, "piece": cell.member, "cost": cost.as_record()}
        return Artefact(record, tensors={"features": torch.stack(seen, dim=1)})

    def size(self, context: Context, cell: Cell) -> Size:
        images = min(PIECE, len(getattr(context.split, cell.row)) - cell.member * PIECE)
        passes = images * (1 + views(context, cell.row))
        frozen = context.once(Networks).frozen
        assert frozen  # otherwise there is no such cell
        size = 2 * 4 * passes * frozen.width  # once more in the joined file
        return Size(forward=passes, bytes=size, network="backbone")


def _settings(context: Context, part: str) -> dict[str, Any]:
    """What decides the features of a part."""
    index = getattr(context.split, part)
    settings, copies = context.config.train, views(context, part)
    augmented = {"views": copies, "augment": settings.augment, "crop": settings.crop}
    return {
        "data": context.data.fingerprint,
        "model": context.model.identity,
        "images": hashlib.sha256(index.astype("<i8").tobytes()).hexdigest(),
        **(augmented if copies else {}),
    }


def _seed_name(context: Context, part: str) -> str:
    """What the augmentation of a part is seeded with; it stays as it is, so that features do."""
    return content_key(stage="features", version=1, piece=None, **_settings(context, part))
