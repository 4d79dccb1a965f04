"""Random removal: some training examples, drawn evenly from each class, are forgotten.

The PGU paper's data removal (Hoang et al., WACV 2024, sections 4.2 and 4.4) takes the same number
from each class; labels are clean. ``count`` says how many in all (1,000 in the paper), ``fraction``
which share of each class; ``draw`` numbers the draws.
"""

from __future__ import annotations

import numpy as np

from bench.errors import UserError
from bench.params import Count, Natural, OpenFraction
from bench.scenario import ForgetRequest, TrainingSet, numbered

VERSION = 2
NAME = "random"


def random_removal(
    training: TrainingSet,
    rng: np.random.Generator,
    *,
    fraction: OpenFraction = 0.1,
    count: Count | None = None,
    draw: Natural = 0,
) -> ForgetRequest:
    rng = numbered(rng, draw)
    forget = np.zeros(len(training.labels), dtype=bool)
    classes = len(training.classes)
    for label in range(classes):
        members = np.flatnonzero(training.labels == label)
        if count is None:
            size = round(fraction * len(members))
        else:  # the remainder goes to the first classes
            size = count // classes + (label < count % classes)
        if size > len(members):
            raise UserError(
                f"random[count={count}] takes {size} of class {training.classes[label]}, "
                f"which has {len(members)} training examples: choose a smaller count"
            )
        forget[rng.choice(members, size=size, replace=False)] = True
    if not forget.any() or forget.all():
        raise UserError(
            f"random takes {forget.sum()} of {len(forget)} training "
            "examples: choose a fraction or count that leaves some to forget and some to keep"
        )
    return ForgetRequest(forget, training.labels.copy(), goal="removal")
