"""Class removal: every training example of some classes is forgotten, and with them the class.

The PGU paper's class removal (Hoang et al., WACV 2024, section 4.3) forgets the first class of
CIFAR-10 and the first five of TinyImageNet. ``count`` says how many classes, the first ones or,
with ``draw`` = 0, 1, 2, ..., drawn ones; ``of`` names them instead, joined by +, such as cat+dog.
"""

from __future__ import annotations

import numpy as np

from bench.config.limits import Count, Natural
from bench.errors import UserError
from bench.plugins.scenario import ForgetRequest, TrainingSet, rng_of_draw

VERSION = 1
NAME = "class"


def class_removal(
    training: TrainingSet,
    rng: np.random.Generator,
    *,
    count: Count = 1,
    draw: Natural | None = None,
    of: str | int | None = None,
) -> ForgetRequest:
    chosen: np.ndarray
    count = min(count, len(training.classes))  # a billion would fill the memory
    if of is not None:
        chosen = np.array(_numbers(training.classes, str(of)))
    elif draw is None:
        chosen = np.arange(count)
    else:
        chosen = rng_of_draw(rng, draw).permutation(len(training.classes))[:count]
    if len(training.classes) - len(np.unique(chosen)) < 2:
        raise UserError(
            f"class forgets {len(chosen)} of {len(training.classes)} classes: at least two must "
            "stay, choose fewer"
        )
    forget = np.isin(training.labels, chosen)
    return ForgetRequest(forget, training.labels.copy(), goal="removal")


def _numbers(classes: tuple[str, ...], names: str) -> list[int]:
    """The numbers of classes that are named, joined by +."""
    numbers = []
    for name in names.split("+"):
        if name not in classes:
            raise UserError(f"class[of={names}]: no class '{name}'; classes: {', '.join(classes)}")
        numbers.append(classes.index(name))
    return numbers
