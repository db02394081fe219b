from __future__ import annotations

import json
import time

import pytest

from ssogate.crypto import verify_password
from ssogate.model import SessionRecord
from tests.cli.conftest import Site
from tests.cli.making import contents


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
        "bob              bob@example.com           active  (operator)",
        "Sue   Sue Jones  sue@example.com  a,staff  active  (operator)",
    ]


def test_lists_users_as_json(sue: Site) -> None:
    (known,) = json.loads(sue.good("user", "list", "--json"))

    assert known["username"] == "Sue"
    assert known["canonical"] == "sue"
    assert known["groups"] == ["a", "staff"]
    assert known["active"] is True


def test_shows_a_user_by_any_spelling(sue: Site) -> None:
    facts = sue.good("user", "show", "SUE")

    assert "user           Sue (compared as sue)" in facts
    assert "e-mail         sue@example.com" in facts
    assert "sessions       0" in facts
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
    before = contents(sue)

    result = sue.run("user", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "\x1b" not in result.output
    assert contents(sue) == before


# --- Passwords and the rest ----------------------------------------------------------------------

PASSWORD = "correct horse battery"


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        pytest.param(["--stdin"], f"{PASSWORD}\n", id="stdin"),
        pytest.param(["--stdin"], PASSWORD, id="stdin without a line break"),
        pytest.param(["--password-file", "secret.txt"], None, id="file"),
        pytest.param([], f"{PASSWORD}\n{PASSWORD}\n", id="prompt"),
    ],
)
def test_a_password_is_set_and_never_shown(
    sue: Site, arguments: list[str], stdin: str | None
) -> None:
    sue.write("secret.txt", f"{PASSWORD}\n")
    _open_session(sue, "sue")

    said = sue.good("user", "password", "SUE", *arguments, stdin=stdin)

    assert said.endswith("set the password of Sue, ended all sessions\n")
    assert _sessions(sue) == 0
    gate = sue.gate()
    user = gate.store.users.get("sue")
    assert user
    stored = gate.store.secrets.password(user.identity.subject)
    gate.store.close()
    assert verify_password(PASSWORD, stored)
    everything = said + sue.good("user", "show", "sue") + sue.good("activity", "list")
    assert PASSWORD not in everything
    assert stored not in everything
    assert json.loads(sue.good("user", "show", "sue", "--json"))["password"] is True


def test_two_passwords_that_differ_are_asked_for_again(sue: Site) -> None:
    typed = "".join(f"{text}\n" for text in (PASSWORD, "another one, too", PASSWORD, PASSWORD))

    result = sue.run("user", "password", "sue", stdin=typed)

    assert result.exit_code == 0
    assert "do not match" in result.output


def test_a_password_is_taken_away(sue: Site) -> None:
    sue.good("user", "password", "sue", "--stdin", stdin=PASSWORD)

    assert sue.good("user", "password", "sue", "--remove").startswith("removed the password")
    assert json.loads(sue.good("user", "show", "sue", "--json"))["password"] is False


def test_a_second_factor_is_dropped_after_a_question(sue: Site) -> None:
    gate = sue.gate()
    user = gate.store.users.get("sue")
    assert user
    gate.store.secrets.set_second_factor(user.identity.subject, "sealed", ["k"], 0)
    gate.store.close()

    assert sue.run("user", "drop-second-factor", "sue", stdin="n\n").exit_code == 1
    assert json.loads(sue.good("user", "show", "sue", "--json"))["second_factor"] is True
    sue.good("user", "drop-second-factor", "sue", "--yes")
    assert json.loads(sue.good("user", "show", "sue", "--json"))["second_factor"] is False


def test_a_name_and_an_address_are_changed(sue: Site) -> None:
    sue.good("user", "change", "sue", "--email", "sue@new.example", "--name", "Sue Smith")

    (known,) = json.loads(sue.good("user", "list", "--json"))
    assert (known["name"], known["email"]) == ("Sue Smith", "sue@new.example")
    assert known["groups"] == ["a", "staff"]


def test_what_was_done_is_told_in_the_activity_log(sue: Site) -> None:
    sue.good("user", "groups", "sue", "b")
    sue.good("user", "password", "sue", "--stdin", stdin=PASSWORD)
    sue.good("user", "delete", "sue", "--yes")

    lines = json.loads(sue.good("activity", "list", "--json"))
    assert [line["action"] for line in reversed(lines)] == [
        "user.added",
        "user.changed",
        "user.password-set",
        "user.deleted",
    ]
    assert lines[2]["text"] == "user sue: groups: a, staff → b"


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        pytest.param(["password", "sue", "--stdin"], "short", "at least 12", id="short"),
        pytest.param(["password", "sue", "--stdin"], "", "stdin: is empty", id="empty"),
        pytest.param(["password", "sue", "--stdin"], b"\xff" * 20, "not UTF-8", id="no UTF-8"),
        pytest.param(["password", "sue", "--stdin"], "x" * 20_000, "longer than", id="long"),
        pytest.param(["password", "sue", "--stdin"], "x" * 2000, "1024 bytes", id="too long"),
        pytest.param(
            ["password", "sue", "--stdin"], "sue@example.com", "e-mail address", id="own address"
        ),
        pytest.param(["password", "joe", "--stdin"], PASSWORD, "no user joe", id="unknown"),
        pytest.param(["password", "sue", PASSWORD], "", "unexpected extra", id="argument"),
        pytest.param(["drop-second-factor", "joe", "--yes"], "", "no user joe", id="factor"),
        pytest.param(["change", "sue"], "", "Say what to change", id="no change"),
        pytest.param(["change", "sue", "--email", "x"], "", "email: an e-mail", id="address"),
        pytest.param(["change", "sue", "--name", "a\nb"], "", "name: holds the", id="full name"),
    ],
)
def test_a_refused_change_changes_nothing(
    sue: Site, arguments: list[str], stdin: str | bytes, message: str
) -> None:
    _open_session(sue, "sue")
    before = contents(sue)

    result = sue.run("user", *arguments, stdin=stdin)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert contents(sue) == before
