"""The parameters of a plugin: what its file declares, checked by one pydantic model for each.

A method declares them as fields of its dataclass, everything else as keyword-only parameters of its
function. Each has a default.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model

from bench.config.limits import explain_error, may_be_none
from bench.config.spelling import NONE, spell_value, unknown
from bench.errors import UserError, one_line

PASSED_BY_POSITION = {"datasets": 0, "models": 3}  # how many arguments the harness passes


def parameter_model(target: Any) -> type[BaseModel]:
    """The settable parameters of a plugin as a model: annotations, limits and defaults.

    Fields are called ``param_NAME`` and have NAME as their alias, since pydantic reserves some
    names. Raises UserError where a default is missing or an annotation cannot be checked.
    """
    defaults = _defaults(target)
    missing = [name for name, default in defaults.items() if default is MISSING]
    if missing:
        raise UserError(f"{target.__name__}: parameter {missing[0]} needs a default")
    try:
        hints = typing.get_type_hints(target, include_extras=True)
        declared: dict[str, Any] = {
            f"param_{name}": (hints.get(name, Any), Field(default, alias=name))
            for name, default in defaults.items()
        }
        return create_model(target.__name__, __config__=ConfigDict(allow_inf_nan=False), **declared)
    except (NameError, PydanticUserError) as error:
        raise UserError(f"{target.__name__}: its parameters: {one_line(error)}") from error


def _defaults(target: Any) -> dict[str, Any]:
    """The default of each parameter, or MISSING."""
    if is_dataclass(target):
        return {field.name: field.default for field in fields(target)}
    keywords = {
        parameter.name: parameter.default
        for parameter in inspect.signature(target).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    empty = inspect.Parameter.empty
    return {name: MISSING if value is empty else value for name, value in keywords.items()}


def defaults_of(model: type[BaseModel]) -> dict[str, Any]:
    """The default of each parameter, by its name."""
    return {str(field.alias): field.default for field in model.model_fields.values()}


def check_parameters(name: str, model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all parameters of the plugin ``name``, converted to their declared types.

    Raises UserError that names the first wrong parameter and says what is allowed.
    """
    values = defaults_of(model)
    optional = {field.alias for field in model.model_fields.values() if may_be_none(field)}
    for parameter, value in given.items():
        if parameter not in values:
            raise unknown(f"parameter of {name}", parameter, list(values) or ["none"])
        values[parameter] = None if value == NONE and parameter in optional else value
    try:
        checked = model.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{name}: {_explain(error, values)}") from None
    return {str(f.alias): getattr(checked, key) for key, f in model.model_fields.items()}


def _explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    """Say what is wrong with the first wrong parameter; a union allows several things."""
    first = str(error.errors()[0]["loc"][0])
    errors = [each for each in error.errors() if each["loc"][0] == first]
    allowed = ", or ".join(dict.fromkeys(map(explain_error, errors)))
    return f"{first} = {spell_value(values[first])}: {allowed.replace(', or must be', ', or')}"


def argument_name(target: Any, kind: str) -> str | None:
    """What is spelled after a colon, as in npz:PATH or torchvision:NAME; None for nothing."""
    if kind not in PASSED_BY_POSITION:
        return None
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = inspect.signature(target).parameters.values()
    positional = [parameter.name for parameter in parameters if parameter.kind is not keyword]
    return positional[0] if len(positional) > PASSED_BY_POSITION[kind] else None
