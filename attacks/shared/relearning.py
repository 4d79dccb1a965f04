"""What attacks that measure relearning have in common."""

from __future__ import annotations

from bench.plugins.outputs import Outputs


def unreached(attack: str, outputs: Outputs, limit: str) -> list[str]:
    """A note on the rows of which some models did not get there within ``limit``; or none.

    The reference is named where the row of models retrained again, which stands for it, is not.
    """
    missing = {row: int((~result.reached).sum()) for row, result in outputs.relearning.items()}
    late = {
        row: f"{row} ({count} of {len(outputs.relearning[row].reached)} models)"
        for row, count in missing.items()
        if count
    }
    if "retrain" in late:
        late.pop("retrained", None)
    said = f"{attack}: had not learnt Df again after {limit}: {', '.join(late.values())}"
    return [said] if late else []
