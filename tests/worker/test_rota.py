"""Whose turn it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ssogate.worker.gate_worker import TICK, VERIFY_SECONDS
from ssogate.worker.rota import PAUSE, Rota

SECONDS = 0.5


@given(
    count=st.integers(0, 300),
    steps=st.lists(st.floats(PAUSE, 0.2), min_size=60, max_size=120),
)
def test_everybody_has_a_turn_in_twice_the_time(count: int, steps: list[float]) -> None:
    now, rota = 1000.0, Rota(range(count), SECONDS, 1000.0)
    had = dict.fromkeys(range(count), now)
    for step in steps:
        now += step
        for one in rota.due(now):
            had[one] = now
        # What is owed is a whole number of turns, and is looked at a step later at most.
        assert all(now - at <= 2 * SECONDS + 0.2 for at in had.values())


def test_few_have_theirs_at_a_time() -> None:
    now, rota = 1000.0, Rota(range(10_000), SECONDS, 1000.0)
    turns = []
    for _ in range(500):
        now += 0.01
        turns.append(len(rota.due(now)))
    assert max(turns) <= 201
    assert sum(turns) > 0.9 * 10_000 * 5 / SECONDS


def test_who_came_meanwhile_is_next_and_who_waited_long_is_now() -> None:
    everybody = {1}
    rota = Rota(everybody, SECONDS, 1000.0)
    assert list(rota.due(1000.0)) == []
    assert list(rota.due(1000.6)) == [1]
    everybody |= {2, 3}
    assert sorted(rota.due(1001.2)) == [1, 2, 3]
    everybody.clear()
    assert list(rota.due(1009.0)) == []


def test_answers_have_their_turn_often_enough_for_what_is_promised() -> None:
    """README: an answer ends within a second of its session. Two turns are twice as far apart at
    most, and a round begins a tick later."""
    assert 2 * VERIFY_SECONDS + TICK < 1
