"""Long answers whose session has to be looked up, and visitors who wait for that, by a clock that a
test moves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ssogate.errors import SessionsUnavailable
from ssogate.lane.orders import Found, Unknown
from ssogate.worker.lookups import DOUBT_SECONDS, THREADS, Lookups
from ssogate.worker.loop import guarded
from ssogate.worker.visitor import HEAD_SECONDS, LOOK_UP_SECONDS, Visitor
from tests.worker.stage import until
from tests.worker.test_visitor import Hall

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Lane:
    """Knows nobody; a test says what a look-up finds."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.lost = False
        self.open = threading.Event()
        self.open.set()
        self.looks: list[str] = []
        self.has_uses, self.written = False, 0

    def write_down(self) -> None:
        self.open.wait(10)
        self.has_uses, self.written = False, self.written + 1

    def look(self, token: str) -> Any:
        self.looks.append(token)
        self.open.wait(10)
        if self.lost:
            raise SessionsUnavailable
        return Found(token, object() if token in self.there else None)  # type: ignore[arg-type]

    look_up = look

    def still(self, order: Any, found: Found | None = None) -> bool | Unknown:
        if found is None or found.token != order:
            return Unknown(order)
        return found.session is not None


class Answer:
    """A visitor of somebody's, whose order is the token."""

    def __init__(self, token: str) -> None:
        self.token, self.closed = token, False

    def verify(self, still: Callable[[Any], bool | Unknown]) -> str:
        said = still(self.token)
        if isinstance(said, Unknown):
            return said.token
        self.closed = self.closed or not said
        return ""

    def close(self) -> None:
        self.closed = True


class Round:
    """A worker's loop, as far as look-ups know it."""

    def __init__(self) -> None:
        self.lane, self.acts = Lane(), list[Callable[[], object]]()
        lane: Any = self.lane
        self.lookups = Lookups(lane, self.acts.append)

    def verify(self, *answers: Answer, at: float) -> None:
        """Look at answers, and let what is found come back."""
        self.lookups.verify(answers, at)
        if self.lane.open.is_set():
            until(lambda: self.acts or not self.lookups._sweeping)
            self.come_back()

    def come_back(self) -> None:
        while self.acts:
            self.acts.pop(0)()


@pytest.fixture
def rounds() -> Iterator[Round]:
    made = Round()
    yield made
    made.lane.open.set()
    made.lookups.close()


def test_an_answer_ends_as_soon_as_its_session_is_found_to_be_gone(rounds: Round) -> None:
    mine, theirs, twice = Answer("mine"), Answer("theirs"), Answer("mine")
    rounds.lane.there = {"mine", "theirs"}
    rounds.verify(mine, theirs, twice, at=0)
    assert not any(it.closed for it in (mine, theirs, twice))

    rounds.lane.there = {"theirs"}
    rounds.verify(mine, theirs, twice, at=0.5)
    assert mine.closed
    assert twice.closed
    assert not theirs.closed
    assert sorted(rounds.lane.looks) == ["mine", "mine", "theirs", "theirs"]


def test_an_answer_goes_on_in_doubt_and_not_for_ever(rounds: Round) -> None:
    answer = Answer("mine")
    rounds.lane.lost = True
    rounds.verify(answer, at=100)
    rounds.verify(answer, at=100 + DOUBT_SECONDS)
    assert not answer.closed

    rounds.verify(answer, at=100.1 + DOUBT_SECONDS)
    assert answer.closed


def test_a_doubt_that_was_cleared_begins_anew(rounds: Round) -> None:
    answer = Answer("mine")
    rounds.lane.lost, rounds.lane.there = True, {"mine"}
    rounds.verify(answer, at=100)
    rounds.lane.lost = False
    rounds.verify(answer, at=101)
    rounds.lane.lost = True
    rounds.verify(answer, at=102 + DOUBT_SECONDS)

    assert not answer.closed


def test_a_store_that_hangs_is_asked_once_and_then_believed_no_more(rounds: Round) -> None:
    answer, late = Answer("mine"), Answer("late")
    rounds.lane.open.clear()
    for tenths in range(0, 100, 5):
        rounds.verify(answer, at=tenths / 10)
    assert not answer.closed
    assert rounds.lane.looks == ["mine"]

    rounds.verify(answer, late, at=DOUBT_SECONDS + 0.1)
    assert answer.closed
    assert not late.closed


