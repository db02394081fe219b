from __future__ import annotations

import json
import time
from hashlib import sha256

import pytest

from ssogate.directory import add_user
from ssogate.directory.activity import By
from ssogate.model import SessionRecord
from tests.cli.conftest import Site

TOKENS = ("token of john", "another of john", "token of sue")
KEYS = [sha256(token.encode()).hexdigest() for token in TOKENS]


@pytest.fixture
def signed_in(site: Site) -> Site:
    """Three sessions: John's live one and his expired one, and Sue's, which is idle."""
    gate = site.gate()
    now = int(time.time())
    people = {
        name: add_user(gate.store, name, by=By("cli:root"), now=now) for name in ("john", "sue")
    }
    for key, name, opened, seen, expires in (
        (KEYS[0], "john", now - 100, now - 10, now + 600),
        (KEYS[1], "john", now - 900, now - 10, now - 1),
        (KEYS[2], "sue", now - 4000, now - 3601, now + 600),
    ):
        subject = people[name].identity.subject
        proof = f"link:members:{'0' * 64}"
        record = SessionRecord(key, subject, "members", proof, opened, seen, expires)
        gate.store.sessions.put(record)
    gate.store.close()
    return site


def _left(site: Site) -> set[str]:
    return {session["key"] for session in json.loads(site.good("session", "list", "--json"))}


def test_lists_sessions_with_their_state(signed_in: Site) -> None:
    lines = signed_in.good("session", "list").splitlines()

    assert lines[0].split() == [
        *("KEY", "USER", "METHOD", "OPENED", "LAST", "SEEN", "EXPIRES", "STATE")
    ]
    rows = [line.split() for line in lines[1:]]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        (KEYS[0][:12], "john", "live"),
        (KEYS[1][:12], "john", "expired"),
        (KEYS[2][:12], "sue", "idle"),
    ]


def test_lists_one_users_sessions(signed_in: Site) -> None:
    found = json.loads(signed_in.good("session", "list", "--user", "JOHN", "--json"))

    assert [session["key"] for session in found] == [KEYS[0][:12], KEYS[1][:12]]
    assert found[0]["state"] == "live"


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["table", "json"])
def test_never_tells_what_could_open_a_session(signed_in: Site, arguments: list[str]) -> None:
    text = signed_in.good("session", "list", *arguments)

    assert not any(key in text for key in KEYS)
    assert "0" * 64 not in text


@pytest.mark.parametrize(
    ("arguments", "left", "told"),
    [
        pytest.param([KEYS[0][:12]], {1, 2}, "ended 1 session\n", id="one"),
        pytest.param([KEYS[0][:4]], {1, 2}, "ended 1 session\n", id="by four digits"),
        pytest.param([KEYS[0]], {1, 2}, "ended 1 session\n", id="by the whole key"),
        pytest.param(["--user", "john"], {2}, "ended 2 sessions\n", id="a user's"),
        pytest.param(["--all"], set(), "ended 3 sessions\n", id="all"),
    ],
)
def test_ends_sessions(signed_in: Site, arguments: list[str], left: set[int], told: str) -> None:
    assert signed_in.good("session", "end", *arguments) == told
    assert _left(signed_in) == {KEYS[number][:12] for number in left}


def test_says_no_when_there_is_no_such_session(signed_in: Site) -> None:
    result = signed_in.run("session", "end", "0123456789ab")

    assert (result.exit_code, result.stdout) == (1, "ended 0 sessions\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "Name one of: KEY, --user or --all.", id="nothing named"),
        pytest.param(["abcd", "--all"], "Name one of", id="two named"),
        pytest.param([KEYS[0][:3]], "4 or more hex digits", id="too few digits"),
        pytest.param(["%"], "4 or more hex digits", id="no digits"),
        pytest.param(["--user", "nobody"], "there is no user nobody", id="unknown user"),
    ],
)
def test_a_mistake_ends_nothing(signed_in: Site, arguments: list[str], message: str) -> None:
    result = signed_in.run("session", "end", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr
    assert len(_left(signed_in)) == 3


def test_a_start_that_two_keys_share_ends_neither(signed_in: Site) -> None:
    gate = signed_in.gate()
    (record, _), *_ = gate.store.sessions.listed()
    twin = SessionRecord(KEYS[0][:-1] + "_", record.subject, "members", "", 0, 0, 0)
    gate.store.sessions.put(twin)
    gate.store.close()

    result = signed_in.run("session", "end", KEYS[0][:12])

    assert result.exit_code == 2
    assert "2 sessions have a key that starts so" in result.stderr
