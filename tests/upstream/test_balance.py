"""The choice among servers: the fewest under way, taking turns, and never one that is out."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.errors import UpstreamDown
from ssogate.upstream.balance import Balance
from ssogate.upstream.health import Health
from tests.upstream.test_pool import in_a_fork

MAX_FAILURES, EJECTED_FOR = 2, 10.0


@dataclass(eq=False)
class Member:
    """As much of a server as is looked at; and, counted by the test, what it must be like."""

    name: str
    health: Health = field(
        default_factory=lambda: Health(
            "app", "", max_failures=MAX_FAILURES, ejected_for=EJECTED_FOR
        )
    )
    under_way: int = 0
    failures: int = 0
    next_trial: float = 0.0

    @property
    def out(self) -> bool:
        return self.failures >= MAX_FAILURES

    def break_down(self, now: float) -> None:
        for _ in range(MAX_FAILURES):
            self.health.unreachable(now)


def members(count: int) -> list[Member]:
    return [Member("abcdefgh"[n]) for n in range(count)]


def chosen(balance: Balance[Member], times: int, now: float = 0.0) -> str:
    return "".join(balance.choose(now).name for _ in range(times))


def test_all_that_are_idle_take_turns() -> None:
    balance = Balance("app", members(3))
    names = ""
    for _ in range(6):
        member = balance.choose(0.0)
        member.health.ended()
        names += member.name

    assert sorted(names[:3]) == sorted(names[3:]) == ["a", "b", "c"]


def test_the_one_with_the_fewest_requests_is_chosen() -> None:
    a, b, c = members(3)
    balance = Balance("app", [a, b, c])
    assert sorted(chosen(balance, 6)) == ["a", "a", "b", "b", "c", "c"]
    b.health.ended()

    assert balance.choose(0.0) is b


def test_one_that_is_out_is_given_nothing_until_its_trial() -> None:
    a, b = members(2)
    balance = Balance("app", [a, b])
    a.break_down(0.0)

    assert chosen(balance, 5, now=9.9) == "bbbbb"
    assert sorted(chosen(balance, 5, now=10.0)) == ["a", "b", "b", "b", "b"]


def test_a_trial_does_not_wait_until_there_is_nothing_else_under_way() -> None:
    a, b = members(2)
    balance = Balance("app", [a, b])
    a.health.under_way.extend([None] * 50)  # they hang
    a.break_down(0.0)

    assert balance.choose(10.0) is a
    a.health.succeeded()
    assert chosen(balance, 3, now=11.0) == "bbb"


def test_when_all_are_out_this_is_said_and_nothing_counted() -> None:
    a, b = members(2)
    balance = Balance("app", [a, b])
    a.break_down(0.0)
    b.break_down(1.0)

    with pytest.raises(UpstreamDown) as refused:
        balance.choose(5.0)
    assert (refused.value.status, "app" in refused.value.detail) == (503, True)
    assert dict(refused.value.headers)["Retry-After"]
    assert len(a.health.under_way) == len(b.health.under_way) == 0
    assert balance.choose(10.0) is a


def test_one_that_could_not_be_reached_is_not_chosen_again() -> None:
    a, b = members(2)
    balance = Balance("app", [a, b])

    assert [balance.choose(0.0, besides=b).name for _ in range(4)] == ["a"] * 4
    a.break_down(0.0)
    with pytest.raises(UpstreamDown):
        balance.choose(0.0, besides=b)
    assert balance.choose(10.0, besides=b) is a
    with pytest.raises(UpstreamDown):
        Balance("app", [a]).choose(100.0, besides=a)


@given(
    count=st.integers(1, 5),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["choose", "besides", "succeed", "fail", "leave", "wait"]),
            st.integers(0, 1000),
        ),
        max_size=120,
    ),
)
def test_whatever_happens_the_choice_is_the_right_one(
    count: int, steps: list[tuple[str, int]]
) -> None:
    all_of_them = members(count)
    balance = Balance("app", all_of_them)
    under_way: list[Member] = []
    now = 0.0
    for step, number in steps:
        if step == "wait":
            now += number / 100
        elif step in ("choose", "besides"):
            besides = all_of_them[number % count] if step == "besides" else None
            choose_rightly(balance, all_of_them, besides, now, under_way)
        elif under_way:
            member = under_way.pop(number % len(under_way))
            end(member, step, now)
        assert [len(it.health.under_way) for it in all_of_them] == [
            it.under_way for it in all_of_them
        ]


def choose_rightly(
    balance: Balance[Member],
    all_of_them: list[Member],
    besides: Member | None,
    now: float,
    under_way: list[Member],
) -> None:
    fit = [it for it in all_of_them if it is not besides and not it.out]
    due = [it for it in all_of_them if it is not besides and it.out and now >= it.next_trial]
    try:
        member = balance.choose(now, besides)
    except UpstreamDown:
        assert not fit
        assert not due
        return
    assert member in (due or fit)
    if due:
        member.next_trial = now + EJECTED_FOR
    else:
        assert member.under_way == min(it.under_way for it in fit)
    member.under_way += 1
    under_way.append(member)


def end(member: Member, how: str, now: float) -> None:
    member.under_way -= 1
    if how == "succeed":
        member.health.succeeded()
        member.failures = 0
    elif how == "fail":
        member.health.unreachable(now)
        member.failures += 1
        first = member.failures == MAX_FAILURES
        if first or (member.out and now >= member.next_trial):
            member.next_trial = now + EJECTED_FOR
    member.health.ended()


def test_many_threads_lose_no_count_and_never_get_one_trial_twice() -> None:
    a, b = members(2)
    balance = Balance("app", [a, b])
    a.break_down(0.0)
    trials: list[Member] = []

    def work() -> None:
        for _ in range(500):
            member = balance.choose(10.0)
            if member is a:
                trials.append(member)
            member.health.ended()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(trials) == 1
    assert len(a.health.under_way) == len(b.health.under_way) == 0


def test_a_fork_counts_its_own_requests_and_knows_what_is_out() -> None:
    a, b, c = members(3)
    balance = Balance("app", [a, b, c])
    a.break_down(0.0)
    assert sorted(chosen(balance, 4)) == ["b", "b", "c", "c"]

    def child() -> tuple[list[int], str]:
        counts = [len(it.health.under_way) for it in (a, b, c)]
        return counts, "".join(sorted(chosen(balance, 2)))

    assert in_a_fork(child) == "([0, 0, 0], 'bc')"
    assert [len(it.health.under_way) for it in (a, b, c)] == [0, 2, 2]


def test_what_a_visitor_may_have_asked_for_puts_out_all_but_the_last() -> None:
    both = members(2)
    balance = Balance("app", both)
    for member in (*both, *both):
        for _ in range(MAX_FAILURES):
            member.health.failed(0.0)

    assert [member.health.out for member in both] == [True, False]
    assert chosen(balance, 3) == "bbb"


def test_one_that_is_alone_is_put_out_by_what_nobody_asked_for() -> None:
    (only,) = members(1)
    balance = Balance("app", [only])
    for _ in range(10):
        only.health.failed(0.0)
    assert chosen(balance, 1) == "a"

    only.break_down(0.0)
    with pytest.raises(UpstreamDown):
        balance.choose(0.0)
