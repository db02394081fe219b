"""My second factor: on with a right code, off with the password."""

from __future__ import annotations

import re
from base64 import b32decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from werkzeug.wrappers import Response

from ssogate.crypto.totp import recovery_key
from ssogate.errors import BadForm
from ssogate.http.cookies import session_key
from tests.login.forms import RIGHT, WRONG
from tests.portal.making import Home, sent_to
from tests.storage.making import NOW

PAGE = "/_sso/account/second-factor"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def secret_of(text: str) -> str:
    found = re.search(r"\b((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})\b", text)
    assert found
    return found[1].replace(" ", "")


def ticket_of(text: str) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', text)
    assert found
    return found[1]


def code(secret: str, at: int = NOW) -> str:
    return TOTP(b32decode(secret), 6, SHA1(), 30).generate(at).decode()


def switched_on(home: Home) -> list[str]:
    """Switch it on; gives the recovery codes."""
    text = home.text(PAGE)
    fields = {"ticket": ticket_of(text), "code": code(secret_of(text)), "password": RIGHT}
    return re.findall(r'<li class="code">([^<]+)</li>', home.text(PAGE, fields))


def sealed(home: Home) -> str:
    return home.store.secrets.second_factor(home.joe.identity.subject)


def left(home: Home) -> int:
    return home.store.secrets.recovery_codes(home.joe.identity.subject)


def test_the_key_is_shown_as_picture_and_text_and_stored_nowhere_readable(home: Home) -> None:
    text = home.text(PAGE)
    secret = secret_of(text)
    ticket = home.store.tickets.get(session_key(ticket_of(text)), "totp-setup")

    assert "Scan this picture" in text
    assert "<title>The key as a picture to scan</title>" in text
    assert ticket
    assert secret not in ticket.data
    assert sealed(home) == ""


def test_a_right_code_switches_it_on_and_shows_ten_codes(home: Home) -> None:
    codes = switched_on(home)

    assert len(codes) == 10
    assert left(home) == 10
    assert home.store.secrets.spend_recovery_code(home.joe.identity.subject, recovery_key(codes[0]))
    assert home.sealer
    subject = home.joe.identity.subject
    assert len(home.sealer.open(sealed(home), context=f"totp:{subject}")) == 32
    assert home.actions == ["user.second-factor-set"]


def test_a_wrong_code_shows_the_same_key_again(home: Home) -> None:
    text = home.text(PAGE)

    again = home.text(PAGE, {"ticket": ticket_of(text), "code": "000000", "password": RIGHT}, 401)

    assert secret_of(again) == secret_of(text)
    assert "This code is wrong" in again
    assert sealed(home) == ""


def test_the_code_that_switched_it_on_opens_no_sign_in(home: Home) -> None:
    switched_on(home)

    step = NOW // 30
    subject = home.joe.identity.subject
    assert not home.store.one_time.spend(f"totp:{subject}:{step}", until=NOW + 90)


@pytest.mark.parametrize("later", [600, 601])
def test_it_must_be_finished_in_time(home: Home, later: int) -> None:
    text = home.text(PAGE)
    home.clock.now = NOW + later
    fields = {
        "ticket": ticket_of(text),
        "code": code(secret_of(text), NOW + later),
        "password": RIGHT,
    }

    assert sent_to(home.visit(PAGE, fields), PAGE)
    assert sealed(home) == ""


def test_a_form_that_is_sent_twice_counts_once(home: Home) -> None:
    text = home.text(PAGE)
    fields = {"ticket": ticket_of(text), "code": code(secret_of(text)), "password": RIGHT}
    home.text(PAGE, fields)
    home.store.secrets.set_second_factor(home.joe.identity.subject, "", (), NOW)

    assert sent_to(home.visit(PAGE, fields), PAGE)
    assert sealed(home) == ""


def test_anothers_ticket_is_none(home: Home) -> None:
    text = home.text(PAGE)
    ann = home.add("ann")
    fields = {"ticket": ticket_of(text), "code": code(secret_of(text)), "password": RIGHT}

    assert sent_to(home.visit(PAGE, fields, session=home.opened(ann, 9)), PAGE)
    assert home.store.secrets.second_factor(ann.identity.subject) == ""


@pytest.mark.parametrize("ticket", ["", "x" * 65, "\u00e9", "nothing"])
def test_a_made_up_ticket_switches_nothing_on(home: Home, ticket: str) -> None:
    try:
        assert sent_to(
            home.visit(PAGE, {"ticket": ticket, "code": "000000", "password": RIGHT}), PAGE
        )
    except BadForm:
        assert ticket in ("x" * 65, "\u00e9")
    assert sealed(home) == ""


def test_once_on_the_key_is_not_shown_again(home: Home) -> None:
    switched_on(home)

    text = home.text(PAGE)

    assert "Scan this picture" not in text
    assert 'name="password"' in text


def test_a_session_that_somebody_finds_open_switches_nothing_on(home: Home) -> None:
    text = home.text(PAGE)
    fields = {"ticket": ticket_of(text), "code": code(secret_of(text)), "password": WRONG}

    assert "The password is wrong" in home.text(PAGE, fields, 401)
    assert not home.store.secrets.second_factor(home.joe.identity.subject)


