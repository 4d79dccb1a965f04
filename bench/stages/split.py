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
from bench.plugins.scenario import TrainingSet
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
        training = replace(training, subjects=data.subjects[train], copies=data.copies(train))
    request = scenario(training, rng_for("scenario", scenario.label))
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
        pool, test = _stratified(data, free, config.test, rng_for("test"), "test")
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
            data, pool, config.validation, rng_for("validation"), "validation"
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

    try:
        rest, drawn = train_test_split(
            pool,
            test_size=size,
            stratify=data.labels[pool],
            random_state=int(rng.integers(2**31)),
        )
    except ValueError as error:
        raise UserError(
            f"cannot draw the {what} set ({size:g} of {len(pool)} examples of {data.name}, "
            f"each class represented): {error}"
        ) from error
    return np.sort(rest), np.sort(drawn)


def _grouped(data: Data) -> dict[str, Any]:
    """The groups of a data set as numbers with their names, where it knows any."""
    if data.groups is None:
        return {}
    names, numbers = np.unique(data.groups, return_inverse=True)
    printable = np.array([shown(name) for name in names])
    return {"groups": numbers.astype(np.int32), "group_names": printable}


def with_samples(split: Split, data: Data) -> Split:
    """The split with the forgotten images that a report shows, of every request."""
    if data.is_table:
        return split
    steps = [split.after(number) for number in range(1, split.requests + 1)] or [split]
    places = np.unique(np.concatenate([step.samples for step in steps]))
    images = np.stack([data.images[place] for place in split.train[places]])
    stride = -(-max(images.shape[1:3]) // SIDE)
    return replace(split, sample_places=places, sample_images=images[:, ::stride, ::stride])
