"""What an attack declares beside its parameters, so that mistakes show before any work is done.

An attack is a function of ``bench.plugins.outputs.Outputs``. ``declares`` tells the harness what it
cannot see in the function: which data its numbers are measured on, which data its classifiers learn
from, and whether it reads the results of an extra stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from bench.config.spelling import unknown
from bench.errors import UserError
from bench.outside import shown

Function = TypeVar("Function", bound=Callable[..., Any])
STAGES = ("untrained", "relearn")
UNTIL = ("accuracy", "loss")


class Attack(Protocol):
    """An attack that was chosen, with its parameters."""

    @property
    def label(self) -> str: ...
    @property
    def target(self) -> Any: ...
    @property
    def params(self) -> dict[str, Any]: ...


def declares(
    *,
    reports: tuple[str, ...] = (),
    learns_from: str = "",
    stage: str = "",
    until: str = "",
    names_class: str = "",
) -> Callable[[Function], Function]:
    """Decorate the function of an attack with what it declares.

    Parameters
    ----------
    reports
        Parts (forget, retain, validation, test) whose errors or entropies the attack reports.
    learns_from
        Name of the parameter that says from which part its classifiers learn what unseen data look
        like.
    stage
        "untrained" for an attack that reads ``outputs.untrained``, the outputs of untrained
        networks; "relearn" for one that reads ``outputs.relearning``, the number of steps until a
        model has learned the forget set again.
    until
        What ends relearning, "accuracy" or "loss". The attack has the parameters that
        bench/stages/relearn.py names.
    names_class
        Name of the parameter that names one of the data set's classes, or none of them if empty.

    Raises
    ------
    ValueError
        Where ``stage`` or ``until`` is none of these.
    """
    if stage and stage not in STAGES:
        raise ValueError(f"stage = {stage!r}: one of {', '.join(STAGES)}")
    if stage == "relearn" and until not in UNTIL:
        raise ValueError(f"until = {until!r}: one of {', '.join(UNTIL)}")

    def mark(function: Function) -> Function:
        vars(function).update(
            reports=reports,
            learns_from=learns_from,
            stage=stage,
            until=until,
            names_class=names_class,
        )
        return function

    return mark


def stage_of(plugin: Attack) -> str:
    """The extra stage whose results an attack reads, or an empty text."""
    return getattr(plugin.target, "stage", "")


def refuse_unknown_classes(plugins: Iterable[Attack], classes: Sequence[str]) -> None:
    """Raise UserError where a parameter of an attack names a class that the data set lacks."""
    for plugin in plugins:
        parameter = getattr(plugin.target, "names_class", "")
        name = str(plugin.params[parameter]) if parameter else ""
        if name and name not in classes:
            raise unknown(f"class in {plugin.label}", shown(name), [shown(one) for one in classes])


def refuse_overlaps(plugins: Iterable[Attack]) -> None:
    """Raise UserError where one attack learns from test data and another reports on them.

    Once a classifier has been fitted to the test set, no number measured on it is one of unseen
    data. Validation data are there to learn from.
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
