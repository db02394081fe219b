"""On which CPUs a thread's work runs.

Threads of one interpreter take turns, and a turn that goes to another CPU costs more than a small
request does: so a worker keeps to one (`ssogate.worker.GateWorker`). Work that holds no turn, such
as the hashing of a password, may go anywhere meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Not every system has it (Linux does); then nothing is bound, and nothing need be freed.
ALL: frozenset[int] = (
    frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else frozenset()
)
"""Those that the process had when it began."""


def keep_to(*cpus: int) -> None:
    """Let this thread, and those that it starts, run on these CPUs alone. Where they have been
    taken away meanwhile (a container's may be), nothing changes: it would only be faster."""
    with suppress(OSError):
        os.sched_setaffinity(0, cpus)


@contextmanager
def on_any_cpu() -> Iterator[None]:
    """Let this thread run anywhere until the block ends."""
    if not ALL:
        yield
        return
    bound = os.sched_getaffinity(0)
    keep_to(*ALL)
    try:
        yield
    finally:
        keep_to(*bound)
