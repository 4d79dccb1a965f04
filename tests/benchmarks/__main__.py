"""Measure the harness on this machine: ratios, shares and peaks, with n and spread.

    python -m tests.benchmarks [--parts training scaling options overhead heads]
                               [--dataset npz:cifar10.npz] [--repeats 3] [--json FILE]

Each part says in its own file what it compares. Nothing else should run on the machine. Scoring,
the released scorer, precision, coverage and kills have commands of their own in this folder.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
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
    """What to measure, how large and how often."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--networks", nargs="+", default=training.NETWORKS)
    parser.add_argument("--dataset", help="images of CIFAR's shape; by default random pixels")
    parser.add_argument("--images", type=int, default=2400, help="training images of a model")
    parser.add_argument("--epochs", type=int, default=1, help="of a model")
    parser.add_argument("--models", type=int, default=2, help="of the harness, in each repeat")
    parser.add_argument("--seconds", type=float, default=4, help="of each training in scaling")
    parser.add_argument("--heads", type=int, default=50, help="models in a population of heads")
    parser.add_argument("--detector-epochs", type=int, default=10, help="of heads and detectors")
    parser.add_argument("--population", type=int, default=200, help="whose memory is measured")
    parser.add_argument("--paths", type=int, default=200_000, help="whose memory is measured")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write all numbers to this file too")
    return parser.parse_args()


def main() -> None:
    """Print one line per number as it comes; with --json, write all of them to a file too."""
    chosen, records, here = arguments(), [], machine()
    print(", ".join(f"{name} {value}" for name, value in here.items()))
    print(HEADER, flush=True)
    for part in chosen.parts:
        with tempfile.TemporaryDirectory() as folder:
            for number in PARTS[part](chosen, Path(folder)):
                print(line(number), flush=True)
                records.append(asdict(number))
        if chosen.json:
            chosen.json.write_text(json.dumps({"machine": here, "rows": records}, indent=1))


if __name__ == "__main__":
    main()
