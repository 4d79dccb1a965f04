"""A plugin's docstring in parts: a summary, then paragraphs under the headings it uses itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

HEADING = re.compile(r"^([A-Z][A-Za-z ]{2,24}): ")


@dataclass
class Part:
    """A paragraph: its heading, if it has one, and its lines; formulas and points stand apart."""

    heading: str
    lines: list[tuple[str, bool]] = field(default_factory=list)  # text, does it stand apart?

    def add(self, text: str) -> None:
        """Add a line of the docstring: to the one before, unless it stands apart."""
        point, indented = text.startswith("- "), text.startswith("  ")
        before, apart = self.lines[-1] if self.lines else ("", True)
        goes_on = indented if before.startswith("- ") else not indented and not apart
        if goes_on and not point:
            self.lines[-1] = (f"{before} {text.strip()}", apart)
        else:
            self.lines.append((text.strip(), point or indented))


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
    sections = [Part("")]
    for line in rest.splitlines():
        match = HEADING.match(line)
        if match:
            sections.append(Part(match.group(1)))
            line = line[match.end() :]
        if not line.strip():
            sections.append(Part(""))
        else:
            sections[-1].add(line)
    return About(summary, [part for part in sections if part.lines])
