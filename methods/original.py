"""The original model, unchanged: forget nothing. Every method has to beat it.

Equation: w = w0. This row is in every table, whether it is asked for or not, and costs nothing.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

from torch import nn

from bench.plugins.method import Method, Task

VERSION = 1


@dataclass(frozen=True)
class Original(Method):
    def unlearn(self, model: nn.Module, task: Task) -> nn.Module:
        return copy.deepcopy(model).eval()
