"""Types for values with limits, for plugins and the configuration, and their limits in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

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
TYPES = {  # by the types of JSON schemas
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "none",
    "string": "text",
    "array": "list of names",
}
BOUNDS = {  # by the keys of JSON schemas
    "minimum": "at least {:g}",
    "exclusiveMinimum": "above {:g}",
    "maximum": "at most {:g}",
    "exclusiveMaximum": "below {:g}",
}


def explain_error(error: Mapping[str, Any]) -> str:
    """Say what would be allowed in place of a value that pydantic refused.

    ``error`` is one of the entries of ``ValidationError.errors()``.
    """
    if error["type"] in ALLOWED:
        return "must be " + ALLOWED[error["type"]].format(**error.get("ctx", {}))
    message = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def allowed_values(model: type[BaseModel]) -> dict[str, str]:
    """Describe what each field of a model takes, such as "whole number, at least 1"."""
    properties = model.model_json_schema()["properties"]
    return {name: _describe_schema(schema) for name, schema in properties.items()}


def _describe_schema(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return ", or ".join(_describe_schema(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "object":
        return "{NAME = VALUE}, each a " + _describe_schema(schema.get("additionalProperties", {}))
    bounds = [text.format(schema[key]) for key, text in BOUNDS.items() if key in schema]
    kind = schema.get("type", "anything")
    return ", ".join([TYPES.get(kind, kind), *bounds])


def may_be_none(field: FieldInfo) -> bool:
    """Whether a field takes None, which a user writes as ``none``."""
    return NoneType in get_args(field.annotation)
