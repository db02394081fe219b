"""The second step: a code counts once, and without one nobody comes in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from werkzeug.wrappers import Request, Response

from ssogate.crypto import Sealer
from ssogate.crypto.totp import recovery_key
from ssogate.directory import change_user
from ssogate.directory.activity import By
from ssogate.errors import BadForm, DatabaseError, GateError, StepExpired, TooManyTries
from ssogate.http.cookies import session_key
from ssogate.login.chooser import SIGN_IN
from ssogate.login.second_factor import SECOND_FACTOR, SecondFactor
from ssogate.model import Enrolment, LocalPath, SignIn, Ticket, User
from tests.login.forms import Site, environ, token
from tests.storage.making import NOW

STEP = "__Host-ssogate-step"
TICKET = token(99)
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238, appendix B
RECOVERY = "7k2m-x0dq-94rt-hb3w"


def code(at: float = NOW) -> str:
    return TOTP(b"12345678901234567890", 6, SHA1(), 30).generate(int(at)).decode()


class Owing(Site):
    """Joe has given his password and owes a code."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.joe: User = self.add(stored="", source="crm")
        self.sealer = Sealer([b"a sealing key of more than 32 characters"])
        self.factor = SecondFactor(
            store=self.store,
            sealer=self.sealer,
            throttle=self.password.throttle,
            clock=self.clock,
            new_token=lambda: token(1),
            step_cookie=STEP,
        )
        subject = self.joe.identity.subject
        sealed = self.sealer.seal(SECRET, context=f"totp:{subject}")
        keys = [recovery_key(RECOVERY)]
        self.store.secrets.set_second_factor(subject, sealed, keys, NOW)
        self.owe()

    def owe(self, ticket: str = TICKET, *, kind: str = "second_factor", **changes: Any) -> None:
        begun = {
            "method": "password",
            "return_to": "/page",
            "source": "",
            "administrators": True,
            **changes,
        }
        self.store.tickets.put(
            Ticket(
                session_key(ticket), kind, self.joe.identity.subject, json.dumps(begun), NOW + 300
            )
        )

    def visit(
        self, fields: Any = None, *, cookie: str = f"{STEP}={TICKET}", **sent: Any
    ) -> SignIn | Response:
        request = Request(environ(SECOND_FACTOR, fields, cookie=cookie, **sent))
        reply = self.factor.endpoints()[SECOND_FACTOR](request)
        assert isinstance(reply, SignIn | Response)
        return reply

    def enter(self, typed: str, **sent: Any) -> SignIn | Response:
        return self.visit({"code": typed}, **sent)

    def is_still_owed(self, reply: SignIn | Response) -> bool:
        assert isinstance(reply, Response)
        assert "Set-Cookie" not in reply.headers
        return reply.status_code == 401


@pytest.fixture
def site(tmp_path: Path) -> Owing:
    return Owing(tmp_path)


def sent_to_start(reply: SignIn | Response) -> bool:
    assert isinstance(reply, Response)
    return (reply.status_code, reply.headers.get("Location")) == (303, SIGN_IN)


def test_the_page_asks_for_a_code(site: Owing) -> None:
    reply = site.visit()

    assert isinstance(reply, Response)
    assert reply.status_code == 200
    assert f'action="{SECOND_FACTOR}"' in reply.get_data(as_text=True)


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(code(), id="the app's code"),
        pytest.param(f"{code()[:3]} {code()[3:]}", id="with a space"),
        pytest.param(code(NOW - 30), id="of the step before"),
        pytest.param(RECOVERY, id="a recovery code"),
        pytest.param(RECOVERY.upper().replace("-", " "), id="a recovery code as typed"),
    ],
)
def test_a_right_code_completes_the_sign_in_that_was_begun(site: Owing, typed: str) -> None:
    verdict = site.enter(typed)

    assert isinstance(verdict, SignIn)
    assert (verdict.complete, verdict.step, verdict.device) == (True, TICKET, token(1))
    assert (verdict.method, verdict.return_to) == ("password", LocalPath("/page"))
    assert verdict.assertion.username == site.joe.identity.username
    assert verdict.enrolment == Enrolment("", update=False, shared=True, administrators=True)


def test_it_gives_no_more_than_the_first_step_did(site: Owing) -> None:
    site.owe(token(98), method="crm", source="crm", administrators=False, return_to="//evil")

    verdict = site.enter(code(), cookie=f"{STEP}={token(98)}")

    assert isinstance(verdict, SignIn)
    assert verdict.method == "crm"
    assert not verdict.enrolment.administrators
    assert verdict.return_to == LocalPath("/")


