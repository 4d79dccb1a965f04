"""A kind of input: how one is drawn, and what the harness does with it."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class Given:
    """One input as a file: ``content`` with a ``suffix`` that says what it is."""

    content: bytes
    suffix: str = ".json"


class Kind(ABC):
    """One kind of input. What is drawn depends on the random generator alone.

    ``count`` is how many a full test tries. ``lines``: of a message that refuses an input, at most.
    """

    name: ClassVar[str]
    count: ClassVar[int]
    lines: ClassVar[int] = 1

    def prepare(self, home: Path) -> None:  # noqa: B027, most kinds need nothing
        """Make once, in a folder of its own, what all trials start from."""

    @abstractmethod
    def draw(self, rng: random.Random) -> Given:
        """Draw an input."""

    @abstractmethod
    def attempt(self, given: Given, folder: Path) -> None:
        """Hand an input over in an empty folder.

        Returns where it is accepted; raises UserError where it is refused. All else is a failure.
        """
