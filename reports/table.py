"""Tables of a run: every number on a line, and the comparison as CSV, Markdown or for a terminal.

Every printed cell comes from the same numbers: mean, spread over models, 95 % interval, and the gap
to the target with its own interval. A gap whose interval contains 0 is marked as not told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.outputs import Readout, Score
from reports.compare import ranks

if TYPE_CHECKING:
    from rich.table import Table

    from bench.results import Run

RANKS = (
    "Ranks among the methods: 1 is nearest to the target; equal ranks are not told apart "
    "(paired bootstrap over models, Holm, 5 %)"
)
SAME = "≈"  # the data do not tell this number from its target
NONE = "-"
FEW = 20  # models
TIME = "time / retraining"
TIME_LIMIT = 0.2  # of retraining's time: the competition's rule
ROOMY = 165  # columns from which intervals fit
INTERVAL = re.compile(r" (\[[^\]]*\])")


def tidy(run: Run) -> pd.DataFrame:
    """One line per row and readout, costs included; intervals and gaps as columns."""
    lines = [_tidy_line(score) for score in run.scores_of.scores]
    for row, cost in costs(run).items():
        for name, value in cost.items():
            if value is not None:
                lines.append({"row": row, "readout": name, "value": value})
    table = pd.DataFrame(lines)
    table.insert(0, "scenario", run.record["scenario"])
    table.insert(0, "dataset", run.record["data"]["name"])
    return table


def _tidy_line(score: Score) -> dict[str, Any]:
    low, high = score.interval or (None, None)
    gap_low, gap_high = score.gap_interval or (None, None)
    return {
        "row": score.row,
        "readout": score.readout,
        "value": score.value,
        "spread": score.spread,
        "low": low,
        "high": high,
        "target": score.target,
        "gap": score.gap,
        "gap_low": gap_low,
        "gap_high": gap_high,
        "models": score.count,
    }


def costs(run: Run) -> dict[str, dict[str, float | None]]:
    """Per method: seconds, share of retraining, passes, memory; preparation stands apart."""
    rows = run.record["rows"]
    retrain = _mean(cost["time_s"] for cost in rows["retrain"]["cost"])
    table = {}
    for row, record in rows.items():
        seconds = _mean(cost["time_s"] for cost in record["cost"])
        table[row] = {
            "time_s": seconds,
            "time_vs_retrain": seconds / retrain if seconds is not None and retrain else None,
            "prepare_time_s": _mean(cost["time_s"] for cost in record["prepare_cost"]),
            "forward_examples": _mean(cost["forward_examples"] for cost in record["cost"]),
            "backward_examples": _mean(cost["backward_examples"] for cost in record["cost"]),
            "peak_memory_mb": _mean(cost["peak_memory_mb"] for cost in record["cost"]),
        }
    return table


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def comparison(run: Run, main_only: bool = False) -> pd.DataFrame:
    """Rows are methods, columns are readouts and cost, cells are printed text."""
    readouts = [r for r in run.scores_of.readouts if r.main or not main_only]
    readouts = readouts or run.scores_of.readouts  # of attacks that have no main one
    scores = {(score.row, score.readout): score for score in run.scores_of.scores}
    cost = costs(run)
    lines, count = {}, run.record["config"]["models"]
    for row in row_order(run):
        line = {r.title: cell_text(scores.get((row, r.name)), r) for r in readouts}
        share = cost.get(row, {}).get("time_vs_retrain")
        line[TIME] = NONE if share is None else f"{share:.3g}"
        if run.failed:
            record = run.record["rows"].get(row)
            line["models"] = f"{record['done']}/{count}" if record else NONE
        lines[row] = line
    target = {r.title: target_text(run, r) for r in readouts}
    lines["target"] = target | {TIME: "low"}
    return pd.DataFrame.from_dict(lines, orient="index").fillna(NONE)


def row_order(run: Run) -> list[str]:
    """Sanity rows frame the methods: original and retrain first, the constant predictor last."""
    methods = [row for row in run.record["rows"] if row != "retrain"]
    return ["original", "retrain", *methods, "constant"]


def target_text(run: Run, readout: Readout) -> str:
    """Where the column's numbers should be."""
    if readout.target is None:
        paired = [s for s in run.scores_of.scores if s.readout == readout.name]
        return f"{number(paired[0].target, readout)} (retrained)" if paired else NONE
    if readout.better == "high":
        return "as retrain"
    return ("low: " if readout.better == "low" else "") + number(readout.target, readout)


