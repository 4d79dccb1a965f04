"""Forest cover types: 581,012 patches of land, seven kinds of trees, 54 columns; a table.

Source: J. A. Blackard, Covertype, UCI 1998, https://doi.org/10.24432/C50K5N. Expected in the data
folder as covertype/covtype.data.gz, the original file, which scikit-learn's ``fetch_covtype``
downloads too; what that function keeps beside it (samples_py3) is a pickle and never read. Ten
numbers and 44 marks of area and soil for each patch. Training, validation and test parts are drawn
by the harness.
"""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import numpy as np

from bench.config.folders import data_home, download_file, may_download
from bench.errors import UserError
from bench.outside import reading, shown
from bench.plugins.dataset import Data
from bench.storage.archives import most_bytes, refuse_bomb

VERSION = 1
# As in scikit-learn's sklearn/datasets/_covtype.py.
URL = "https://ndownloader.figshare.com/files/5976039"
SHA256 = "614360d0257557dd1792834a85a1cdebfadc3c4f30b011d56afee7ffb5b15771"
COLUMNS = 54
CLASSES = (
    "spruce-fir", "lodgepole-pine", "ponderosa-pine", "cottonwood-willow", "aspen", "douglas-fir",
    "krummholz",
)  # fmt: skip


def covertype() -> Data:
    path = data_home() / "covertype" / "covtype.data.gz"
    if not path.is_file() and may_download():
        download_file(URL, path, SHA256)
    table = _read(path)
    labels = table[:, COLUMNS].astype(np.int64) - 1
    return Data(
        name="covertype",
        images=np.ascontiguousarray(table[:, :COLUMNS])[:, None, None, :],
        labels=labels,
        classes=CLASSES,
        scale=None,
    )


def _read(path: Path) -> np.ndarray:
    """The numbers of the file, float32 [n, 55]; raises UserError if it is damaged."""
    import pandas as pd

    if not os.path.exists(path):
        raise UserError(
            f"covertype: no {shown(path)}: put UCI's covtype.data.gz there (10.24432/C50K5N), name "
            "the data folder with --data-dir, or add --download"
        )
    with reading(path, "UCI's covtype.data.gz"):
        size = path.stat().st_size
        with gzip.open(path) as file:
            content = file.read(most_bytes(size) + 1)
        refuse_bomb(path, size, len(content))
        table = pd.read_csv(io.BytesIO(content), header=None, dtype=np.float32).to_numpy()
        if table.shape[1] != COLUMNS + 1:
            raise ValueError(f"{table.shape[1]} columns, expected {COLUMNS + 1}")
        if not np.isin(table[:, COLUMNS], np.arange(1, len(CLASSES) + 1)).all():
            raise ValueError(f"its last column has to be one of 1 to {len(CLASSES)}")
    return table
