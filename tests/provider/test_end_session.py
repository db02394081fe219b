"""The way out that starts at a client: at once for who proves the session, else by a page of ours,
and back to addresses that the client has registered."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from ssogate.config import Secret
from ssogate.crypto.jwk import generate
from ssogate.errors import CrossSite, GateError, Prefetched
from ssogate.http import environ as env
from ssogate.model import Reply, Session, SignOut
from ssogate.provider.addresses import END_SESSION
from ssogate.provider.issuer import HINT_LIFETIME, sid_of
from ssogate.provider.logout.end_session import CONFIRM, LogoutRefused
from ssogate.storage import SQLiteStore
from tests.provider.making_openid import ISSUER, SECRET, Provided
from tests.storage.making import NOW, Hands

BYE = "https://wiki.example/bye?from=gate"
OURS = {"Origin": ISSUER, "Sec-Fetch-Site": "same-origin"}
SALT = "a salt of more than thirty-two characters"


class Leaving(Provided):
    """Wiki may have people sent to one address; a shop to another one."""

    def __init__(self, store: SQLiteStore, **settings: Any) -> None:
        super().__init__(store, **settings)
        self.change(post_logout_redirect_uris=(BYE,))
        self.add_client("SHOP", post_logout_redirect_uris=("https://shop.example/bye",))

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Those of the ID token that Wiki got for Joe in his session."""
        return {
            "iss": ISSUER,
            "aud": "WIKI",
            "sub": self.joe.identity.subject,
            "sid": sid_of(self.session.record.key),
            "iat": NOW,
            "exp": NOW + 3600,
            **changed,
        }

    def hint(self, *, typ: str = "JWT", **changed: Any) -> str:
        return self.issuer.keys.signing("RS256").sign(self.claims(**changed), typ=typ)

    def ask(
        self,
        session: Session | None,
        method: str = "GET",
        path: str = END_SESSION,
        headers: Any = None,
        **asked: str,
    ) -> Reply | None:
        posted = method == "POST"
        builder = EnvironBuilder(
            path=path,
            base_url=ISSUER,
            method=method,
            query_string="" if posted else urlencode(asked),
            data=urlencode(asked).encode() if posted else None,
            content_type="application/x-www-form-urlencoded" if posted else None,
            headers=headers or {},
        )
        environ = builder.get_environ()
        if session:
            environ[env.SESSION] = session
        return self.endpoints()[path](Request(environ))


@pytest.fixture
def leaving(tmp_path: Path) -> Leaving:
    return Leaving(SQLiteStore(tmp_path / "gate.db", clock=Hands()))


def to(reply: Reply | None) -> str:
    """Where the visitor is sent, signed out or not; empty for a page."""
    response = reply.reply if isinstance(reply, SignOut) else reply
    assert isinstance(response, Response)
    assert response.headers["Cache-Control"] == "no-store"
    location = response.headers.get("Location", "")
    assert response.status_code == (303 if location else 200)
    return location


def text(reply: Reply | None) -> str:
    response = reply.reply if isinstance(reply, SignOut) else reply
    assert isinstance(response, Response)
    return unescape(response.get_data(as_text=True))


def is_question(reply: Reply | None) -> bool:
    """Whether it is our page that asks, and nothing has been done."""
    assert isinstance(reply, Response)
    assert reply.status_code == 200
    return f'action="{CONFIRM}"' in text(reply) and "Joe" in text(reply)


# --- At once --------------------------------------------------------------------------------------


def test_who_brings_the_sessions_own_id_token_is_signed_out_and_sent_back(leaving: Leaving) -> None:
    reply = leaving.ask(
        leaving.session,
        id_token_hint=leaving.hint(),
        post_logout_redirect_uri=BYE,
        state="a&b c",
        client_id="WIKI",
    )

    assert isinstance(reply, SignOut)
    assert reply.sessions is None, "the visitor's own"
    assert to(reply) == f"{BYE}&state=a%26b%20c"


def test_without_an_address_the_visitor_reads_that_it_is_done(leaving: Leaving) -> None:
    reply = leaving.ask(leaving.session, id_token_hint=leaving.hint())

    assert isinstance(reply, SignOut)
    assert "You are signed out" in text(reply)


@pytest.mark.parametrize(
    "age",
    [
        pytest.param(0, id="fresh"),
        pytest.param(3600 + HINT_LIFETIME, id="its session is long over"),
    ],
)
def test_an_id_token_counts_after_its_end(leaving: Leaving, age: int) -> None:
    leaving.clock.now = NOW + age
    leaving.issuer.keys.public()
    hint = leaving.hint()

    assert isinstance(leaving.ask(leaving.session, id_token_hint=hint), SignOut)


