"""A plugin that was chosen by its spelling, such as ``ssd[alpha=5]``, with all its parameters.

Whatever the code of other people's plugins raises or leaves changed is its own mistake.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.errors import ContractError, UserError, one_line
from bench.outside import shown
from bench.plugins.interrupts import is_interrupt
from bench.plugins.named_files import hashes_of
from bench.plugins.own_code import OwnCode, loaded_modules


@dataclass(frozen=True)
class Guest:
    """A plugin that is not ours: how messages call it, its file, and a loose one's own code."""

    name: str
    file: Path
    own: OwnCode | None = None

    @contextmanager
    def watched(self, may_draw: bool = False) -> Iterator[None]:
        """Run the plugin's code; raises UserError if it left the process changed.

        ``may_draw``: it may draw from the global random generators.
        """
        from bench.plugins.global_state import unchanged  # torch, only for who has such a plugin

        with unchanged(self.name, may_draw, loaded_modules()), self.importable():
            yield

    def importable(self) -> AbstractContextManager[None]:
        """Let the plugin's code import what lies beside a loose file."""
        return self.own.importable() if self.own else nullcontext()

    @contextmanager
    def guarded(self, only_own: bool = False) -> Iterator[None]:
        """Turn whatever the body raises into a UserError in one line.

        The user's own Ctrl-C goes on. ``only_own``: other code runs, too, and only what comes from
        the plugin's files is its mistake.
        """
        try:
            yield
        except (UserError, ContractError):
            raise
        except BaseException as error:
            if is_interrupt(error) or (only_own and not self.place_in(error)):
                raise
            raise UserError(f"{self.name}: {self.explain(error)}") from error

    def explain(self, error: BaseException) -> str:
        """What was raised, in one line, with the place in the plugin's code."""
        place = self.place_in(error)
        return shown(one_line(error)) + (f" ({place})" if place else "")

    def place_in(self, error: BaseException) -> str:
        """File and line of the plugin's code where an error comes from; empty for none."""
        files = {self.file, *(path for path, _ in (self.own.sources if self.own else {}).values())}
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename) in files
        ]
        return (
            f"{shown(Path(frames[-1].filename).name)}, line {frames[-1].lineno}" if frames else ""
        )


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

    def importable(self) -> AbstractContextManager[None]:
        """Let the code of a loose plugin import what lies beside it."""
        return self.guest.importable() if self.guest else nullcontext()

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
