"""A plugin that was chosen by its spelling, such as ``ssd[alpha=5]``, with all its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Plugin:
    """A plugin chosen by a user, with every parameter known and checked.

    ``label`` is its spelling: the name and those parameters that differ from their defaults.
    """

    kind: str
    label: str
    target: Any
    argument: str | None
    params: dict[str, Any]
    version: str

    def __call__(self, *given: Any) -> Any:
        """Build the method (no arguments), or call the function with what the harness gives."""
        if self.argument is not None:
            given = (self.argument, *given)
        return self.target(*given, **self.params)

    @property
    def identity(self) -> dict[str, Any]:
        """What of the plugin goes into a content key."""
        return {"name": self.label.partition("[")[0], "params": self.params, "code": self.version}
