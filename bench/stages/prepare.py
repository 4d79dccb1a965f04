"""Prepare: what a method may compute when training ends, before the forget set is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench import seeds
from bench.plugins.chosen import Plugin
from bench.plugins.rows import ORIGINAL
from bench.stages.attempt import attempt
from bench.stages.cell import Artefact, Cell, Size
from bench.stages.context import Context, Stage
from bench.stages.networks import Networks
from bench.training.cost import measured


class Prepare(Stage):
    """Compute a method's statistics of one original; all requests share them."""

    name, version, phase, timed = "prepare", 2, "train", True
    cost_name = "prepare_cost"

    def cells(self, context: Context) -> list[Cell]:
        starts = sorted({context.start(member) for member in context.members})
        prepared = [label for label, plugin in context.methods.items() if plugin.traits.prepares]
        return [Cell(self.name, label, start) for label in prepared for start in starts]

    def inputs(self, context: Context, cell: Cell) -> list[Cell]:
        original = context.model_cell(ORIGINAL, cell.member, None)
        return [*context.once(Networks).data_cells, original]

    def settings(self, context: Context, cell: Cell) -> dict[str, Any]:
        plugin = context.methods[cell.row]
        fields = plugin.target.prepare_fields
        used = {name: value for name, value in plugin.params.items() if name in fields}
        return {"method": replace(plugin, params=used).identity}

    def runs(self, context: Context, cell: Cell) -> Plugin:
        return context.methods[cell.row]

    def make(self, context: Context, cell: Cell, alone: bool) -> Artefact:
        networks, plugin = context.once(Networks), context.methods[cell.row]
        model = networks.load_model(context.model_cell(ORIGINAL, cell.member, None))
        data = networks.part("train")
        seed = seeds.derive(*context.seed_name("prepare", cell.row, cell.member))
        with attempt(cell, plugin), seeds.isolated(seed), measured(networks.device, alone) as cost:
            statistics = plugin().prepare(model, data)
        record = {"method": cell.row, "member": cell.member, "cost": cost.as_record()}
        return Artefact(record, tensors=statistics)

    def size(self, context: Context, cell: Cell) -> Size:
        weights = context.once(Networks).weight_bytes  # an importance of each weight, say
        return Size(forward=len(context.split.train), bytes=weights, is_guess=True)
