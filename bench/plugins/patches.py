"""Functions and classes of libraries and harness, compared so that no plugin replaces one."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter, is_
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import torch

TORCH = str(Path(torch.__file__).parent)
COMPILER = str(Path(TORCH) / "_dynamo")
# Modules that are compared, with all those below them.
WATCHED = (
    "bench", "copy", "math", "numpy", "random", "safetensors", "sklearn.metrics",
    "torch.autograd", "torch.functional", "torch.linalg", "torch.nn", "torch.optim", "torch.random",
    "torch.serialization", "torch.utils.data", "torchvision.models", "torchvision.transforms",
)  # fmt: skip
WATCHED_ALONE = {"builtins", "scipy.stats", "torch", "torch._C._nn", "torch._tensor"}
BELOW = tuple(f"{name}." for name in WATCHED)
# Libraries set these themselves, and so does Python.
THEIR_OWN = {"__cached__", "__warningregistry__", "Storage"}
Namespace = dict[str, Any]
CODE = attrgetter("__code__", "__defaults__", "__kwdefaults__")


@dataclass(frozen=True)
class Functions:
    """What every watched module and class holds, and the code of every function among it."""

    namespaces: list[tuple[Any, Namespace]]
    functions: list[FunctionType]
    code: list[tuple[Any, ...]]

    @classmethod
    def now(cls, others: Iterable[ModuleType] = ()) -> Functions:
        """As everything is at the moment; ``others``: modules whose classes are compared, too."""
        namespaces = [(owner, dict(vars(owner))) for owner in _owners(others)]
        functions = [
            value
            for _owner, namespace in namespaces
            for value in namespace.values()
            if type(value) is FunctionType
        ]
        return cls(namespaces, functions, list(map(CODE, functions)))

    def restore(self) -> list[str]:
        """Put back what was replaced; returns its names."""
        names = []
        for owner, before in self.namespaces:
            for name in _replaced(owner, before):
                names.append(f"{_name(owner)}.{name}")
                if name in before:
                    setattr(owner, name, before[name])
                else:
                    delattr(owner, name)
        if list(map(CODE, self.functions)) != self.code:
            for function, code in zip(self.functions, self.code, strict=True):
                if CODE(function) != code:
                    names.append(f"{function.__module__}.{function.__qualname__}")
                    function.__code__, function.__defaults__, function.__kwdefaults__ = code
        return names


def _owners(others: Iterable[ModuleType]) -> Iterator[Any]:
    """The watched modules that are loaded, and the classes that each of them defines."""
    modules = [m for n, m in sys.modules.items() if isinstance(m, ModuleType) and _is_watched(n)]
    yield from modules
    for module in (*modules, *others):  # what other plugins keep in their modules is their affair
        for value in list(vars(module).values()):
            if isinstance(value, type) and value.__module__ == module.__name__:
                yield value


def _is_watched(name: str) -> bool:
    return name in WATCHED_ALONE or f"{name}.".startswith(BELOW)


def _replaced(owner: Any, before: Namespace) -> list[str]:
    """The names whose value is another one: functions, classes, and constants of the harness."""
    now = vars(owner)
    if len(now) == len(before) and all(map(is_, now.values(), before.values())):
        return []  # names and values are in the order in which they were set
    is_ours = _name(owner).startswith("bench.")
    other = [
        name
        for name, value in before.items()
        if (new := now.get(name)) is not value
        and (is_ours or callable(value) or callable(new))
        and not _wraps(new, value)
    ]
    hiding = [name for name in now.keys() - before.keys() if _hides(owner, name, now[name])]
    return [name for name in (*other, *hiding) if name not in THEIR_OWN]


def _wraps(new: Any, old: Any) -> bool:
    """Whether torch wrapped a function of its own, as parts of it do when they are imported."""
    file = getattr(getattr(new, "__code__", None), "co_filename", "")
    same_name = getattr(new, "__name__", "") == getattr(old, "__name__", None)
    return file.startswith(COMPILER) or (file.startswith(TORCH) and same_name)


def _hides(owner: Any, name: str, value: Any) -> bool:
    """Whether a new attribute stands before one of a base class, or before a builtin function."""
    if isinstance(owner, ModuleType):
        return hasattr(builtins, name) and callable(value) and owner is not builtins
    return callable(value) and any(hasattr(base, name) for base in owner.__mro__[1:])


def _name(owner: Any) -> str:
    if isinstance(owner, ModuleType):
        return owner.__name__
    return f"{owner.__module__}.{owner.__qualname__}"
