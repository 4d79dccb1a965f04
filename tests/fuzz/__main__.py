"""Try damaged, odd and hostile inputs of every kind, and count what comes of them.

    python -m tests.fuzz [--seconds 600] [--seed 0] [--kinds texts npz] [--counts texts=1000]
    python -m tests.fuzz --replay fuzz-failures/npz-000123.npz

An input is to be accepted, or refused in one readable line. It fails where it ends in a traceback,
is executed, leaves something half-written or outside of its folder, or takes more than ten seconds
or 1 GiB. Without --seconds, each kind tries its full count. Failing inputs are kept in a folder,
each with a text that says what happened. Exit code 1 if there are any. Linux only.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from tests.fuzz import commands, images, npz, records, store, texts
from tests.fuzz.kind import Given, Kind
from tests.fuzz.trials import Tally, draw, run, try_one, workplace
from tests.fuzz.watch import Verdict

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        texts.Texts(),
        commands.Commands(),
        npz.Archives(),
        images.Images(),
        store.StoreFiles(),
        records.Records(),
    )
}


def arguments() -> argparse.Namespace:
    """What to try, how often and how long."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--counts", nargs="+", default=[], metavar="KIND=N", help="most to try")
    parser.add_argument("--jobs", type=int, default=2, help="processes of a kind")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), metavar="FOLDER")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="inputs to repeat")
    return parser.parse_args()


def numbers_of(kind: Kind, chosen: argparse.Namespace) -> range:
    """The numbers of the inputs to try."""
    counts = dict(text.split("=") for text in chosen.counts)
    if kind.name in counts:
        return range(int(counts[kind.name]))
    return range(10**9 if chosen.seconds else kind.count)


def keep(tally: Tally, seed: int, folder: Path) -> None:
    """Write the inputs that failed, and print a line for each way to fail."""
    kind, seen = tally.kind, dict[str, list[int]]()
    for number, verdict in tally.failures.items():
        given = draw(kind, seed, number)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{kind.name}-{number:06}{given.suffix}"
        file.write_bytes(given.content)
        file.with_name(f"{file.name}.txt").write_text(
            f"{verdict.outcome}\n{verdict.detail}\n", errors="backslashreplace"
        )
        seen.setdefault(way_to_fail(verdict), []).append(number)
    for reason, numbers in sorted(seen.items(), key=lambda item: -len(item[1]))[:40]:
        print(f"  {len(numbers):>5} such as {kind.name}-{numbers[0]:06}  {reason}", flush=True)


def way_to_fail(verdict: Verdict) -> str:
    """What is common to failures of one sort: no name, number or place in it."""
    last = (verdict.detail.strip().splitlines() or [""])[-1]
    general = re.sub(r"'.*'|\".*\"|[\d,.]+", "_", ascii(last)[1:-1])
    return f"{verdict.outcome}: {general[:150]}"


def replay(files: list[Path]) -> int:
    """Try inputs again that were kept; the number of those that fail."""
    failed = 0
    for file in files:
        given, kind = Given(file.read_bytes(), file.suffix), KINDS[file.name.partition("-")[0]]
        with workplace(kind) as (home, folder):
            verdict = try_one(kind, given, folder, home)
        failed += verdict.failed
        print(f"{file.name}: {verdict.outcome}\n{verdict.detail!a}".replace("\\n", "\n"))
    return failed


def main() -> int:
    """Print the counts of each kind; 1 if any input failed."""
    chosen = arguments()
    os.environ["PYTHONWARNINGS"] = "ignore"
    if chosen.replay:
        return int(replay([file.resolve() for file in chosen.replay]) > 0)
    seconds = chosen.seconds and chosen.seconds / len(chosen.kinds)
    failed = 0
    for name in chosen.kinds:
        kind = KINDS[name]
        tally = run(kind, chosen.seed, numbers_of(kind, chosen), chosen.jobs, seconds)
        print(tally, flush=True)
        keep(tally, chosen.seed, chosen.keep)
        failed += tally.counts["failed"]
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
