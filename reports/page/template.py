"""The templates of the page, and what they call."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.config.spelling import spell_value
from bench.reports.page.about import parts
from bench.reports.page.svg import anchor
from bench.reports.style import THEMED
from bench.reports.tables.grid import by_attack
from bench.results.finished import Finished
from bench.results.table import heading, number, target_text
from bench.storage.provenance import package_version


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates that escape everything but what is marked as made by us."""
    loader = PackageLoader("bench.reports.page", "templates")
    made = Environment(
        loader=loader,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters |= {"folding": folding, "coded": coded, "spelled": spell_value}
    script, style = (loader.get_source(made, f"page.{kind}")[0] for kind in ("js", "css"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    made.globals |= {
        "script": Markup(script),
        "style": Markup(style),
        "script_hash": f"sha256-{digest}",
        "made_by": package_version(),
        "themed": lambda color: THEMED.get(color, color),
        "heading": heading,
        "number": number,
    }
    return made


def coded(text: str) -> Markup:
    """A docstring's text, with what it sets in backticks as code."""
    return Markup(re.sub(r"(`+)(.+?)\1", r"<code>\2</code>", str(escape(text))))


def folding(name: str) -> Markup:
    """A name that may be folded between its parameters."""
    return Markup(re.sub(r"([,\[])", r"\1<wbr>", str(escape(name))))


def attacks(run: Finished) -> dict[str, dict[str, Any]]:
    """By name, every attack with its readouts and its own description."""
    about = run.record["about"]["attacks"]
    return {
        name: {
            "name": name,
            "anchor": anchor(name or "all"),
            "readouts": readouts,
            "heads": [{"readout": r, "target": target_text(run, r)} for r in readouts],
            "about": parts(about.get(name, "")),
        }
        for name, readouts in by_attack(run.scores_of.readouts).items()
    }
