"""Unlearn: a method forgets the forget set, starting from its private copy of an original.

Where there are several requests, one after another, a method is given its own model of the request
before, and only the examples that are asked for now.

A method that fails, breaks its contract or returns non-finite weights leaves a failure record with
the reason. Such a cell does not count as done and does not stop the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from bench import seeds
from bench.plugins.chosen import Plugin
from bench.plugins.method import Task
from bench.plugins.method_rules import (
    Weights,
    check_answers,
    check_result,
    fingerprint,
    refuse_violations,
)
from bench.plugins.rows import ORIGINAL, RETRAIN
from bench.stages.attempt import attempt
from bench.stages.cell import Artefact, Cell, Size
from bench.stages.context import Context, Stage
from bench.stages.networks import Networks
from bench.training.cost import Cost, measured

Statistics = dict[str, torch.Tensor]


class Unlearn(Stage):
    """Make one unlearned model."""

    name, version, phase, timed = "unlearn", 3, "unlearn", True
    cost_name = "cost"

    def cells(self, context: Context) -> list[Cell]:
        return [
            cell
            for request in context.requests
            for cell in context.cells_at(request, self.name, context.method_labels)
        ]

    def inputs(self, context: Context, cell: Cell) -> list[Cell]:
        traits, start = context.methods[cell.row].traits, context.start(cell.member)
        prepared = [Cell("prepare", cell.row, start)] if traits.prepares else []
        earlier = context.earlier(cell.request)
        used = earlier if traits.carries else earlier[-1:]
        return [
            *context.once(Networks).data_cells,
            context.model_cell(ORIGINAL, start, None),
            *prepared,
            *(context.model_cell(cell.row, cell.member, request) for request in used),
        ]

    def settings(self, context: Context, cell: Cell) -> dict[str, Any]:
        own_original = context.start(cell.member) == cell.member
        return {
            "method": context.methods[cell.row].identity,
            # With an original of its own, a model already differs by that original's key.
            "member": None if own_original else cell.member,
            "request": cell.request,
        }

    def runs(self, context: Context, cell: Cell) -> Plugin:
        return context.methods[cell.row]

    def make(self, context: Context, cell: Cell, alone: bool) -> Artefact:
        networks, plugin = context.once(Networks), context.methods[cell.row]
        name = _seed_name(context, "unlearn", cell)
        statistics = prepared_statistics(context, cell)
        requests = context.earlier(cell.request) if plugin.traits.carries else []
        steps = [replace(cell, request=request) for request in requests]
        earlier = [(step, *given(context, step, "carried", statistics)) for step in steps]
        model, task = given(context, cell, "unlearn", statistics)
        seed = seeds.derive(*name, "global")
        with attempt(cell, plugin):
            before = fingerprint(model)
            carry_cost = carry(context, earlier, task, alone)
            with seeds.isolated(seed), measured(networks.device, alone) as cost:
                result = plugin().unlearn(model, task)
            weights = check_result(model, before, result, task)
        with attempt(cell, plugin):  # once more: now with the process as it was
            weights = _check_answers(context, cell, result, weights)
        record = {
            "method": cell.row,
            "params": plugin.params,
            "member": cell.member,
            "seed": list(name),
            "notes": task.notes,
            "cost": cost.as_record(),
            **({"carry_cost": carry_cost.as_record()} if carry_cost else {}),
        }
        return Artefact(record, tensors=weights)

    def size(self, context: Context, cell: Cell) -> Size:
        """Retraining is known; of other methods assume ``epochs`` passes over what they need."""
        split, weights = context.split_at(cell.request), context.once(Networks).weight_bytes
        if cell.row == RETRAIN:
            passes = len(split.retain) * context.config.train.epochs
            return Size(passes, passes, weights)
        plugin = context.methods[cell.row]
        parts = {need.removesuffix("-labels") for need in plugin.traits.requirements}
        names = {"forget": "asked"}
        examples = sum(len(getattr(split, names.get(part, part))) for part in parts)
        passes = examples * (plugin.params.get("epochs") or 1)
        return Size(passes, passes, weights, is_guess=True)


def prepared_statistics(context: Context, cell: Cell) -> Statistics:
    """The statistics of the method's own original, on the device; none where it uses none."""
    if not context.methods[cell.row].traits.prepares:
        return {}
    source = Cell("prepare", cell.row, context.start(cell.member))
    device = context.once(Networks).device
    return {name: tensor.to(device) for name, tensor in context.tensors(source).items()}


def given(
    context: Context, cell: Cell, purpose: str, statistics: Statistics
) -> tuple[nn.Module, Task]:
    """What a method is given in one cell: the model, and the task with its guarded views."""
    networks = context.once(Networks)
    task = Task(
        forget=networks.part("asked", cell.request),
        retain=networks.part("retain", cell.request),
        validation=networks.part("validation"),
        recipe=networks.trainer,
        rng=seeds.torch_rng(*_seed_name(context, purpose, cell)),
        goal=context.split.goal,
        statistics=statistics,
        needs=context.methods[cell.row].traits.requirements,
    )
    return networks.starting_model(cell.row, cell.member, cell.request), task


def _seed_name(context: Context, purpose: str, cell: Cell) -> tuple[str | int, ...]:
    turn: tuple[str | int, ...] = () if cell.request is None else ("request", cell.request)
    return context.seed_name(purpose, cell.row, cell.member, *turn)


def carry(
    context: Context, earlier: list[tuple[Cell, nn.Module, Task]], task: Task, alone: bool
) -> Cost | None:
    """Give ``task`` the statistics that earlier requests leave behind; the cost of the last one.

    They are computed again for each request: stored, they would be the largest files of a run.
    """
    statistics, last = task.statistics, None
    device = context.once(Networks).device
    for cell, model, step in earlier:
        step.statistics = statistics
        seed = seeds.derive(*_seed_name(context, "carried", cell), "global")
        with seeds.isolated(seed), measured(device, alone) as cost:
            statistics = context.methods[cell.row]().carried(model, step)
        refuse_violations(step)
        last = cost
    task.statistics = statistics
    return last


def _check_answers(context: Context, cell: Cell, result: nn.Module, weights: Weights) -> Weights:
    """The weights to store; ContractError where the model answers otherwise than they will."""
    networks = context.once(Networks)
    scored = networks.blank_model()
    scored.load_state_dict(weights)
    for part in ("forget", "validation"):
        check_answers(result, scored, networks.part(part, cell.request), part)
    return scored.state_dict()
