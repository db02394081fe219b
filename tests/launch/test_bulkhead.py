"""A panel that hangs keeps its own place and no other; whoever would only wait is told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest

from ssogate.errors import PanelBusy, PanelSlow
from ssogate.launch.bulkhead import Bulkheads

LONG = 30.0


@pytest.fixture
def end() -> Iterator[Event]:
    """Lets whatever hangs end."""
    event = Event()
    yield event
    event.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def hanging(heads: Bulkheads, pool: ThreadPoolExecutor, server: int, end: Event) -> Future[str]:
    """Begin a launch that hangs until `end`; it has its place when this returns."""
    begun = Event()

    def call() -> str:
        begun.set()
        end.wait(LONG)
        return "in the end"

    future = pool.submit(heads.run, server, object(), call, seconds=LONG)
    assert begun.wait(LONG)
    return future


def told(error: type[BaseException]) -> Callable[[], str]:
    def call() -> str:
        raise error("of the module")

    return call


def test_what_a_call_gives_is_given() -> None:
    assert Bulkheads(each=1, waiting=1).run(1, "joe", lambda: "url", seconds=LONG) == "url"


@pytest.mark.parametrize(
    "error", [ValueError, KeyError, TimeoutError, SystemExit, KeyboardInterrupt]
)
def test_what_a_call_raises_is_raised_and_leaves_its_place(error: type[BaseException]) -> None:
    heads = Bulkheads(each=1, waiting=1)

    for _ in range(3):
        with pytest.raises(error):
            heads.run(1, "joe", told(error), seconds=LONG)

    assert heads.run(1, "joe", lambda: "url", seconds=LONG) == "url"


def test_a_server_without_a_place_is_refused_at_once_and_others_are_not(
    pool: ThreadPoolExecutor, end: Event
) -> None:
    heads = Bulkheads(each=2, waiting=8)
    calls = [hanging(heads, pool, 1, end) for _ in range(2)]

    with pytest.raises(PanelBusy):
        heads.run(1, "joe", lambda: "url", seconds=LONG)
    assert heads.run(2, "joe", lambda: "url", seconds=LONG) == "url"

    end.set()
    assert [call.result(LONG) for call in calls] == ["in the end"] * 2
    assert heads.run(1, "joe", lambda: "url", seconds=LONG) == "url"


def test_no_more_requests_wait_than_may_whatever_they_wait_for(
    pool: ThreadPoolExecutor, end: Event
) -> None:
    heads = Bulkheads(each=2, waiting=3)
    for server in (1, 2, 3):
        hanging(heads, pool, server, end)

    with pytest.raises(PanelBusy):
        heads.run(4, "joe", lambda: "url", seconds=LONG)


def test_whoever_waits_gives_up_in_time_and_the_call_keeps_its_place(end: Event) -> None:
    heads = Bulkheads(each=1, waiting=1)

    with pytest.raises(PanelSlow):
        heads.run(1, "joe", lambda: end.wait(LONG), seconds=0.01)

    with pytest.raises(PanelBusy):  # it still runs
        heads.run(1, "joe", lambda: "url", seconds=LONG)
    assert heads.run(2, "joe", lambda: "url", seconds=LONG) == "url", "nobody waits any more"


def test_nobody_takes_all_the_places_of_a_server_or_of_all(
    pool: ThreadPoolExecutor, end: Event
) -> None:
    heads = Bulkheads(each=4, waiting=6)

    def hang(server: int, person: str) -> None:
        begun = Event()

        def call() -> None:
            begun.set()
            end.wait(LONG)

        pool.submit(heads.run, server, person, call, seconds=LONG)
        assert begun.wait(LONG)

    for server in (1, 1, 2):
        hang(server, "joe")
    with pytest.raises(PanelBusy):  # of this server's four, two are one person's
        heads.run(1, "joe", lambda: "url", seconds=LONG)
    with pytest.raises(PanelBusy):  # and of the six that may wait, three
        heads.run(3, "joe", lambda: "url", seconds=LONG)
    assert heads.run(1, "ann", lambda: "url", seconds=LONG) == "url"
    assert heads.run(2, "ann", lambda: "url", seconds=LONG) == "url"
