"""Score: attacks read the stored outputs of a run and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.errors import UserError, one_line
from bench.plugins.attack import stage_of
from bench.plugins.outputs import (
    PARTS,
    Labels,
    Outputs,
    Population,
    Relearning,
    Scores,
)
from bench.plugins.registry import Plugin
from bench.plugins.removal import gone_classes, without_classes
from bench.plugins.scores import arrays_of, as_record, check_scores, from_record
from bench.stages.context import ORIGINAL, RETRAINED, UNTRAINED, Cell, Experiment
from bench.storage.store import content_key

VERSION = 3
CONSTANT = "constant"
NOT_LEARNT = 0.1  # error of the originals on Df from which a reader is warned
ROUNDING = 1e-4  # of the largest logit
CERTAIN = 20.0  # logit lead of the constant predictor


def gather(experiment: Experiment) -> Outputs:
    """All stored outputs of a run, with the sanity rows: original, retrain and constant."""
    original, retrained = (_population(experiment, row) for row in (ORIGINAL, RETRAINED))
    methods, notes = {}, []
    for label in experiment.methods:
        population = _population(experiment, label)
        if identical(population):
            population = _first(population)
            notes.append(
                f"{label}: no randomness: its {experiment.config.models} models from one original "
                "are one and the same; it counts as N = 1 (originals = each gives it N)"
            )
        methods[label] = population
    rows = {ORIGINAL: original} | {label: p for label, p in methods.items() if len(p)}
    labels = _labels(experiment)
    wrong = (original.logits["forget"].argmax(-1) != labels["forget"].train).mean()
    if wrong > NOT_LEARNT:
        notes.append(
            f"the originals did not learn the forget set (error {100 * wrong:.1f} %): there is "
            "little to forget; train longer"
        )
    rows[CONSTANT] = constant_predictor(original, labels["retain"])
    untrained = None
    if experiment.attacks_with("untrained"):
        untrained = _population(experiment, UNTRAINED, "untrained", parts=("forget",))
    seed = experiment.config.seed
    outputs = Outputs(
        original, retrained, rows, labels, seed=seed, untrained=untrained, notes=notes
    )
    retained, forgotten = (
        experiment.split.train_labels[index]
        for index in (experiment.split.retain, experiment.split.forget)
    )
    return without_classes(outputs, gone_classes(retained, forgotten))


def _population(
    experiment: Experiment, row: str, stage: str = "predict", parts: Sequence[str] = PARTS
) -> Population:
    cells = [Cell(stage, row, member) for member in range(experiment.config.models)]
    there = [cell for cell in cells if experiment.has(cell)]
    stored = [experiment.store.arrays(stage, experiment.key(cell)) for cell in there]
    for cell, arrays in zip(there, stored, strict=True):
        for part, logits in arrays.items():
            if not np.isfinite(logits).all():
                raise UserError(
                    f"{row} {cell.member} has non-finite outputs on {part} though its weights are "
                    "finite: leave the method out, or train the models more gently (train.lr)"
                )
    logits = {part: np.stack([arrays[part] for arrays in stored]) for part in parts if stored}
    one = experiment.config.originals == "one" and row in experiment.methods
    members = np.array([cell.member for cell in there], dtype=int)
    return Population(members, logits, start=0 if one else None)


def identical(population: Population) -> bool:
    """Several models from one original, the same up to rounding: a method without randomness.

    Examples of one batch in another order add up to another last digit.
    """
    if population.start is None or len(population) < 2:
        return False
    return all(
        np.abs(logits - logits[:1]).max(initial=0) <= ROUNDING * np.abs(logits).max(initial=0)
        for logits in population.logits.values()
    )


def _first(population: Population) -> Population:
    logits = {part: array[:1] for part, array in population.logits.items()}
    return replace(population, members=population.members[:1], logits=logits)


def _labels(experiment: Experiment) -> dict[str, Labels]:
    split, data = experiment.split, experiment.data
    positions = {"forget": split.forget, "retain": split.retain_sample}
    labels = {
        part: Labels(split.train_labels[index], split.true_labels[index])
        for part, index in positions.items()
    }
    for part in ("validation", "test"):
        true = data.labels[getattr(split, part)]
        labels[part] = Labels(true, true)
    return labels


def constant_predictor(like: Population, retain: Labels) -> Population:
    """Models that say the commonest class of Dr to everything: what collapse looks like."""
    logits = {}
    commonest = np.bincount(retain.train).argmax()
    for part, array in like.logits.items():
        logits[part] = np.zeros(array.shape, dtype=np.float32)
        logits[part][:, :, commonest] = CERTAIN
    return Population(like.members, logits)


def score(experiment: Experiment, outputs: Outputs, plugin: Plugin) -> Scores:
    """The scores of one attack: read from the store, or computed and stored."""
    store, config = experiment.store, experiment.config
    if stage_of(plugin) == "relearn":
        outputs = replace(outputs, relearning=_relearning(experiment, outputs, plugin.label))
    rows = [row for row in outputs.rows if row != CONSTANT]
    used = {row: outputs.rows[row].members.tolist() for row in rows}
    used[RETRAINED] = outputs.retrained.members.tolist()
    predictions = {
        row: [experiment.key(Cell("predict", row, member)) for member in members]
        for row, members in used.items()
    }
    key = content_key(
        stage="score",
        version=VERSION,
        attack=plugin.identity,
        predictions=predictions,
        split=experiment.split.key,
        seed=config.seed,
        started=config.originals,
        stage_results=_stage_keys(experiment, plugin, used),
    )
    if not store.has("score", key):
        scores = _attacked(plugin, outputs)
        store.write(
            "score", key, {"attack": plugin.label, **as_record(scores)}, **arrays_of(scores)
        )
    record = store.record("score", key)
    arrays = store.arrays("score", key) if "payload" in record else {}
    return from_record(record, arrays)


def _stage_keys(experiment: Experiment, plugin: Plugin, used: dict[str, list[int]]) -> list[str]:
    """The content keys of what a further stage made for an attack."""
    members = range(experiment.config.models)
    if stage_of(plugin) == "untrained":
        return [experiment.key(Cell("untrained", UNTRAINED, member)) for member in members]
    if stage_of(plugin) == "relearn":
        cells = [Cell("relearn", row, i, plugin.label) for row, of in used.items() for i in of]
        return [experiment.key(cell) for cell in cells]
    return []


def _relearning(experiment: Experiment, outputs: Outputs, attack: str) -> dict[str, Relearning]:
    """How long each model took to learn Df again, by row."""
    models = {row: p.members for row, p in outputs.rows.items() if row != CONSTANT}
    models[RETRAINED] = outputs.retrained.members
    found = {}
    for row, members in models.items():
        cells = [Cell("relearn", row, int(member), attack) for member in members]
        stored = [experiment.store.arrays("relearn", experiment.key(cell)) for cell in cells]
        steps, reached = (np.array([a[name] for a in stored]) for name in ("steps", "reached"))
        found[row] = Relearning(steps, reached)
    return found


def _attacked(plugin: Plugin, outputs: Outputs) -> Scores:
    """Call an attack; what a user's own attack does wrong is told in one line."""
    try:
        scores = plugin(outputs)
        if not isinstance(scores, Scores):
            raise TypeError(f"returned {type(scores).__name__}, not bench.plugins.outputs.Scores")
    except Exception as error:
        if not plugin.version.startswith("file"):
            raise
        raise UserError(
            f"attack {plugin.label}: {one_line(error)}; models and outputs are kept, "
            "see bench check, then repeat the command"
        ) from error
    check_scores(plugin.label, scores)
    return scores
