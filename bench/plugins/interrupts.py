"""Tells the user's Ctrl-C from an exception of the same kind that somebody's code raised."""

from __future__ import annotations

import dis

RAISES = {"RAISE_VARARGS", "RERAISE"}


def is_interrupt(error: BaseException) -> bool:
    """Whether the user pressed Ctrl-C: that arrives between two steps, no statement raises it."""
    if type(error) is not KeyboardInterrupt:
        return False
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return True
    step = place.tb_frame.f_code.co_code[place.tb_lasti]
    return dis.opname[step] not in RAISES
