"""What an attack says of itself, beside its parameters, so that mistakes are found before any work.

An attack is a function of ``bench.plugins.outputs.Outputs``. ``declares`` tells the harness what
it cannot see: which data the numbers are measured on, which data the attacker's classifiers learn
from, and whether it reads what a further stage has to make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from bench.errors import UserError

if TYPE_CHECKING:
    from bench.plugins.registry import Plugin

Function = TypeVar("Function", bound=Callable[..., Any])
STAGES = ("untrained", "relearn")
UNTIL = ("accuracy", "loss")


def declares(
    *, reports: tuple[str, ...] = (), learns_from: str = "", stage: str = "", until: str = ""
) -> Callable[[Function], Function]:
    """Mark an attack: decorates its function.

    ``reports``: parts (forget, retain, validation, test) whose errors or entropies it gives.
    ``learns_from``: the parameter that names the part from which its classifiers learn what unseen
    data look like. ``stage``: "untrained" (outputs of untrained networks as ``outputs.untrained``)
    or "relearn" (steps until Df is learnt again, as ``outputs.relearning``; ``until`` "accuracy" or
    "loss", by the attack's own parameters, which are those that bench/stages/relearn.py names).
    """
    if stage and stage not in STAGES:
        raise ValueError(f"stage = {stage!r}: one of {', '.join(STAGES)}")
    if stage == "relearn" and until not in UNTIL:
        raise ValueError(f"until = {until!r}: one of {', '.join(UNTIL)}")

    def mark(function: Function) -> Function:
        vars(function).update(reports=reports, learns_from=learns_from, stage=stage, until=until)
        return function

    return mark


def stage_of(plugin: Plugin) -> str:
    """The further stage whose results an attack reads, or nothing."""
    return getattr(plugin.target, "stage", "")


def refuse_overlaps(plugins: Iterable[Plugin]) -> None:
    """Raise UserError where one attack learns from test data and another reports on them.

    Who fits a classifier to the test set has spent it: nothing measured on it is unseen any more.
    Validation data are there to be learnt from.
    """
    plugins = list(plugins)
    reporting = [p.label for p in plugins if "test" in getattr(p.target, "reports", ())]
    for plugin in plugins:
        parameter = getattr(plugin.target, "learns_from", "")
        if parameter and plugin.params[parameter] == "test" and reporting:
            raise UserError(
                f"{plugin.label} learns from test data, which {reporting[0]} reports on: run it by "
                f"itself (--attacks '{plugin.label}'), or with {parameter}=validation"
            )
