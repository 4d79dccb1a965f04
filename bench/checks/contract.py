"""The contract tests: what every plugin must keep, run on a toy problem in seconds.

``bench check FILE`` runs them on a user's file; the test suite runs the same ones over everything
registered. A check is a function that raises ContractError, saying what is wrong.
"""

from __future__ import annotations

import ast
import inspect
import random
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.engine.local import one_thread
from bench.errors import ContractError, UserError, one_line
from bench.plugins.outputs import PARTS, Labels, Outputs, Population, Relearning, Scores
from bench.plugins.registry import Plugin, Registry, Source

Check = Callable[..., None]
LIBRARIES = (sys.prefix, sysconfig.get_path("purelib"), str(Path(__file__).parent.parent))


def check_file(path: Path) -> Iterator[tuple[str, str | None]]:
    """Run every contract test that applies to a plugin file: (its name, what is wrong or None)."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    source = Source.read(path)
    plugin = Registry((str(path),)).resolve(source.kind, source.name)
    broken: set[str] = set()
    for name, check in checks_for(plugin):
        network = name.partition(" (")[2]  # one fault per network: the rest would only echo it
        if network in broken:
            continue
        with one_thread():  # toy networks: threads would wait for one another
            problem = problem_with(check)
        if problem and network:
            broken.add(network)
        yield name, problem


def problem_with(check: Callable[[], None]) -> str | None:
    """What a check says is wrong, in one line; None if it passes."""
    try:
        check()
    except (ContractError, UserError) as error:
        return one_line(error)
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        mine = [f for f in frames if not f.filename.startswith(LIBRARIES)]
        where = (mine or frames)[-1]
        line = f"{Path(where.filename).name}, line {where.lineno}"
        return f"raised {one_line(error)} ({line})"
    return None


def checks_for(plugin: Plugin) -> list[tuple[str, Callable[[], None]]]:
    """The named checks of a plugin, ready to run."""
    if plugin.kind == "methods":
        from bench.checks.methods import TOYS, Toy, checks_on

        return [
            (f"{_words(check)} ({network})", lambda c=check, n=network: c(plugin, Toy(n)))
            for network in TOYS
            for check in checks_on(network)
        ]
    checks = {"attacks": ATTACK_CHECKS, "scenarios": [check_scenario], "models": [check_model]}
    found = checks.get(plugin.kind, [check_dataset])
    return [(_words(check), lambda c=check: c(plugin)) for check in found]


def _words(check: Check) -> str:
    return check.__name__.removeprefix("check_").replace("_", " ")


def require(condition: bool, message: str) -> None:
    """Raise ContractError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ContractError(message)


def global_random_state() -> tuple[Any, ...]:
    """The state of python's, numpy's and torch's global generators, comparable."""
    import torch

    numpy_state = np.random.get_state()
    return (
        random.getstate(),
        numpy_state[1].tobytes(),
        numpy_state[2:],
        torch.get_rng_state().numpy().tobytes(),
    )


# Attacks ------------------------------------------------------------------------------------------


def toy_outputs(models: int = 6, classes: int = 3, seed: int = 0, size: int = 40) -> Outputs:
    """Outputs of populations that an attack can tell apart, with a row that lost some cells.

    ``size``: examples of each part.
    """
    rng = np.random.default_rng(seed)
    labels = {}
    for part in PARTS:
        true = rng.integers(classes, size=size)
        train = (true + 1) % classes if part == "forget" else true
        labels[part] = Labels(train, true)

    def population(kind: str, members: np.ndarray) -> Population:
        logits = {}
        for part in PARTS:
            of = labels[part].train if kind == "train" else labels[part].true
            noise = rng.normal(size=(len(members), len(of), classes))
            logits[part] = (3 * np.eye(classes)[of] + noise).astype(np.float32)
        return Population(members, logits)

    everyone = np.arange(models)
    original, retrained = population("train", everyone), population("true", everyone)
    rows = {
        "original": original,
        "retrain": population("true", everyone),
        "partly-failed": population("train", everyone[::2]),
    }
    untrained = Population(everyone, {"forget": rng.normal(size=(models, size, classes))})
    relearning = {
        row: Relearning(rng.integers(1, 9, len(p)), np.ones(len(p), bool))
        for row, p in (rows | {"retrained": retrained}).items()
    }
    return Outputs(original, retrained, rows, labels, untrained=untrained, relearning=relearning)


