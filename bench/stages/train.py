"""Train: originals on the training set and retrained models on the retain set, paired by member.

Original i and retrained i share their seed: equal initial weights, and, since order and
augmentation are tied to examples, an equal order of what both see. Both start from new weights.
"""

from __future__ import annotations

from typing import Any

import torch

from bench import seeds
from bench.errors import UserError
from bench.plugins.rows import ORIGINAL, RETRAINED
from bench.stages.cell import Artefact, Cell, Size
from bench.stages.context import Context, Stage
from bench.stages.networks import Networks
from bench.training.cost import measured


class Train(Stage):
    """Train one model of a population."""

    name, version, phase = "train", 2, "train"

    def cells(self, context: Context) -> list[Cell]:
        originals = [context.model_cell(ORIGINAL, member, None) for member in context.members]
        return originals + [
            context.model_cell(RETRAINED, member, request)
            for request in context.requests
            for member in context.members
        ]

    def inputs(self, context: Context, cell: Cell) -> list[Cell]:
        return context.once(Networks).data_cells

    def settings(self, context: Context, cell: Cell) -> dict[str, Any]:
        return {
            "model": context.model.identity,
            "trainer": context.once(Networks).settings.identity(),
            "row": cell.row,
            "member": cell.member,
            "request": cell.request,
        }

    def make(self, context: Context, cell: Cell, alone: bool) -> Artefact:
        networks, name = context.once(Networks), context.seed_name("train", "pair", cell.member)
        trainer, rng = networks.trainer, seeds.torch_rng(*name)
        examples = networks.part("train" if cell.row == ORIGINAL else "retain", cell.request)
        isolated = seeds.isolated(seeds.derive(*name, "global"))
        with isolated, measured(networks.device, alone) as cost:
            model = trainer.train(trainer.fresh_model(rng), examples, rng)
        weights = model.state_dict()
        if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
            raise UserError(
                f"training diverged ({cell.row} {cell.member} has non-finite weights): "
                f"lower train.lr (now {context.config.train.lr:g})"
            )
        record = {
            "role": cell.row,
            "member": cell.member,
            "seed": list(name),
            "data": context.data.name,
            "model": context.model.label,
            "recipe": trainer.settings.model_dump(mode="json"),
            "cost": cost.as_record(),
        }
        return Artefact(record, tensors=weights)

    def size(self, context: Context, cell: Cell) -> Size:
        split = context.split_at(cell.request)
        examples = len(split.train if cell.row == ORIGINAL else split.retain)
        passes = examples * context.config.train.epochs
        return Size(passes, passes, context.once(Networks).weight_bytes)
