"""A plugin's docstring in parts: a summary, then paragraphs under the headings it uses itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

HEADING = re.compile(r"^([A-Z][A-Za-z ]{2,24}): ")


@dataclass
class Part:
    """A paragraph: its heading, if it has one, and its lines; formulas stand on lines apart."""

    heading: str
    lines: list[tuple[str, bool]] = field(default_factory=list)  # text, is it indented?

    def add(self, text: str) -> None:
        indented = text.startswith("  ")
        if self.lines and not indented and not self.lines[-1][1]:
            self.lines[-1] = (f"{self.lines[-1][0]} {text.strip()}", False)
        else:
            self.lines.append((text.strip(), indented))


@dataclass(frozen=True)
class About:
    """What a plugin says of itself."""

    summary: str
    parts: list[Part]


def parts(docstring: str) -> About | None:
    """The parts of a docstring; None for an empty one."""
    summary, _, rest = docstring.partition("\n")
    if not summary:
        return None
    found = [Part("")]
    for line in rest.splitlines():
        match = HEADING.match(line)
        if match:
            found.append(Part(match.group(1)))
            line = line[match.end() :]
        if not line.strip():
            found.append(Part(""))
        else:
            found[-1].add(line)
    return About(summary, [part for part in found if part.lines])
