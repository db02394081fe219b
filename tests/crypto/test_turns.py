"""Turns: so many at once, so many who wait, and the rest is refused without waiting."""

from __future__ import annotations

import threading
from queue import SimpleQueue

import pytest

from ssogate.crypto import TooBusy, Turns

SOON = 20.0  # seconds, within which a thread of these tests must have moved


class Crowd:
    """Threads that want a turn and keep it until they may go on."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.entered: SimpleQueue[None] = SimpleQueue()
        self.refused: SimpleQueue[None] = SimpleQueue()
        self.go_on = threading.Semaphore(0)
        self.threads: list[threading.Thread] = []

    def come(self, number: int) -> None:
        new = [threading.Thread(target=self._work, daemon=True) for _ in range(number)]
        self.threads += new
        for thread in new:
            thread.start()

    def leave(self) -> None:
        self.go_on.release(len(self.threads))
        for thread in self.threads:
            thread.join(SOON)
            assert not thread.is_alive()

    def _work(self) -> None:
        try:
            with self.turns.turn():
                self.entered.put(None)
                self.go_on.acquire(timeout=SOON)
        except TooBusy:
            self.refused.put(None)


def take(queue: SimpleQueue[None], number: int) -> None:
    for _ in range(number):
        queue.get(timeout=SOON)


def test_some_work_some_wait_and_the_rest_is_refused() -> None:
    crowd = Crowd(Turns(at_once=2, waiting=3, patience=SOON))
    crowd.come(10)
    take(crowd.entered, 2)
    take(crowd.refused, 5)

    assert crowd.entered.empty()
    crowd.go_on.release()
    take(crowd.entered, 1)
    assert crowd.entered.empty()
    crowd.leave()
    take(crowd.entered, 2)
    assert crowd.refused.empty()


def test_whoever_waited_too_long_is_refused_and_leaves_the_place_to_others() -> None:
    turns = Turns(at_once=1, waiting=1, patience=0.001)
    with turns.turn():
        for _ in range(3):
            with pytest.raises(TooBusy, match="no turn within"), turns.turn():
                pytest.fail("two at once")
    with turns.turn():
        pass


def test_without_places_to_wait_the_second_is_refused_at_once() -> None:
    turns = Turns(at_once=1, waiting=0, patience=SOON)
    with turns.turn(), pytest.raises(TooBusy, match="no place to wait"), turns.turn():
        pytest.fail("two at once")


def test_work_that_fails_gives_its_turn_back() -> None:
    turns = Turns(at_once=1, waiting=0, patience=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.turn():
            raise ZeroDivisionError
