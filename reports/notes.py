"""Words around the numbers: what was compared, how to read it, and what is not as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.reports.cost import TIME_LIMIT, over_time

if TYPE_CHECKING:
    from bench.results.run import Run

SAME = "≈"  # the data do not tell this number from its target
INTERVALS = (
    "mean ±standard deviation over models [95 % interval over models]; "
    f"{SAME}: not told apart from its target"
)
FEW = 20  # models
RANKS = (
    "Ranks among the methods: 1 is nearest to the target; equal ranks are not told apart "
    "(paired bootstrap over models, Holm, 5 %)"
)
BOLD = (
    "bold: the data support that it is nearer to the target than some other method, and that none "
    "is nearer (paired, Holm, 5 %); what looks nearer is bold too, or nothing is"
)


def title(run: Run) -> str:
    """One line that says what was compared."""
    record, sizes = run.record, run.record["sizes"]
    count = record["config"]["models"]
    return (
        f"{record['data']['name']}, {record['scenario']}, {record['model']}: "
        f"N = {count} model{'s' if count > 1 else ''}, {sizes['forget']} of {sizes['train']} "
        "training examples forgotten"
    )


def footnotes(run: Run) -> list[str]:
    """How to read the table, and everything about it that is not as it should be."""
    notes = [
        spread(run.record["config"]["models"]),
        "retrain: retrained again with other seeds, what perfect forgetting scores; "
        "constant: always the commonest class, what collapse scores",
    ]
    if any(r.name.startswith("forgetting_quality") for r in run.scores_of.readouts):
        notes.append(
            "forgetting quality F depends on N: compare it with the retrain row, never across N"
        )
    return [*notes, *warnings(run)]


def spread(models: int) -> str:
    """How to read a cell of a table of so many models: intervals need three."""
    if models == 1:
        return "of one model: no spread, no interval"
    if models == 2:
        return "mean ±standard deviation over models"
    return INTERVALS


def warnings(run: Run) -> list[str]:
    """Everything about this run that a reader must know."""
    count, notes = run.record["config"]["models"], []
    if count < 3:
        notes.append(f"N = {count}: too few models for intervals (3) or for conclusions (20)")
    elif count < FEW:
        notes.append(f"N = {count}: intervals are rough and conclusions early below {FEW} models")
    timed = sum(c["time_s"] is not None for c in run.record["rows"]["retrain"]["cost"])
    whose = "one model" if timed == 1 else f"mean of {timed} models"
    notes.append(
        f"time: of unlearning alone, {whose} run alone on the machine"
        if timed
        else "time: none was taken (timed = 0)"
    )
    notes += [note for row in run.record["rows"] for note in of_row(run, row)]
    late = over_time(run)
    if late:
        notes.append(
            f"over {100 * TIME_LIMIT:.0f} % of retraining's time, where the competition counts no "
            f"final score: {', '.join(late)}"
        )
    notes += run.scores_of.notes
    if run.record["data"]["note"]:
        notes.append(f"data: {run.record['data']['note']}")
    if run.record.get("split_note"):
        notes.append(f"scenario: {run.record['split_note']}")
    return notes


def of_row(run: Run, row: str) -> list[str]:
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
            notes.append(
                f"{row}: N = {record['done']}, the others' is {count}: its F and the numbers of "
                "attacks are not to be compared with theirs"
            )
    for text in dict.fromkeys(note["text"] for note in record["notes"]):
        members = sum(note["text"] == text for note in record["notes"])
        notes.append(f"{row}: {text} ({members} of {count} models)")
    return notes
