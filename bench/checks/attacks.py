"""The contract of attacks and readouts, checked on made-up outputs."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.checks.contract import Check, require
from bench.plugins.chosen import Plugin
from bench.plugins.global_state import unchanged
from bench.plugins.outputs import Scores
from bench.plugins.scores import check_scores
from bench.plugins.toy_outputs import toy_outputs
from bench.plugins.undefined import set_apart
from bench.seeds import global_state


def check_gives_announced_finite_numbers(plugin: Plugin) -> None:
    """Every row has a score or a reason for having none, or a note says why no row has one."""
    outputs = toy_outputs()
    scores = plugin(outputs)
    require(isinstance(scores, Scores), f"returned {type(scores).__name__}, not bench Scores")
    check_scores(plugin.label, scores)
    scored = {score.row for score in scores.scores} | {one.row for one in scores.undefined}
    explained = not scored and bool(scores.notes)
    require(
        explained or scored == set(outputs.rows),
        f"scored {sorted(scored)} of {sorted(outputs.rows)}",
    )


def check_is_a_pure_function(plugin: Plugin) -> None:
    """Same input, same output, and nothing else changes."""
    outputs, untouched = toy_outputs(), toy_outputs()
    before = global_state()
    with unchanged(f"attack {plugin.label}", may_draw=True):
        first, second = set_apart(plugin(outputs)), set_apart(plugin(outputs))
    require(first.scores == second.scores, "gave other numbers when called again")
    require(global_state() == before, "changed the global random state: use outputs.rng()")
    for row, population in untouched.rows.items():
        for part, logits in population.logits.items():
            same = np.array_equal(logits, outputs.rows[row].logits[part])
            require(same, f"changed the outputs it was given ({row}, {part})")


def check_scores_a_row_by_itself(plugin: Plugin) -> None:
    """The scores of a row do not depend on the other rows."""
    outputs = toy_outputs()
    alone = replace(outputs, rows={"retrain": outputs.rows["retrain"]})
    together = set_apart(plugin(outputs)).scores  # nan equals nothing, itself included
    require(
        set_apart(plugin(alone)).scores == [s for s in together if s.row == "retrain"],
        "gave a row other numbers because of the rows beside it",
    )


def check_survives_few_models(plugin: Plugin) -> None:
    """One or two models give scores, or a note that says why not."""
    for models in (1, 2):
        scores = plugin(toy_outputs(models))
        check_scores(plugin.label, scores)
        require(
            bool(scores.scores or scores.notes), f"said nothing about {models} models, not even why"
        )


def check_reads_outputs_only(plugin: Plugin) -> None:
    """The file does not import torch."""
    tree = ast.parse(Path(inspect.getfile(plugin.target)).read_text())
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    require("torch" not in imported, "imports torch: an attack reads stored arrays only")


CHECKS: list[Check] = [
    check_gives_announced_finite_numbers,
    check_is_a_pure_function,
    check_scores_a_row_by_itself,
    check_survives_few_models,
    check_reads_outputs_only,
]
