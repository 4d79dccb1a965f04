"""The machine at hand against the harness: ratios, shares and peaks, with n and spread.

    python -m tests.benchmarks [--parts training scaling options overhead heads]
                               [--dataset npz:cifar10.npz] [--repeats 3] [--json FILE]

Each part says in its own file what it compares. Nothing else should run on the machine. Apart are
the benchmarks of scoring, of the released scorer, and those that kill processes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from tests.benchmarks import heads, options, overhead, scaling, training
from tests.benchmarks.measure import HEADER, line, machine

PARTS = {
    "training": training.rows,
    "scaling": scaling.rows,
    "options": options.rows,
    "overhead": overhead.rows,
    "heads": heads.rows,
}


def arguments() -> argparse.Namespace:
    """What is measured, how large and how often."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--networks", nargs="+", default=training.NETWORKS)
    parser.add_argument("--dataset", help="images of CIFAR's shape; random pixels by default")
    parser.add_argument("--images", type=int, default=2400, help="that a model is trained on")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--models", type=int, default=2, help="of the harness in a repeat")
    parser.add_argument("--seconds", type=float, default=4, help="of training, scaling")
    parser.add_argument("--detector-epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write all numbers to this file too")
    return parser.parse_args()


def main() -> None:
    """Print a line a number as it comes; with --json, keep all of them with the machine's name."""
    chosen, found = arguments(), []
    told = machine()
    print(", ".join(f"{name} {value}" for name, value in told.items()))
    print(HEADER, flush=True)
    for part in chosen.parts:
        with tempfile.TemporaryDirectory() as folder:
            for number in PARTS[part](chosen, Path(folder)):
                print(line(number), flush=True)
                found.append(number.as_record())
        if chosen.json:
            chosen.json.write_text(json.dumps({"machine": told, "rows": found}, indent=1))


if __name__ == "__main__":
    main()
