"""Unlearn: a method forgets Df from its private copy of an original; and what it prepared for that.

Where there are several requests, one after another, a method is given its own model of the request
before, and only the examples that are asked for now.

A method that fails, breaks its contract or returns non-finite weights leaves a failure record with
the reason. Such a cell does not count as done and does not stop the others.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from bench import seeds
from bench.errors import ContractError, UserError
from bench.plugins.method import Task
from bench.plugins.method_rules import check_result, fingerprint, refuse_violations
from bench.stages.context import ORIGINAL, Cell, Experiment
from bench.training.cost import Cost, measured
from bench.training.prediction import predict

Outcome = TypeVar("Outcome")


def prepare(experiment: Experiment, cell: Cell, alone: bool) -> None:
    """Compute and store what a method may cache at training time: the forget set is not known."""
    plugin = experiment.methods[cell.row]
    model = experiment.load_model(ORIGINAL, cell.member)
    data = experiment.part("train")
    seed = seeds.derive(*experiment.seed_name("prepare", cell.row, cell.member))

    def work() -> tuple[dict[str, torch.Tensor], Cost]:
        with seeds.isolated(seed), measured(experiment.device, alone) as cost:
            return plugin().prepare(model, data), cost

    outcome = _attempt(experiment, cell, work)
    if outcome:
        statistics, cost = outcome
        record = {"method": cell.row, "member": cell.member, "cost": cost.as_record()}
        experiment.store.write_tensors("prepare", experiment.key(cell), record, statistics)


def unlearn(experiment: Experiment, cell: Cell, alone: bool) -> None:
    """Make and store one unlearned model, or the record of why there is none."""
    plugin = experiment.methods[cell.row]
    name = _seed_name(experiment, "unlearn", cell)
    statistics = prepared(experiment, cell)
    earlier = experiment.history[:-1] if plugin().carries() else []
    carried = [given(step, cell, "carried", statistics) for step in earlier]
    model, task = given(experiment, cell, "unlearn", statistics)

    def work() -> tuple[nn.Module, dict[str, Cost]]:
        before = fingerprint(model)
        seed = seeds.derive(*name, "global")
        spent = carry(experiment, cell, carried, task, alone)
        with seeds.isolated(seed), measured(experiment.device, alone) as cost:
            result = plugin().unlearn(model, task)
        check_result(model, before, result, task)
        check_answers(experiment, result)
        return result, {"cost": cost} | ({"carry_cost": spent} if spent else {})

    outcome = _attempt(experiment, cell, work)
    if outcome:
        result, costs = outcome
        record = {
            "method": cell.row,
            "params": plugin.params,
            "member": cell.member,
            "seed": list(name),
            "notes": task.notes,
            **{kind: cost.as_record() for kind, cost in costs.items()},
        }
        experiment.store.write_tensors("unlearn", experiment.key(cell), record, result.state_dict())


def _attempt(experiment: Experiment, cell: Cell, work: Callable[[], Outcome]) -> Outcome | None:
    """Run a method's code; what it raises becomes a failure record."""
    try:
        return work()
    except (Exception, SystemExit) as error:
        known = isinstance(error, (ContractError, UserError))
        reason = str(error) if known else f"{type(error).__name__}: {error}"
        record = {
            "method": cell.row,
            "member": cell.member,
            "stage": cell.stage,
            "reason": reason.partition("\n")[0],
            "traceback": "".join(traceback.format_exception(error)),
        }
        key = experiment.key(Cell("unlearn", cell.row, cell.member))
        experiment.store.write_failure("unlearn", key, record)
        return None


def prepared(experiment: Experiment, cell: Cell) -> dict[str, torch.Tensor]:
    """The statistics of the method's own original, on the device; none where it uses none."""
    if not experiment.methods[cell.row]().prepares():
        return {}
    key = experiment.key(Cell("prepare", cell.row, experiment.start(cell.member)))
    stored = experiment.store.tensors("prepare", key)
    return {name: tensor.to(experiment.device) for name, tensor in stored.items()}


def given(
    experiment: Experiment, cell: Cell, purpose: str, statistics: dict[str, torch.Tensor]
) -> tuple[nn.Module, Task]:
    """What a method is given in one cell: the model, and the task with its guarded views."""
    task = Task(
        forget=experiment.part("asked"),
        retain=experiment.part("retain"),
        validation=experiment.part("validation"),
        recipe=experiment.recipe,
        rng=seeds.torch_rng(*_seed_name(experiment, purpose, cell)),
        goal=experiment.split.goal,
        statistics=statistics,
        needs=experiment.methods[cell.row]().requirements(),
    )
    return experiment.starting_model(cell.row, cell.member), task


def _seed_name(experiment: Experiment, purpose: str, cell: Cell) -> tuple[str | int, ...]:
    turn = [part for pair in experiment.turn.items() for part in pair]
    return experiment.seed_name(purpose, cell.row, cell.member, *turn)


def carry(
    experiment: Experiment,
    cell: Cell,
    earlier: list[tuple[nn.Module, Task]],
    task: Task,
    alone: bool,
) -> Cost | None:
    """Give ``task`` the statistics that the earlier requests left; what the last of them cost.

    They are found anew for each request: stored, they would be the largest files of a run.
    """
    method, statistics, last = experiment.methods[cell.row](), task.statistics, None
    for step, (model, before) in zip(experiment.history, earlier, strict=False):
        before.statistics = statistics
        seed = seeds.derive(*_seed_name(step, "carried", cell), "global")
        with seeds.isolated(seed), measured(experiment.device, alone) as cost:
            statistics = method.carried(model, before)
        refuse_violations(before)
        last = cost
    task.statistics = statistics
    return last


def check_answers(experiment: Experiment, result: nn.Module) -> None:
    """Raise ContractError where finite weights are so large that outputs are not finite."""
    for part in ("forget", "validation"):
        if not torch.isfinite(predict(result, experiment.part(part))).all():
            raise ContractError(f"returned a model with non-finite outputs on the {part} set")