def test_a_pairwise_client_knows_people_by_its_own_name_for_them(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "gate.db", clock=Hands())
    leaving = Leaving(store, pairwise_salt=Secret(SALT))
    wiki = leaving.change(pairwise=True)
    theirs = leaving.hint(sub=leaving.issuer.sub(wiki, leaving.joe.identity.subject))

    assert isinstance(leaving.ask(leaving.session, id_token_hint=theirs), SignOut)
    assert is_question(leaving.ask(leaving.session, id_token_hint=leaving.hint()))


# --- The question ---------------------------------------------------------------------------------


def forged(leaving: Leaving) -> str:
    return generate("RS256").sign(leaving.claims(), typ="JWT")


def unsigned(leaving: Leaving) -> str:
    return jwt.encode(leaving.claims(), "", "none")


def by_the_clients_secret(leaving: Leaving) -> str:
    kid = leaving.issuer.keys.public()[0].kid
    return jwt.encode(leaving.claims(), SECRET, "HS256", headers={"kid": kid})


def by_our_public_key(leaving: Leaving) -> str:
    """The classic confusion: our public key taken for a shared secret."""
    key = leaving.issuer.keys.public()[0]
    raw = str(sorted(key.jwk().items()))
    return jwt.encode(leaving.claims(), raw, "HS256", headers={"kid": key.kid})


def changed_after_signing(leaving: Leaving) -> str:
    head, _, tail = leaving.hint().split(".")
    claims = urlsafe_b64encode(b'{"aud":"WIKI"}').rstrip(b"=").decode()
    return f"{head}.{claims}.{tail}"


BAD_HINTS = [
    pytest.param(lambda it: "nonsense", id="nonsense"),
    pytest.param(lambda it: "a" * 20_000, id="long"),
    pytest.param(forged, id="another key"),
    pytest.param(unsigned, id="alg none"),
    pytest.param(by_the_clients_secret, id="HS256 with the client's secret"),
    pytest.param(by_our_public_key, id="HS256 with our public key"),
    pytest.param(changed_after_signing, id="changed"),
    pytest.param(lambda it: it.hint(iss="https://evil.example"), id="another issuer"),
    pytest.param(lambda it: it.hint(exp=NOW - HINT_LIFETIME - 99), id="expired long ago"),
    pytest.param(lambda it: it.hint(iat=NOW + 999), id="from the future"),
    pytest.param(lambda it: it.hint(aud="GONE"), id="a client that is gone"),
    pytest.param(lambda it: it.hint(aud="a\0b"), id="no client's name"),
    pytest.param(lambda it: it.hint(aud=["WIKI"]), id="a list of clients"),
    pytest.param(lambda it: it.hint(sid=None), id="no session"),
    pytest.param(lambda it: it.hint(sub=7), id="no person"),
    pytest.param(lambda it: it.hint(typ="at+jwt"), id="an access token"),
    pytest.param(lambda it: it.hint(typ="logout+jwt"), id="a logout token"),
]


@pytest.mark.parametrize("hint", BAD_HINTS)
def test_a_hint_that_is_none_signs_nobody_out_and_leads_nowhere(
    leaving: Leaving, hint: Callable[[Leaving], str]
) -> None:
    asked = {"id_token_hint": hint(leaving), "post_logout_redirect_uri": BYE, "client_id": "WIKI"}

    assert is_question(leaving.ask(leaving.session, **asked))
    assert BYE not in text(leaving.ask(leaving.session, **asked))
    assert to(leaving.ask(None, **asked)) == ""


@pytest.mark.parametrize(
    "hint",
    [
        pytest.param(lambda it: "", id="none"),
        pytest.param(lambda it: it.hint(sub=it.ann.identity.subject), id="another person"),
        pytest.param(lambda it: it.hint(sid=sid_of(it.anns.record.key)), id="another session"),
    ],
)
def test_who_does_not_prove_the_session_is_asked(
    leaving: Leaving, hint: Callable[[Leaving], str]
) -> None:
    drawn = hint(leaving)
    reply = leaving.ask(
        leaving.session,
        id_token_hint=drawn,
        client_id="WIKI",
        post_logout_redirect_uri=BYE,
        state='"><script>',
    )

    assert is_question(reply)
    assert isinstance(reply, Response)
    assert "The Wiki asks" in text(reply)
    assert '"><script>' not in reply.get_data(as_text=True)
    assert not drawn or drawn not in text(reply), "the token goes no further"
    assert reply.headers["X-Frame-Options"] == "DENY"


