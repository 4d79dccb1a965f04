"""Gather: the stored outputs of all models of a run, as attacks are given them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bench.data.split import Split
from bench.errors import UserError
from bench.outside import reading
from bench.plugins.outputs import PARTS, Labels, Outputs, Population, Relearning
from bench.plugins.removal import gone_classes, without_classes
from bench.plugins.rows import CONSTANT, ORIGINAL, RETRAIN, RETRAINED, UNTRAINED
from bench.stages.cell import Cell
from bench.stages.context import Context
from bench.stages.learned import learning_notes, unchanged_note

ROUNDING = 1e-4  # of the largest logit
CERTAIN = 20.0  # logit lead of the constant predictor


class StoredOutputs:
    """The outputs of a run by request, read once for all attacks."""

    def __init__(self, context: Context):
        self.context = context
        self._lock = threading.Lock()
        self._latest: tuple[int | None, Outputs] | None = None

    def at(self, request: int | None) -> Outputs:
        """The outputs of one request; those of one request at a time are kept in memory."""
        with self._lock:
            if self._latest is None or self._latest[0] != request:
                self._latest = request, gather(self.context, request)
            return self._latest[1]


def gather(context: Context, request: int | None) -> Outputs:
    """All stored outputs of a request, with the sanity rows: original, retrain and constant."""
    original = read_population(context, ORIGINAL, request)
    retrained = read_population(context, RETRAINED, request)
    methods, notes = {}, []
    for label in context.method_labels:
        population = read_population(context, label, request)
        if identical(population):
            population = _first_model(population)
            notes.append(
                f"{label}: no randomness: its {context.config.models} models from one original "
                "are one and the same; it counts as N = 1, of which nothing can be told about "
                "variation (originals = each gives it N)"
            )
        methods[label] = population
        if len(population) and label != RETRAIN:
            notes += unchanged_note(label, _given(context, label, request, original), population)
    rows = {ORIGINAL: original} | {label: p for label, p in methods.items() if len(p)}
    labels = read_labels(context, request)
    split = context.split_at(request)
    notes += learning_notes(original, retrained, labels, split.classes)
    _refuse_other_shapes(context, {**rows, RETRAINED: retrained}, labels)
    rows[CONSTANT] = constant_predictor(original, labels["retain"])
    untrained = None
    if context.has(Cell("untrained", UNTRAINED, 0, request)):
        untrained = read_population(context, UNTRAINED, request, "untrained", parts=("forget",))
    outputs = Outputs(
        original,
        retrained,
        rows,
        labels,
        seed=context.config.seed,
        untrained=untrained,
        notes=notes,
        classes=split.classes,
    )
    retained, forgotten = split.train_labels[split.retain], split.train_labels[split.forget]
    return without_classes(outputs, gone_classes(retained, forgotten))


def _given(context: Context, label: str, request: int | None, original: Population) -> Population:
    """The models that a method was given: originals, or its own of the request before."""
    earlier = context.earlier(request)
    return read_population(context, label, earlier[-1]) if earlier else original


def _refuse_other_shapes(
    context: Context, rows: Mapping[str, Population], labels: Mapping[str, Labels]
) -> None:
    """Raise UserError where outputs and labels do not fit: a store may come from anybody."""
    classes = len(context.split.classes)
    for row, population in rows.items():
        for part, logits in population.logits.items():
            wanted = (len(population), len(labels[part].true), classes)
            if logits.shape != wanted or logits.dtype.kind != "f":
                raise UserError(
                    f"{context.store.folder}: outputs of {row} on {part} are {logits.dtype} "
                    f"{logits.shape}, expected float {wanted}: copy the store, or make it anew"
                )


def read_population(
    context: Context,
    row: str,
    request: int | None,
    stage: str = "predict",
    parts: Sequence[str] = PARTS,
) -> Population:
    """The stored outputs of a row's models; fewer than all where cells failed."""
    made = [cell for cell in context.cells_at(request, stage, [row]) if context.has(cell)]
    stored = [context.arrays(cell) for cell in made]
    with reading(context.store.folder, f"a store with outputs of {row}"):
        for cell, arrays in zip(made, stored, strict=True):
            for part, array in arrays.items():
                if not np.isfinite(array).all():
                    raise UserError(
                        f"{row} {cell.member} has non-finite outputs on {part} though its weights "
                        "are finite: leave the method out, or train the models more gently "
                        "(train.lr)"
                    )
        logits = {part: np.stack([arrays[part] for arrays in stored]) for part in parts if stored}
    from_one = context.config.originals == "one" and row in context.method_labels
    members = np.array([cell.member for cell in made], dtype=int)
    return Population(members, logits, start=0 if from_one else None)


def read_relearning(
    context: Context, outputs: Outputs, attack: str, request: int | None
) -> dict[str, Relearning]:
    """How long each model took to learn the forget set again, by row."""
    models = {row: p.members for row, p in outputs.rows.items() if row != CONSTANT}
    models[RETRAINED] = outputs.retrained.members
    relearning = {}
    for row, members in models.items():
        cells = [Cell("relearn", row, int(member), request, attack) for member in members]
        stored = [context.arrays(cell) for cell in cells]
        steps, reached = (np.array([a[name] for a in stored]) for name in ("steps", "reached"))
        relearning[row] = Relearning(steps, reached)
    return relearning


def read_labels(context: Context, request: int | None) -> dict[str, Labels]:
    """The labels of each part, as they were trained on and as they truly are."""
    split = context.split_at(request)
    with reading(context.store.folder, "a store with the labels of a run"):
        return _labels(split)


def _labels(split: Split) -> dict[str, Labels]:
    positions = {"forget": split.forget, "retain": split.retain_sample}
    labels = {
        part: Labels(split.train_labels[index], split.true_labels[index])
        for part, index in positions.items()
    }
    for part, true in (("validation", split.validation_labels), ("test", split.test_labels)):
        labels[part] = Labels(true, true)
    return labels


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


def _first_model(population: Population) -> Population:
    logits = {part: array[:1] for part, array in population.logits.items()}
    return replace(population, members=population.members[:1], logits=logits)


def constant_predictor(like: Population, retain: Labels) -> Population:
    """Models that give every input the commonest class of the retain set, as collapsed ones do."""
    logits = {}
    commonest = np.bincount(retain.train).argmax()
    for part, array in like.logits.items():
        logits[part] = np.zeros(array.shape, dtype=np.float32)
        logits[part][:, :, commonest] = CERTAIN
    return Population(like.members, logits)
