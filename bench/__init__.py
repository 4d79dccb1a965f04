"""A benchmark harness for machine unlearning of classifiers.

run = bench.run({"dataset": "digits", "methods": "ssd,pgu", "models": 5})
run.table(), run.scores(), run.outputs("ssd")
"""

from importlib import import_module
from typing import Any

_WHERE = {
    "run": "bench.engine.run",
    "score_stored": "bench.engine.run",
    "Run": "bench.results.run",
    "Config": "bench.config.schema",
    "Method": "bench.plugins.method",
    "Task": "bench.plugins.method",
    "Data": "bench.plugins.dataset",
    "UserError": "bench.errors",
    "training_mode": "bench.training.trainer",
    "declares": "bench.plugins.attack",
}
__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``import bench`` and ``bench --help`` stay fast."""
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'bench' has no attribute '{name}'")
