"""The reference of all keys, read off the settings classes: for options and ``bench list keys``."""

from __future__ import annotations

from pydantic.fields import FieldInfo

from bench.config.limits import allowed_values
from bench.config.schema import Config, Flag, TrainSettings, known_keys
from bench.config.spelling import spell_value


def describe_keys() -> dict[str, str]:
    """Describe every key, in order, in two lines: what it is; what is allowed and the default."""
    of_train = {f"train.{key}": text for key, text in allowed_values(TrainSettings).items()}
    allowed = allowed_values(Config) | of_train
    return {
        key: f"{field.description}\n{allowed[key]} [{default_text(field)}]"
        for key, field in known_keys().items()
    }


def default_text(field: FieldInfo) -> str:
    """The default of a key as a user would type it."""
    default = field.default
    return ",".join(default) if isinstance(default, list) else spell_value(default)


def option_help(field: FieldInfo) -> str:
    """The help of a key's option: what it is, an example, and the default in brackets."""
    flag, default = flag_of(field), field.default
    has_default = not isinstance(default, bool) and default not in (None, [])
    parts = [
        field.description or "",
        f"For example {flag.example}." if flag.example else "",
        "May be repeated." if flag.repeated else "",
        f"[{default_text(field)}]" if has_default else "",
    ]
    return " ".join(filter(None, parts))


def flag_of(field: FieldInfo) -> Flag:
    """How a key's option is spelled."""
    return next((item for item in field.metadata if isinstance(item, Flag)), Flag())