def answer(leaving: Leaving, asked: Reply | None, **headers: str) -> Reply | None:
    """Press the page's button."""
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', text(asked)))
    return leaving.ask(leaving.session, "POST", CONFIRM, {**OURS, **headers}, **fields)


def test_who_says_yes_is_signed_out_and_goes_on_by_a_page(leaving: Leaving) -> None:
    """Not by a redirect: Chromium holds those that follow a form to its page's `form-action`."""
    question = leaving.ask(
        leaving.session, client_id="WIKI", post_logout_redirect_uri=BYE, state="s 1"
    )
    reply = answer(leaving, question)

    assert isinstance(reply, SignOut)
    assert to(reply) == ""
    assert reply.reply.headers["Refresh"] == f"0; url={BYE}&state=s%201"
    assert f'href="{BYE}&state=s%201"' in text(reply)


def test_who_says_yes_without_an_address_reads_that_it_is_done(leaving: Leaving) -> None:
    reply = answer(leaving, leaving.ask(leaving.session))

    assert isinstance(reply, SignOut)
    assert "You are signed out" in text(reply)
    assert "Refresh" not in reply.reply.headers


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "https://evil.example"}, id="origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="cross-site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="a neighbour"),
        pytest.param({"Origin": "null"}, id="null"),
    ],
)
def test_no_other_site_says_yes(leaving: Leaving, headers: dict[str, str]) -> None:
    with pytest.raises(CrossSite):
        leaving.ask(leaving.session, "POST", CONFIRM, {**OURS, **headers})


def test_the_forms_own_address_is_verified_anew(leaving: Leaving) -> None:
    asked = {"client_id": "WIKI", "post_logout_redirect_uri": "https://evil.example/"}
    reply = leaving.ask(leaving.session, "POST", CONFIRM, OURS, **asked)

    assert isinstance(reply, SignOut)
    assert "evil.example" not in text(reply)
    assert "Refresh" not in reply.reply.headers


def test_the_forms_address_opened_by_hand_asks(leaving: Leaving) -> None:
    assert to(leaving.ask(leaving.session, path=CONFIRM)) == END_SESSION


# --- Where it leads -------------------------------------------------------------------------------


def test_who_is_not_signed_in_goes_straight_on(leaving: Leaving) -> None:
    asked = {"client_id": "WIKI", "post_logout_redirect_uri": BYE}

    assert to(leaving.ask(None, **asked)) == BYE
    assert "You are signed out" in text(leaving.ask(None))


def test_who_is_not_signed_in_is_sent_to_no_stranger(leaving: Leaving) -> None:
    """Whoever registers a client could else make links to this site lead anywhere."""
    leaving.change(registration_digest="0" * 64)
    proofs: tuple[dict[str, str], ...] = ({"client_id": "WIKI"}, {"id_token_hint": leaving.hint()})
    for who in proofs:
        reply = leaving.ask(None, **who, post_logout_redirect_uri=BYE)

        assert to(reply) == ""
        assert isinstance(reply, Response)
        assert "Refresh" not in reply.headers
        assert "<strong>wiki.example</strong>" in text(reply)
        assert f'href="{BYE}"' in text(reply)


@pytest.mark.parametrize("stranger", [True, False])
def test_no_stranger_has_people_sent_to_a_host_of_the_gate(
    leaving: Leaving, stranger: bool
) -> None:
    uri = f"{ISSUER}/delete?all=1"
    digest = "0" * 64 if stranger else ""
    leaving.change(registration_digest=digest, post_logout_redirect_uris=(uri,))
    asked = {"id_token_hint": leaving.hint(), "post_logout_redirect_uri": uri}

    assert to(leaving.ask(leaving.session, **asked)) == ("" if stranger else uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        "https://wiki.example/bye",
        "https://wiki.example/bye?from=gate&x=1",
        "https://wiki.example/bye?from=gate#x",
        "https://wiki.example:443/bye?from=gate",
        "https://wiki.example/bye/?from=gate",
        "https://wiki.example/b%79e?from=gate",
        "HTTPS://wiki.example/bye?from=gate",
        "https://Wiki.example/bye?from=gate",
        "https://wiki.example@evil.example/bye?from=gate",
        "https://wiki.example/bye?from=gate ",
        "https://wiki.example/bye?from=gate\r\nX: y",
        "http://wiki.example/bye?from=gate",
        "https://shop.example/bye",
        "https://wiki.example/back",
        "/_sso/account",
        "//evil.example",
        "javascript:alert(1)",
    ],
)
@pytest.mark.parametrize("proven", [True, False], ids=["by hint", "by name"])
def test_an_address_that_is_not_registered_leads_nowhere(
    leaving: Leaving, uri: str, proven: bool
) -> None:
    who = {"id_token_hint": leaving.hint()} if proven else {"client_id": "WIKI"}
    for session in (leaving.session, None):
        reply = leaving.ask(session, **who, post_logout_redirect_uri=uri)

        assert to(reply) == ""
        assert f'"{uri}"' not in text(reply)


