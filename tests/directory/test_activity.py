"""The activity log: a line that was changed, lost or moved is found, and nothing can forge one."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.directory.activity import MAX_TEXT, START, By, Verdict, difference, note, verify
from ssogate.errors import StoreFailure
from ssogate.model import Activity
from ssogate.storage import SQLiteStore
from tests.storage.making import NOW

BY = By("user:joe", "192.0.2.7")


def written(store: SQLiteStore, count: int) -> list[Activity]:
    for number in range(count):
        note(store, BY, "user.changed", f"deed {number}", NOW + number)
    return [*store.activity.listed()]


def test_each_line_is_chained_to_the_one_before(store: SQLiteStore) -> None:
    first, second = written(store, 2)

    told = [2, NOW + 1, "user:joe", "192.0.2.7", "user.changed", "deed 1"]
    text = first.digest + json.dumps(told, separators=(",", ":"))
    assert second.digest == hashlib.sha256(text.encode()).hexdigest()
    assert [first.number, second.number] == [1, 2]


def test_a_whole_log_is_intact(store: SQLiteStore) -> None:
    lines = written(store, 3)

    assert verify(lines) == Verdict(3, lines[-1].digest)
    assert verify([]) == Verdict(0, START)


@pytest.mark.parametrize(
    ("tampered", "intact", "fault"),
    [
        pytest.param(
            lambda a, b, c, d: [a, replace(b, text="nothing"), c, d],
            1,
            "line 2 was changed",
            id="text",
        ),
        pytest.param(
            lambda a, b, c, d: [a, b, c, replace(d, actor="cli:mallory")],
            3,
            "line 4 was changed",
            id="actor of the last",
        ),
        pytest.param(
            lambda a, b, c, d: [replace(a, at=a.at - 1), b, c, d],
            0,
            "line 1 was changed",
            id="time of the first",
        ),
        pytest.param(
            lambda a, b, c, d: [a, replace(b, client=""), c, d],
            1,
            "line 2 was changed",
            id="client",
        ),
        pytest.param(lambda a, b, c, d: [a, c, d], 1, "line 2 is missing", id="one taken out"),
        pytest.param(lambda a, b, c, d: [b, c, d], 0, "line 1 is missing", id="the first gone"),
        pytest.param(
            lambda a, b, c, d: [a, replace(c, number=2), replace(d, number=3)],
            1,
            "line 2 was changed",
            id="one taken out, the others numbered anew",
        ),
        pytest.param(
            lambda a, b, c, d: [a, replace(c, number=2), replace(b, number=3), d],
            1,
            "line 2 is out of order",
            id="two exchanged",
        ),
        pytest.param(
            lambda a, b, c, d: [a, replace(d, number=2), c, replace(b, number=4)],
            1,
            "line 2 is out of order",
            id="two exchanged, far apart",
        ),
        pytest.param(
            lambda a, b, c, d: [a, b, b, c, d], 2, "line 3 is out of order", id="one doubled"
        ),
    ],
)
def test_the_first_line_that_is_wrong_is_told(
    store: SQLiteStore,
    tampered: Callable[..., list[Activity]],
    intact: int,
    fault: str,
) -> None:
    lines = written(store, 4)

    verdict = verify(tampered(*lines))

    assert (verdict.intact, verdict.fault) == (intact, fault)
    assert verdict.digest == (lines[intact - 1].digest if intact else START)


def test_an_end_that_was_cut_off_is_found_by_a_digest_noted_earlier(store: SQLiteStore) -> None:
    lines = written(store, 4)

    assert verify(lines[:2]).fault == ""
    assert "cut off" in verify(lines[:2], lines[3].digest).fault


def test_a_forged_log_is_found_by_a_digest_noted_earlier(store: SQLiteStore) -> None:
    noted = written(store, 2)[-1].digest
    forged = Forged()
    for number in range(3):
        note(forged, BY, "user.changed", f"innocent deed {number}", NOW)  # type: ignore[arg-type]

    assert verify(forged.lines).fault == ""
    assert "forged" in verify(forged.lines, noted).fault


def test_any_earlier_digest_vouches(store: SQLiteStore) -> None:
    lines = written(store, 3)

    for line in lines:
        assert verify(lines, line.digest) == Verdict(3, lines[-1].digest)
    assert verify(lines, START).fault == "", "noted when the log was empty"


def test_writers_at_once_make_one_chain(store: SQLiteStore) -> None:
    start = threading.Barrier(4)

    def write() -> None:
        start.wait()
        for number in range(5):
            note(store, BY, "user.changed", f"deed {number}", NOW)
        store.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert verify(store.activity.listed()).intact == 20
    assert verify(store.activity.listed()).fault == ""


def test_a_line_is_not_written_without_its_deed(store: SQLiteStore) -> None:
    before = written(store, 1)

    def failing() -> None:
        with store.transaction():
            note(store, BY, "user.deleted", "user joe", NOW)
            raise StoreFailure("disk full")

    with pytest.raises(StoreFailure):
        failing()

    assert [*store.activity.listed()] == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("a\nuser.added", "a\\nuser.added", id="line break"),
        pytest.param("a\x1b[2J", "a\\x1b[2J", id="escape"),
        pytest.param("a\0b", "a\\x00b", id="NUL"),
        pytest.param("a\u202eb", "a\\u202eb", id="direction"),
        pytest.param("a\ud800", "a\\ud800", id="half a surrogate pair"),
        pytest.param("Łucja → ü", "Łucja → ü", id="words"),
        pytest.param("x" * 5000, "x" * MAX_TEXT + "…", id="long"),
    ],
)
def test_what_strangers_typed_is_one_line(store: SQLiteStore, text: str, told: str) -> None:
    note(store, By(text, text), "sign-in.refused", text, NOW)

    (line,) = store.activity.listed()
    assert (line.actor, line.client, line.text) == (told, told, told)
    assert verify([line]).fault == ""


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=5), st.data())
def test_no_field_of_any_line_can_be_changed(
    deeds: list[tuple[str, str]], data: st.DataObject
) -> None:
    forged = Forged()
    for actor, text in deeds:
        note(forged, By(actor), "user.changed", text, NOW)  # type: ignore[arg-type]
    assert verify(forged.lines).fault == ""
    if not deeds:
        return
    at = data.draw(st.integers(0, len(deeds) - 1))
    name = data.draw(st.sampled_from(["number", "at", "actor", "client", "action", "text"]))
    old = forged.lines[at]
    value = getattr(old, name)
    changed: Any = value + 1 if isinstance(value, int) else value + "x"
    new = replace(old, **{name: changed})

    verdict = verify([*forged.lines[:at], new, *forged.lines[at + 1 :]])

    assert verdict.fault
    assert verdict.intact == at


@dataclass
class Card:
    name: str
    groups: frozenset[str] = frozenset()
    port: int | None = None
    secure: bool = True
    sealed_password: str = field(default="", repr=False)
    updated_at: int = 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param({"updated_at": 7}, "", id="only the time"),
        pytest.param({"name": "b"}, "name: a → b", id="text"),
        pytest.param({"groups": frozenset("yx")}, "groups: none → x, y", id="set"),
        pytest.param({"port": 80, "secure": False}, "port: none → 80, secure: yes → no", id="two"),
        pytest.param({"sealed_password": "s1.secret"}, "password set", id="secret"),
    ],
)
def test_a_change_is_told_without_secrets(changes: dict[str, object], told: str) -> None:
    assert difference(Card("a"), replace(Card("a"), **changes)) == told  # type: ignore[arg-type]


def test_a_secret_that_is_taken_away_is_told() -> None:
    assert difference(Card("a", sealed_password="s1.x"), Card("a")) == "password removed"


class Forged:
    """A store of activity lines, whose keeper may do with them as he likes."""

    def __init__(self) -> None:
        self.lines: list[Activity] = []

    @property
    def activity(self) -> Forged:
        return self

    def transaction(self) -> threading.Lock:
        return threading.Lock()

    def last(self) -> Activity | None:
        return self.lines[-1] if self.lines else None

    def put(self, line: Activity) -> None:
        self.lines.append(line)