def test_the_password_switches_it_off(home: Home) -> None:
    codes = switched_on(home)

    reply = home.visit(PAGE, {"do": "off", "password": RIGHT, "code": codes[0]})

    assert sent_to(reply, "/_sso/account")
    assert (sealed(home), left(home)) == ("", 0)
    assert home.actions[-1] == "user.second-factor-dropped"


def test_the_password_makes_new_recovery_codes(home: Home) -> None:
    switched_on(home)
    before = sealed(home)
    home.store.secrets.set_second_factor(
        home.joe.identity.subject, before, [recovery_key("old old old"), recovery_key("older")], NOW
    )

    text = home.text(PAGE, {"do": "renew", "password": RIGHT, "code": "old old old"})

    assert text.count('<li class="code">') == 10
    assert sealed(home) == before
    subject = home.joe.identity.subject
    assert not home.store.secrets.spend_recovery_code(subject, recovery_key("older"))
    assert home.actions[-1] == "user.recovery-codes-renewed"


@pytest.mark.parametrize("wish", ["off", "renew"])
def test_the_password_alone_changes_nothing(home: Home, wish: str) -> None:
    """Else it could be taken off by those against whom it was set."""
    switched_on(home)
    before = sealed(home)

    for _ in range(10):
        text = home.text(PAGE, {"do": wish, "password": RIGHT, "code": "000000"}, 401)
        assert "This code is wrong" in text
    home.text(PAGE, {"do": wish, "password": RIGHT, "code": "000000"}, 429)

    assert (sealed(home), left(home)) == (before, 10)


def test_switching_it_on_ends_the_sessions_without_it(home: Home) -> None:
    other = home.opened(home.joe, 2)

    switched_on(home)

    assert home.store.sessions.get(other.record.key) is None
    assert home.store.sessions.get(home.session.record.key)


@pytest.mark.parametrize("wish", ["off", "renew"])
def test_who_was_signed_out_meanwhile_changes_nothing(home: Home, wish: str) -> None:
    codes = switched_on(home)
    before = sealed(home)
    home.store.sessions.delete(home.session.record.key)

    home.visit(PAGE, {"do": wish, "password": RIGHT, "code": codes[0]})

    assert sealed(home) == before


@pytest.mark.parametrize("wish", ["off", "renew"])
def test_a_wrong_password_changes_nothing_and_is_counted(home: Home, wish: str) -> None:
    codes = switched_on(home)
    before = sealed(home)

    for _ in range(10):
        fields = {"do": wish, "password": WRONG, "code": codes[0]}
        assert "The password is wrong" in home.text(PAGE, fields, 401)
    home.text(PAGE, {"do": wish, "password": RIGHT, "code": codes[0]}, 429)

    assert sealed(home) == before


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "explode", "password": RIGHT, "code": "000000"},
        {"password": RIGHT, "code": "000000"},
        {"do": "off", "code": "000000"},
        {"do": "off", "password": RIGHT},
        {"ticket": "x", "code": "000000", "password": RIGHT},
    ],
    ids=["another button", "no button", "no password", "no code", "the other form"],
)
def test_what_the_page_does_not_send_is_refused(home: Home, fields: dict[str, str]) -> None:
    switched_on(home)

    with pytest.raises(BadForm):
        home.visit(PAGE, fields)
    assert sealed(home)


def test_who_has_no_password_is_sent_back(home: Home) -> None:
    home.store.secrets.set_password(home.joe.identity.subject, "", NOW)

    for fields in (None, {"ticket": "x", "code": "000000", "password": RIGHT}):
        assert sent_to(home.visit(PAGE, fields), "/_sso/account")


def test_no_page_with_codes_is_kept_by_a_browser(home: Home) -> None:
    reply = home.visit(PAGE)

    assert isinstance(reply, Response)
    assert reply.headers["Cache-Control"] == "no-store"


def test_of_two_forms_at_once_one_counts(home: Home) -> None:
    text = home.text(PAGE)
    fields = {"ticket": ticket_of(text), "code": code(secret_of(text)), "password": RIGHT}
    key, random = session_key(ticket_of(text)), home.random

    def taken_meanwhile(size: int) -> bytes:
        home.store.tickets.take(key, "totp-setup")
        return random(size)

    home.random = taken_meanwhile

    assert sent_to(home.visit(PAGE, fields), PAGE)
    assert (sealed(home), home.actions) == ("", [])


def test_what_was_switched_off_meanwhile_stays_off(home: Home) -> None:
    codes = switched_on(home)
    random = home.random

    def switched_off_meanwhile(size: int) -> bytes:
        home.store.secrets.set_second_factor(home.joe.identity.subject, "", (), NOW)
        return random(size)

    home.random = switched_off_meanwhile

    assert sent_to(home.visit(PAGE, {"do": "renew", "password": RIGHT, "code": codes[0]}), PAGE)
    assert (sealed(home), left(home)) == ("", 0)
