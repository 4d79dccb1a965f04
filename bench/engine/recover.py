"""Recover: resume after a corrupt file or a killed worker process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from bench.errors import DamagedError, UserError

log = logging.getLogger(__name__)
MOST_KILLED = 3  # workers, before a run gives up
T = TypeVar("T")


def recovering(work: Callable[[], T]) -> T:
    """Do ``work``, and again after a corrupt file was set aside or a worker process was killed.

    What was finished is kept, so the next try resumes there. Raises UserError where that does not
    help.
    """
    seen: set[str] = set()
    killed = 0
    while True:
        try:
            return work()
        except DamagedError as error:
            if str(error) in seen:  # damaged again as soon as it was made
                raise
            seen.add(str(error))
            log.warning(str(error))
        except BrokenProcessPool as error:
            killed += 1
            what = "a worker process was killed (out of memory?); finished cells are kept"
            if killed > MOST_KILLED:
                raise UserError(f"{what}; go on with fewer --jobs") from error
            log.warning(f"{what}; retrying")
