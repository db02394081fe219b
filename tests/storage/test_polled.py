"""What a process may believe of a number that it asks for all the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ssogate.storage import polled
from ssogate.storage.polled import EVERY, MAX_AGE, Ask, PolledChanges


class Far:
    """A database elsewhere, whose number a test sets."""

    def __init__(self) -> None:
        self.number, self.lost = 7, False
        self.dialled = self.asked = 0
        self.slow = 0.0
        self.open = threading.Event()  # whether it answers
        self.open.set()
        self.meanwhile: Callable[[], object] | None = None  # done once, between question and answer

    @contextmanager
    def dial(self) -> Iterator[Ask]:
        self.dialled += 1
        if self.lost:
            raise OSError
        yield self.ask

    def ask(self) -> int:
        self.asked += 1
        number = self.number
        self.open.wait(10)
        time.sleep(self.slow)
        if self.lost:
            raise OSError
        if act := self.meanwhile:
            self.meanwhile = None
            act()
        return number


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Far:
    monkeypatch.setattr(polled, "PAUSE", 0.01)
    return Far()


@pytest.fixture
def changes(far: Far) -> Iterator[PolledChanges]:
    made = PolledChanges(far.dial)
    yield made
    made.close()
    far.open.set()


def soon(told: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not told():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def number(changes: PolledChanges) -> int:
    soon(lambda: changes.current() is not None)
    found = changes.current()
    return number(changes) if found is None else found


def asked_anew(far: Far) -> None:
    """Wait for a question that has been asked from now on, and its answer."""
    before = far.asked
    soon(lambda: far.asked >= before + 2)


def test_nothing_is_asked_before_somebody_wants_to_know(far: Far) -> None:
    PolledChanges(far.dial)
    time.sleep(2 * EVERY)

    assert far.dialled == 0


def test_the_number_stays_until_it_moves(far: Far, changes: PolledChanges) -> None:
    before = number(changes)
    asked_anew(far)
    assert number(changes) == before

    far.number += 1
    asked_anew(far)
    assert number(changes) not in (before, None)


def test_a_number_from_before_a_change_of_this_process_tells_nothing(
    far: Far, changes: PolledChanges
) -> None:
    number(changes)
    change = changes.start()
    assert changes.current() is None, "what was told before tells nothing"

    asked: list[int] = []

    def end() -> None:
        changes.finish(change)
        far.open.clear()  # the next question is not answered yet
        asked.append(far.asked)

    far.meanwhile = end
    soon(lambda: asked and far.asked > asked[0])

    assert changes.current() is None
    far.open.set()
    assert number(changes) is not None


def test_an_answer_counts_from_before_the_question(far: Far, changes: PolledChanges) -> None:
    far.slow = MAX_AGE
    changes.current()
    for _ in range(300):
        assert changes.current() is None
        time.sleep(0.001)
    assert far.asked > 1


def test_a_server_that_falls_silent_is_believed_no_longer(far: Far, changes: PolledChanges) -> None:
    number(changes)
    far.open.clear()
    time.sleep(MAX_AGE)

    assert changes.current() is None


def test_a_server_that_comes_back_may_count_from_elsewhere(
    far: Far, changes: PolledChanges
) -> None:
    before = number(changes)
    far.lost = True
    soon(lambda: changes.current() is None)
    far.lost = False

    assert number(changes) != before
    assert far.dialled > 1


def test_what_nobody_wants_to_know_is_asked_for_no_more(
    far: Far, changes: PolledChanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polled, "UNASKED", 0.05)
    before = number(changes)
    soon(lambda: changes._thread is None)
    time.sleep(2 * EVERY)
    asked = far.asked
    time.sleep(2 * EVERY)
    assert far.asked == asked

    assert number(changes) != before


def test_it_ends_and_begins_again(far: Far, changes: PolledChanges) -> None:
    number(changes)
    thread = changes._thread
    assert thread
    changes.close()
    thread.join(5)
    assert not thread.is_alive()

    assert number(changes) is not None


def test_without_a_thread_there_is_no_number(
    changes: PolledChanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_more)
        assert changes.current() is None
        assert changes.current() is None

    assert number(changes) is not None
