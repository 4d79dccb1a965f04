"""Split: who is trained on, validated on, tested on; who is forgotten; which labels were seen.

Test examples are those the data set fixes, else a stratified draw. The validation set is a
stratified draw from the rest, so that no test example ever chooses anything. Neither depends on the
scenario: poison rates and draws are compared on the same test examples, and settings that were
chosen on one draw meet the others' test set for the first time. The scenario sees the training set
alone. All index arrays are sorted.

Where there are several requests, one after another, one split stands for all of them. All of them
ask the same sample of what none of them forgets.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from bench import seeds
from bench.config.schema import Config
from bench.data.split import Split
from bench.errors import UserError
from bench.outside import shown
from bench.plugins.chosen import Plugin
from bench.plugins.dataset import Data
from bench.plugins.scenario import TrainingSet, find_problem, with_copies
from bench.stages.cell import Artefact, Cell, Size
from bench.stages.context import Context, Stage

SIDE = 96  # pixels of an image that a report shows; larger ones are thinned


class DrawSplit(Stage):
    """Draw the split and keep what scores and reports need of the data set."""

    name, version, phase, shared = "split", 3, "train", True

    def cells(self, context: Context) -> list[Cell]:
        return [Cell("split")]

    def inputs(self, context: Context, cell: Cell) -> list[Cell]:
        return []

    def settings(self, context: Context, cell: Cell) -> dict[str, Any]:
        config, data = context.config, context.data
        return {
            "data": data.fingerprint,
            "scenario": context.scenario.identity,
            "seed": config.seed,
            "subset": config.subset,
            "validation": config.validation if data.validation is None else None,
            "test": config.test if data.test is None else None,
            "retain_sample": config.retain_sample,
            **({} if config.copies == "keep" else {"copies": config.copies}),
        }

    def make(self, context: Context, cell: Cell, alone: bool) -> Artefact:
        split = draw(context.config, context.data, context.scenario)
        split = with_samples(split, context.data)
        return Artefact(split.facts, split.arrays)

    def size(self, context: Context, cell: Cell) -> Size:
        return Size(bytes=sum(array.nbytes for array in context.split.arrays.values()))


def draw(config: Config, data: Data, scenario: Plugin) -> Split:
    """Draw the split of a run; raises UserError where the data set is too small for it."""

    def rng_for(*purpose: str) -> np.random.Generator:
        return seeds.numpy_rng(config.seed, data.fingerprint, "split", *purpose)

    train, validation, test = draw_parts(config, data, rng_for)
    training = TrainingSet(data.labels[train], data.classes)
    if data.subjects is not None:
        training = replace(training, subjects=data.subjects[train], copies=data.copies[train])
    request = scenario(training, rng_for("scenario", scenario.label))
    if problem := find_problem(request, training):
        raise UserError(f"{scenario.label}: {problem}")
    if config.copies == "with":
        request = with_copies(request, data.copies[train])
    forget, retain = np.flatnonzero(request.forget), np.flatnonzero(~request.forget)
    sample = rng_for("retain sample", scenario.label).permutation(retain)[: config.retain_sample]
    return Split(
        train=train,
        validation=validation,
        test=test,
        forget=forget,
        retain=retain,
        retain_sample=np.sort(sample),
        train_labels=request.train_labels,
        true_labels=data.labels[train],
        validation_labels=data.labels[validation],
        test_labels=data.labels[test],
        goal=request.goal,
        note=request.note,
        order=request.order,
        data=data.name,
        fingerprint=data.fingerprint,
        classes=data.classes,
        scale=data.scale,
        data_note=data.note,
        subjects=data.subjects,
        **_grouped(data),
    )


def draw_parts(
    config: Config, data: Data, rng_for: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, validation and test examples: fixed by the data set, else drawn class by class."""
    everything = np.arange(len(data.labels))
    if data.test is None:
        free = everything if data.validation is None else np.setdiff1d(everything, data.validation)
        pool, test = _stratified(data, free, config.test, rng_for("test"), "test set")
    else:
        pool, test = np.setdiff1d(everything, data.test), np.sort(data.test)
    if data.validation is not None:
        pool = np.setdiff1d(pool, data.validation)
    if config.subset is not None and config.subset < len(pool):
        _, pool = _stratified(data, pool, config.subset, rng_for("subset"), "subset")
    elif config.subset is not None and config.subset > len(pool):
        raise UserError(
            f"subset = {config.subset}: {data.name} has {len(pool)} training examples: "
            f"choose --subset {len(pool)} or fewer"
        )
    if data.validation is not None:
        train, validation = pool, np.sort(data.validation)
    else:
        train, validation = _stratified(
            data, pool, config.validation, rng_for("validation"), "validation set"
        )
    if not len(train):
        raise UserError(
            f"{data.name} has no training example: its validation and test sets take all"
        )
    refuse_overlaps({"training": train, "validation": validation, "test": test})
    return train, validation, test


