"""Random removal: some training examples, drawn at random, are forgotten; labels are clean.

The PGU paper's data removal (Hoang et al., WACV 2024) takes the same number from each class
(section 4.4), or all from the first class (section 4.2). ``count`` says how many in all (1,000 and
500 there), ``fraction`` which share. ``per_class``: the same number, or share, of each class; if
not, from all together, so that classes are taken as they come. ``first``: only from the first so
many classes; ``draw`` numbers the draws.
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

VERSION = 2
NAME = "random"
ALONE = {"count": ("fraction",)}


def random_removal(
    training: TrainingSet,
    rng: np.random.Generator,
    *,
    fraction: OpenFraction = 0.1,
    count: Count | None = None,
    per_class: bool = True,
    first: Count | None = None,
    draw: Natural = 0,
) -> ForgetRequest:
    rng = rng_of_draw(rng, draw)
    if first is not None and first > len(training.classes):
        raise UserError(f"random[first={first}]: there are {len(training.classes)} classes")
    pools = groups(training, per_class, first)
    forget = np.zeros(len(training.labels), dtype=bool)
    for place, (name, members) in enumerate(pools):
        size = portion(count, fraction, len(members), place, len(pools))
        if size > len(members):
            raise UserError(
                f"random[count={count}] takes {size} of {name}, which has {len(members)} training "
                "examples: choose a smaller count"
            )
        forget[rng.choice(members, size=size, replace=False)] = True
    if not forget.any() or forget.all():
        raise UserError(
            f"random takes {forget.sum()} of {len(forget)} training "
            "examples: choose a fraction or count that leaves some to forget and some to keep"
        )
    note = "" if count else name_spared(pools, forget)
    return ForgetRequest(forget, training.labels.copy(), goal="removal", note=note)