def check_gives_announced_finite_numbers(plugin: Plugin) -> None:
    from bench.plugins.scores import check_scores

    outputs = toy_outputs()
    scores = plugin(outputs)
    require(isinstance(scores, Scores), f"returned {type(scores).__name__}, not bench Scores")
    check_scores(plugin.label, scores)
    scored = {score.row for score in scores.scores}
    silent = not scored and scores.notes  # what it needs is not there, and it says so
    everything = scored == set(outputs.rows)
    require(bool(silent) or everything, f"scored {sorted(scored)} of {sorted(outputs.rows)}")


def check_is_a_pure_function(plugin: Plugin) -> None:
    outputs, untouched = toy_outputs(), toy_outputs()
    before = global_random_state()
    first, second = plugin(outputs), plugin(outputs)
    require(first.scores == second.scores, "gave other numbers when called again")
    require(global_random_state() == before, "changed the global random state: use outputs.rng()")
    for row, population in untouched.rows.items():
        for part, logits in population.logits.items():
            same = np.array_equal(logits, outputs.rows[row].logits[part])
            require(same, f"changed the outputs it was given ({row}, {part})")


def check_scores_a_row_by_itself(plugin: Plugin) -> None:
    outputs = toy_outputs()
    alone = replace(outputs, rows={"retrain": outputs.rows["retrain"]})
    beside_others = [score for score in plugin(outputs).scores if score.row == "retrain"]
    require(
        plugin(alone).scores == beside_others,
        "gave a row other numbers because of the rows beside it",
    )


def check_survives_few_models(plugin: Plugin) -> None:
    from bench.plugins.scores import check_scores

    for models in (1, 2):
        scores = plugin(toy_outputs(models))
        check_scores(plugin.label, scores)
        require(
            bool(scores.scores or scores.notes), f"said nothing about {models} models, not even why"
        )


def check_reads_outputs_only(plugin: Plugin) -> None:
    tree = ast.parse(Path(inspect.getfile(plugin.target)).read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
        )
    }
    require("torch" not in imported, "imports torch: an attack reads stored arrays only")


ATTACK_CHECKS: list[Check] = [
    check_gives_announced_finite_numbers,
    check_is_a_pure_function,
    check_scores_a_row_by_itself,
    check_survives_few_models,
    check_reads_outputs_only,
]


# Scenarios, models, data sets ---------------------------------------------------------------------


def check_scenario(plugin: Plugin) -> None:
    """Deterministic, some forgotten and some kept, labels in range, only forgotten ones changed."""
    from bench.plugins.scenario import TrainingSet

    labels = np.repeat(np.arange(4), 25)
    people = np.arange(100) % 20
    training = TrainingSet(labels.copy(), tuple("abcd"), people, np.arange(100))
    request, again = (plugin(training, np.random.default_rng(1)) for _ in range(2))
    require(np.array_equal(training.labels, labels), "changed the labels it was given")
    require(request.forget.shape == labels.shape, "forget is not one bool per training example")
    require(request.forget.dtype == bool, "forget is not an array of bool")
    require(0 < request.forget.sum() < len(labels), "must leave some to forget and some to keep")
    require(np.array_equal(request.forget, again.forget), "differs from call to call: use rng")
    if request.order is not None:
        numbers = np.arange(request.order.max() + 1)
        require(np.array_equal(np.unique(request.order), numbers), "order must be 0 and 1, ..., k")
        require(np.array_equal(request.order > 0, request.forget), "order and forget disagree")
    changed = request.train_labels != labels
    require(not (changed & ~request.forget).any(), "changed labels outside the forget set")
    inside = (request.train_labels >= 0) & (request.train_labels < 4)
    require(bool(inside.all()), "gave labels that are no class")


def check_model(plugin: Plugin) -> None:
    """Builds for grey and colour images and gives one output per class."""
    import torch

    for channels, side in ((1, 8), (3, 32)):
        model = plugin(5, channels, (side, side)).eval()
        shape = tuple(model(torch.zeros(2, channels, side, side)).shape)
        require(shape == (2, 5), f"gave outputs of shape {shape} for 2 images and 5 classes")


def check_dataset(plugin: Plugin) -> None:
    """Loads twice with the same content."""
    from bench.plugins.dataset import Data

    first, second = plugin(), plugin()
    require(isinstance(first, Data), f"returned {type(first).__name__}, not bench.Data")
    require(first.fingerprint == second.fingerprint, "gave other content when loaded again")
