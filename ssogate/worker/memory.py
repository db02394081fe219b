"""What a process tells the C library about its memory."""

from __future__ import annotations

import ctypes

KEPT = 8 * 2**20  # bytes of free memory at the end of the heap that stay with the process
_TRIM_THRESHOLD = -1  # M_TRIM_THRESHOLD, mallopt(3)


def keep_memory() -> None:
    """Have glibc keep what was freed. It would give 128 KiB back to the system at once and fetch
    them again, zeroed, for the next block that is received. Other libraries do as they do."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, KEPT)
