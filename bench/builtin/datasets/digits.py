"""Handwritten digits: 1,797 real 8x8 images that ship with scikit-learn.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998 (its test
part), https://doi.org/10.24432/C50P49; read by ``sklearn.datasets.load_digits``. Pixels are 0..16.
"""

import numpy as np

from bench.plugins.dataset import Data

VERSION = 1


def digits() -> Data:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Data(
        name="digits",
        images=bunch.images.astype(np.uint8)[..., None],
        labels=bunch.target.astype(np.int64),
        classes=tuple(str(name) for name in bunch.target_names),
        scale=16.0,
    )
