"""Types for values with limits, for plugins and the configuration, and their limits in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
OpenFraction = Annotated[float, Field(gt=0, lt=1)]

ANY_WORD = "any word"  # marks a parameter whose text may be ``none``, as names of classes are
Word = Annotated[str | int | None, ANY_WORD]
LARGEST = 2**63  # TOML has integers of 64 bits

ALLOWED = {  # by pydantic's error types
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"
    ),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    "finite_number": "a finite number",
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("string_type", "string_unicode"), "text in UTF-8"),
    "is_instance_of": "text",
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


def kinds(annotation: Any) -> set[Any]:
    """The types that an annotation allows, without limits: of ``Count | None`` int and NoneType."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kinds(parts[0])
    if origin is Literal:
        return {type(part) for part in parts}
    if origin in (Union, UnionType):
        return set().union(*map(kinds, parts))
    return {origin or annotation}


def may_be_none(field: FieldInfo) -> bool:
    """Whether a field takes None, which a user writes as ``none``."""
    return NoneType in kinds(field.annotation) and ANY_WORD not in field.metadata


def without_truth(value: Any, annotation: Any) -> Any:
    """A value, but ``true`` and ``false`` as words where only numbers are allowed.

    Pydantic would take them for 1 and 0.
    """
    allowed = kinds(annotation)
    is_number = bool(allowed & {int, float}) and not allowed & {bool, Any}
    return str(value).lower() if isinstance(value, bool) and is_number else value


def storable(value: Any) -> Any:
    """A value that recipes and records can hold; raises ValueError for any other."""
    if isinstance(value, Mapping):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(storable, value))
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        raise ValueError("must lie between -2^63 and 2^63")
    if isinstance(value, str) and not _is_text(value):
        raise ValueError("must be text in UTF-8 without NUL characters; rename what it names")
    if not isinstance(value, str | int | float | None):
        raise ValueError("must be text, a number, true, false, a list or a table")
    return value


def _is_text(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
