"""What a visitor may not tell an app is gone, in every spelling."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssogate.http.identity import WELL_KNOWN, fold
from ssogate.http.scrub import Scrubber

TCHAR = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
MANAGED = "X-Forwarded-Account"


def key_of(header: str) -> str:
    """The environ key that a server makes of a header's name (as gunicorn does)."""
    return f"HTTP_{header.upper().replace('-', '_')}"


def scrubbed(*headers: str) -> set[str]:
    environ = {key_of(header): "admin" for header in headers}
    Scrubber([MANAGED, "X-My-User"]).scrub(environ)
    return set(environ)


@pytest.mark.parametrize(
    "header",
    [
        "X-Remote-User",
        "X_Remote_User",
        "x-REMOTE_user",
        "X.Remote.User",
        "X~Remote~User",
        "X!Remote-User",
        "X+Remote+User",
        "X-Remote-Groups",
        "X-Remote-Role",
        "X_Remote.Role",
        "Remote-Roles",
        "X-Remote-Addr",
        "OIDC_CLAIM_groups",
        "Oidc-Claim-Email",
        "HTTP_OIDC_CLAIM_sub",
        "Mellon-Uid",
        "Shib-Session-Id",
        "X-Authentik-Groups",
        "X-Auth-Request-Redirect",
        "X-WebAuth-Role",
        "X-SSOGate-Anything",
        "X-Forwarded-User",
        "X.Forwarded.User",
        "X~Forwarded~User",
        "X!Forwarded User",
        "X+Forwarded+User",
        "Remote-User",
        "REMOTE_USER",
        "HTTP_REMOTE_USER",
        "Http-Remote-User",
        "HTTP-HTTP-REMOTE-USER",
        "Redirect-Remote-User",
        "Auth-Type",
        "X-Auth-Request-User",
        "X-WebAuth-User",
        "SSL-Client-Verify",
        "Script-Name",
        "Path-Info",
        "Request-Uri",
        "Proxy",
        "Https",
        "X-My-User",
        "x.my.user",
        MANAGED,
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Uri",
        "X-Forwarded-Path",
        "X-Forwarded-Method",
        "X-Forwarded-Server",
        "X-Forwarded",
        "X_Forwarded-For",
        "X.Forwarded.For",
        "Forwarded",
        "forwarded",
        "X-Original-URL",
        "X-Original-URI",
        "X-Original-Method",
        "X-Rewrite-Url",
        "X-Real-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Host",
        "X-Accel-Redirect",
        "X-Accel-Mapping",
        "X-Sendfile",
        "X-Sendfile-Type",
        "X-SSOGate-Error",
        "",
        "X.A",
        "-",
        "X-",
        "-X",
        "X-Ünicode",
    ],
)
def test_a_header_that_a_visitor_may_not_send_is_gone(header: str) -> None:
    assert scrubbed(header, "Accept") == {"HTTP_ACCEPT"}


@pytest.mark.parametrize(
    "header",
    [
        "Accept",
        "Cookie",
        "Host",
        "User-Agent",
        "Authorization",
        "Referer",
        "Content-Encoding",
        "Sec-Fetch-Mode",
        "X-Requested-With",
        "If-None-Match",
        "X-Remote",
        "X-Remoteness",
        "Oidc",
        "X-Oidc-Hint",
        "Shibboleth",
        "X-Users",
        "X-Api-Key",
        "Proxy-Authorization",
        "X-Forward",
    ],
)
def test_an_ordinary_header_stays(header: str) -> None:
    assert scrubbed(header) == {key_of(header)}


def test_what_the_server_says_itself_stays() -> None:
    environ = {"REMOTE_ADDR": "1.2.3.4", "SCRIPT_NAME": "", "wsgi.url_scheme": "http"}
    before = dict(environ)

    Scrubber().scrub(environ)

    assert environ == before


MANAGED_FOLDS = WELL_KNOWN | {fold(MANAGED)}


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """A managed name, each letter in either case and each mark replaced by another."""
    folded = draw(st.sampled_from(sorted(MANAGED_FOLDS)))
    marks = st.sampled_from("!#$%&'*+-.^_`|~")
    prefix = draw(st.sampled_from(["", "", "Http-", "HTTP_HTTP."]))
    letters = [
        draw(marks) if letter == "_" else draw(st.sampled_from([letter, letter.lower()]))
        for letter in folded
    ]
    return prefix + "".join(letters)


@given(header=spellings() | st.text(TCHAR, max_size=25))
def test_whatever_folds_to_a_managed_name_is_gone(header: str) -> None:
    environ = {key_of(header): "admin"}

    Scrubber([MANAGED]).scrub(environ)

    assert not MANAGED_FOLDS & {fold(key) for key in environ}


@given(headers=st.lists(st.text(st.characters(max_codepoint=0xFF), max_size=12)))
def test_only_names_that_every_server_reads_alike_are_left(headers: list[str]) -> None:
    for key in scrubbed(*headers):
        assert set(key) <= set(string.ascii_uppercase + string.digits + "_")
        assert not key.endswith("_")


def test_the_memory_of_names_that_visitors_choose_is_bounded() -> None:
    scrubber = Scrubber()
    for number in range(5000):
        scrubber.scrub({f"HTTP_X{number}": ""})

    assert len(scrubber._harmless) < 5000
