"""The OpenID Foundation's certification profile RP-Initiated Logout OP, each check under its own
name."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import pytest

from tests.conformance.conftest import Gate
from tests.conformance.person import Person, Stop
from tests.conformance.relying_party import RelyingParty, SignIn

pytestmark = pytest.mark.server

BYE = "https://rp.example/bye"


@pytest.fixture(scope="session")
def leaving(gate: Gate) -> RelyingParty:
    return gate.relying_party("--post-logout-redirect-uri", BYE)


@dataclass
class Visit:
    """Sue, who has signed in to a client."""

    rp: RelyingParty
    person: Person
    signed: SignIn

    @property
    def hint(self) -> str:
        return str(self.signed.tokens["id_token"])

    def leave(self, **asked: str) -> Stop:
        return self.person.go(self.rp.logout(**asked))

    @property
    def is_over(self) -> bool:
        return self.rp.ask(self.person, prompt="none").error == "login_required"

    def is_asked(self, stop: Stop) -> bool:
        """Whether a page wants to know whether Sue means it, and nothing has happened so far."""
        return stop.status == 200 and "Sign out?" in stop.text and not self.is_over


@pytest.fixture
def visit(leaving: RelyingParty, sue: Person) -> Visit:
    signed = leaving.sign_in(sue)
    made = Visit(leaving, sue, signed)
    assert not made.is_over
    return made


def test_a_client_signs_somebody_out_and_gets_him_back(visit: Visit) -> None:
    """oidcc-rp-initiated-logout"""
    state = secrets.token_urlsafe(9)
    stop = visit.leave(id_token_hint=visit.hint, post_logout_redirect_uri=BYE, state=state)

    assert stop.url == f"{BYE}?state={state}"
    assert visit.is_over


def test_the_request_may_come_by_a_form_of_the_clients(visit: Visit) -> None:
    """RP-Initiated Logout, section 2; the suite has no check of it."""
    asked = {"id_token_hint": visit.hint, "post_logout_redirect_uri": BYE, "state": "s"}
    stop = visit.person.arrive(visit.rp.metadata["end_session_endpoint"], asked)

    assert stop.url == f"{BYE}?state=s"
    assert visit.is_over


def test_state_may_be_left_out(visit: Visit) -> None:
    """oidcc-rp-initiated-logout-no-state"""
    assert visit.leave(id_token_hint=visit.hint, post_logout_redirect_uri=BYE).url == BYE
    assert visit.is_over


def test_nobody_comes_back_where_no_address_is_given(visit: Visit) -> None:
    """oidcc-rp-initiated-logout-no-post-logout-redirect-uri"""
    stop = visit.leave(id_token_hint=visit.hint, state="s")

    assert (stop.status, "signed out" in stop.text) == (200, True)
    assert visit.is_over


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(f"{BYE}/elsewhere", id="bad-post-logout-redirect-uri"),
        pytest.param(f"{BYE}?foo=bar", id="query-added-to-post-logout-redirect-uri"),
    ],
)
def test_nobody_is_sent_where_the_client_has_not_said(visit: Visit, address: str) -> None:
    """oidcc-rp-initiated-logout-…"""
    stop = visit.leave(id_token_hint=visit.hint, post_logout_redirect_uri=address, state="s")

    assert stop.status == 200
    assert "rp.example" not in stop.text
    assert visit.is_over


def test_without_a_request_the_person_decides(visit: Visit) -> None:
    """oidcc-rp-initiated-logout-no-params"""
    stop = visit.leave()

    assert visit.is_asked(stop)
    assert visit.person.press(stop).status == 200
    assert visit.is_over


def test_by_state_alone_the_person_decides(visit: Visit) -> None:
    """oidcc-rp-initiated-logout-only-state"""
    stop = visit.leave(state="s")

    assert visit.is_asked(stop)
    assert visit.person.press(stop).status == 200
    assert visit.is_over


def test_without_a_hint_the_person_decides_and_stays_here(visit: Visit) -> None:
    """oidcc-rp-initiated-logout-no-id-token-hint"""
    stop = visit.leave(post_logout_redirect_uri=BYE, state="s")

    assert visit.is_asked(stop)
    assert visit.person.press(stop).status == 200
    assert visit.is_over


def test_a_client_that_names_itself_gets_the_person_back_who_agrees(visit: Visit) -> None:
    """RP-Initiated Logout, section 2, client_id; the suite has no check of it."""
    named = visit.rp.credentials.client_id
    stop = visit.leave(client_id=named, post_logout_redirect_uri=BYE, state="s")

    assert visit.is_asked(stop)
    assert visit.person.press(stop).url == f"{BYE}?state=s"
    assert visit.is_over


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("bad", id="bad-id-token-hint"),
        pytest.param("modified", id="modified-id-token-hint"),
    ],
)
def test_a_hint_that_is_none_signs_nobody_out(visit: Visit, fault: str, named: bool) -> None:
    """oidcc-rp-initiated-logout-…"""
    head, payload, signature = visit.hint.split(".")
    changed = ("B" if signature[0] == "A" else "A") + signature[1:]
    hint = "bad" if fault == "bad" else f"{head}.{payload}.{changed}"
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": BYE, "state": "s"}
    asked |= {"client_id": visit.rp.credentials.client_id} if named else {}
    stop = visit.leave(**asked)

    assert visit.is_asked(stop)
    assert visit.person.press(stop).status == 200, "and not back to whoever asked"
    assert visit.is_over
