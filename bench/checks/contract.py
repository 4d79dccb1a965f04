"""A contract test: a function of a plugin that raises ContractError if something is wrong."""

from __future__ import annotations

from collections.abc import Callable

from bench.errors import ContractError
from bench.plugins.chosen import Plugin

Check = Callable[[Plugin], None]


def require(condition: bool, message: str) -> None:
    """Raise ContractError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ContractError(message)
