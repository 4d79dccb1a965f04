"""Runs the code of other people's plugins: what it raises or leaves changed is its own mistake."""

from __future__ import annotations

import dis
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from bench.errors import ContractError, UserError, one_line
from bench.outside import shown
from bench.plugins.own_code import OwnCode

RAISES = {"RAISE_VARARGS", "RERAISE"}
OURS = Path(__file__).resolve().parent.parent


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

        with unchanged(self.name, may_draw), self.importable():
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


def is_interrupt(error: BaseException) -> bool:
    """Whether the user pressed Ctrl-C: that arrives between two steps, no statement raises it."""
    if type(error) is not KeyboardInterrupt:
        return False
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return True
    step = place.tb_frame.f_code.co_code[place.tb_lasti]
    return dis.opname[step] not in RAISES