def test_a_visitor_who_has_gone_on_to_something_else_is_not_judged_by_what_was_found(
    rounds: Round,
) -> None:
    answer = Answer("before")
    rounds.lane.open.clear()
    rounds.verify(answer, at=0)
    answer.token = "after"
    rounds.lane.open.set()
    until(lambda: rounds.acts)
    rounds.come_back()

    assert not answer.closed


def test_a_look_up_that_fails_finds_nobody(rounds: Round) -> None:
    rounds.lane.lost = True
    found: list[Found] = []
    rounds.lookups.ask("mine", found.append)
    until(lambda: rounds.acts)
    rounds.come_back()

    assert found == [Found("mine", None)]


def test_look_ups_that_wait_keep_no_other_thread(rounds: Round) -> None:
    rounds.lane.open.clear()
    for number in range(3 * THREADS):
        rounds.lookups.ask(str(number), lambda found: None)
    until(lambda: len(rounds.lane.looks) == THREADS)

    assert rounds.acts == []


def test_uses_are_written_down_by_one_thread_at_a_time(rounds: Round) -> None:
    rounds.lookups.write_down()
    assert rounds.lane.written == 0, "there are none"

    rounds.lane.open.clear()
    rounds.lane.has_uses = True
    for _ in range(3):
        rounds.lookups.write_down()
    rounds.lane.open.set()
    until(lambda: rounds.acts)
    rounds.come_back()
    assert rounds.lane.written == 1

    rounds.lane.has_uses = True
    rounds.lookups.write_down()
    until(lambda: rounds.acts)
    assert rounds.lane.written == 2


def test_the_last_uses_are_written_at_the_end(rounds: Round) -> None:
    rounds.lookups.close()
    assert rounds.lane.written == 1


# --- Visitors who wait ----------------------------------------------------------------------------


class Waiting(Hall):
    """A worker whose lane knows nobody, and whose layers get whoever is found."""

    def __init__(self) -> None:
        super().__init__()
        service: Any = self
        service.lane = self
        self.wanted: list[Callable[[Found], object]] = []
        self.found: list[Found | None] = []

    def order(self, data: bytes, peer: object, found: Found | None = None) -> Unknown | None:
        self.found.append(found)
        return Unknown("mine") if found is None else None

    def look_up(self, token: str, then: Callable[[Found], object]) -> None:
        assert token == "mine"
        self.wanted.append(then)

    def tell(self) -> None:
        """The look-up is over."""
        assert guarded(lambda: self.wanted.pop(0)(Found("mine", None)))


@pytest.fixture
def hall() -> Iterator[Waiting]:
    made = Waiting()
    yield made
    made.close()


def is_idle(visitor: Visitor) -> bool:
    return visitor.idle


def test_a_visitor_is_judged_once_more_and_then_the_layers_have_it(hall: Waiting) -> None:
    hall.come(REQUEST)
    assert hall.handed == []
    assert not is_idle(hall.visitor)

    hall.tell()

    assert hall.handed == [REQUEST]
    assert hall.found == [None, Found("mine", None)]
    assert hall.wanted == []


def test_what_comes_meanwhile_waits(hall: Waiting) -> None:
    hall.come(REQUEST)
    hall.there.sendall(REQUEST)
    hall.loop.run_once(0)
    assert len(hall.wanted) == 1
    assert hall.visitor.holds == len(REQUEST)

    hall.visitor._go_on()
    assert len(hall.wanted) == 1, "one look-up at a time"

    hall.tell()
    assert hall.handed == [REQUEST]


def test_who_has_gone_meanwhile_is_judged_no_more(hall: Waiting) -> None:
    hall.come(REQUEST)
    hall.visitor.close()
    hall.tell()

    assert hall.handed == []
    assert hall.found == [None]


def test_nobody_waits_for_ever(hall: Waiting) -> None:
    hall.come(REQUEST[:9])
    assert hall.wait(HEAD_SECONDS - 1)
    hall.come(REQUEST[9:])
    assert hall.wait(LOOK_UP_SECONDS)
    assert not hall.wait(1.1)
    hall.tell()

    assert hall.handed == []


def test_after_it_a_body_has_its_time(hall: Waiting) -> None:
    hall.come(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n12")
    assert hall.wait(LOOK_UP_SECONDS - 1)
    hall.tell()
    assert hall.handed == []
    assert hall.wait(HEAD_SECONDS - 1)
    hall.come(b"3456789")

    assert len(hall.handed) == 1
