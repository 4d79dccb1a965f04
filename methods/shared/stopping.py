"""Early stopping of methods that unlearn in epochs: which epoch's state is returned, and why.

Each rule consumes states one by one, so that nothing after the stop is computed, and tells ``note``
what a reader of the table should know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

State = dict[str, Any]
Note = Callable[[str], None]


def at_gap(states: Iterable[tuple[State, float, float]], note: Note) -> State:
    """Stop when Df is predicted worse than validation data; the nearer of the last two states.

    ``states``: a state, its accuracy on Df and on the validation set, before and after each epoch.
    """
    previous: State | None = None
    previous_gap, state = 0.0, State()
    for state, forget, validation in states:
        gap = validation - forget
        if gap > 0:
            if previous is None:
                note("no step taken: Df was already predicted worse than validation data")
                return state
            return state if gap < abs(previous_gap) else previous
        previous, previous_gap = state, gap
    note("early stopping never fired: the last state is returned")
    return state


def at_fall(states: Iterable[tuple[State, float]], tolerance: float, note: Note) -> State:
    """Stop when validation accuracy is ``tolerance`` below its start; the state before the fall.

    ``states``: a state and its validation accuracy, before and after each epoch.
    """
    kept: State = {}
    start: float | None = None
    for state, validation in states:
        start = validation if start is None else start
        if validation < start - tolerance:
            note("stopped early: validation accuracy had fallen")
            return kept
        kept = state
    note("early stopping never fired: the last state is returned")
    return kept