def test_an_address_of_nobody_leads_nowhere(leaving: Leaving) -> None:
    assert to(leaving.ask(None, post_logout_redirect_uri=BYE)) == ""
    assert to(leaving.ask(None, post_logout_redirect_uri=BYE, client_id="GONE")) == ""
    assert to(leaving.ask(None, post_logout_redirect_uri=BYE, client_id="a\0b")) == ""


def test_the_port_of_a_native_apps_own_server_is_free(leaving: Leaving) -> None:
    leaving.change(native=True, post_logout_redirect_uris=("http://127.0.0.1/bye",))
    asked = {"client_id": "WIKI", "post_logout_redirect_uri": "http://127.0.0.1:4711/bye"}

    assert to(leaving.ask(None, **asked)) == "http://127.0.0.1:4711/bye"
    leaving.change(native=False)
    assert to(leaving.ask(None, **asked)) == ""


# --- How it comes ---------------------------------------------------------------------------------


def test_a_form_comes_again_by_get_with_the_cookie_that_it_lacked(leaving: Leaving) -> None:
    sent = {"id_token_hint": leaving.hint(), "post_logout_redirect_uri": BYE, "state": "s"}
    location = to(leaving.ask(None, "POST", headers={"Origin": "https://wiki.example"}, **sent))
    path, _, query = location.partition("?")

    assert path == END_SESSION
    assert dict(parse_qsl(query)) == sent
    assert isinstance(leaving.ask(leaving.session, **dict(parse_qsl(query))), SignOut)


def test_a_form_with_a_hint_that_no_address_holds_still_leads_back(leaving: Leaving) -> None:
    hint = leaving.hint(groups=["g" * 100] * 80)
    location = to(leaving.ask(None, "POST", id_token_hint=hint, post_logout_redirect_uri=BYE))
    asked = dict(parse_qsl(location.partition("?")[2]))

    assert asked == {"client_id": "WIKI", "post_logout_redirect_uri": BYE}
    assert is_question(leaving.ask(leaving.session, **asked))


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        pytest.param("GET", {"client_id": "SHOP"}, id="another client's hint"),
        pytest.param("HEAD", {}, id="HEAD"),
        pytest.param("DELETE", {}, id="DELETE"),
    ],
)
def test_what_contradicts_itself_is_refused(
    leaving: Leaving, method: str, asked: dict[str, str]
) -> None:
    with pytest.raises(LogoutRefused):
        leaving.ask(leaving.session, method, id_token_hint=leaving.hint(), **asked)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_parameter_that_comes_twice_is_refused(leaving: Leaving, method: str) -> None:
    query = urlencode([("client_id", "WIKI"), ("client_id", "SHOP")])
    environ = EnvironBuilder(END_SESSION, ISSUER, query, method=method).get_environ()

    with pytest.raises(LogoutRefused):
        leaving.endpoints()[END_SESSION](Request(environ))


def test_a_form_longer_than_any_address_is_refused(leaving: Leaving) -> None:
    with pytest.raises(LogoutRefused):
        leaving.ask(None, "POST", state="s" * 10_000)


def test_a_browser_that_looks_ahead_signs_nobody_out(leaving: Leaving) -> None:
    ahead = {"Sec-Purpose": "prefetch"}
    with pytest.raises(Prefetched):
        leaving.ask(leaving.session, headers=ahead, id_token_hint=leaving.hint())


def test_no_refusal_tells_what_was_sent(leaving: Leaving, caplog: pytest.LogCaptureFixture) -> None:
    hint = leaving.hint()
    with pytest.raises(GateError) as caught:
        leaving.ask(leaving.session, id_token_hint=hint, client_id="SHOP")
    leaving.ask(leaving.session, id_token_hint=hint[:-8] + "AAAAAAAA", state="hidden")

    assert hint[:20] not in caplog.text + str(caught.value)
    assert "hidden" not in caplog.text
