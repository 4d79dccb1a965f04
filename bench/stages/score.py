"""Score: attacks read the stored outputs of a run and nothing else."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from bench.errors import ContractError, UserError
from bench.outside import shown
from bench.plugins.attack import stage_of
from bench.plugins.chosen import Plugin
from bench.plugins.outputs import Outputs, Readout, Scores, Undefined
from bench.plugins.rows import UNTRAINED
from bench.plugins.scores import arrays_of, as_record, check_scores, from_record, merge
from bench.plugins.undefined import set_apart
from bench.stages.attempt import attempt
from bench.stages.cell import Artefact, Cell, Size
from bench.stages.context import Context, Stage
from bench.stages.gather import StoredOutputs, read_relearning
from bench.storage.records import canonical_json


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
        with attempt(cell, plugin):
            scores = run_attack(plugin, outputs)
        cost = {"time_s": time.perf_counter() - start}
        record = {"attack": plugin.label, "cost": cost, **as_record(scores)}
        return Artefact(record, arrays_of(scores))

    def size(self, context: Context, cell: Cell) -> Size:
        models = len(context.members)
        return Size(bytes=1000 * len(context.rows) * models, seconds=0.1 * models, is_guess=True)


def run_attack(plugin: Plugin, outputs: Outputs) -> Scores:
    """Call an attack; what it gives is checked, and numbers that do not exist are set apart."""
    scores = plugin(outputs)
    if not isinstance(scores, Scores):
        raise ContractError(f"returned {type(scores).__name__}, not bench.Scores")
    scores = set_apart(scores)
    check_scores(plugin.label, scores)
    canonical_json(as_record(scores))  # raises for what cannot be stored
    return scores


def read_scores(context: Context, request: int | None) -> Scores:
    """The stored scores of all attacks on one request, in the configuration's order.

    An attack that failed has a column of dashes. Raises UserError where every attack failed.
    """
    cells = {label: Cell("score", label, request=request) for label in context.attacks}
    failures = {label: _why(context, cell) for label, cell in cells.items()}
    if all(failures.values()):
        label, reason = next(iter(failures.items()))
        raise UserError(f"attack {label}: {reason}")
    outputs, by_attack = context.once(StoredOutputs).at(request), {}
    for label, cell in cells.items():
        reason = failures[label]
        scores = _dashes(label, reason, outputs) if reason else _stored(context, cell)
        readouts = [replace(readout, attack=label) for readout in scores.readouts]
        by_attack[label] = replace(scores, readouts=readouts)
    together = merge(list(by_attack), list(by_attack.values()))
    return replace(together, notes=[*outputs.notes, *together.notes])


def _stored(context: Context, cell: Cell) -> Scores:
    record = context.record(cell)
    return from_record(record, context.arrays(cell) if "payload" in record else {})


def _why(context: Context, cell: Cell) -> str:
    """Why an attack has no scores, and what to do; empty where it has."""
    if context.has(cell):
        return ""
    failure = context.failure(cell)
    if failure is None:
        raise RuntimeError(f"{cell} was neither made nor failed")
    file = context.store.failure_path(cell.stage, context.key(cell))
    return (
        f"{shown(failure['reason'])} (traceback in {shown(file)}); models and outputs are kept, "
        "see bench check, then repeat the command"
    )


def _dashes(label: str, reason: str, outputs: Outputs) -> Scores:
    """One column without a number in any row."""
    undefined = [Undefined(row, label, f"the attack failed: {reason}") for row in outputs.rows]
    return Scores([Readout(label, label, main=True)], [], undefined=undefined)
