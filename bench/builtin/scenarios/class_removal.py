"""Class removal: every training example of some classes is forgotten, and with them the class.

The PGU paper's class removal (Hoang et al., WACV 2024, section 4.3) forgets the first class of
CIFAR-10 and the first five of TinyImageNet. ``count`` says how many classes, the first ones or,
with ``draw`` = 0, 1, 2, ..., drawn ones; ``of`` names them instead, joined by +, such as cat+dog.
"""

from __future__ import annotations

import numpy as np

from bench.config.limits import Count, Natural, Word
from bench.errors import UserError
from bench.outside import shown, shown_list
from bench.plugins.scenario import ForgetRequest, TrainingSet, rng_of_draw

VERSION = 1
NAME = "class"
ALONE = {"of": ("count", "draw")}


def class_removal(
    training: TrainingSet,
    rng: np.random.Generator,
    *,
    count: Count = 1,
    draw: Natural | None = None,
    of: Word = None,
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
    """The numbers of classes that are named, joined by +; a name may contain a + itself."""
    numbers: list[int] = []
    parts = names.split("+")
    while parts:
        ends = range(len(parts), 0, -1)
        end = next((end for end in ends if "+".join(parts[:end]) in classes), None)
        if end is None:
            known = "classes: " + ", ".join(map(shown, classes))
            raise UserError(f"class[of={shown(names)}]: no class '{shown(parts[0])}'; {known}")
        numbers.append(classes.index("+".join(parts[:end])))
        parts = parts[end:]
    twice = [classes[number] for number in dict.fromkeys(numbers) if numbers.count(number) > 1]
    if twice:
        raise UserError(f"class[of={shown(names)}] names {shown_list(twice)} twice: name it once")
    return numbers
