"""A thread that keeps to one CPU leaves it for work that holds up nobody, and comes back."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import get_native_id

import pytest

from ssogate.crypto import cpus
from ssogate.crypto.cpus import ALL, keep_to, on_any_cpu
from ssogate.crypto.passwords import hash_password, verify_nobody


def mine() -> set[int]:
    return os.sched_getaffinity(0)


def bound(work: Callable[[], object]) -> object:
    """Do it in a thread that keeps to one CPU."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(keep_to, min(ALL)).result()
        done = thread.submit(work).result()
        assert thread.submit(mine).result() == {min(ALL)}
    assert mine() == set(ALL), "no other thread is bound"
    return done


def test_what_goes_anywhere_comes_back() -> None:
    def look() -> set[int]:
        with on_any_cpu():
            return mine()

    assert bound(look) == set(ALL)


def test_it_comes_back_from_a_failure() -> None:
    def fail() -> bool:
        try:
            with on_any_cpu():
                raise KeyError
        except KeyError:
            return True

    assert bound(fail)


@pytest.mark.parametrize(
    "hashes",
    [
        pytest.param(partial(hash_password, "a password"), id="hash"),
        pytest.param(partial(verify_nobody, "a password"), id="verify"),
    ],
)
def test_passwords_are_hashed_anywhere(hashes: Callable[[], object]) -> None:
    with ThreadPoolExecutor(1) as thread:
        thread.submit(keep_to, min(ALL)).result()
        number = thread.submit(get_native_id).result()
        hashing = thread.submit(lambda: [hashes() for _ in range(5)])
        seen = []
        while not hashing.done():
            seen.append(os.sched_getaffinity(number))
    assert set(ALL) in seen


def test_where_cpus_cannot_be_chosen_nothing_is_done() -> None:
    before, cpus.ALL = cpus.ALL, frozenset()
    try:
        with on_any_cpu():
            assert mine() == set(before)
    finally:
        cpus.ALL = before


def test_a_cpu_that_was_taken_away_is_no_fault() -> None:
    keep_to(max(ALL) + 1000)
    assert mine() == set(ALL)
