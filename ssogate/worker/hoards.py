"""What visitors have a worker hold in memory, all together: whoever holds most goes first. Each is
within limits of its own, but ten thousand at those limits are not to be had."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

MOST = 2**29  # bytes of unfinished requests and untaken answers, of all visitors of a worker


class Holder(Protocol):
    """Somebody for whom something is held."""

    @property
    def holds(self) -> int:
        """Bytes."""


H = TypeVar("H", bound=Holder)


def hoarders(holders: Iterable[H], most: int) -> list[H]:
    """Give those who hold the most, as many as must go for the others to hold at most `most`."""
    sizes = [(holder.holds, holder) for holder in holders]
    surplus = sum(size for size, _ in sizes) - most
    gone: list[H] = []
    if surplus > 0:
        for size, holder in sorted(sizes, key=lambda it: it[0], reverse=True):
            if surplus <= 0:
                break
            gone.append(holder)
            surplus -= size
    return gone
