"""Real legacy apps behind the real gate: who is signed in there is whom the app sees.

Everything goes over real sockets: a link, the gate under gunicorn, Radicale or DokuWiki behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.gate import RunningGate, site
from tests.real.apps import DokuWiki, sign_out_link, wiki_page
from tests.real.test_apps import EVENT
from tests.servers import Gunicorn

pytestmark = pytest.mark.server

POLICY = {"rules": [{"name": "All", "path": "/**", "allow": "signed_in"}]}
SENDER = {"groups_allowed": ["members", "staff"]}
BROWSER = ("Accept: text/html", "Sec-Fetch-Mode: navigate")
REGATTA = "/john/club/regatta.ics"

FORGERIES = [
    pytest.param("X-Remote-User: john", id="as the app reads it"),
    pytest.param("x-rEMOTE-uSER: john", id="in another case"),
    pytest.param("X_Remote_User: john", id="with underscores"),
    pytest.param("X.Remote.User: john", id="with dots"),
    pytest.param("X-Remote~User: john", id="with a tilde"),
    pytest.param("Http-X-Remote-User: john", id="with the prefix of CGI"),
    pytest.param("Remote-User: john", id="another app's header"),
    pytest.param("X-Remote-User: john\r\nX-Remote-User: john", id="twice"),
    pytest.param("X-Remote-User: john\r\nConnection: X-Remote-User", id="named as hop-by-hop"),
]

_numbers = count()


def sign_in(gate: RunningGate, username: str, **fields: str) -> str:
    """Come by a new link; give the Cookie line. A number makes links of the same second differ."""
    return gate.sign_in(username, number=str(next(_numbers)), **fields)


@pytest.fixture(scope="module")
def calendars(
    radicale: Gunicorn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGate]:
    """The gate in front of Radicale, and an event in John's calendar."""
    folder = tmp_path_factory.mktemp("calendars")
    with RunningGate(site(folder, radicale.url(""), policy=POLICY)) as gate:
        john = sign_in(gate, "john")
        made = gate.ask("/john/club/", john, method="MKCALENDAR")
        put = gate.ask(REGATTA, john, "Content-Type: text/calendar", method="PUT", body=EVENT)
        assert (made.status, put.status) == (201, 201)
        yield gate


@pytest.fixture(scope="module")
def wiki(dokuwiki: DokuWiki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGate]:
    """The gate in front of DokuWiki; the wiki's own rights say who reads which page."""
    folder = tmp_path_factory.mktemp("wiki")
    with RunningGate(site(folder, dokuwiki.url(""), policy=POLICY, sender=SENDER)) as gate:
        yield gate


def test_john_keeps_his_calendar(calendars: RunningGate) -> None:
    john = sign_in(calendars, "john")

    listed = calendars.ask("/john/club/", john, "Depth: 1", method="PROPFIND")
    event = calendars.ask(REGATTA, john)

    assert (listed.status, event.status) == (207, 200)
    assert REGATTA.encode() in listed.body
    assert b"SUMMARY:Autumn head" in event.body


@pytest.mark.parametrize("forged", FORGERIES)
def test_sue_cannot_be_john(calendars: RunningGate, forged: str) -> None:
    answer = calendars.ask(REGATTA, sign_in(calendars, "sue"), forged)

    assert answer.status in {400, 403}
    assert b"Autumn head" not in answer.body


@pytest.mark.parametrize("forged", FORGERIES)
def test_a_stranger_cannot_be_john(calendars: RunningGate, forged: str) -> None:
    answer = calendars.ask(REGATTA, forged)

    assert answer.status in {400, 401}
    assert b"Autumn head" not in answer.body


def test_a_program_without_a_session_is_not_sent_to_a_page_for_people(
    calendars: RunningGate,
) -> None:
    """It would take the page for an empty calendar."""
    answer = calendars.ask("/john/club/", "Depth: 1", method="PROPFIND")

    assert answer.status == 401
    assert answer.header("Content-Type") == "application/json"


def test_after_signing_out_the_calendar_is_shut(calendars: RunningGate) -> None:
    john = sign_in(calendars, "john")
    assert calendars.ask(REGATTA, john).status == 200

    calendars.ask("/sso.php?mode=logout", john)

    assert calendars.ask(REGATTA, john).status == 401


def test_the_wiki_greets_the_visitor_by_name(wiki: RunningGate) -> None:
    page = wiki.ask(wiki_page("start"), sign_in(wiki, "john", name="Jöhn 李", groups="members"))

    assert "Everybody in the club reads this." in page.text
    assert "Jöhn 李" in page.text


@pytest.mark.parametrize(
    ("groups", "allowed"),
    [
        pytest.param("members", False, id="a member may not"),
        pytest.param("members,staff", True, id="staff may"),
    ],
)
def test_the_wiki_opens_its_staff_page_by_group(
    wiki: RunningGate, groups: str, allowed: bool
) -> None:
    page = wiki.ask(wiki_page("staff:start"), sign_in(wiki, "sue", groups=groups))

    assert ("under the kettle" in page.text) is allowed
    assert ("Permission Denied" in page.text) is not allowed


@pytest.mark.parametrize(
    "forged", ["X-Remote-Groups: staff", "X_Remote_Groups: staff", "X.Remote.Groups: staff"]
)
def test_the_wiki_does_not_believe_forged_groups(wiki: RunningGate, forged: str) -> None:
    page = wiki.ask(wiki_page("staff:start"), sign_in(wiki, "max", groups="members"), forged)

    assert page.status in {200, 400}
    assert "under the kettle" not in page.text


def test_the_wiki_s_own_sign_out_is_the_gate_s(wiki: RunningGate) -> None:
    john = sign_in(wiki, "john", groups="members")
    page = wiki.ask(wiki_page("start"), john)
    both = "; ".join([john, *(value.partition(";")[0] for value in page.all("Set-Cookie"))])

    out = wiki.ask(sign_out_link(page.text), both)
    wiki.ask(out.header("Location") or "", both)

    assert out.header("Location") == "/sso.php?mode=logout"
    assert wiki.ask(wiki_page("start"), john).status == 401


def test_the_wiki_page_first_asked_for_is_where_the_link_leads(wiki: RunningGate) -> None:
    wanted = wiki_page("staff:start")

    sent_away = wiki.ask(wanted, *BROWSER)
    arrived = wiki.ask(wiki.link("sue", redirect=wanted).removeprefix(wiki.url("")), *BROWSER)

    assert sent_away.status == 303
    assert "redirect=%2Fdoku.php" in (sent_away.header("Location") or "")
    assert (arrived.status, arrived.header("Location")) == (303, wanted)