def refuse_overlaps(sets: dict[str, np.ndarray]) -> None:
    """Raise UserError where two sets share an example: what is trained on is no longer unseen."""
    for (first, one), (second, other) in combinations(sets.items(), 2):
        shared = np.intersect1d(one, other)
        if len(shared):
            raise UserError(
                f"{len(shared)} examples are in both the {first} and the {second} set (the first: "
                f"number {shared[0]}): every example may be in one of them only"
            )


def _stratified(
    data: Data, pool: np.ndarray, size: float, rng: np.random.Generator, what: str
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a share of ``pool``, or so many, class by class: (rest, drawn), each sorted."""
    from sklearn.model_selection import train_test_split

    drawn = int(size) if size >= 1 else math.ceil(size * len(pool))
    _refuse_few(data, pool, drawn, what)
    parts = train_test_split(
        pool,
        test_size=size,
        stratify=data.labels[pool],
        random_state=int(rng.integers(2**31)),
    )
    rest, drawn_part = map(np.sort, parts)
    return rest, drawn_part


def _refuse_few(data: Data, pool: np.ndarray, drawn: int, what: str) -> None:
    """Raise UserError where not every class can be on both sides of a stratified draw."""
    draw = f"cannot draw the {what} from {len(pool)} examples of {data.name}"
    if not len(pool):
        raise UserError(f"{draw}: the data set's own validation and test sets take all")
    counts = np.bincount(data.labels[pool], minlength=len(data.classes))
    present, lone = int((counts > 0).sum()), np.flatnonzero(counts == 1)
    if len(lone):
        raise UserError(
            f"{draw}: class {shown(data.classes[lone[0]])} has a single one, and every class needs "
            "two: add examples, leave the class out, or choose a larger subset"
        )
    if not present <= drawn <= len(pool) - present:
        raise UserError(
            f"{draw}: it would have {drawn} of them, but each of the {present} classes needs one "
            f"there and one in the rest: choose {present} to {len(pool) - present} of them, or "
            "add examples"
        )


def _grouped(data: Data) -> dict[str, Any]:
    """The groups of a data set as numbers with their names, where it knows any."""
    if data.groups is None:
        return {}
    names, numbers = np.unique(data.groups, return_inverse=True)
    printable = np.array([shown(name) for name in names])
    return {"groups": numbers.astype(np.int32), "group_names": printable}


def with_samples(split: Split, data: Data) -> Split:
    """The split with the forgotten images that a report shows, of every request."""
    if data.is_table or not len(split.forget):
        return split
    steps = [split.after(number) for number in range(1, split.requests + 1)] or [split]
    places = np.unique(np.concatenate([step.samples for step in steps]))
    images = np.stack([data.images[place] for place in split.train[places]])
    stride = -(-max(images.shape[1:3]) // SIDE)
    return replace(split, sample_places=places, sample_images=images[:, ::stride, ::stride])
