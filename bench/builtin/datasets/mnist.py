"""MNIST: 70,000 handwritten digits, grey, 28 x 28; 10,000 of them for testing.

Citation: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-Based Learning Applied to Document
Recognition, Proceedings of the IEEE 1998. Expected in the data folder as MNIST/raw/*-ubyte[.gz].
"""

from __future__ import annotations

from bench.builtin.datasets.formats.idx import read_set
from bench.plugins.dataset import Data

VERSION = 1


def mnist() -> Data:
    return read_set("mnist", "MNIST", tuple("0123456789"))
