"""Shapes of records: what has to stand in a JSON file before anybody reads numbers off it.

A record whose checksum matches may still be of another version, or made by hand. Its readers state
what they need as a ``Shape``; what is missing or of another type is then one line.
"""

from __future__ import annotations

from os import PathLike
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, ValidationError

from bench.config.limits import explain_error
from bench.errors import UserError, shown

MOST = 10_000  # models, requests and the like: readers make lists of that length

Text = InstanceOf[str]  # names of files that are not UTF-8, too
Number = Annotated[float, Field(ge=-1e100, le=1e100, allow_inf_nan=False)]
Index = Annotated[int, Field(ge=0, le=MOST)]
Amount = Annotated[int, Field(ge=0, le=2**53)]


class Shape(BaseModel):
    """Keys that a record must have, with their types; it may have others."""

    model_config = ConfigDict(strict=True, extra="allow")


def check_shape(shape: type[Shape], record: Any, path: str | PathLike[str], remedy: str) -> None:
    """Raise UserError where a record is not of its shape; ``remedy`` says what to do then."""
    try:
        shape.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        key = shown(".".join(map(str, first["loc"])) or "the record")
        problem = (
            f"{key} is missing"
            if first["type"] == "missing"
            else f"{key} = {shown(first['input'], 60)}: {explain_error(first)}"
        )
        raise UserError(
            f"{shown(path)} was written by another version, or changed by hand: {problem}; {remedy}"
        ) from error
