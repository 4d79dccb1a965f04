"""Command-line options: those of ``bench run`` are made from the fields of the configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from bench.config.describe import flag_of, option_help
from bench.config.schema import Config

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_OUT: str = Config.model_fields["out"].default
Out = Annotated[str, typer.Option(metavar="FOLDER", help="Folder that holds the results.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def plugin_option(help_text: str) -> Any:
    """The option ``--plugin FILE``, which may be repeated."""
    return typer.Option("--plugin", "-p", metavar="FILE", help=f"{help_text} May be repeated.")


def with_settings(command: Command) -> Command:
    """Give a command an option for every top-level key of the configuration, except ``train``.

    The command takes them as ``**options``; an option that was not given is None or empty.
    """
    signature = inspect.signature(command, eval_str=True)
    config, *others = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    options = [_option(key, field) for key, field in Config.model_fields.items() if key != "train"]
    keywords = [other.replace(kind=other.KEYWORD_ONLY) for other in others]
    parameters = [config, *options, *keywords]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command


def given_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a user gave: an empty text is given, an empty list or False is not."""
    return {key: value for key, value in options.items() if value or value == ""}


def _option(key: str, field: FieldInfo) -> inspect.Parameter:
    """The option of one key; its text is checked by the configuration, not by typer."""
    flag, is_switch = flag_of(field), field.annotation is bool
    spellings = [flag.name or f"--{key.replace('_', '-')}", flag.short]
    metavar = None if is_switch else flag.metavar or _metavar(field)
    option = typer.Option(*filter(None, spellings), metavar=metavar, help=option_help(field))
    annotation: Any = Annotated[str | None, option]
    if is_switch:
        annotation = Annotated[bool | None, option]
    elif flag.repeated:
        annotation = Annotated[list[str] | None, option]
    return inspect.Parameter(
        key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _metavar(field: FieldInfo) -> str:
    """What stands for a value in the help: its choices, or N for a whole number."""
    is_choice = get_origin(field.annotation) is Literal
    return "|".join(get_args(field.annotation)) if is_choice else "N"
