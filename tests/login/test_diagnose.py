from __future__ import annotations

from base64 import b64encode
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import create_environ
from werkzeug.wrappers import Request

from ssogate.errors import GateError
from ssogate.login.signed_link import SignedLink, SignedLinkSettings, diagnose, make_query, sign
from ssogate.login.signed_link.diagnose import MAX_URL
from ssogate.login.signed_link.finding import MAX_SHOWN
from ssogate.model import SignIn
from tests.login.diagnosing import (
    FOREIGN,
    INNER,
    NOW,
    OLDER,
    PARTNERS,
    SECRET,
    TEXT,
    faults,
    notes,
    right,
    sender,
    url,
)

# --- The whole --------------------------------------------------------------------------------


def test_takes_a_good_link_apart_in_order() -> None:
    text = make_query({"username": "John", "name": "J", "email": "j@e.c", "t": str(NOW - 60)})

    assert [*notes(url(text)).items()] == [
        ("address", "/sso.php is the path of members"),
        ("parameters", "mode, query and hash have the right form"),
        ("text", "base64, 64 characters"),
        ("hash", "right, by the first secret"),
        ("contents", "user 'John' (compared as 'john'), 'J', 'j@e.c'"),
        ("time", "signed at 2019-07-04 08:59:00 UTC; good for another 4 min"),
        ("destination", "leads to /"),
        ("verdict", "the gate takes it"),
    ]


def test_says_what_the_link_asks_for() -> None:
    asked = diagnose(url(), sender(), now=NOW).sign_in

    assert asked
    assert asked.assertion.username == "John"
    assert asked.proof
    assert asked.proof.key == f"link:members:{right()}"


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(url(claimed="0" * 64), id="wrong hash"),
        pytest.param(url(TEXT.replace("+", "-")), id="URL-safe alphabet"),
    ],
)
def test_a_link_that_is_not_genuine_has_no_proof(link: str) -> None:
    asked = diagnose(link, sender(), now=NOW).sign_in

    assert asked
    assert asked.proof is None


_FIELDS = st.sampled_from(["mode", "query", "hash", "Mode", "x", "query[]", "redirect", "confirm"])
_VALUES = st.one_of(
    st.sampled_from(["login", "logout", TEXT, right(), right().upper(), "", "+", "/"]), st.text()
)
_INNER = st.dictionaries(
    st.sampled_from(["username", "name", "email", "t", "groups", "redirect", "dl"]),
    st.one_of(
        st.sampled_from(["John", "a@b.c", str(NOW), str(NOW - 301), str(NOW + 61), "/x", "//y"]),
        st.text(max_size=20),
    ),
)


def _gate_takes(link: str, settings: SignedLinkSettings) -> bool:
    """What the login method itself makes of a link."""
    environ = create_environ()
    raw = link.strip().partition("#")[0].partition("?")[2]
    environ["QUERY_STRING"] = raw.encode("utf-8", "surrogateescape").decode("latin-1")
    try:
        SignedLink(settings, frozenset(), lambda: NOW)(Request(environ))
    except GateError:
        return False
    return True


@given(pairs=st.lists(st.tuples(_FIELDS, _VALUES), max_size=6))
def test_finds_a_fault_exactly_if_the_gate_refuses(pairs: list[tuple[str, str]]) -> None:
    link = "/sso.php?" + urlencode(pairs)
    settings = sender()
    found = diagnose(link, settings, now=NOW).findings

    if "logout" in link:  # is sent by POST if it is signed
        assert found
    else:
        assert all(finding.ok for finding in found) == _gate_takes(link, settings)


@given(fields=_INNER)
def test_finds_a_fault_in_what_is_signed_exactly_if_the_gate_refuses(
    fields: dict[str, str],
) -> None:
    link = url(make_query(fields))
    settings = sender()
    found = diagnose(link, settings, now=NOW).findings
    step_faults = [finding for finding in found[:-1] if not finding.ok]

    assert found[-1].title == "verdict"
    assert found[-1].ok == (not step_faults) == _gate_takes(link, settings)


@given(text=st.text())
def test_never_fails_and_prints_nothing_that_steers_a_terminal(text: str) -> None:
    for link in (text, f"/sso.php?{text}", url(text, raw=True), url(TEXT, text or "x", raw=True)):
        for finding in diagnose(link, sender(), now=NOW, others=[PARTNERS]).findings:
            assert finding.detail.isprintable()


@given(inner=st.text(max_size=200))
def test_never_fails_on_what_is_signed(inner: str) -> None:
    text = b64encode(inner.encode("utf-8", "surrogatepass")).decode()
    for finding in diagnose(url(text or "AA=="), sender(), now=NOW).findings:
        assert finding.detail.isprintable()


# --- The address and the parameters -----------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "detail"),
    [
        pytest.param(
            url().replace("/sso.php", "/partners.php"),
            "/partners.php is the path of partners; members has /sso.php",
            id="another sender's path",
        ),
        pytest.param(
            url().replace("/sso.php", "/sso"),
            "'/sso' is the path of no sender; members has /sso.php",
            id="nobody's path",
        ),
        pytest.param(
            url().replace("/sso.php", ""),
            "'/' is the path of no sender; members has /sso.php",
            id="no path",
        ),
        pytest.param("x" * (MAX_URL + 1), "longer than 16384 characters", id="too long"),
    ],
)
def test_judges_the_address(link: str, detail: str) -> None:
    assert faults(link, others=[PARTNERS])["address"] == detail


