"""What is remembered of sessions is never older than the last change, and bounded."""

from __future__ import annotations

import pytest

from ssogate.model import Session
from ssogate.sessions import memory
from ssogate.sessions.memory import KEPT_SECONDS, Memory
from tests.storage.making import NOW, person, record, user


def session(token: str = "t") -> Session:
    return Session(record(user()), person(), token)


@pytest.mark.parametrize(
    ("change", "passed", "known"),
    [
        pytest.param(7, 0, True, id="at once"),
        pytest.param(7, KEPT_SECONDS - 0.1, True, id="a moment later"),
        pytest.param(7, KEPT_SECONDS, False, id="too long ago"),
        pytest.param(7, -1, False, id="clock set back"),
        pytest.param(8, 0, False, id="after a change"),
        pytest.param(6, 0, False, id="before it was kept"),
        pytest.param(None, 0, False, id="while something changes"),
    ],
)
def test_a_session_is_recalled_until_something_changes(
    change: int | None, passed: float, known: bool
) -> None:
    kept = Memory()
    kept.keep(session(), 7, NOW)

    assert (kept.recall("t", change, NOW + passed) is not None) is known
    assert kept.recall("other", change, NOW) is None


def test_what_was_read_while_something_changes_is_not_kept() -> None:
    kept = Memory()
    kept.keep(session(), None, NOW)

    assert kept.recall("t", None, NOW) is None


def test_a_forgotten_session_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GENERATION", 1)
    kept = Memory()
    for token in ("old", "young"):
        kept.keep(session(token), 7, NOW)
        kept.forget(token)

        assert kept.recall(token, 7, NOW) is None
    kept.keep(session("a"), 7, NOW)
    kept.keep(session("b"), 7, NOW)
    kept.forget("a")
    assert kept.recall("a", 7, NOW) is None
    assert kept.recall("b", 7, NOW)


def test_the_memory_is_bounded_and_never_empties_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GENERATION", 10)
    kept = Memory()

    for number in range(95):
        kept.keep(session(str(number)), 7, NOW)
        known = [n for n in range(95) if kept.recall(str(n), 7, NOW)]
        assert len(known) <= 20
        assert len(known) >= min(number + 1, 10)
        assert number in known
