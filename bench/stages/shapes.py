"""What has to stand in the record of a cell, as far as others read it."""

from __future__ import annotations

from bench.config.shapes import Index, Number, Shape, Text
from bench.plugins.scores import SCORES_SHAPE


class TimeShape(Shape):
    """How long a cell took; None where nobody measured."""

    time_s: Number | None


class CostShape(TimeShape):
    """What a cell cost, as ``bench.training.cost`` measures it."""

    forward_examples: Number | None
    backward_examples: Number | None
    peak_memory_mb: Number | None


class MadeShape(Shape):
    """The record of a cell that was made, whatever its stage."""

    cost: TimeShape | None = None


class UnlearnedShape(MadeShape):
    """The record of an unlearned model."""

    member: Index
    notes: list[Text]
    cost: CostShape
    carry_cost: CostShape | None = None


class PreparedShape(MadeShape):
    """The record of a method's statistics."""

    cost: CostShape


class FailedShape(Shape):
    """The record of a cell that failed."""

    stage: Text
    reason: Text
    request: Index | None = None


OF_STAGE: dict[str, type[Shape]] = {
    "unlearn": UnlearnedShape,
    "prepare": PreparedShape,
    "score": SCORES_SHAPE,
}
