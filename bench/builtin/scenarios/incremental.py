"""Incremental removal: several requests, one after another, each for examples drawn at random.

The PGU paper (Hoang et al., WACV 2024, section 4.4; supplement 1.2.4) forgets 1,000 examples of
CIFAR-10 at a time, the same number from each class of those that are left, and unlearns each set
from the model that unlearned the one before; labels are clean. ``requests`` says how many there
are, ``count`` how many examples each of them names, ``fraction`` which share of the training set.
``per_class``: the same number, or share, of each class; if not, from all together, so that classes
are taken as they come. ``draw`` numbers the draws.
"""

from __future__ import annotations

import numpy as np

from bench.config.limits import Count, Natural, OpenFraction
from bench.errors import UserError
from bench.plugins.scenario import (
    ForgetRequest,
    TrainingSet,
    groups,
    name_spared,
    portion,
    rng_of_draw,
)

VERSION = 1
ALONE = {"count": ("fraction",)}


def incremental(
    training: TrainingSet,
    rng: np.random.Generator,
    *,
    requests: Count = 4,
    fraction: OpenFraction = 0.05,
    count: Count | None = None,
    per_class: bool = True,
    draw: Natural = 0,
) -> ForgetRequest:
    rng = rng_of_draw(rng, draw)
    order = np.zeros(len(training.labels), dtype=np.int64)
    pools = groups(training, per_class)
    for place, (name, members) in enumerate(pools):
        size = portion(count, fraction, len(members), place, len(pools))
        if requests * size > len(members):
            raise UserError(
                f"incremental: {requests} requests for {size} of {name} each, which has "
                f"{len(members)} training examples: choose fewer requests or smaller ones"
            )
        if not size:
            continue
        # Drawing from what is left, again and again, is cutting one random order into pieces.
        drawn = rng.permutation(members)[: requests * size]
        order[drawn] = np.repeat(np.arange(1, requests + 1), size)
    if not order.any() or order.all():
        raise UserError(
            f"incremental takes {(order > 0).sum()} of {len(order)} training examples in "
            f"{requests} requests: leave some to forget and some to keep"
        )
    note = "" if count else name_spared(pools, order > 0)
    return ForgetRequest(order > 0, training.labels.copy(), "removal", note, order)
