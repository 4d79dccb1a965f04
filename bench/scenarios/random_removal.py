"""Random removal: a fraction of the training examples, drawn evenly from each class, is forgotten.

The PGU paper's data removal (Hoang et al., WACV 2024, sections 4.2 and 4.4) takes the same number
from each class; labels are clean.
"""

from __future__ import annotations

import numpy as np

from bench.errors import UserError
from bench.params import OpenFraction
from bench.scenario import ForgetRequest, TrainingSet

VERSION = 1
NAME = "random"


def random_removal(
    training: TrainingSet, rng: np.random.Generator, *, fraction: OpenFraction = 0.1
) -> ForgetRequest:
    forget = np.zeros(len(training.labels), dtype=bool)
    for label in range(len(training.classes)):
        members = np.flatnonzero(training.labels == label)
        forget[rng.choice(members, size=round(fraction * len(members)), replace=False)] = True
    if not forget.any() or forget.all():
        raise UserError(
            f"random[fraction={fraction:g}] takes {forget.sum()} of {len(forget)} training "
            "examples: choose a fraction that leaves some to forget and some to keep"
        )
    return ForgetRequest(forget, training.labels.copy(), goal="removal")
