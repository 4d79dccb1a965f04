"""CIFAR-100: 60,000 colour images of 32 x 32 in a hundred classes; 10,000 of them for testing.

Citation: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. Expected in
the data folder as cifar-100-python; labels are the hundred fine ones.
"""

from __future__ import annotations

from bench.builtin.datasets.formats.cifar import read_set
from bench.plugins.dataset import Data

VERSION = 1


def cifar100() -> Data:
    parts = {"train": ["train"], "test": ["test"]}
    meta = "meta", "fine_label_names"
    return read_set("cifar100", "cifar-100-python", parts, meta, "fine_labels")
