"""A plugin that was chosen by its spelling, such as ``ssd[alpha=5]``, with all its parameters."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.plugins.guard import Guest
from bench.plugins.named_files import hashes_of


@dataclass(frozen=True)
class Traits:
    """What a method says of itself with these parameters, see ``Method``."""

    requirements: tuple[str, ...]
    prepares: bool
    carries: bool


@dataclass(frozen=True)
class Plugin:
    """A plugin chosen by a user, with every parameter known and checked.

    ``label`` is its spelling: the name and those parameters that differ from their defaults.
    ``guest``: who it is, unless it came with the package.
    """

    kind: str
    label: str
    target: Any
    argument: str | None
    params: dict[str, Any]
    version: str
    guest: Guest | None = None

    def __call__(self, *given: Any) -> Any:
        """Build the method (no arguments), or call the function with what the harness gives.

        Raises UserError for whatever the function of a guest raises.
        """
        if self.argument is not None:
            given = (self.argument, *given)
        # What a method's constructor does is seen where its verbs are watched, see ``traits``.
        watched = nullcontext() if self.kind == "methods" else self.watched()
        with self.guarded(), watched:
            return self.target(*given, **self.params)

    def guarded(self, only_own: bool = False) -> AbstractContextManager[None]:
        """Run code of this plugin; of a guest, every error is one line, see ``Guest``."""
        return self.guest.guarded(only_own) if self.guest else nullcontext()

    def watched(self) -> AbstractContextManager[None]:
        """Run code of this plugin; a guest must leave the process as it was."""
        draws = self.kind == "models"  # their weights, which the harness seeds
        return self.guest.watched(may_draw=draws) if self.guest else nullcontext()

    @cached_property
    def traits(self) -> Traits:
        """What the method needs and does."""
        with self.guarded(), self.watched():
            method = self()
            return Traits(method.requirements(), method.prepares(), method.carries())

    @property
    def identity(self) -> dict[str, Any]:
        """What of the plugin goes into a content key: files that parameters name count, too."""
        identity = {"name": self.label.partition("[")[0], "params": self.params}
        files = hashes_of(self.params)
        return identity | {"code": self.version} | ({"files": files} if files else {})
