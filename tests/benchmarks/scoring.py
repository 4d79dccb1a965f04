"""What scoring costs at the competition's size: time and memory of each attack by itself.

    python -m tests.benchmarks.scoring [--models 512] [--examples 1000] [--classes 10]

Draws outputs of that many models on that many examples of each part: forget, retain, validation and
test set. Rows are original, retrain and one method. Each attack runs in a process of its own, so
that memory is its own; "together" runs the default attacks in parallel, as a run does.
"""

from __future__ import annotations

import argparse
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np

from bench.config.schema import Config
from bench.plugins.outputs import PARTS, Labels, Outputs, Population
from bench.plugins.registry import Registry

ALONE = ("forgetting-quality[variant=competition]", "klom", "zrf")


def synthetic(models: int, examples: int, classes: int) -> Outputs:
    """Originals sure of the trained labels, retrained models of the true ones, a method between."""
    rng = np.random.default_rng(0)
    true = rng.integers(classes, size=examples)
    trained = (true + 1) % classes
    labels = {part: Labels(true, true) for part in PARTS}
    labels["forget"] = Labels(trained, true)

    def population(learnt: float) -> Population:
        logits = {}
        for part in PARTS:
            z = rng.normal(0, 1, (models, examples, classes)).astype(np.float32)
            z[:, np.arange(examples), true] += 4 * (1 - learnt)
            z[:, np.arange(examples), labels[part].train] += 4 * learnt
            logits[part] = z
        return Population(np.arange(models), logits)

    original, retrained = population(1.0), population(0.0)
    rows = {"original": original, "retrain": population(0.0), "method": population(0.3)}
    return Outputs(original, retrained, rows, labels, untrained=population(0.5))


def one(attacks: list[str], size: tuple[int, int, int]) -> tuple[float, float]:
    """Seconds of these attacks in parallel, and peak memory of the process in GiB."""
    outputs = synthetic(*size)
    plugins = [Registry().resolve("attacks", text) for text in attacks]
    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda plugin: plugin(outputs), plugins))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return time.perf_counter() - start, peak


def main() -> None:
    """Print one line per attack, and one for the default attacks together."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, default=512)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--classes", type=int, default=10)
    chosen = parser.parse_args()
    size = chosen.models, chosen.examples, chosen.classes
    default = Config().attacks
    print("attack                                     seconds  peak GiB")
    for name, attacks in [(a, [a]) for a in (*default, *ALONE)] + [("together", default)]:
        with get_context("spawn").Pool(1) as pool:
            seconds, peak = pool.apply(one, (attacks, size))
        print(f"{name:<42} {seconds:>7.1f}  {peak:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
