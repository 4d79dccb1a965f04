"""Errors of each model of a population, and what two classes allow besides.

What cannot be computed is nan.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from bench.errors import UserError
from bench.plugins.outputs import Outputs, Population


def error_rates(population: Population, part: str, labels: np.ndarray) -> np.ndarray:
    """The error of each model, float64 [m]; nan without examples."""
    if not len(labels):
        return np.full(len(population), np.nan)
    return (population.logits[part].argmax(-1) != labels).mean(-1)


def balanced_error_rates(population: Population, part: str, labels: np.ndarray) -> np.ndarray:
    """The mean over classes of the error of each model, float64 [m]; nan without examples."""
    if not len(labels):
        return np.full(len(population), np.nan)
    wrong = population.logits[part].argmax(-1) != labels
    return np.mean([wrong[:, labels == label].mean(-1) for label in np.unique(labels)], axis=0)


def two_class(logits: np.ndarray, labels: np.ndarray, positive: int = 1) -> np.ndarray:
    """ROC AUC, precision, recall and F1 for the class ``positive``: float64 [4, m].

    ``logits``: [m, n, 2]. All are nan where one of the classes has no example, and so is the
    precision of a model that calls no example positive.
    """
    truth = labels == positive
    many, few = truth.sum(), (~truth).sum()
    if not (many and few):
        return np.full((4, len(logits)), np.nan)
    lead = logits[..., positive].astype(np.float64) - logits[..., 1 - positive]
    above = rankdata(lead, axis=-1)[:, truth].sum(-1) - many * (many + 1) / 2
    claimed = logits.argmax(-1) == positive
    hits, claims = (claimed & truth).sum(-1), claimed.sum(-1)
    precision = np.divide(hits, claims, out=np.full(len(logits), np.nan), where=claims > 0)
    return np.stack([above / (many * few), precision, hits / many, 2 * hits / (claims + many)])


def positive_class(outputs: Outputs, chosen: str) -> int:
    """Which of two classes counts as positive: the chosen one, else "fake", else the second.

    Raises UserError where no class has the chosen name.
    """
    names = outputs.class_names
    if chosen:
        if chosen not in names:
            raise UserError(f"positive = {chosen}: the classes are {' and '.join(names)}")
        return names.index(chosen)
    fake = [place for place, name in enumerate(names) if name.lower() == "fake"]
    return fake[0] if len(fake) == 1 else 1


def why_no_error(outputs: Outputs, part: str) -> str:
    """Why nothing may be known of a part: the only way is that it holds no example."""
    stays = " of a class that stays" if outputs.gone else ""
    return f"the {part} set holds no example{stays}"


def why_not_two_class(outputs: Outputs, part: str, labels: np.ndarray, positive: int) -> str:
    """Why numbers of two classes may not exist on a part."""
    present = np.unique(labels)
    if not len(present):
        return why_no_error(outputs, part)
    if len(present) == 1:
        return (
            f"the {part} set holds examples of one class alone ({outputs.class_names[present[0]]})"
        )
    return f"models call no example of the {part} set '{outputs.class_names[positive]}'"
