"""What attacks that measure relearning have in common."""

from __future__ import annotations

from bench.outputs import Outputs


def unreached(attack: str, outputs: Outputs, limit: str) -> list[str]:
    """A note for each row of which some models did not get there within ``limit``."""
    notes = []
    for row, relearning in outputs.relearning.items():
        missing = int((~relearning.reached).sum())
        if missing:
            count = len(relearning.reached)
            of = f"{missing} of {count} models"
            notes.append(f"{attack}: {row}: {of} had not learnt Df again after {limit}")
    return notes
