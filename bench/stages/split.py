"""Split: who is trained on, validated on, tested on; who is forgotten; which labels were seen.

Test examples are those the data set fixes, else a stratified draw. The validation set is a
stratified draw from the rest, so that no test example ever chooses anything. Neither depends on the
scenario: poison rates and draws are compared on the same test examples, and settings that were
chosen on one draw meet the others' test set for the first time. The scenario sees the training set
alone. All index arrays are sorted.

Where there are several requests, one after another, a split stands for all of them; ``after`` gives
that of each. All ask the same sample of what none of them forgets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from bench import seeds
from bench.config.schema import Config
from bench.errors import UserError
from bench.plugins.dataset import Data
from bench.plugins.registry import Plugin
from bench.plugins.scenario import TrainingSet
from bench.storage.store import Store, content_key

VERSION = 2


@dataclass(frozen=True)
class Split:
    """Indices into the data set, and both labels of every training example.

    ``forget`` and ``retain`` are positions in ``train`` (0..len(train)-1); ``retain_sample`` is the
    fixed part of ``retain`` that predictions are made for. ``order``: where there are several
    requests, which of them asks for each training example, 0: none. Then ``forget`` is what the
    first ``request`` of them asked for, and ``retain`` the rest.
    """

    key: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    forget: np.ndarray
    retain: np.ndarray
    retain_sample: np.ndarray
    train_labels: np.ndarray
    true_labels: np.ndarray
    goal: str
    note: str = ""
    order: np.ndarray | None = None
    request: int | None = None

    @property
    def requests(self) -> int:
        """How many requests there are, one after another; 0: there is one, and no order."""
        return 0 if self.order is None else int(self.order.max())

    @property
    def asked(self) -> np.ndarray:
        """What a method is asked to forget now: the latest request's examples alone."""
        if self.order is None or self.request is None:
            return self.forget
        return np.flatnonzero(self.order == self.request)

    def after(self, request: int) -> Split:
        """Who is forgotten and who is left when requests 1 to ``request`` have been made."""
        gone = (self.order > 0) & (self.order <= request)
        forget, retain = np.flatnonzero(gone), np.flatnonzero(~gone)
        return replace(self, forget=forget, retain=retain, request=request)


def make_split(config: Config, data: Data, scenario: Plugin, store: Store) -> Split:
    """The split of a run: read from the store, or drawn. Drawing it writes nothing."""
    inputs: dict[str, Any] = {
        "version": VERSION,
        "data": data.fingerprint,
        "scenario": scenario.identity,
        "seed": config.seed,
        "subset": config.subset,
        "validation": config.validation if data.validation is None else None,
        "test": config.test if data.test is None else None,
        "retain_sample": config.retain_sample,
    }
    key = content_key(stage="split", **inputs)
    if store.has("split", key):
        record = store.record("split", key)
        told = {name: record[name] for name in ("goal", "note") if name in record}
        return Split(key, **store.arrays("split", key), **told)
    return _draw(config, data, scenario, key)


def save_split(split: Split, store: Store) -> None:
    """Store a split, both labels and the poisoned indices included, unless it is there."""
    if not store.has("split", split.key):
        arrays = {k: v for k, v in vars(split).items() if isinstance(v, np.ndarray)}
        sizes = {name: len(array) for name, array in arrays.items()}
        record = {"goal": split.goal, "note": split.note, "sizes": sizes}
        store.write("split", split.key, record, **arrays)


def _draw(config: Config, data: Data, scenario: Plugin, key: str) -> Split:
    def rng_for(*purpose: str) -> np.random.Generator:
        return seeds.numpy_rng(config.seed, data.fingerprint, "split", *purpose)

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
    training = TrainingSet(data.labels[train], data.classes)
    if data.subjects is not None:
        training = replace(training, subjects=data.subjects[train], copies=data.copies(train))
    request = scenario(training, rng_for("scenario", scenario.label))
    forget, retain = np.flatnonzero(request.forget), np.flatnonzero(~request.forget)
    sample = rng_for("retain sample", scenario.label).permutation(retain)[: config.retain_sample]
    refuse_overlaps({"training": train, "validation": validation, "test": test})
    return Split(
        key=key,
        train=train,
        validation=validation,
        test=test,
        forget=forget,
        retain=retain,
        retain_sample=np.sort(sample),
        train_labels=request.train_labels,
        true_labels=data.labels[train],
        goal=request.goal,
        note=request.note,
        order=request.order,
    )


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
