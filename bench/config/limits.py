"""Types for parameters with limits, for plugins and configuration alike; what they allow."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]

ALLOWED = {  # by pydantic's error types
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    "finite_number": "a finite number",
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a table",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "{expected}",
}


def in_words(fault: Mapping[str, Any]) -> str:
    """One of a ValidationError's errors in a few words: what would be allowed."""
    if fault["type"] in ALLOWED:
        return "must be " + ALLOWED[fault["type"]].format(**fault.get("ctx", {}))
    message = fault["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
