from __future__ import annotations

import json
import time

import pytest

from ssogate.model import SessionRecord
from tests.cli.conftest import Site


@pytest.fixture
def sue(site: Site) -> Site:
    arguments = ["Sue", "--email", "sue@example.com", "--name", "Sue Jones", "--groups", "staff, a"]
    assert site.good("user", "add", *arguments) == "added Sue\n"
    return site


def _open_session(site: Site, name: str) -> None:
    gate = site.gate()
    user = gate.store.users.get(name)
    assert user
    now = int(time.time())
    subject = user.identity.subject
    gate.store.sessions.put(SessionRecord("ab" * 32, subject, "members", "", now, now, now + 60))
    gate.store.close()


def _sessions(site: Site) -> int:
    return len(json.loads(site.good("session", "list", "--json")))


def test_lists_users_in_a_table(sue: Site) -> None:
    sue.good("user", "add", "bob", "--email", "bob@example.com")

    assert sue.good("user", "list").splitlines() == [
        "USER  NAME       E-MAIL           GROUPS   STATE   FROM",
        "bob              bob@example.com           active  operator",
        "Sue   Sue Jones  sue@example.com  a,staff  active  operator",
    ]


def test_lists_users_as_json(sue: Site) -> None:
    (known,) = json.loads(sue.good("user", "list", "--json"))

    assert known["username"] == "Sue"
    assert known["canonical"] == "sue"
    assert known["groups"] == ["a", "staff"]
    assert known["active"] is True


def test_shows_a_user_by_any_spelling(sue: Site) -> None:
    facts = sue.good("user", "show", "SUE")

    assert "user      Sue (compared as sue)" in facts
    assert "e-mail    sue@example.com" in facts
    assert "sessions  0" in facts
    assert json.loads(sue.good("user", "show", "sue", "--json"))["sessions"] == 0


def test_a_deactivated_users_sessions_end(sue: Site) -> None:
    _open_session(sue, "sue")

    assert sue.good("user", "deactivate", "sue") == "deactivated Sue, ended 1 session\n"
    assert _sessions(sue) == 0
    assert "inactive" in sue.good("user", "list")
    assert sue.good("user", "activate", "sue") == "activated Sue\n"
    assert "inactive" not in sue.good("user", "list")


def test_groups_are_replaced(sue: Site) -> None:
    assert sue.good("user", "groups", "sue", "members,x") == "Sue is in: members,x\n"
    assert sue.good("user", "groups", "sue", "") == "Sue is in: no group\n"


def test_deleting_asks_first(sue: Site) -> None:
    refused = sue.run("user", "delete", "sue", stdin="n\n")

    assert refused.exit_code == 1
    assert "Sue" in sue.good("user", "list")


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [pytest.param(["--yes"], None, id="--yes"), pytest.param([], "y\n", id="answered yes")],
)
def test_a_deleted_user_is_gone_with_all_sessions(
    sue: Site, arguments: list[str], stdin: str | None
) -> None:
    _open_session(sue, "sue")

    assert sue.good("user", "delete", "sue", *arguments, stdin=stdin).endswith("deleted Sue\n")
    assert _sessions(sue) == 0
    assert json.loads(sue.good("user", "list", "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["add", "sUE", "--email", "x@y"], "there is a user 'sue' already", id="taken"),
        pytest.param(["add", "x", "--email", "x"], "one @ and a domain", id="e-mail"),
        pytest.param(["add", "x\u200b", "--email", "x@y"], "invisible", id="invisible name"),
        pytest.param(["add", "x", "--email", "x@y", "--groups", "a\nb"], "invisible", id="group"),
        pytest.param(["groups", "sue", "a\x07"], "invisible character U+0007", id="new group"),
        pytest.param(["show", "nobody"], "there is no user nobody", id="show"),
        pytest.param(["deactivate", "nobody"], "there is no user nobody", id="deactivate"),
        pytest.param(["activate", "nobody"], "there is no user nobody", id="activate"),
        pytest.param(["groups", "nobody", "a"], "there is no user nobody", id="groups"),
        pytest.param(["delete", "nobody", "--yes"], "there is no user nobody", id="delete"),
        pytest.param(["show", "a\x1b[31m"], "'a\\x1b[31m': holds the invisible", id="escape"),
    ],
)
def test_tells_a_mistake(sue: Site, arguments: list[str], message: str) -> None:
    before = sue.good("user", "list")

    result = sue.run("user", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "\x1b" not in result.output
    assert sue.good("user", "list") == before
