"""The contract of an unlearning method, and the task that it is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import nn

from bench.config.spelling import unknown
from bench.data.examples import Examples
from bench.errors import ContractError, UserError
from bench.plugins.source import check_tuple
from bench.training.trainer import Trainer

NEEDS = ("forget", "forget-labels", "retain", "retain-labels", "validation", "validation-labels")


def check_needs(label: str, needs: tuple[str, ...]) -> None:
    """Raise UserError where a method declares a need that does not exist."""
    check_tuple(label, needs)
    for need in needs:
        if need not in NEEDS:
            raise UserError(f"method {label}: {unknown('need', need, list(NEEDS))}")


class Method:
    """Base of all methods. A method is a frozen dataclass whose fields are its hyper-parameters.

    ``needs`` names those of NEEDS that ``unlearn`` reads with its default parameters; reading
    anything else raises ContractError. Where parameters change what is read, override
    ``requirements``. A method that defines ``prepare`` has statistics computed when training ends,
    before the forget set is known; only the fields in ``prepare_fields`` may change them.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    prepare_fields: ClassVar[tuple[str, ...]] = ()

    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        """Return a model that has forgotten ``task.forget``; ``model`` itself stays as it is."""
        raise NotImplementedError

    def prepare(self, model: nn.Module, data: Examples) -> dict[str, torch.Tensor]:
        """Compute statistics to keep when ``model`` has been trained on ``data`` (all of D)."""
        raise NotImplementedError

    def requirements(self) -> tuple[str, ...]:
        """What ``unlearn`` reads with these parameters."""
        return self.needs

    def prepares(self) -> bool:
        """Whether ``unlearn`` uses the statistics of ``prepare`` with these parameters."""
        return type(self).prepare is not Method.prepare

    def carries(self) -> bool:
        """Whether ``carried`` updates the statistics from one request to the next."""
        own = type(self).carried is not Method.carried
        return own and (self.prepares() or type(self).prepare is Method.prepare)

    def carried(self, model: nn.Module, task: Task) -> dict[str, torch.Tensor]:  # noqa: ARG002
        """The statistics for the next of several requests, without those of ``task.forget``.

        ``model`` is the one that this request started from.
        """
        return task.statistics


@dataclass
class Task:
    """What a method may see, and nothing more.

    The test set, retrained models and attacks are not here.

    Attributes
    ----------
    forget, retain, validation
        Examples, which hand out images and labels only where the method declares that it needs
        them. With several requests, one after another, ``forget`` is the set of this request, and
        ``retain`` excludes those of all requests so far.
    recipe
        How the model was trained.
    rng
        The only source of randomness.
    goal
        What the request is for: see ``ForgetRequest``.
    statistics
        What ``prepare`` returned, or after an earlier request ``carried``.
    needs
        What the method declared.
    violations
        What it read without declaring it.
    notes
        What it told the reader of the table.
    """

    forget: Examples
    retain: Examples
    validation: Examples
    recipe: Trainer
    rng: torch.Generator
    goal: Literal["removal", "depoison"] = "removal"
    statistics: dict[str, torch.Tensor] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    violations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for part in ("forget", "retain", "validation"):
            setattr(self, part, getattr(self, part).guarded(part, self._permit))

    @property
    def num_classes(self) -> int:
        """Number of classes of the data set."""
        return self.recipe.num_classes

    def note(self, text: str) -> None:
        """Tell the reader of the table something about this cell, such as 'never stopped'."""
        self.notes.append(text)

    def _permit(self, need: str) -> None:
        if need not in self.needs:
            self.violations.append(need)
            raise ContractError(
                f"read '{need}', which it did not declare: add it to needs = {self.needs!r}"
            )
