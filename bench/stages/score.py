"""Score: attacks read the stored outputs of a run and nothing else."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from bench.errors import UserError
from bench.plugins.attack import stage_of
from bench.plugins.chosen import Plugin
from bench.plugins.outputs import Outputs, Scores
from bench.plugins.rows import UNTRAINED
from bench.plugins.scores import arrays_of, as_record, check_scores, from_record, merge
from bench.stages.cell import Artefact, Cell, Size
from bench.stages.context import Context, Stage
from bench.stages.gather import StoredOutputs, read_relearning


class ScoreOutputs(Stage):
    """Compute the numbers of one attack for all rows."""

    name, version, phase, reads_outputs_only = "score", 3, "score", True

    def cells(self, context: Context) -> list[Cell]:
        return [
            Cell(self.name, attack, request=request)
            for request in context.requests
            for attack in context.attacks
        ]

    def inputs(self, context: Context, cell: Cell) -> list[Cell]:
        request, attack = cell.request, cell.row
        further = {
            "untrained": context.cells_at(request, "untrained", [UNTRAINED]),
            "relearn": context.cells_at(request, "relearn", context.rows, attack),
        }
        return [
            Cell("split"),
            *context.cells_at(request, "predict", context.rows),
            *further.get(stage_of(context.attacks[attack]), []),
        ]

    def settings(self, context: Context, cell: Cell) -> dict[str, Any]:
        config, attack = context.config, context.attacks[cell.row]
        return {
            "attack": attack.identity,
            "seed": config.seed,
            "originals": config.originals,
            "request": cell.request,
        }

    def runs(self, context: Context, cell: Cell) -> Plugin:
        return context.attacks[cell.row]

    def make(self, context: Context, cell: Cell, alone: bool) -> Artefact:
        plugin, outputs = context.attacks[cell.row], context.once(StoredOutputs).at(cell.request)
        if stage_of(plugin) == "relearn":
            relearning = read_relearning(context, outputs, plugin.label, cell.request)
            outputs = replace(outputs, relearning=relearning)
        start = time.perf_counter()
        scores = run_attack(plugin, outputs)
        cost = {"time_s": time.perf_counter() - start}
        record = {"attack": plugin.label, "cost": cost, **as_record(scores)}
        return Artefact(record, arrays_of(scores))

    def size(self, context: Context, cell: Cell) -> Size:
        models = len(context.members)
        return Size(bytes=1000 * len(context.rows) * models, seconds=0.1 * models, is_guess=True)


def run_attack(plugin: Plugin, outputs: Outputs) -> Scores:
    """Call an attack; an error in a user's own attack is reported in one line."""
    try:
        scores = plugin(outputs)
        if not isinstance(scores, Scores):
            raise UserError(
                f"attack {plugin.label} returned {type(scores).__name__}, not bench.Scores"
            )
    except UserError as error:
        raise UserError(
            f"{error}; models and outputs are kept, see bench check, then repeat the command"
        ) from error
    check_scores(plugin.label, scores)
    return scores


def read_scores(context: Context, request: int | None) -> Scores:
    """The stored scores of all attacks on one request, in the configuration's order."""
    by_attack = {}
    for label in context.attacks:
        cell = Cell("score", label, request=request)
        record = context.record(cell)
        arrays = context.arrays(cell) if "payload" in record else {}
        scores = from_record(record, arrays)
        readouts = [replace(readout, attack=label) for readout in scores.readouts]
        by_attack[label] = replace(scores, readouts=readouts)
    together = merge(list(by_attack), list(by_attack.values()))
    notes = [*context.once(StoredOutputs).at(request).notes, *together.notes]
    return replace(together, notes=notes)
