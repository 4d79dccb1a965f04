"""Breast cancer: a table of 569 tumours, benign or malignant, with 30 measures of cell nuclei.

Source: W. H. Wolberg, O. L. Mangasarian, W. N. Street, Breast Cancer Wisconsin (Diagnostic), UCI
1995, https://doi.org/10.24432/C5DW2B; ships with scikit-learn (``load_breast_cancer``). Malignant
is class 1, the one that precision and recall are about.
"""

from __future__ import annotations

import numpy as np

from bench.plugins.dataset import Data

VERSION = 1


def breast_cancer() -> Data:
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    return Data(
        name="breast-cancer",
        images=bunch.data.astype(np.float32)[:, None, None, :],
        labels=(bunch.target == 0).astype(np.int64),
        classes=("benign", "malignant"),
        scale=None,
    )