def test_a_stranger_cannot_fill_the_screen() -> None:
    detail = faults(f"/{'x' * 5000}?{url().partition('?')[2]}")["address"]

    assert len(detail) < MAX_SHOWN + 80


@pytest.mark.parametrize(
    ("link", "detail"),
    [
        pytest.param("/sso.php", "400E1 A required URL parameter is missing: mode", id="nothing"),
        pytest.param(
            url().replace("mode=login&", ""),
            "400E1 A required URL parameter is missing: mode",
            id="no mode",
        ),
        pytest.param(
            url().replace("mode=", "Mode="),
            "400E1 A required URL parameter is missing: mode (there is 'Mode'; write mode)",
            id="mode misspelt",
        ),
        pytest.param(
            url().replace("mode=login", "mode=LOGIN"),
            "400E2 An invalid URL parameter was received: mode is neither login nor logout",
            id="mode in capitals",
        ),
        pytest.param(
            url().partition("&hash")[0],
            "400E1 A required URL parameter is missing: hash",
            id="no hash",
        ),
        pytest.param(
            url().replace("query=", "querry="),
            "400E1 A required URL parameter is missing: query (there is 'querry'; write query)",
            id="query misspelt",
        ),
        pytest.param(
            url() + "&mode=login",
            "400E2 An invalid URL parameter was received: mode is given twice or as an array",
            id="twice",
        ),
        pytest.param(
            url().replace("query=", "query[]="),
            "400E2 An invalid URL parameter was received: query is given twice or as an array",
            id="as an array",
        ),
        pytest.param(
            url().replace("&", "&amp;"),
            "the & between them is written &amp;, as in the source of a page; write &",
            id="copied from a page's source",
        ),
        pytest.param(
            url(claimed=right()[:40]),
            "400E2 An invalid URL parameter was received: hash is not 64 hex digits"
            " (it has 40 characters, as SHA-1 has)",
            id="hash too short",
        ),
        pytest.param(
            url(claimed=right() + "\n"),
            "400E2 An invalid URL parameter was received: hash is not 64 hex digits",
            id="hash with a line break",
        ),
        pytest.param(
            url("A" * 4100),
            "400E2 An invalid URL parameter was received: query is longer than 4096 characters",
            id="query too long",
        ),
        pytest.param(
            "/sso.php?mode=%ff",
            "400E2 An invalid URL parameter was received: not a form in UTF-8, or too many fields",
            id="not UTF-8",
        ),
    ],
)
def test_judges_the_parameters(link: str, detail: str) -> None:
    assert faults(link)["parameters"] == detail


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(url().replace("mode=", "Mode="), id="mode misspelt"),
        pytest.param(url().replace("&", "&amp;"), id="&amp;"),
        pytest.param(url() + "&query=x", id="query twice"),
        pytest.param(url(claimed=right() + "\n"), id="hash with a line break"),
    ],
)
def test_goes_on_after_a_fault_in_the_parameters(link: str) -> None:
    found = {finding.title: finding for finding in diagnose(link, sender(), now=NOW).findings}

    assert found["hash"].ok
    assert found["contents"].ok
    assert found["time"].ok
    assert not found["verdict"].ok


# --- The sender, and signing out --------------------------------------------------------------


def test_a_sender_that_is_switched_off_is_told() -> None:
    message = "members is switched off (`enabled: false`)"

    assert faults(url(), sender(enabled=False)) == {"sender": message}


def test_domains_are_a_condition_of_the_verdict() -> None:
    settings = sender(allowed_domains=("house.example", "*.club.example"))

    expected = "the gate takes it, from a page of house.example, *.club.example"
    assert notes(url(), settings)["verdict"] == expected


def test_a_plain_logout_needs_nothing() -> None:
    assert notes("/sso.php?mode=logout") == {
        "address": "/sso.php is the path of members",
        "parameters": "mode has the right form",
        "verdict": "the gate takes it",
    }


@pytest.mark.parametrize(
    ("link", "titles"),
    [
        pytest.param(url(make_query({"username": "john", "t": str(NOW)})), set(), id="good"),
        pytest.param(url(make_query({"username": "john", "t": "1"})), {"time"}, id="old"),
        pytest.param(url(make_query({"t": str(NOW)})), {"contents"}, id="nobody"),
        pytest.param(url(claimed="0" * 64), {"hash"}, id="wrong hash"),
    ],
)
def test_a_signed_logout_is_judged_as_it_is_sent(link: str, titles: set[str]) -> None:
    link = link.replace("mode=login", "mode=logout")

    assert {*faults(link)} == titles
    if not titles:
        assert notes(link)["verdict"] == "the gate takes it, when it is sent by POST"


# --- What it keeps to itself ------------------------------------------------------------------


@pytest.mark.parametrize(
    "claimed",
    [
        pytest.param(None, id="right"),
        pytest.param("0" * 64, id="wrong"),
        pytest.param(right(INNER), id="explained"),
        pytest.param(right(secret=FOREIGN), id="another sender's"),
    ],
)
def test_tells_no_secret_and_no_hash(claimed: str | None) -> None:
    text = repr(diagnose(url(claimed=claimed), sender(), now=NOW, others=[PARTNERS]).findings)

    for kept in (SECRET, OLDER, FOREIGN, right(), claimed or right()):
        assert kept not in text


def test_uses_no_link_up() -> None:
    """It cannot: it has no store. What it says twice is the same."""
    link = sign("/sso.php", TEXT, SECRET.encode())

    assert diagnose(link, sender(), now=NOW) == diagnose(link, sender(), now=NOW)
    assert isinstance(diagnose(link, sender(), now=NOW).sign_in, SignIn)