def cell_text(score: Score | None, readout: Readout) -> str:
    """``12.3 ±1.1 ≈ [11.8, 12.9]``: value, spread over models, same-as-target mark, interval."""
    if score is None:
        return NONE
    text = number(score.value, readout)
    if score.spread is not None:
        text += f" ±{number(score.spread, readout)}"
    if readout.better == "target" and same(score):
        text += f" {SAME}"
    if score.interval is not None:
        text += f" [{number(score.interval[0], readout)}, {number(score.interval[1], readout)}]"
    return text


def same(score: Score) -> bool:
    """Do the data leave open whether the number is at its target?"""
    return score.gap_interval is not None and score.gap_interval[0] <= 0 <= score.gap_interval[1]


def number(value: float, readout: Readout) -> str:
    """Percentages with one decimal, other numbers with three; no minus sign before a zero."""
    text = f"{100 * value:.1f}" if readout.percent else f"{value:.3f}"
    return text.removeprefix("-") if float(text) == 0 else text


def heading(readout: Readout) -> str:
    return f"{readout.title} (%)" if readout.percent else readout.title


def to_csv(run: Run) -> str:
    """The tidy table."""
    return tidy(run).to_csv(index=False, lineterminator="\n")


def to_markdown(run: Run) -> str:
    """The comparison with every readout, and what a reader must know beneath it."""
    table = comparison(run)
    units = {r.title: heading(r) for r in run.scores_of.readouts}
    header = ["method", *(units.get(column, column) for column in table.columns)]
    lines = [_markdown_line(header), _markdown_line(["---"] * len(header))]
    lines += [
        _markdown_line([row, *cells])
        for row, cells in zip(table.index, table.to_numpy().tolist(), strict=True)
    ]
    notes = [f"- {_escape(note)}" for note in footnotes(run)]
    parts = [f"# {_escape(title(run))}", "", *lines, "", *notes, ""]
    ranking = rank_table(run)
    if ranking is not None:
        parts += [RANKS, "", _markdown_line(["method", *ranking.columns])]
        parts += [_markdown_line(["---"] * (1 + ranking.shape[1]))]
        parts += [_markdown_line([row, *map(str, cells)]) for row, cells in ranking.T.items()]
        parts.append("")
    return "\n".join(parts)


def rank_table(run: Run, short: bool = False) -> pd.DataFrame | None:
    """Ranks of the methods on the main readouts; None where nothing can be compared."""
    found = ranks(run, run.compared)
    main = {r.name: (r.short if short else "") or r.title for r in run.scores_of.readouts if r.main}
    found = found[[name for name in found.columns if name in main]]
    return None if found.empty else found.rename(columns=main).fillna(NONE)


def _markdown_line(cells: list[str]) -> str:
    return "| " + " | ".join(_escape(str(cell)) for cell in cells) + " |"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def title(run: Run) -> str:
    """One line that says what was compared."""
    record, sizes = run.record, run.record["sizes"]
    return (
        f"{record['data']['name']}, {record['scenario']}, {record['model']}: "
        f"N = {record['config']['models']} models, {sizes['forget']} of {sizes['train']} "
        "training examples forgotten"
    )


