"""The parameters of a plugin: what its file declares, checked by one pydantic model for each.

A method declares them as fields of its dataclass, everything else as keyword-only parameters of its
function. Each has a default.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
)
from pydantic.fields import FieldInfo

from bench.config.limits import explain_error, kinds, may_be_none, storable, without_truth
from bench.config.spelling import NONE, spell_value, unknown
from bench.errors import UserError, one_line
from bench.outside import shown

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
        return create_model(
            target.__name__,
            __config__=ConfigDict(allow_inf_nan=False),
            __validators__={"storable": field_validator("*", mode="after")(storable)},
            **declared,
        )
    except Exception as error:  # an annotation in quotes is code, which can raise anything
        raise UserError(f"{target.__name__}: its parameters: {shown(one_line(error))}") from error


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


def check_parameters(
    name: str,
    model: type[BaseModel],
    given: Mapping[str, Any],
    typed: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The values of all parameters of the plugin ``name``, converted to their declared types.

    ``typed``: the texts of those that were given as text. Raises UserError that names the first
    wrong parameter and says what is allowed.
    """
    values = defaults_of(model)
    fields = {str(field.alias): field for field in model.model_fields.values()}
    for parameter, value in given.items():
        if parameter not in values:
            raise unknown(f"parameter of {name}", parameter, list(values) or ["none"])
        values[parameter] = _as_meant(fields[parameter], value, (typed or {}).get(parameter))
    try:
        checked = model.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{name}: {_explain(error, values)}") from None
    return {str(f.alias): getattr(checked, key) for key, f in model.model_fields.items()}


def _as_meant(field: FieldInfo, value: Any, typed: str | None) -> Any:
    """A value as its parameter means it: where text is allowed, ``007`` or ``true`` are words."""
    allowed = kinds(field.annotation)
    if value == NONE and may_be_none(field):
        return None
    if typed is None or str not in allowed or isinstance(value, str):
        return without_truth(value, field.annotation)
    fits = type(value) in allowed or (type(value) is int and float in allowed)
    return value if fits and spell_value(value) == typed else typed


def _explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    """Say what is wrong with the first wrong parameter; a union allows several things."""
    first = str(error.errors()[0]["loc"][0])
    errors = [each for each in error.errors() if each["loc"][0] == first]
    allowed = ", or ".join(dict.fromkeys(map(explain_error, errors)))
    value = values[first]
    text = shown(value if isinstance(value, str) else spell_value(value))
    return f"{first} = {text}: {allowed.replace(', or must be', ', or')}"


def refuse_ignored(
    name: str, target: Any, params: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Raise UserError where a given parameter has no effect beside another one that is given.

    A plugin's file says so: ``ALONE = {"count": ("fraction",)}`` where ``count`` decides alone.
    """
    alone = getattr(sys.modules[target.__module__], "ALONE", {})
    for decides, others in alone.items():
        ignored = [other for other in others if other in given and params[other] is not None]
        if decides in given and params[decides] is not None and ignored:
            raise UserError(
                f"{name}: {decides} = {shown(spell_value(params[decides]))} decides alone, so that "
                f"{' and '.join(ignored)} would be ignored: drop {decides} or "
                f"{' and '.join(ignored)}"
            )


def argument_name(target: Any, kind: str) -> str | None:
    """What is spelled after a colon, as in npz:PATH or torchvision:NAME; None for nothing."""
    if kind not in PASSED_BY_POSITION:
        return None
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = inspect.signature(target).parameters.values()
    positional = [parameter.name for parameter in parameters if parameter.kind is not keyword]
    return positional[0] if len(positional) > PASSED_BY_POSITION[kind] else None
