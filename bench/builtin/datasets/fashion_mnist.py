"""Fashion-MNIST: 70,000 pictures of clothes, grey, 28 x 28; 10,000 of them for testing.

Citation: H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking
Machine Learning Algorithms, 2017. Expected in the data folder as FashionMNIST/raw/*-ubyte[.gz].
"""

from __future__ import annotations

from bench.builtin.datasets.formats.idx import read_set
from bench.plugins.dataset import Data

VERSION = 1
CLASSES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"
)  # fmt: skip


def fashion_mnist() -> Data:
    return read_set("fashion-mnist", "FashionMNIST", CLASSES)