def over_time(run: Run) -> list[str]:
    """Methods that took too long for the competition's rule, if its score is in the table."""
    if all(score.readout.partition("[")[0] != "final_score" for score in run.scores_of.scores):
        return []
    shares = {row: cost["time_vs_retrain"] for row, cost in costs(run).items() if row != "retrain"}
    return [row for row, share in shares.items() if share is not None and share > TIME_LIMIT]


def footnotes(run: Run) -> list[str]:
    """How to read the table, and everything about it that is not as it should be."""
    count = run.record["config"]["models"]
    notes = [
        "mean ±standard deviation over models [95 % interval over models]; "
        f"{SAME}: not told apart from its target",
        "retrain: retrained again with other seeds, what perfect forgetting scores; "
        "constant: always the commonest class, what collapse scores",
    ]
    if any(r.name.startswith("forgetting_quality") for r in run.scores_of.readouts):
        notes.append(
            "forgetting quality F depends on N: compare it with the retrain row, never across N"
        )
    if count < 3:
        notes.append(f"N = {count}: too few models for intervals (3) or for conclusions (20)")
    elif count < FEW:
        notes.append(f"N = {count}: intervals are rough and conclusions early below {FEW} models")
    timed = sum(c["time_s"] is not None for c in run.record["rows"]["retrain"]["cost"])
    notes.append(f"time: of unlearning alone, mean of {timed} models run alone on the machine")
    for row, record in run.record["rows"].items():
        if record["failures"]:
            first = record["failures"][0]
            notes.append(
                f"{row}: {len(record['failures'])} of {count} models failed ({first['stage']}, "
                f"model {first['member']}: {first['reason']}; see {first['file']})"
            )
        for text in dict.fromkeys(note["text"] for note in record["notes"]):
            members = sum(note["text"] == text for note in record["notes"])
            notes.append(f"{row}: {text} ({members} of {count} models)")
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


def _blank_table(columns: list[str], narrow: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    style = {"box": box.SIMPLE_HEAD, "padding": (0, 0, 0, 1)} if narrow else {"padding": (0, 1)}
    table = Table(pad_edge=False, **style)
    table.add_column("method", no_wrap=not narrow, overflow="fold", min_width=8)
    for column in columns:
        table.add_column(Text(column), justify="right")  # brackets are no markup
    return table


def rank_terminal(run: Run, width: int = 190) -> Table | None:
    """The ranks as a table for the terminal, if there are any."""
    from rich.text import Text

    narrow = width < ROOMY
    ranking = rank_table(run, short=narrow)
    if ranking is None:
        return None
    table = _blank_table(list(ranking.columns), narrow)
    for row, cells in ranking.T.items():
        table.add_row(Text(row), *(str(cell) for cell in cells))
    return table


def terminal(run: Run, width: int = 190) -> Table:
    """The main readouts as a table for the terminal; short and without intervals if narrow."""
    from rich.text import Text

    frame = comparison(run, main_only=True)
    narrow = width < ROOMY
    if narrow:
        frame = frame.drop(columns="models", errors="ignore")  # a footnote says it too
    headings = {r.title: (r.short if narrow else "") or heading(r) for r in run.scores_of.readouts}
    headings[TIME] = "time" if narrow else TIME
    table = _blank_table([headings.get(column, column) for column in frame.columns], narrow)
    for row, cells in zip(frame.index, frame.to_numpy().tolist(), strict=True):
        if row == "target":
            table.add_section()
        shown = [_narrowed(cell) if narrow else INTERVAL.sub(r"\n\1", cell) for cell in cells]
        table.add_row(Text(row), *(Text(cell) for cell in shown))
    return table


def _narrowed(cell: str) -> str:
    """The value with its mark, the spread beneath it."""
    value, _, rest = INTERVAL.sub("", cell).partition(" ±")
    spread, _, mark = rest.partition(" ")
    value = value.removeprefix("low: ").removesuffix(" (retrained)").replace("as retrain", "high")
    return f"{value}{mark}\n±{spread}" if spread else value.replace(f" {SAME}", SAME)
