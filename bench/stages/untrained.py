"""Untrained: logits on the forget set of networks as they are before any training.

Asked for by attacks that declare it.
"""

from __future__ import annotations

from typing import Any

from bench import seeds
from bench.plugins.rows import UNTRAINED
from bench.stages.cell import Artefact, Cell, Size
from bench.stages.context import Context, Stage
from bench.stages.networks import Networks
from bench.training.prediction import predict as logits_of


class Untrained(Stage):
    """Compute the logits of one untrained network: float32 [examples, classes]."""

    name, version, phase = "untrained", 2, "predict"

    def cells(self, context: Context) -> list[Cell]:
        if not context.attacks_reading(self.name):
            return []
        return [
            cell
            for request in context.requests
            for cell in context.cells_at(request, self.name, [UNTRAINED])
        ]

    def inputs(self, context: Context, cell: Cell) -> list[Cell]:
        return context.once(Networks).data_cells

    def settings(self, context: Context, cell: Cell) -> dict[str, Any]:
        return {"model": context.model.identity, "member": cell.member, "request": cell.request}

    def make(self, context: Context, cell: Cell, alone: bool) -> Artefact:
        networks, name = context.once(Networks), context.seed_name("untrained", cell.member)
        with seeds.isolated(seeds.derive(*name, "global")):
            model = networks.trainer.fresh_model(seeds.torch_rng(*name)).eval()
        logits = logits_of(model, networks.part("forget", cell.request)).numpy()
        return Artefact({"row": cell.row, "member": cell.member}, {"forget": logits})

    def size(self, context: Context, cell: Cell) -> Size:
        split = context.split_at(cell.request)
        return Size(forward=len(split.forget), bytes=4 * len(split.forget) * len(split.classes))
