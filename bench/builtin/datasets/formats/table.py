"""Columns of a table, checked before they become float32, the precision of networks.

A network would learn nothing from a column whose values float32 takes for one another, and nothing
at all beside a column that overflows. We cannot rescale such columns ourselves: a mean or deviation
of the whole table would carry information about the forget set (see ``Data.scale``). The user can,
by fixed numbers.
"""

from __future__ import annotations

import numpy as np

from bench.errors import UserError
from bench.outside import shown_list

LARGEST = 1e15  # sums of squares of more than that overflow in float32
NARROWEST = 1e-5  # a network that standardises its columns hardly sees less than that
BLUR = 1e-5  # of a column's deviation: merging values that differ by less changes nothing


def is_table(rows: np.ndarray) -> bool:
    """Whether an array is meant as a table: floats, not pixels."""
    return rows.dtype.kind == "f"


def as_rows(name: str, rows: np.ndarray) -> np.ndarray:
    """The rows of one part, float [n, features]; UserError names the first cell that is missing."""
    if not is_table(rows) or rows.ndim != 2:
        raise UserError(
            f"{name} is {rows.dtype} {rows.shape}; allowed: a table, float [n, features], or "
            "images, uint8 [n, height, width, channels]"
        )
    gaps = ~np.isfinite(rows)
    if gaps.any():
        row, column = np.argwhere(gaps)[0]
        raise UserError(
            f"{name}: {gaps.sum()} cells are not finite numbers (the first: {rows[row, column]} in "
            f"row {row}, column {column}): fill them in, or leave out these rows"
        )
    return rows


def check_columns(train: np.ndarray, test: np.ndarray) -> str:
    """Say which columns are constant; UserError for one that a network cannot take as it is."""
    constant = []
    for column in range(train.shape[1]):
        values = np.concatenate([train[:, column], test[:, column]])
        largest = np.abs(values).max()
        if largest > LARGEST:
            raise UserError(
                f"column {column} holds numbers up to {largest:.3g}, too large for a network (at "
                f"most {LARGEST:.0e}): divide it by a fixed number before saving"
            )
        if (train[:, column] == train[0, column]).all():
            constant.append(column)
        else:
            _check_column(column, values, train[:, column].std(dtype=np.float64))
    if len(constant) == train.shape[1]:
        raise UserError("no column of x_train varies: there is nothing to learn from")
    return f"columns that do not vary in x_train: {shown_list(constant)}" if constant else ""


def _check_column(column: int, values: np.ndarray, deviation: float) -> None:
    """Raise UserError where a network could not learn from a column that varies."""
    if np.spacing(np.float32(np.abs(values).max())) > BLUR * deviation:
        _refuse_merging(column, np.unique(values.astype(np.float64)), deviation)
    if deviation < NARROWEST:
        raise UserError(
            f"column {column} varies by {deviation:.3g} only, too little for a network: multiply "
            "it by a fixed number before saving"
        )


def _refuse_merging(column: int, distinct: np.ndarray, deviation: float) -> None:
    """Raise UserError where float32 takes different values of a column for one another."""
    merged = np.diff(distinct)[np.diff(distinct.astype(np.float32)) == 0]
    if len(merged) and merged.max() > BLUR * deviation:
        raise UserError(
            f"column {column}: {len(distinct)} different numbers become "
            f"{len(distinct) - len(merged)} in float32, the precision of networks: subtract a "
            f"fixed number near its values, such as {distinct[0]:.17g}, before saving (or multiply "
            "it, where its values are tiny)"
        )
