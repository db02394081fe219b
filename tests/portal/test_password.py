"""Change my password: with the current one, and every other session ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssogate.crypto import verify_password
from ssogate.errors import BadForm
from ssogate.model import LocalPath, SignIn
from tests.login.forms import RIGHT, SHA1, WRONG, environ
from tests.portal.making import Home, sent_to
from tests.storage.making import NOW

PASSWORD = "/_sso/account/password"
NEW = "a much better one"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def form(**changes: str) -> dict[str, str]:
    return {"current": RIGHT, "new": NEW, "again": NEW, **changes}


def stored(home: Home) -> str:
    return home.store.secrets.password(home.joe.identity.subject)


def test_the_page_asks_for_the_current_one(home: Home) -> None:
    text = home.text(PASSWORD)

    assert 'name="current"' in text
    assert "At least 12 characters" in text


def test_it_changes_ends_all_sessions_and_opens_one_for_this_browser(home: Home) -> None:
    home.opened(home.joe, 2)

    verdict = home.visit(PASSWORD, form())

    assert isinstance(verdict, SignIn)
    assert verdict.complete
    assert verdict.method == "password"
    assert verdict.return_to == LocalPath("/_sso/account")
    assert verdict.assertion.username == home.joe.identity.username
    assert verify_password(NEW, stored(home))
    assert not verify_password(RIGHT, stored(home))
    assert list(home.store.sessions.listed()) == []
    (line,) = home.store.activity.listed()
    assert (line.actor, line.client, line.action) == ("user:joe", "192.0.2.1", "user.password-set")


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        pytest.param({"current": WRONG}, 401, "current password is wrong", id="wrong"),
        pytest.param({"current": ""}, 401, "current password is wrong", id="none"),
        pytest.param({"again": "another one here"}, 400, "not the same", id="mistyped"),
        pytest.param({"new": "short", "again": "short"}, 400, "too short", id="short"),
        pytest.param({"new": "", "again": ""}, 400, "too short", id="empty"),
        pytest.param({"new": "x" * 1025, "again": "x" * 1025}, 400, "too long", id="long"),
        pytest.param(
            {"new": "Joe@Example.com", "again": "Joe@Example.com"}, 400, "your own name", id="own"
        ),
        pytest.param({"new": RIGHT, "again": RIGHT}, 400, "is the current one", id="no new one"),
    ],
)
def test_what_does_not_do_changes_nothing(
    home: Home, changes: dict[str, str], status: int, told: str
) -> None:
    text = home.text(PASSWORD, form(**changes), status)

    assert told in text
    assert RIGHT not in text
    assert NEW not in text
    assert not verify_password(NEW, stored(home))
    assert len(home.store.sessions.listed()) == 1
    assert home.actions == []


def test_guesses_at_the_current_one_are_counted_as_at_the_door(home: Home) -> None:
    for _ in range(10):
        home.text(PASSWORD, form(current=WRONG), 401)

    assert "too many tries" in home.text(PASSWORD, form(), 429)
    assert stored(home) == SHA1


def test_whose_password_is_kept_elsewhere_is_sent_back(home: Home) -> None:
    home.store.secrets.set_password(home.joe.identity.subject, "", NOW)

    assert sent_to(home.visit(PASSWORD), "/_sso/account")
    assert sent_to(home.visit(PASSWORD, form()), "/_sso/account")
    assert stored(home) == ""


@pytest.mark.parametrize("name", ["current", "new", "again"])
def test_a_field_twice_is_refused(home: Home, name: str) -> None:
    with pytest.raises(BadForm):
        home.visit(PASSWORD, [*form().items(), (name, NEW)])


def test_the_new_password_opens_the_door(home: Home) -> None:
    home.visit(PASSWORD, form())

    home.password.confirm(home.joe, NEW, environ(fields={}))
