"""CIFAR-10: 60,000 colour images of 32 x 32 in ten classes; 10,000 of them for testing.

Citation: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. Expected in
the data folder as cifar-10-batches-py.
"""

from __future__ import annotations

from bench.builtin.datasets.formats.cifar import read_set
from bench.plugins.dataset import Data

VERSION = 1
PARTS = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}


def cifar10() -> Data:
    meta = "batches.meta", "label_names"
    return read_set("cifar10", "cifar-10-batches-py", PARTS, meta, "labels")
