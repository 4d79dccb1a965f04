"""Label-flip poison: a fraction of the training labels is wrong, and those examples are forgotten.

``flip=pairs`` is the PGU paper's setting (Hoang et al., WACV 2024, section 4.5): the classes are
drawn into pairs, and the same fraction of each class gets the label of its partner. With an odd
number of classes one class, drawn at random, has no partner and stays clean. ``flip=any`` draws the
fraction from the whole training set and gives each example any other label. With two classes both
are the plain binary flip (real <-> fake). ``draw`` numbers the draws: settings may be chosen on
one and reported on another, with the same training, validation and test examples.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from bench.config.limits import Natural, OpenFraction
from bench.errors import UserError
from bench.plugins.scenario import (
    ForgetRequest,
    TrainingSet,
    groups,
    name_spared,
    rng_of_draw,
)

VERSION = 1


def poison(
    training: TrainingSet,
    rng: np.random.Generator,
    *,
    rate: OpenFraction = 0.2,
    flip: Literal["pairs", "any"] = "pairs",
    draw: Natural = 0,
) -> ForgetRequest:
    rng = rng_of_draw(rng, draw)
    flipped, notes = training.labels.copy(), []
    pools = groups(training, per_class=flip == "pairs")
    if flip == "pairs":
        order = rng.permutation(len(training.classes))
        if len(order) % 2:
            name, _members = pools.pop(order[-1])
            notes.append(f"{name} has no partner and stays clean")
        for first, second in zip(order[0::2], order[1::2], strict=False):
            for label, other in ((first, second), (second, first)):
                flipped[_draw(rng, np.flatnonzero(training.labels == label), rate)] = other
    else:
        drawn = _draw(rng, np.arange(len(flipped)), rate)
        shift = rng.integers(1, len(training.classes), size=len(drawn))
        flipped[drawn] = (flipped[drawn] + shift) % len(training.classes)
    forget = flipped != training.labels
    if not forget.any() or forget.all():
        raise UserError(
            f"poison[rate={rate:g}] flips {forget.sum()} of {len(forget)} training labels: "
            "choose a rate that leaves some to forget and some to keep"
        )
    if spared := name_spared(pools, forget):
        notes.append(spared)
    return ForgetRequest(forget, flipped, goal="depoison", note="; ".join(notes))


def _draw(rng: np.random.Generator, candidates: np.ndarray, rate: float) -> np.ndarray:
    return rng.choice(candidates, size=round(rate * len(candidates)), replace=False)
