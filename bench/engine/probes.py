"""Short measurements of what a run will do, on its own data and network; nothing is stored.

Times are seconds of one thread's work: on the CPU they are the process's own, so that what else the
machine does is not counted. Where work is scaled up from a part of it, the part is named a share.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules import module as hooks

from bench import seeds
from bench.data.image_files import ImageFiles
from bench.data.sources import Features
from bench.plugins.method import Method, Task
from bench.training.prediction import predict

if TYPE_CHECKING:
    from bench.data.examples import Examples
    from bench.plugins.registry import Plugin
    from bench.stages.context import Experiment

TRAINING_S, PREDICTION_S, METHODS_S = 2.0, 0.3, 7.0
SHARE = 0.2  # of a problem that a method is tried on, where that is not too long
FEWEST = 64  # examples of a part
SHORTEST = 2  # epochs


class LateError(Exception):
    """A probe took longer than it may."""


class Probes:
    """Measures one experiment's work; ``experiment`` is for this alone, it is given stand-ins."""

    def __init__(self, experiment: Experiment, methods: int):
        """``methods``: how many share the time that there is for them."""
        self.experiment, self.budget = experiment, METHODS_S / max(methods, 1)
        on_demand = isinstance(experiment.data.images, ImageFiles)
        quiet = experiment.device.type == "cpu" and not on_demand
        self.clock = time.process_time if quiet else time.perf_counter
        self.train_s, self.model = self._train()
        self.predict_s = self._predict()

    def timed(self, work: Callable[[], Any]) -> float:
        """Seconds that ``work`` takes."""
        if self.experiment.device.type == "cuda":
            torch.cuda.synchronize(self.experiment.device)
        start = self.clock()
        work()
        if self.experiment.device.type == "cuda":
            torch.cuda.synchronize(self.experiment.device)
        return self.clock() - start

    def _train(self) -> tuple[float, torch.nn.Module]:
        """Seconds per example and epoch of training, and a network that was trained so long."""
        recipe, data = self.experiment.recipe, self.experiment.part("train")
        rng = seeds.torch_rng("forecast", "train")
        model = recipe.fresh_model(rng)

        def steps(examples: int, epochs: int) -> float:
            settings = recipe.settings.model_copy(update={"epochs": epochs})
            few = part_of(data, examples / len(data))
            work = self.timed(lambda: replace(recipe, settings=settings).train(model, few, rng))
            return work / (len(few) * epochs)

        batch = recipe.settings.batch_size
        steps(batch, 1)
        possible = int(TRAINING_S / steps(2 * batch, 1))
        examples = min(len(data), max(possible, batch))
        epochs = max(1, min(possible // examples, recipe.settings.epochs))
        return steps(examples, epochs), model.eval()

    def _predict(self) -> float:
        """Seconds per example of prediction."""
        data = self.experiment.part("validation")
        few = part_of(data, FEWEST / len(data))
        possible = int(PREDICTION_S / (self.timed(lambda: predict(self.model, few)) / len(few)))
        data = part_of(data, possible / len(data))
        return self.timed(lambda: predict(self.model, data)) / len(data)

    def features_s(self) -> float:
        """Seconds per image, or view of one, that a frozen backbone takes."""
        backbone, pool = self.experiment.frozen.backbone, self.experiment.raw_pool("validation")
        images = pool.inputs(torch.arange(min(len(pool), 8)))
        with torch.no_grad():
            backbone(images)
            return self.timed(lambda: backbone(images)) / len(images)

    def prepare(self, plugin: Plugin) -> tuple[float, int]:
        """Seconds that a method's preparation takes, and bytes of what it makes."""
        data, made = self.experiment.part("train"), []

        def work(share: float) -> float:
            few = part_of(data, share)
            return self.timed(lambda: made.append(plugin().prepare(self.model, few)))

        seconds = extrapolated(work, self._share(1))
        return seconds, sum(tensor.nbytes for tensor in made[-1].values())

    def unlearn(self, plugin: Plugin, step: Experiment) -> float:
        """Seconds that a method takes, from a part of its examples and of its epochs."""
        method, factor = shortened(plugin(), self._epochs())
        data, statistics = self.experiment.part("train"), {}
        if method.prepares():
            few = part_of(data, self._share(1))
            statistics = method.prepare(self.model, few)

        def work(share: float) -> float:
            task = Task(
                forget=part_of(step.part("asked"), share),
                retain=part_of(step.part("retain"), share),
                validation=part_of(step.part("validation"), share),
                recipe=step.recipe,
                rng=seeds.torch_rng("forecast", plugin.label),
                goal=step.split.goal,
                statistics=statistics,
                needs=method.requirements(),
            )
            return self.timed(lambda: method.unlearn(self.model, task))

        return factor * extrapolated(work, self._share(SHORTEST))

    def bounded(self, work: Callable[[], Any]) -> Any:
        """What ``work`` gives; raises LateError where it runs a network when its time is over."""
        end = time.perf_counter() + 4 * self.budget

        def check(*_call: Any) -> None:
            if time.perf_counter() > end:
                raise LateError

        handle = hooks.register_module_forward_pre_hook(check)
        try:
            return work()
        finally:
            handle.remove()

    def _share(self, epochs: int) -> float:
        """Of the problem, what so many epochs of are short enough."""
        size = len(self.experiment.part("train"))
        return min(
            1.0, max(min(SHARE, self.budget / (epochs * size * self.train_s)), FEWEST / size)
        )

    def _epochs(self) -> int:
        size = len(self.experiment.part("train"))
        possible = self.budget / (self._share(SHORTEST) * size * self.train_s)
        return max(SHORTEST, int(possible))


def part_of(examples: Examples, share: float) -> Examples:
    """Some of ``examples``, evenly spread; as few as FEWEST where there are so many."""
    count = min(len(examples), max(FEWEST, round(share * len(examples))))
    return examples.take(torch.arange(count) * len(examples) // max(count, 1))


def shortened(method: Method, epochs: int) -> tuple[Method, float]:
    """The method with no more than so many epochs, and how many times as many it has."""
    found = {f.name: getattr(method, f.name) for f in fields(method) if f.name.endswith("epochs")}
    shorter = {name: min(value, epochs) for name, value in found.items() if value}
    longest = max((found[name] / value for name, value in shorter.items()), default=1.0)
    return replace(method, **shorter), longest


def extrapolated(work: Callable[[float], float], share: float) -> float:
    """Seconds of the whole from those of ``share`` and of half of it: a part fixed, a part not."""
    work(share / 4)  # the first call pays for what is loaded on first use
    half, seconds = work(share / 2), work(share)
    slope = min(max(0.0, 2 * (seconds - half) / share), seconds / share)
    return seconds + slope * (1 - share)


def stand_in_features(experiment: Experiment) -> None:
    """Give an experiment whose features are not there yet others of their shape."""
    from bench.data.examples import Examples

    settings, split = experiment.config.train, experiment.split
    views = settings.views if settings.augment != "none" else 0
    labels = {"train": split.train_labels}
    labels |= {p: experiment.data.labels[getattr(split, p)] for p in ("validation", "test")}
    rng = seeds.torch_rng("forecast", "features")
    pools = {}
    for part, mine in labels.items():
        shape = 1, 1 + (views if part == "train" else 0), experiment.frozen.width
        seen = torch.randn(shape, generator=rng).to(experiment.device)
        pool = Features(seen.expand(len(mine), -1, -1), settings.augment)
        pools[part] = Examples(pool, torch.from_numpy(mine).to(experiment.device))
    experiment.__dict__["pools"] = pools


def attack_s(experiment: Experiment, plugin: Plugin) -> float:
    """Seconds that an attack takes, from made-up outputs of fewer models, rows and examples.

    From two amounts of them, as much of it is the same for any (a classifier's trees).
    """
    from bench.plugins.toy_outputs import toy_outputs

    split, classes = experiment.split, len(experiment.data.classes)
    parts = split.forget, split.retain_sample, split.validation, split.test
    examples, models = sum(map(len, parts)) / len(parts), experiment.config.models
    amounts, seconds = [], []
    for share in (0.5, 0.5, 1):  # the first call pays for what is loaded on first use
        few = max(1, round(share * min(models, 10))), max(2, round(share * min(examples, 250)))
        outputs = toy_outputs(few[0], classes, size=few[1])
        start = time.process_time()
        plugin(outputs)
        seconds.append(time.process_time() - start)
        amounts.append(few[0] * few[1] * len(outputs.rows))
    whole = models * examples * (len(experiment.methods) + 1)
    if amounts[-1] == amounts[-2]:
        return seconds[-1] * whole / amounts[-1]
    slope = max(0.0, seconds[-1] - seconds[-2]) / (amounts[-1] - amounts[-2])
    return max(0.0, seconds[-1] + slope * (whole - amounts[-1]))
