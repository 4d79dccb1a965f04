"""Our weights against recorded runs of the authors' own code.

``published_runs.npz`` holds toy networks and what published code makes of them: the arithmetic of
if-loops/selective-synaptic-dampening (SSD, LFSSD, fine-tuning, bad teacher),
if-loops/adaptive-selective-synaptic-dampening (ASSD), vikram2000b/bad-teaching-unlearning,
OPTML-Group/Unlearn-Saliency, YuliiaSuprun/COMP540, meghdadk/SCRUB, xcadet/deepunlearn (the
competition's second place), hnanhtuan/projected_gradient_unlearning and NicoNRG2/MachineUnlearning,
run on a CPU without augmentation and without shuffling. Only what a run changed is stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bench.config.schema import TrainSettings
from bench.data.examples import Examples
from bench.plugins.method import Task
from bench.plugins.registry import Registry
from bench.training.trainer import Trainer, TwoClassLogits

RUNS = np.load(Path(__file__).with_name("published_runs.npz"))
STEPS = "shuffle=false,batch_size=16"
PGU = "unit_stride=true,negative=size,batch_size=8,stop=never"
SCRUB = "loss=scrub,epochs=2,optimizer=sgd,lr=0.01,weight_decay=0,forget_batch_size=8"
HEAD = "epochs=3,lr=0.05,final_lr=0.01,batch_size=8,shuffle=false,keep=last"
CASES = {
    "ssd_plain_a2_l1_bs16": ("plain", "ssd[alpha=2,batch_size=16]"),
    "ssd_bn_a2_l1_bs1": ("bn", "ssd[alpha=2,importance=example]"),
    "ssd_report_a2_l1_bn": ("bn", "ssd[alpha=2,over=retain,mode=train,batch_size=8]"),
    "lfssd_bn_a1.3_l1_bs16": ("bn", "ssd[alpha=1.3,importance=label-free,batch_size=16]"),
    "assd_nb_bn_l1_eval_bs16": ("bn", "ssd[alpha=adaptive,over=retain,batch_size=16]"),
    "bad_teacher_bn_T1": ("bn", f"bad-teacher[retain_fraction=1,epochs=2,lr=0.001,{STEPS}]"),
    "bad_teacher_plain_T2": (
        "plain",
        f"bad-teacher[retain_fraction=1,epochs=2,lr=0.001,temperature=2,{STEPS}]",
    ),
    "finetune_optml_bn": ("bn", f"finetune[epochs=2,{STEPS}]"),
    "finetune_scrub_bn": (
        "bn",
        f"finetune[epochs=2,momentum=0,weight_decay=0,mode=eval,anchor=0.1,{STEPS}]",
    ),
    "finetune_report_2ep_bn": (
        "bn",
        "finetune[epochs=2,optimizer=adam,lr=0.001,weight_decay=0.005,schedule=cosine,"
        "batch_size=8,shuffle=false]",
    ),
    "neggrad_optml_bn": ("bn", f"neggrad[epochs=2,lr=0.001,{STEPS}]"),
    "neggrad_plus_report_bn": (
        "bn",
        "neggrad+[lr=0.001,weight_decay=0.001,batch_size=8,unequal=skip,shuffle=false]",
    ),
    "neggrad_plus_scrub_bn": (
        "bn",
        f"neggrad+[{SCRUB},mode=eval,anchor=0.1,reshuffle=false,{STEPS}]",
    ),
    "neggrad_plus_scrub_train_bn": ("bn", f"neggrad+[{SCRUB},{STEPS}]"),
    "contrastive_bn": ("bn", f"contrastive[epochs=2,forget_batch_size=8,{STEPS}]"),
    "contrastive_plain": ("plain", f"contrastive[epochs=2,forget_batch_size=8,{STEPS}]"),
    "pgu_removal_plain": ("plain", f"pgu[rule=removal,gamma=0.9,epochs=6,goal=removal,{PGU}]"),
    "pgu_removal_bn_layerwise": (
        "bn",
        f"pgu[rule=removal,gamma={{'0'=1.0,default=0.8}},epochs=6,goal=removal,{PGU}]",
    ),
    "pgu_class_plain": ("class", f"pgu[rule=class,gamma=0.9,epochs=5,goal=removal,{PGU}]"),
    "pgu_depoison_bn_notrgp": (
        "bn",
        "pgu[rule=depoison,space=retain,entropy=others,eps=0.1,lr=0.1,final_lr=0.05,gamma=0.9,"
        f"epochs=4,goal=depoison,trust_rank=0,{PGU}]",
    ),
    "pgu_head_binary": ("binary", f"pgu-head[sign=slides,{HEAD}]"),
    "pgu_head_subspace": ("binary", f"pgu-head[sign=slides,project=subspace,{HEAD}]"),
    "pgu_head_binary_pgusign": ("binary", f"pgu-head[{HEAD}]"),
}


def network(setting: str, state: str) -> nn.Module:
    """The recorded network of a setting, by the name of its recorded weights."""
    outputs = 1 if setting == "binary" else 3
    layers = [nn.Conv2d(1, 6, 3, stride=2, padding=1, bias=setting != "bn")]
    layers += [nn.BatchNorm2d(6)] if setting == "bn" else []
    layers += [
        nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(128, 16), nn.ReLU(), nn.Linear(16, outputs),
    ]  # fmt: skip
    model = nn.Sequential(*layers)
    model.load_state_dict(recorded(f"{setting}/{state}/"))
    return TwoClassLogits(model) if outputs == 1 else model


def recorded(prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(RUNS[name]))
        for name in RUNS.files
        if name.startswith(prefix)
    }


@dataclass(frozen=True)
class FixedRecipe(Trainer):
    """A recipe whose fresh model is the recorded random network."""

    random: nn.Module | None = field(default=None)

    def fresh_model(self, rng: torch.Generator) -> nn.Module:
        return self.random


def task_of(setting: str, method) -> tuple[nn.Module, Task]:
    parts = ("forget", "retain", "validation")
    images = {part: torch.from_numpy(RUNS[f"{setting}/{part}_x"]) for part in parts}
    labels = {part: torch.from_numpy(RUNS[f"{setting}/{part}_y"]) for part in parts}
    pool = Examples(
        torch.cat([images["forget"], images["retain"]]),
        torch.cat([labels["forget"], labels["retain"]]),
        255.0,
    )
    forgotten, everything = len(labels["forget"]), torch.arange(len(pool))
    model = network(setting, "original").eval()
    random = network(setting, "bad") if recorded(f"{setting}/bad/") else None
    classes = 2 if setting == "binary" else 3
    task = Task(
        forget=pool.take(everything[:forgotten]),
        retain=pool.take(everything[forgotten:]),
        validation=Examples(images["validation"], labels["validation"], 255.0),
        recipe=FixedRecipe(TrainSettings(), nn.Module, classes, torch.device("cpu"), random),
        rng=torch.Generator().manual_seed(0),
        statistics=method.prepare(model, pool) if method.prepares() else {},
        needs=tuple(method.requirements()),
    )
    return model, task


@pytest.mark.parametrize("case", CASES)
def test_weights_are_those_of_the_published_code(case):
    setting, spelling = CASES[case]
    method = Registry().resolve("methods", spelling)()
    model, task = task_of(setting, method)
    found = {
        name.removeprefix("network."): tensor
        for name, tensor in method.unlearn(model, task).state_dict().items()
    }
    changed = recorded(f"{case}/")
    assert changed
    for name, before in recorded(f"{setting}/original/").items():
        expected = changed.get(name, before)
        far = (expected - before).abs().max().item()
        torch.testing.assert_close(found[name], expected, rtol=0, atol=1e-6 + 1e-4 * far)
