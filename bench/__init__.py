"""A benchmark harness for machine unlearning of classifiers.

run = bench.run({"dataset": "digits", "methods": "ssd,pgu", "models": 5})
run.table(), run.scores(), run.outputs("ssd")
"""

from importlib import import_module
from typing import Any

_MODULE_OF = {
    "run": "bench.engine.run",
    "score_stored": "bench.engine.run",
    "Run": "bench.results.run",
    "Config": "bench.config.schema",
    "UserError": "bench.errors",
    # For authors of plugins:
    "Method": "bench.plugins.method",
    "Task": "bench.plugins.method",
    "training_mode": "bench.training.trainer",
    "Data": "bench.plugins.dataset",
    "TrainingSet": "bench.plugins.scenario",
    "ForgetRequest": "bench.plugins.scenario",
    "Outputs": "bench.plugins.outputs",
    "Population": "bench.plugins.outputs",
    "Labels": "bench.plugins.outputs",
    "Readout": "bench.plugins.outputs",
    "Score": "bench.plugins.outputs",
    "Scores": "bench.plugins.outputs",
    "Undefined": "bench.plugins.outputs",
    "Panel": "bench.plugins.outputs",
    "Curve": "bench.plugins.outputs",
    "EVERY_ROW": "bench.plugins.outputs",
    "Replicates": "bench.plugins.outputs",
    "PerExample": "bench.plugins.outputs",
    "declares": "bench.plugins.attack",
}
__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``import bench`` and ``bench --help`` stay fast."""
    if name in _MODULE_OF:
        return getattr(import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'bench' has no attribute '{name}'")
