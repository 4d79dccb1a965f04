"""Train: originals on D and retrained models on Dr, paired by member.

Original i and retrained i share their seed: equal initial weights, and, since order and
augmentation are tied to examples, an equal order of what both see. Both start from new weights.
"""

from __future__ import annotations

import torch

from bench import seeds
from bench.errors import UserError
from bench.stages.context import ORIGINAL, Cell, Experiment
from bench.training.cost import measured


def train(experiment: Experiment, cell: Cell, alone: bool) -> None:
    """Make and store one model of a trained population."""
    name = experiment.seed_name("train", "pair", cell.member)
    rng = seeds.torch_rng(*name)
    recipe = experiment.recipe
    examples = experiment.part("train" if cell.row == ORIGINAL else "retain")
    with seeds.isolated(seeds.derive(*name, "global")), measured(recipe.device, alone) as cost:
        model = recipe.train(recipe.fresh_model(rng), examples, rng)
    weights = model.state_dict()
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
        raise UserError(
            f"training diverged ({cell.row} {cell.member} has non-finite weights): "
            f"lower train.lr (now {experiment.config.train.lr:g})"
        )
    record = {
        "role": cell.row,
        "member": cell.member,
        "seed": list(name),
        "data": experiment.data.name,
        "model": experiment.model.label,
        "recipe": recipe.settings.model_dump(mode="json"),
        "cost": cost.as_record(),
    }
    experiment.store.write_tensors("train", experiment.key(cell), record, weights)
