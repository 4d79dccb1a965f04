"""Texts as users type them, which mutations start from."""

from __future__ import annotations

import random

from tests.fuzz.mutate import NUMBERS

CHOICES = {
    "methods": (
        "pgu", "ssd[alpha=5]", "ssd[alpha=adaptive,lam=1]", "finetune[epochs=2]", "neggrad",
        "pgu[epochs=4]", "bad-teacher[epochs=1]", "retrain", "original", "all", "scrub",
        "ssd[importance=example]",
    ),
    "attacks": (
        "errors", "entropy", "membership", "forgetting-quality", "u-lira", "gap", "all", "klom",
        "mia-nn", "relearn-time[epochs=10]", "ain[epochs=3]", "zrf", "detection",
    ),
    "datasets": (
        "digits", "breast-cancer", "npz:data/cifar10.npz", "folder:faces[side=16]", "cifar10",
        "folder:x[side=16,broken=skip]", "mufac[side=32]", "covertype", "truefake-mini",
    ),
    "models": (
        "small-cnn[width=4,hidden=16]", "mlp", "resnet18[stem=large]", "allcnn",
        "torchvision:resnet18[weights=none,frozen=true,image=32]", "smallvgg",
    ),
    "scenarios": (
        "poison[rate=0.2,flip=any]", "random[fraction=0.1]", "random[count=10]", "class",
        "class[of=3,count=2]", "subject", "incremental[requests=3,count=20]",
    ),
}  # fmt: skip
KEYS = {
    "dataset": CHOICES["datasets"],
    "scenario": CHOICES["scenarios"],
    "model": CHOICES["models"],
    "methods": (*CHOICES["methods"], "ssd,pgu[epochs=2]", "finetune,neggrad"),
    "attacks": (*CHOICES["attacks"], "errors,membership"),
    "subset": ("200", "none", "10"),
    "validation": ("0.15", "0.5"),
    "test": ("0.2", "0.9"),
    "models_count": ("1", "2", "20"),
    "originals": ("each", "one"),
    "seed": ("0", "7"),
    "retain_sample": ("2000", "1"),
    "timed": ("0", "3"),
    "plugins": ("mine.py", "a.py,b.py"),
    "jobs": ("1", "2"),
    "device": ("cpu", "auto", "cuda:1"),
    "data_dir": ("data", "."),
    "download": ("false",),
    "backend": ("local", "dask"),
    "scheduler": ("tcp://127.0.0.1:1", "none"),
    "train.epochs": ("2", "40"),
    "train.batch_size": ("64",),
    "train.optimizer": ("sgd", "adam"),
    "train.lr": ("0.1", "1e-3"),
    "train.momentum": ("0.9",),
    "train.augment": ("none", "crop-flip", "detector"),
    "train.precision": ("auto", "fp32", "bf16"),
    "train": ("{epochs=2}",),
}
RECIPE = """# A recipe.
dataset = "digits"
subset = 240
scenario = "poison[rate=0.2]"
model = "small-cnn[width=4,hidden=16]"
methods = ["finetune[epochs=2]", "ssd"]
attacks = "errors,gap"
models = 3
timed = 1
jobs = 1

[train]
epochs = 15
batch_size = 32
lr = 0.05
"""
PLUGIN = '''"""A method, for tests.

Citation: A. Author, A Title, 2020.
"""

from dataclasses import dataclass

open("EXECUTED", "w")
NAME = "mine"
VERSION = 1


@dataclass(frozen=True)
class Mine:
    needs = ("forget", "retain")
    epochs: int = 3

    def unlearn(self, model, task):
        return model
'''
ATTACK = '''"""An attack, for tests."""

open("EXECUTED", "w")


def plugin(outputs, *, level=0.5, name="x", of=None):
    return outputs
'''


def key_of(name: str) -> str:
    """The key as users type it; two things are called ``models``."""
    return "models" if name == "models_count" else name


def assignment(rng: random.Random) -> str:
    """A text for ``--set``."""
    name = rng.choice(list(KEYS))
    value = rng.choice(KEYS[name]) if rng.random() < 0.7 else rng.choice(NUMBERS)
    return f"{key_of(name)}={value}"
