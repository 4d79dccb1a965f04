"""The rows that every run has besides its methods, by the names that tables and records use."""

from __future__ import annotations

ORIGINAL = "original"  # models trained on the whole training set: nothing is forgotten
RETRAINED = (
    "retrained"  # models trained on the retain set, each paired with an original: the reference
)
RETRAIN = "retrain"  # retrained again with other seeds: what perfect forgetting scores
CONSTANT = "constant"  # models that always give the commonest class: what a collapsed model scores
UNTRAINED = "untrained"  # models as they are before any training
