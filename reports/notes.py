"""Words around the numbers: what was compared, how to read it, and what is not as it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.plugins.rows import ORIGINAL, RETRAIN
from bench.reports.undefined import some, undefined_notes
from bench.results.costs import time_shares
from bench.results.finished import Finished, Scored
from bench.results.table import SAME, number

INTERVALS = (
    "mean ±standard deviation over models [95 % interval over models]; "
    f"{SAME}: not significantly different from its target"
)
FEW = 20  # models
TELLING = ("forgetting", "attack")  # roles of readouts that shall tell forgetting from its absence
RANKS = (
    "Ranks among the methods: 1 is nearest to the target; methods with equal ranks do not differ "
    "significantly (paired bootstrap over models, Holm, 5 %)"
)
BOLD = (
    "bold: significantly nearer to the target than some other method, and no method is "
    "significantly nearer (paired, Holm, 5 %); if an untested difference would look better, "
    "nothing is set in bold"
)


def title(run: Scored) -> str:
    """One line that says what was compared."""
    record, sizes = run.record, run.record["sizes"]
    count = record["config"]["models"]
    return (
        f"{record['data']['name']}, {scenario_of(record)}, {record['model']}: "
        f"N = {count} model{'s' if count > 1 else ''}, {sizes['forget']} of {sizes['train']} "
        "training examples forgotten"
    )


def scenario_of(record: Mapping[str, Any]) -> str:
    """The scenario as spelled, or the classes that are forgotten as a whole."""
    names = record.get("forgotten_classes")
    return f"class removal of {some(names)}" if names else record["scenario"]


def footnotes(run: Finished) -> list[str]:
    """How to read the table, and everything about it that is not as it should be."""
    return [
        how_to_read(run.record["config"]["models"]),
        "retrain: retrained again with other seeds, what perfect forgetting scores; "
        "constant: always the most common class, what collapse scores",
        *warnings(run),
    ]


def how_to_read(models: int) -> str:
    """How to read a cell of a table of so many models: intervals need three."""
    if models == 1:
        return "of one model: no spread, no interval"
    if models == 2:
        return "mean ±standard deviation over models"
    return INTERVALS


def warnings(run: Scored) -> list[str]:
    """Everything about this run that a reader must know."""
    record = run.record
    notes = [*_few_models(record["config"]["models"]), _timing(record)]
    notes += [note for row in record["rows"] for note in row_notes(run, row)]
    notes += [*undefined_notes(run), *_wide_floors(run), *_too_slow(run)]
    notes += _mixed_versions(record.get("made_with", []))
    notes += dict.fromkeys(run.scores_of.notes)
    if record["data"]["note"]:
        notes.append(f"data: {record['data']['note']}")
    if record.get("split_note"):
        notes.append(f"scenario: {record['split_note']}")
    notes += record.get("audit", {}).get("notes", [])
    return notes


def _few_models(count: int) -> list[str]:
    if count == 1:
        return [
            "N = 1: one model in each row, so nothing can be told about variation; intervals need "
            "3 models, conclusions 20"
        ]
    if count < 3:
        return [f"N = {count}: too few models for intervals (3) or for conclusions (20)"]
    if count < FEW:
        return [f"N = {count}: intervals are rough and conclusions early below {FEW} models"]
    return []


def _wide_floors(run: Scored) -> list[str]:
    """A note on the readouts of forgetting by which nothing can be told, or none.

    The rule: what retraining again may score by chance, its 95 % interval, holds the number of the
    untouched original. Then a model that forgot nothing may score what one that forgot all does.
    """
    scores = {(score.row, score.readout): score for score in run.scores_of.scores}
    titles, is_wide = [], False
    for readout in run.scores_of.readouts:
        floor = scores.get((RETRAIN, readout.name))
        untouched = scores.get((ORIGINAL, readout.name))
        if readout.role not in TELLING or not floor or not untouched or not floor.interval:
            continue
        low, high = floor.interval
        if low <= untouched.value <= high:
            titles.append(f"{readout.title} [{number(low, readout)}, {number(high, readout)}]")
            is_wide |= low < high
    if not titles:
        return []
    advice = "; more models narrow the interval" if is_wide else ""
    return [
        "the 95 % interval of retrain holds the original, which forgot nothing: nothing can be "
        f"told about forgetting by {some(titles)}{advice}"
    ]


def _timing(record: Mapping[str, dict]) -> str:
    timed = sum(cost["time_s"] is not None for cost in record["rows"][RETRAIN]["cost"])
    if not timed:
        return "time: none was taken (timed = 0)"
    measured = "one model" if timed == 1 else f"mean of {timed} models"
    return f"time: of unlearning alone, {measured} run alone on the machine"


def row_notes(run: Scored, row: str) -> list[str]:
    """A method's failures and what it said of itself."""
    record, count = run.record["rows"][row], run.record["config"]["models"]
    notes = []
    if record["failures"]:
        first = record["failures"][0]
        notes.append(
            f"{row}: {len(record['failures'])} of {count} models failed ({first['stage']}, "
            f"model {first['member']}: {first['reason']}; see {first['file']})"
        )
        if record["done"] > 0:
            alone = ", and nothing can be told about its variation" if record["done"] == 1 else ""
            notes.append(
                f"{row}: N = {record['done']}, the others' is {count}: do not compare its "
                f"forgetting quality and attacks with theirs{alone}"
            )
    texts = [note["text"] for note in record["notes"]]
    notes += [f"{row}: {text} ({texts.count(text)} of {count} models)" for text in unique(texts)]
    return notes


def _mixed_versions(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line where models of one run were made with different versions."""
    if len(groups) < 2:
        return []
    names = {name for group in groups for name in group["versions"]}
    differ = sorted(n for n in names if len({group["versions"].get(n) for group in groups}) > 1)

    def describe(group: Mapping[str, Any]) -> str:
        versions = group["versions"]
        known = [f"{name} {versions[name]}" for name in differ if name in versions]
        return f"{group['models']} with {', '.join(known) or 'versions that were not recorded'}"

    each = "; ".join(map(describe, groups))
    return [
        f"versions: models of this run come from different ones ({each}): to be sure that no "
        "number depends on that, make the run anew with another --out"
    ]


def unique(texts: list[str]) -> list[str]:
    """Each text once, in order."""
    return list(dict.fromkeys(texts))


def _too_slow(run: Scored) -> list[str]:
    """A line for each time limit of a readout, with the methods that took longer."""
    scored = {score.readout for score in run.scores_of.scores}
    shares, notes = time_shares(run.record), []
    for readout in run.scores_of.readouts:
        limit = readout.time_limit
        if limit is None or readout.name not in scored:
            continue
        slow = [row for row, share in shares.items() if row != RETRAIN and (share or 0) > limit]
        if slow:
            notes.append(
                f"over {100 * limit:.0f} % of retraining's time, where no {readout.title} counts: "
                f"{', '.join(slow)}"
            )
    return unique(notes)


def of_each(runs: Mapping[str, Scored], say: Callable[[Scored], list[str]]) -> list[str]:
    """What is said of several runs, each thing once: with its runs' labels, unless of all."""
    labels: dict[str, list[str]] = {}
    for label, run in runs.items():
        for note in say(run):
            labels.setdefault(note, []).append(label)
    return [
        note if len(where) == len(runs) else f"{'; '.join(where)}: {note}"
        for note, where in labels.items()
    ]
