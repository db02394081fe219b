"""The page that asks: what it says, what it takes for an answer, and what it remembers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from werkzeug.wrappers import Response

from ssogate.directory.consents import consented, withdraw_consent
from ssogate.errors import CrossSite, SessionsUnavailable, SignInRequired, StoreFailure
from ssogate.model import ClientAuthentication, Session
from ssogate.oauth.errors import AuthorizationError
from ssogate.provider.addresses import CONSENT
from ssogate.provider.settings import ProviderSettings
from tests.directory.making import SUE, texts
from tests.provider.making_openid import BACK, Provided, answered, asked, sent_to_sign_in, told
from tests.storage.making import NOW

Fields = dict[str, str]

OTHER_SITE = {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"}


def page(provided: Provided, session: Session | None = None, **changed: str | None) -> str:
    """The text of the page that Joe is shown."""
    response = provided.visit(query=asked(**changed), session=session or provided.session)
    assert response.status_code == 200, response.headers
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    return response.get_data(as_text=True)


def form(text: str, answer: str = "allow") -> Fields:
    """What a browser sends when somebody answers."""
    pairs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', text)
    return {**{name: unescape(value) for name, value in pairs}, "ssogate_answer": answer}


def send(
    provided: Provided, fields: Any, session: Session | None = None, **headers: Any
) -> Response:
    return provided.visit(CONSENT, form=fields, session=session or provided.session, **headers)


def client_is_told(response: Response) -> dict[str, str]:
    """What the client learns, by the page that goes on by itself: Chrome follows no redirect from
    a form of ours to another site."""
    assert response.status_code == 200
    assert "Location" not in response.headers
    return told(response.headers["Refresh"].partition("url=")[2])


def is_asked(response: Response) -> bool:
    return "ssogate_seal" in response.get_data(as_text=True)


def known(provided: Provided) -> frozenset[str]:
    return consented(provided.store, provided.joe.identity.subject, "WIKI")


# --- What is asked, and when ------------------------------------------------------------------


def test_it_says_who_asks_for_what_and_who_one_is(provided: Provided) -> None:
    text = page(provided, scope="openid email groups offline_access")

    for said in (
        "Continue to The Wiki?",
        "Where we write things down.",
        "You are signed in as <strong>Joe</strong>.",
        "See your e-mail address",
        "See which groups you are in",
        "Go on with all of this while you are not signed in",
        "Your answer goes to wiki.example.",
        'value="allow"',
        'value="deny"',
    ):
        assert said in text
    assert "See your name" not in text
    assert provided.store.grants.listed() == []


def test_it_speaks_the_visitors_language(provided: Provided) -> None:
    response = provided.visit(query=asked(), session=provided.session, Accept_Language="de")

    assert "Ihre E-Mail-Adresse sehen" in response.get_data(as_text=True)


def test_a_scope_of_an_operator_is_asked_by_its_name(provided: Provided) -> None:
    settings = provided.settings.model_copy(update={"scopes": {"printer": ("groups",)}})
    object.__setattr__(provided.issuer, "settings", settings)
    provided.issuer.__post_init__()
    provided.change(scopes=frozenset({"openid", "printer"}))

    assert "<li>printer</li>" in page(provided, scope="openid printer")


def test_nothing_of_it_is_markup(provided: Provided) -> None:
    evil = '"><script>alert(1)</script>'
    provided.change(name=evil, description=evil)

    text = page(provided, state=evil, nonce=evil)

    assert "<script" not in text
    assert form(text)["state"] == evil


@pytest.mark.parametrize(
    ("logo", "shown"),
    [
        pytest.param("/_sso/theme/wiki.png", True, id="an image of the theme"),
        pytest.param("/app/delete?id=1", False, id="an address of the app"),
        pytest.param("/_sso/theme/../sign-out", False, id="dots"),
        pytest.param("https://evil.example/x.png", False, id="another site"),
        pytest.param("//evil.example/_sso/theme/x.png", False, id="another host"),
        pytest.param('/_sso/theme/x" onerror="x', False, id="markup"),
        pytest.param("", False, id="none"),
    ],
)
def test_a_logo_is_an_image_of_the_theme(provided: Provided, logo: str, shown: bool) -> None:
    provided.change(logo_uri=logo)

    text = page(provided)

    assert (f'<img src="{logo}"' in text) is shown
    assert ("<img" in text) is shown


def test_who_has_agreed_is_not_asked_again(provided: Provided) -> None:
    assert "code" in client_is_told(send(provided, form(page(provided))))

    assert "code" in answered(provided.visit(query=asked(), session=provided.session))
    assert known(provided) == {"openid", "email"}
    told = f"client WIKI, user {provided.joe.identity.subject}: email, openid"
    assert texts(provided.store) == [("consent.given", told)]


def test_only_what_is_new_is_asked(provided: Provided) -> None:
    send(provided, form(page(provided)))

    text = page(provided, scope="openid email profile")

    assert "See your name and your user name" in text
    assert "See your e-mail address" not in text
    send(provided, form(text))
    assert known(provided) == {"openid", "email", "profile"}


def test_who_has_withdrawn_a_consent_is_asked_again(provided: Provided) -> None:
    send(provided, form(page(provided)))

    subject = provided.joe.identity.subject
    assert withdraw_consent(provided.store, subject, "WIKI", by=SUE, now=NOW)

    page(provided)


def test_one_persons_consent_is_not_anothers(provided: Provided) -> None:
    send(provided, form(page(provided)))

    assert "ann" in page(provided, provided.anns).lower()


def test_a_consent_for_one_client_is_not_for_another(provided: Provided) -> None:
    send(provided, form(page(provided)))
    provided.add_client("SHOP", name="The Shop")

    assert "The Shop" in page(provided, client_id="SHOP")


@pytest.mark.parametrize("trusted", [True, False])
def test_a_client_may_have_it_asked_always(provided: Provided, trusted: bool) -> None:
    send(provided, form(page(provided)))
    provided.change(trusted=trusted)

    text = page(provided, prompt="consent")

    assert "See your e-mail address" in text
    assert "code" in client_is_told(send(provided, form(text)))


@pytest.mark.parametrize(
    ("authentication", "uri", "again"),
    [
        pytest.param("none", "http://127.0.0.1/back", True, id="a loopback address"),
        pytest.param("none", "com.example.app:/back", True, id="an app's scheme"),
        pytest.param("none", BACK, False, id="a site"),
        pytest.param("client_secret", "http://127.0.0.1/back", False, id="a secret"),
    ],
)
def test_who_could_be_any_program_of_a_device_is_asked_about_always(
    provided: Provided, authentication: str, uri: str, again: bool
) -> None:
    known = ClientAuthentication(authentication)
    provided.change(authentication=known, redirect_uris=(uri,))
    send(provided, form(page(provided, redirect_uri=uri)))

    response = provided.visit(query=asked(redirect_uri=uri), session=provided.session)

    assert is_asked(response) is again
    assert (response.status_code == 303) is not again


def test_to_go_on_without_a_session_must_be_agreed_to(provided: Provided) -> None:
    send(provided, form(page(provided)))

    text = page(provided, scope="openid email offline_access")

    assert "while you are not signed in" in text
    send(provided, form(text))
    again = asked(scope="openid email offline_access")
    assert "code" in answered(provided.visit(query=again, session=provided.session))


def test_a_client_of_the_house_asks_nobody(provided: Provided) -> None:
    provided.change(trusted=True)

    response = provided.visit(query=asked(scope="openid offline_access"), session=provided.session)

    assert "code" in answered(response)
    assert known(provided) == frozenset()


@pytest.mark.parametrize("half", ["userinfo", "id_token"])
def test_a_claim_asked_by_name_is_asked_of_the_person_as_its_scope_is(
    provided: Provided, half: str
) -> None:
    send(provided, form(page(provided, scope="openid")))
    claims = json.dumps({half: {"email": None, "sub": None}})

    text = page(provided, scope="openid", claims=claims)

    assert "See your e-mail address" in text
    assert "See your name" not in text
    send(provided, form(text))
    (grant, _) = provided.store.grants.listed()
    assert grant.scopes == {"openid"}, "what is granted is what was asked"
    assert known(provided) == {"openid", "email"}


def test_an_api_is_asked_by_its_address_and_remembered(provided: Provided) -> None:
    api, other = "https://api.example/", "urn:example:other"
    settings = ProviderSettings.model_validate({"resources": {api: {}, other: {}}})
    object.__setattr__(provided.issuer, "settings", settings)
    provided.change(resources=(api, other))
    send(provided, form(page(provided)))

    text = page(provided, resource=api)

    assert f"Use {api} for you" in text
    assert other not in text
    assert "See your e-mail address" not in text
    assert "code" in client_is_told(send(provided, form(text)))
    again = provided.visit(query=asked(resource=api), session=provided.session)
    assert "code" in answered(again)
    assert f"Use {other} for you" in page(provided, resource=other)
    assert known(provided) == {"openid", "email", f"resource:{api}"}


# --- Which account ----------------------------------------------------------------------------


def test_who_may_choose_is_asked_though_all_is_agreed(provided: Provided) -> None:
    provided.change(trusted=True)

    text = page(provided, prompt="select_account")

    assert "Continue as Joe" in text
    assert "wants to" not in text
    assert "code" in client_is_told(send(provided, form(text)))
    assert known(provided) == frozenset(), "nothing was asked that could be agreed to"


def test_another_account_is_used_by_signing_in(provided: Provided) -> None:
    provided.change(trusted=True)
    text = page(provided, prompt="select_account")
    (link,) = re.findall(r'<a href="([^"]*)">Use another account</a>', text)

    back = dict(parse_qsl(urlsplit(unescape(link)).query))["return_to"]
    split = urlsplit(back)
    pairs = parse_qsl(split.query, strict_parsing=True)
    response = provided.visit(split.path, pairs, session=provided.opened(provided.ann, at=NOW))

    assert "code" in client_is_told(response)
    (grant,) = provided.store.grants.listed()
    assert grant.subject == provided.ann.identity.subject


def test_who_has_just_signed_in_has_chosen(provided: Provided) -> None:
    provided.change(trusted=True)
    back = sent_to_sign_in(provided.visit(query=asked(prompt="select_account")))

    split = urlsplit(back)
    pairs = parse_qsl(split.query, strict_parsing=True)
    response = provided.visit(split.path, pairs, session=provided.opened(provided.joe, at=NOW))

    assert "code" in client_is_told(response)


def test_no_other_account_is_offered_where_no_address_could_lead_back(provided: Provided) -> None:
    text = page(provided, claims=json.dumps({"userinfo": {"x" * 2000: None}}))

    assert "Use another account" not in text
    assert "code" in client_is_told(send(provided, form(text)))


# --- The answer -------------------------------------------------------------------------------


@pytest.mark.parametrize("stranger", ["", "0" * 64])
def test_who_denies_it_sends_the_client_away(provided: Provided, stranger: str) -> None:
    provided.change(registration_digest=stranger)
    found = client_is_told(send(provided, form(page(provided), "deny")))

    assert found["error"] == "access_denied"
    assert found["state"] == "a state & more"
    assert provided.store.grants.listed() == []
    assert known(provided) == frozenset()


@pytest.mark.parametrize("answer", ["", "ALLOW", "yes", "allow "])
def test_what_is_no_answer_is_asked_again(provided: Provided, answer: str) -> None:
    assert is_asked(send(provided, form(page(provided), answer)))
    assert provided.store.grants.listed() == []


def test_a_sign_in_that_was_asked_for_is_not_asked_for_again(provided: Provided) -> None:
    back = sent_to_sign_in(provided.visit(query=asked(prompt="login"), session=provided.session))
    split = urlsplit(back)
    session = provided.opened(provided.joe, at=NOW)
    pairs = parse_qsl(split.query, strict_parsing=True)
    text = provided.visit(split.path, pairs, session=session).get_data(as_text=True)

    assert "ssogate_since" not in form(text)
    assert "code" in client_is_told(send(provided, form(text), session))


def test_the_pages_address_alone_leads_home(provided: Provided) -> None:
    response = provided.visit(CONSENT, query=form(page(provided)), session=provided.session)

    assert (response.status_code, response.headers["Location"]) == (303, "/")
    assert provided.store.grants.listed() == []


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(OTHER_SITE, id="another site"),
        pytest.param({"Origin": "", "Sec_Fetch_Site": ""}, id="nobody says"),
        pytest.param({"Origin": "null", "Sec_Fetch_Site": "same-origin"}, id="null"),
        pytest.param({"Sec_Fetch_Site": "same-site"}, id="a neighbour"),
    ],
)
def test_another_sites_form_is_no_answer(provided: Provided, headers: dict[str, Any]) -> None:
    fields = form(page(provided))

    with pytest.raises(CrossSite):
        send(provided, fields, **headers)

    assert provided.store.grants.listed() == []
    assert known(provided) == frozenset()


def test_an_answer_counts_where_other_sites_are_kept_out_and_nowhere_else(
    provided: Provided,
) -> None:
    fields = form(page(provided))

    by_link = provided.visit(query=fields, session=provided.session)
    by_form = provided.visit(form=fields, session=provided.session, **OTHER_SITE)

    assert is_asked(by_link)
    assert is_asked(by_form)
    assert provided.store.grants.listed() == []


def test_who_is_not_signed_in_answers_nothing(provided: Provided) -> None:
    fields = form(page(provided))

    with pytest.raises(SignInRequired):
        provided.visit(CONSENT, form=fields)


@pytest.mark.parametrize(
    "session",
    [
        pytest.param(lambda p: p.anns, id="of somebody else"),
        pytest.param(lambda p: p.opened(p.joe, at=NOW), id="another one of the same person"),
    ],
)
def test_a_page_that_another_session_was_shown_does_nothing(
    provided: Provided, session: Callable[[Provided], Session]
) -> None:
    fields = form(page(provided))

    assert is_asked(send(provided, fields, session(provided)))

    assert provided.store.grants.listed() == []
    assert known(provided) == frozenset()


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"scope": "openid email profile"}, id="scope"),
        pytest.param({"redirect_uri": f"{BACK}/two"}, id="another registered address"),
        pytest.param({"nonce": "n-2"}, id="nonce"),
        pytest.param({"state": "another"}, id="state"),
        pytest.param({"client_id": "SHOP"}, id="client"),
        pytest.param({"more": "x"}, id="one more"),
        pytest.param({"ssogate_seal": ""}, id="no seal"),
        pytest.param({"ssogate_seal": f"{NOW}.{'A' * 43}"}, id="a seal that is made up"),
    ],
)
def test_a_form_that_was_changed_does_nothing(provided: Provided, changed: Fields) -> None:
    provided.change(redirect_uris=(BACK, f"{BACK}/two"))
    provided.add_client("SHOP", redirect_uris=(BACK,))
    fields = form(page(provided))

    response = send(provided, {**fields, **changed})

    assert is_asked(response)
    assert provided.store.grants.listed() == []
    assert known(provided) == frozenset()


def test_a_form_to_an_address_that_is_not_registered_is_not_redirected(provided: Provided) -> None:
    fields = {**form(page(provided)), "redirect_uri": "https://evil.example/back"}

    with pytest.raises(AuthorizationError) as caught:
        send(provided, fields)

    assert caught.value.reply_to is None


def test_a_form_in_which_a_field_stands_twice_does_nothing(provided: Provided) -> None:
    fields = [*form(page(provided)).items(), ("scope", "openid")]

    assert client_is_told(send(provided, fields))["error"] == "invalid_request"


def test_a_form_of_yesterday_does_nothing(provided: Provided) -> None:
    fields = form(page(provided))

    provided.clock.now += 901
    assert is_asked(send(provided, fields))
    assert provided.store.grants.listed() == []

    provided.clock.now -= 1
    assert "code" in client_is_told(send(provided, fields))


def test_a_form_does_not_cover_what_its_scopes_have_come_to_open(provided: Provided) -> None:
    """The client was allowed more while the person read."""
    provided.change(scopes=frozenset({"openid"}))
    claims = json.dumps({"userinfo": {"email": None}})
    fields = form(page(provided, scope="openid", claims=claims))
    provided.change(scopes=frozenset({"openid", "email"}))

    assert is_asked(send(provided, fields))


def test_a_mark_of_the_sign_in_is_no_seal(provided: Provided) -> None:
    back = sent_to_sign_in(provided.visit(query=asked()))
    since = dict(parse_qsl(urlsplit(back).query))["ssogate_since"]
    fields = {**form(page(provided)), "ssogate_seal": since}

    assert is_asked(send(provided, fields))


def test_who_has_left_the_clients_groups_meanwhile_may_not_use_it(provided: Provided) -> None:
    fields = form(page(provided))
    provided.change(groups=frozenset({"admins"}))

    assert client_is_told(send(provided, fields))["error"] == "access_denied"
    assert known(provided) == frozenset()


def test_a_session_that_ends_meanwhile_is_opened_anew(provided: Provided) -> None:
    fields = form(page(provided))
    provided.store.sessions.delete(provided.session.record.key)

    sent_to_sign_in(send(provided, fields))
    assert known(provided) == frozenset()


def test_a_store_that_fails_is_a_page(provided: Provided, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = form(page(provided))

    def failing(_: str) -> None:
        raise StoreFailure("the disk is gone")

    monkeypatch.setattr(provided.store.users, "of", failing)

    with pytest.raises(SessionsUnavailable):
        send(provided, fields)


def test_an_answer_by_a_form_goes_on_by_a_form(provided: Provided) -> None:
    response = send(provided, form(page(provided, response_mode="form_post")))

    assert f'action="{BACK}"' in response.get_data(as_text=True)
    assert 'name="code"' in response.get_data(as_text=True)
