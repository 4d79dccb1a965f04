"""The contract of unlearning methods, checked on toy problems."""

from __future__ import annotations

from collections.abc import Callable

import torch

from bench.checks.contract import require
from bench.checks.toys import Toy
from bench.plugins.chosen import Plugin
from bench.plugins.global_state import unchanged
from bench.plugins.method import check_needs
from bench.plugins.method_rules import check_answers, check_result, fingerprint
from bench.seeds import global_state
from bench.training.prediction import accuracy

MethodCheck = Callable[[Plugin, Toy], None]
LOSS_OF_ACCURACY = 0.15


def check_declares_known_needs(plugin: Plugin, _toy: Toy) -> None:
    """The declared needs exist."""
    check_needs(plugin.label, plugin().requirements())


def check_returns_a_proper_model(plugin: Plugin, toy: Toy) -> None:
    """The result has the same shape and finite weights, which alone decide its outputs."""
    task = toy.task(plugin)
    result = toy.unlearn(plugin, task)
    scored = toy.trainer.blank_model()
    scored.load_state_dict(check_result(toy.model, fingerprint(toy.model), result, task))
    for part, examples in (("forget", toy.training), ("validation", toy.validation)):
        check_answers(result, scored, examples, part)


def check_leaves_its_input_untouched(plugin: Plugin, toy: Toy) -> None:
    """The original and the cached statistics do not change."""
    before, task = fingerprint(toy.model), toy.task(plugin)
    statistics = {name: tensor.clone() for name, tensor in task.statistics.items()}
    toy.unlearn(plugin, task)
    require(
        fingerprint(toy.model) == before,
        "changed the model it was given: work on copy.deepcopy(model)",
    )
    for name, tensor in statistics.items():
        require(torch.equal(tensor, task.statistics[name]), f"changed task.statistics['{name}']")


def check_is_deterministic(plugin: Plugin, toy: Toy) -> None:
    """Same task, same weights."""
    first, second = (fingerprint(toy.unlearn(plugin, toy.task(plugin))) for _ in range(2))
    require(first == second, "gave other weights when called again: draw from task.rng only")


def check_leaves_the_process_alone(plugin: Plugin, toy: Toy) -> None:
    """The global generators do not move, and no setting or function of others changes."""
    task, before = toy.task(plugin), global_state()
    with unchanged(f"method {plugin.label}", may_draw=True):
        plugin().unlearn(toy.model, task)
        drew = global_state() != before
    require(not drew, "drew from a global random generator: draw from task.rng only")


def check_keeps_the_model_with_nothing_to_forget(plugin: Plugin, toy: Toy) -> None:
    """An empty forget set costs little accuracy."""
    task = toy.task(plugin, forgotten=0)
    result = toy.unlearn(plugin, task)
    before, after = accuracy(toy.model, toy.training), accuracy(result, toy.training)
    require(
        after >= before - LOSS_OF_ACCURACY,
        f"with an empty forget set accuracy fell from {before:.2f} to {after:.2f}",
    )


def check_carries_its_statistics_on(plugin: Plugin, toy: Toy) -> None:
    """The next request gets statistics of the same names, and nothing else changes."""
    method, task = plugin(), toy.task(plugin)
    if not method.carries():
        return
    before = fingerprint(toy.model)
    given = {name: tensor.clone() for name, tensor in task.statistics.items()}
    carried = method.carried(toy.model, task)
    require(fingerprint(toy.model) == before, "carried changed the model it was given")
    for name, tensor in given.items():
        require(name in carried, f"carried lost statistics['{name}']")
        require(torch.equal(tensor, task.statistics[name]), f"carried changed '{name}' in place")


def check_leaves_frozen_parameters_alone(plugin: Plugin, toy: Toy) -> None:
    """Frozen weights and the statistics of their batch norm do not change."""
    frozen = [name for name, weight in toy.model.named_parameters() if not weight.requires_grad]
    statistics = [name for name, _ in toy.model.get_submodule("1").named_buffers(prefix="1")]
    before = toy.model.state_dict()
    after = toy.unlearn(plugin, toy.task(plugin)).state_dict()
    for name in (*frozen, *statistics):
        require(
            torch.equal(before[name], after[name]),
            f"changed {name}, which is frozen: step on parameters with requires_grad only, and "
            "use bench.training.trainer.training_mode(model) for model.train()",
        )


CHECKS: list[MethodCheck] = [
    check_declares_known_needs,
    check_returns_a_proper_model,
    check_leaves_its_input_untouched,
    check_is_deterministic,
    check_leaves_the_process_alone,
    check_keeps_the_model_with_nothing_to_forget,
    check_carries_its_statistics_on,
]
FROZEN_CHECKS: list[MethodCheck] = [check_leaves_frozen_parameters_alone]


def checks_on(network: str) -> list[MethodCheck]:
    """The checks that apply on a toy network."""
    return [*CHECKS, *(FROZEN_CHECKS if network == "frozen" else [])]
