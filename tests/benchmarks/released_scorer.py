"""How much faster we evaluate the competition's scorer than by plain comparison.

    python -m tests.benchmarks.released_scorer [--models 8 64 512] [--examples 20] [--repeats 5]

The plain evaluation compares each value with each threshold of the released scorer, one right
threshold at a time (the released code does all 160,000 intervals at once, in gigabytes). Both get
the same examples, a fresh draw for each repeat; the ratio's minimum, median and maximum are over
repeats.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from bench.attacks.shared.released_scorer import released_epsilons
from tests.helpers.plain_scorer import plainly


def main() -> None:
    """Print one line per number of models: times an example, ratio, largest difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, nargs="+", default=[8, 64, 512])
    parser.add_argument("--examples", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    print("models  plain (ms)  counted (ms)  ratio min  median  max  largest difference")
    for models in chosen.models:
        times, difference = [], 0.0
        for seed in range(chosen.repeats):
            rng = np.random.default_rng(seed)
            unlearned, retrained = rng.normal(size=(2, models, chosen.examples))
            start = time.perf_counter()
            plain = [plainly(u, r) for u, r in zip(unlearned.T, retrained.T, strict=True)]
            middle = time.perf_counter()
            counted = released_epsilons(unlearned, retrained, 1e-5)
            times.append((middle - start, time.perf_counter() - middle))
            difference = max(difference, np.abs(plain - counted).max())
        slow, fast = 1e3 * np.array(times).T / chosen.examples
        low, middle, high = np.quantile(slow / fast, [0, 0.5, 1])
        print(
            f"{models:>6}  {np.median(slow):>10.1f}  {np.median(fast):>12.2f}  "
            f"{low:>9.0f}  {middle:>6.0f}  {high:>3.0f}  {difference:.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
