"""Predict: class logits of a stored model on every part of the split, in eval mode and fp32."""

from __future__ import annotations

from bench import seeds
from bench.plugins.outputs import PARTS
from bench.stages.context import Cell, Experiment
from bench.training.prediction import predict as logits_of

SPLIT_NAME = {"retain": "retain_sample"}


def predict(experiment: Experiment, cell: Cell, _alone: bool) -> None:
    """Compute and store the logits of one model."""
    model = experiment.load_model(cell.row, cell.member)
    logits = {
        part: logits_of(model, experiment.part(SPLIT_NAME.get(part, part))).numpy()
        for part in PARTS
    }
    record = {"row": cell.row, "member": cell.member}
    experiment.store.write("predict", experiment.key(cell), record, **logits)


def untrained(experiment: Experiment, cell: Cell, _alone: bool) -> None:
    """Compute and store the logits on Df of a network as it is before any training."""
    name = experiment.seed_name("untrained", cell.member)
    with seeds.isolated(seeds.derive(*name, "global")):
        model = experiment.recipe.fresh_model(seeds.torch_rng(*name)).eval()
    logits = {"forget": logits_of(model, experiment.part("forget")).numpy()}
    record = {"row": cell.row, "member": cell.member}
    experiment.store.write("untrained", experiment.key(cell), record, **logits)
