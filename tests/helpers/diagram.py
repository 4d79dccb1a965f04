"""The diagrams of docs/architecture.md, made from the code.

``python -m tests.helpers.diagram`` writes them into the page.
"""

from __future__ import annotations

import re
import tempfile
import tomllib
from pathlib import Path

from bench.config.load import load_config
from bench.engine.graph import in_order, open_context, stages_read

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "architecture.md"


def floors() -> str:
    """The rooms of the package by floor, as the import rules in pyproject.toml have them."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(rule for rule in rules["contracts"] if rule["id"] == "floors")["layers"]
    names = [re.findall(r"\w+", layer) for layer in layers]
    lines = [f"    {len(layers) - place}  {'   '.join(row)}" for place, row in enumerate(names)]
    return "\n".join(lines)


def way_of_the_data() -> str:
    """Which stage reads what which other stage made, as a Mermaid flowchart.

    Stages that many cells read stand together in one box.
    """
    with tempfile.TemporaryDirectory() as folder:
        frozen = "resnet50-nodown[frozen=true]"  # so that there are features
        everything = {"attacks": "all", "methods": "pgu", "model": frozen, "models": 1}
        context = open_context(load_config({**everything, "out": folder}))
        lines = ["flowchart LR"]
        cells = {name: stage.cells(context) for name, stage in context.stages.items()}
        reads = stages_read(context, cells)
        for stage in in_order(context, cells):
            if not context.stages[stage].shared:
                shared = sorted(name for name in reads[stage] if context.stages[name].shared)
                single = reads[stage] - set(shared)
                together = f'{"_".join(shared)}["{" and ".join(shared)}"]'
                lines += [f"    {name} --> {stage}" for name in [together, *sorted(single)]]
    return "\n".join(lines)


def with_diagrams(text: str) -> str:
    """The page with both diagrams as the code has them now."""
    for name, diagram in (("text", floors()), ("mermaid", way_of_the_data())):
        block = re.compile(rf"(?<=```{name}\n).*?(?=\n```)", re.DOTALL)
        text = block.sub(lambda _found, diagram=diagram: diagram, text, count=1)
    return text


if __name__ == "__main__":
    PAGE.write_text(with_diagrams(PAGE.read_text()))