@pytest.mark.parametrize("typed", [code(), RECOVERY], ids=["code", "recovery"])
def test_a_code_counts_once(site: Owing, typed: str) -> None:
    site.owe(token(98))

    assert isinstance(site.enter(typed), SignIn)
    assert site.is_still_owed(site.enter(typed, cookie=f"{STEP}={token(98)}"))


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("", id="empty"),
        pytest.param("000000", id="wrong"),
        pytest.param(code(NOW - 90), id="old"),
        pytest.param(code(NOW + 90), id="ahead"),
        pytest.param("\u0661\u0662\u0663\u0664\u0665\u0666", id="other digits"),
        pytest.param("0000-0000-0000-0000", id="wrong recovery code"),
    ],
)
def test_a_wrong_code_leaves_it_owed(site: Owing, typed: str) -> None:
    assert site.is_still_owed(site.enter(typed))


def test_five_wrong_codes_end_the_sign_in(site: Owing) -> None:
    for _ in range(5):
        assert site.is_still_owed(site.enter("000000"))

    with pytest.raises(StepExpired):
        site.enter(code())
    assert sent_to_start(site.enter(code()))


def test_ten_wrong_codes_stop_new_sign_ins_too(site: Owing) -> None:
    for number in (99, 98):
        if number != 99:
            site.owe(token(number))
        for _ in range(5):
            site.enter("000000", cookie=f"{STEP}={token(number)}", client=f"192.0.2.{number}")
    site.owe(token(97))

    with pytest.raises(TooManyTries):
        site.enter(code(), cookie=f"{STEP}={token(97)}")


@pytest.mark.parametrize(
    "cookie",
    [
        pytest.param("", id="no cookie"),
        pytest.param(f"{STEP}={token(5)}", id="nothing begun"),
        pytest.param(f"{STEP}={TICKET}; {STEP}={TICKET}", id="two cookies"),
        pytest.param(f"ssogate-step={TICKET}", id="the cookie of plain http"),
        pytest.param(f"{STEP}=", id="an empty cookie"),
    ],
)
@pytest.mark.parametrize("fields", [None, {"code": code()}], ids=["GET", "POST"])
def test_without_the_first_step_there_is_no_second(site: Owing, cookie: str, fields: Any) -> None:
    assert sent_to_start(site.visit(fields, cookie=cookie))


def test_a_ticket_for_something_else_is_none(site: Owing) -> None:
    site.owe(token(98), kind="totp-setup")

    assert sent_to_start(site.enter(code(), cookie=f"{STEP}={token(98)}"))


@pytest.mark.parametrize(("later", "good"), [(299, True), (300, False), (301, False)])
def test_it_must_be_finished_in_time(site: Owing, later: int, good: bool) -> None:
    site.clock.now = NOW + later

    assert isinstance(site.enter(code(NOW + later)), SignIn) is good


def test_who_was_deactivated_meanwhile_does_not_come_in(site: Owing) -> None:
    change_user(site.store, site.joe.identity.canonical, active=False, by=By("cli:root"), now=NOW)

    assert sent_to_start(site.enter(code()))


def test_who_switched_it_off_meanwhile_begins_anew(site: Owing) -> None:
    site.store.secrets.set_second_factor(site.joe.identity.subject, "", (), NOW)

    assert sent_to_start(site.enter(code()))


@pytest.mark.parametrize("keys", [None, [b"another sealing key of more than 32 bytes"]])
def test_without_the_sealing_key_only_a_recovery_code_counts(
    site: Owing, keys: list[bytes] | None
) -> None:
    object.__setattr__(site.factor, "sealer", Sealer(keys) if keys else None)

    with pytest.raises(DatabaseError):
        site.enter(code())
    assert isinstance(site.enter(RECOVERY), SignIn)


@pytest.mark.parametrize(
    "fields", [[], [("code", "1"), ("code", "2")], [("code", "1" * 65)]], ids=len
)
def test_what_the_form_does_not_send_is_refused(site: Owing, fields: Any) -> None:
    with pytest.raises(BadForm):
        site.visit(fields)


def test_another_sites_form_is_refused(site: Owing) -> None:
    with pytest.raises(GateError) as refused:
        site.enter(code(), Sec_Fetch_Site="cross-site")

    assert refused.value.status == 403
