"""Worker processes that end with the process that started them, whatever that one died of.

joblib's workers wait for work for minutes, and a killed process cannot tell them that none will
come. Each worker therefore looks after its parent.
"""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

SECONDS_BETWEEN_LOOKS = 1.0
SHARED = Path("/dev/shm")  # where Linux keeps semaphores and shared memory
OURS = re.compile(r"sem\.loky-(?P<pid>\d+)-|joblib_memmapping_folder_(?P<owner>\d+)_")


def parallel(jobs: int, **options: Any) -> Any:
    """``joblib.Parallel`` in so many processes, each of which ends when this one does."""
    from joblib import Parallel

    sweep_shared_memory()
    # The same arguments in all calls, so that joblib keeps the processes between them.
    return Parallel(jobs, initializer=end_with_parent, initargs=(os.getpid(),), **options)


def end_with_parent(parent: int) -> None:
    """From now on, end this process within seconds once its ``parent`` is gone."""
    threading.Thread(target=_look_after, args=(parent,), name="parent", daemon=True).start()


def _look_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os._exit(1)  # what is not stored yet is lost anyway; other threads may be busy for long


def sweep_shared_memory() -> None:
    """Remove semaphores and folders in shared memory whose process was killed with its helpers."""
    for path in SHARED.glob("*") if SHARED.is_dir() else ():
        match = OURS.match(path.name)
        if match and not _is_alive(int(match["pid"] or match["owner"])):
            with suppress(OSError):
                if path.stat().st_uid == os.getuid():
                    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    else:
        path.unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
