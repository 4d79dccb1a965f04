"""Predict: class logits of a stored model on every part of the split, in eval mode and fp32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.errors import ContractError
from bench.plugins.outputs import PARTS
from bench.stages.attempt import attempt
from bench.stages.cell import Artefact, Cell, Size
from bench.stages.context import Context, Stage
from bench.stages.networks import Networks
from bench.training.prediction import predict as logits_of

SPLIT_NAME = {"retain": "retain_sample"}  # predictions are stored for a part of the retain set


class Predict(Stage):
    """Compute the logits of one model: float32 [examples, classes] for each part."""

    name, version, phase = "predict", 2, "predict"

    def cells(self, context: Context) -> list[Cell]:
        return [
            cell
            for request in context.requests
            for cell in context.cells_at(request, self.name, context.rows)
        ]

    def inputs(self, context: Context, cell: Cell) -> list[Cell]:
        model = context.model_cell(cell.row, cell.member, cell.request)
        return [*context.once(Networks).data_cells, model]

    def settings(self, context: Context, cell: Cell) -> dict[str, Any]:
        return {"request": cell.request}

    def make(self, context: Context, cell: Cell, alone: bool) -> Artefact:
        networks = context.once(Networks)
        model = networks.load_model(context.model_cell(cell.row, cell.member, cell.request))
        logits = {
            part: logits_of(model, networks.part(SPLIT_NAME.get(part, part), cell.request)).numpy()
            for part in PARTS
        }
        if cell.row in context.method_labels:
            with attempt(cell, context.methods[cell.row]):
                _refuse_not_finite(logits)
        return Artefact({"row": cell.row, "member": cell.member}, logits)

    def size(self, context: Context, cell: Cell) -> Size:
        split = context.split_at(cell.request)
        examples = sum(len(getattr(split, SPLIT_NAME.get(part, part))) for part in PARTS)
        return Size(forward=examples, bytes=4 * examples * len(split.classes))


def _refuse_not_finite(logits: Mapping[str, np.ndarray]) -> None:
    """Raise ContractError for outputs that no score can be computed from."""
    for part, array in logits.items():
        if not np.isfinite(array).all():
            raise ContractError(f"returned a model with non-finite outputs on the {part} set")
