"""A television, from the code that it shows to its tokens, and whoever would use another's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from werkzeug.wrappers import Response

from ssogate.directory import change_user, set_password
from ssogate.directory.consents import withdraw_consent
from ssogate.directory.device_codes import INTERVAL, LIFETIME
from ssogate.errors import CrossSite, TooManyTries
from ssogate.model import ClientAuthentication, Endpoint, GrantType, Session
from ssogate.portal import Door
from ssogate.provider import OpenIdProvider
from ssogate.provider.addresses import DEVICE, DEVICE_AUTHORIZATION, TOKEN, USERINFO
from ssogate.provider.authorization.device_page import TRIES
from ssogate.provider.token.device import MOST
from ssogate.provider.token.family import first_tokens
from ssogate.storage import SQLiteStore
from tests.directory.making import SUE, actions
from tests.provider.making_openid import ISSUER, SECRET, Provided, challenge_url, sent_to_sign_in
from tests.storage.making import Hands

GRANT = GrantType.DEVICE_CODE.value


class Sofa(Provided):
    """Joe's living room. The television is a public client, the projector has a secret."""

    def __init__(self, store: SQLiteStore, **settings: Any) -> None:
        super().__init__(store, **settings)
        scopes = frozenset({"openid", "profile", "offline_access"})
        none = ClientAuthentication.NONE
        device = {"grant": GrantType.DEVICE_CODE, "redirect_uris": (), "scopes": scopes}
        self.television = self.add_client("TV", name="The TV", authentication=none, **device)
        self.projector = self.add_client("PROJECTOR", **device)

    def program(self, path: str, /, **form: str) -> tuple[int, dict[str, Any]]:
        reply = self.visit(path, form=form, Accept="application/json", Origin="")
        return reply.status_code, reply.get_json()

    def begun(self, scope: str = "openid profile") -> dict[str, Any]:
        status, told = self.program(DEVICE_AUTHORIZATION, client_id="TV", scope=scope)
        assert status == 200, told
        return told

    def polls(self, begun: Mapping[str, Any], **changed: str) -> tuple[int, dict[str, Any]]:
        self.clock.now += INTERVAL
        form = {"grant_type": GRANT, "client_id": "TV", "device_code": begun["device_code"]}
        return self.program(TOKEN, **{**form, **changed})

    def types(
        self, code: str, answer: str = "", *, session: Session | None = None, **headers: str
    ) -> Response:
        form = {"user_code": code, "answer": answer}
        return self.visit(DEVICE, form=form, session=session or self.session, **headers)

    def endpoints(self) -> Mapping[str, Endpoint]:
        """With the pages, behind their door."""
        pages = OpenIdProvider(self.issuer).pages()
        return {**super().endpoints(), **Door(self.store, challenge_url).endpoints(pages)}


@pytest.fixture
def sofa(tmp_path: Path) -> Sofa:
    return Sofa(SQLiteStore(tmp_path / "gate.db", clock=Hands()))


def heading(response: Response) -> str:
    found = re.search(r"<h1>(.*?)</h1>", response.get_data(as_text=True))
    assert found
    return found[1]


def test_the_page_names_the_apis_that_a_device_wants(tmp_path: Path) -> None:
    api = "https://api.example/"
    sofa = Sofa(SQLiteStore(tmp_path / "gate.db", clock=Hands()), resources={api: {}})
    sofa.store.clients.update(replace(sofa.television, resources=(api,)))
    _, begun = sofa.program(DEVICE_AUTHORIZATION, client_id="TV", scope="openid", resource=api)

    assert f"Use {api} for you" in sofa.types(begun["user_code"]).get_data(as_text=True)


def test_a_device_is_told_what_to_show(sofa: Sofa) -> None:
    begun = sofa.begun()
    assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", begun["user_code"])
    assert begun["verification_uri"] == f"{ISSUER}{DEVICE}"
    assert begun["verification_uri_complete"].endswith(f"?user_code={begun['user_code']}")
    assert (begun["expires_in"], begun["interval"]) == (LIFETIME, INTERVAL)


def test_from_the_code_on_the_screen_to_the_name_of_who_sits_before_it(sofa: Sofa) -> None:
    begun = sofa.begun("openid profile offline_access")
    assert sofa.polls(begun)[1]["error"] == "authorization_pending"
    asked = sofa.types(begun["user_code"].lower())
    assert heading(asked) == "Connect The TV?"
    assert begun["user_code"] in asked.get_data(as_text=True)
    assert sofa.polls(begun)[1]["error"] == "authorization_pending"
    assert heading(sofa.types(begun["user_code"], "allow")) == "The device is connected"
    status, told = sofa.polls(begun)
    assert status == 200
    claims = jwt.decode(told["id_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["aud"]) == (sofa.joe.identity.subject, "TV")
    bearer = f"Bearer {told['access_token']}"
    assert sofa.visit(USERINFO, Authorization=bearer).get_json()["preferred_username"] == "Joe"
    again = sofa.program(
        TOKEN, grant_type="refresh_token", client_id="TV", refresh_token=told["refresh_token"]
    )
    assert again[0] == 200
    assert {"device.approved", "client.signed-in"} <= set(actions(sofa.store))


def test_without_consent_to_it_nothing_goes_on_for_long(sofa: Sofa) -> None:
    begun = sofa.begun("openid")
    sofa.types(begun["user_code"], "allow")
    told = sofa.polls(begun)[1]
    assert "refresh_token" not in told
    assert told["expires_in"] <= 3600


def test_who_denies_is_believed(sofa: Sofa) -> None:
    begun = sofa.begun()
    assert heading(sofa.types(begun["user_code"], "deny")) == "The device is not connected"
    assert sofa.polls(begun)[1]["error"] == "access_denied"


def test_a_device_s_code_gives_tokens_once(sofa: Sofa) -> None:
    begun = sofa.begun()
    sofa.types(begun["user_code"], "allow")
    assert sofa.polls(begun)[0] == 200
    assert sofa.polls(begun)[1]["error"] == "invalid_grant"


def _withdrawn(sofa: Sofa) -> None:
    subject = sofa.joe.identity.subject
    assert withdraw_consent(sofa.store, subject, "TV", by=SUE, now=int(sofa.clock()))


def _deactivated(sofa: Sofa) -> None:
    change_user(sofa.store, "joe", active=False, by=SUE, now=int(sofa.clock()))


def _deactivated_and_back(sofa: Sofa) -> None:
    _deactivated(sofa)
    change_user(sofa.store, "joe", active=True, by=SUE, now=int(sofa.clock()))


def _new_password(sofa: Sofa) -> None:
    subject = sofa.joe.identity.subject
    set_password(sofa.store, subject, "correct horse battery", by=SUE, now=int(sofa.clock()))


ENDS = [_withdrawn, _deactivated, _deactivated_and_back, _new_password]


@pytest.mark.parametrize("end", ENDS)
def test_what_ended_before_the_device_asked_gives_it_nothing(
    sofa: Sofa, end: Callable[[Sofa], None]
) -> None:
    begun = sofa.begun("openid profile offline_access")
    sofa.types(begun["user_code"], "allow")
    end(sofa)

    status, told = sofa.polls(begun)
    assert (status, told["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("end", ENDS)
def test_a_device_does_not_go_on_with_what_ended(sofa: Sofa, end: Callable[[Sofa], None]) -> None:
    begun = sofa.begun("openid profile offline_access")
    sofa.types(begun["user_code"], "allow")
    told = sofa.polls(begun)[1]
    end(sofa)

    form = {"client_id": "TV", "refresh_token": told["refresh_token"]}
    assert sofa.program(TOKEN, grant_type="refresh_token", **form)[1]["error"] == "invalid_grant"
    bearer = f"Bearer {told['access_token']}"
    assert sofa.visit(USERINFO, Authorization=bearer).status_code == 401


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_while_the_device_is_answered_gives_it_nothing(
    sofa: Sofa, end: Callable[[Sofa], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = sofa.begun("openid profile offline_access")
    sofa.types(begun["user_code"], "allow")

    def slowly(*given: Any, **named: Any) -> Any:
        made = first_tokens(*given, **named)
        end(sofa)
        return made

    monkeypatch.setattr("ssogate.provider.token.device.first_tokens", slowly)
    status, told = sofa.polls(begun)
    assert (status, told["error"]) == (400, "invalid_grant")


def test_who_does_not_wait_is_slowed_down(sofa: Sofa) -> None:
    begun = sofa.begun()
    sofa.polls(begun)
    sofa.clock.now -= INTERVAL - 1
    assert sofa.polls(begun)[1]["error"] == "slow_down"


def test_a_code_that_nobody_typed_in_time_is_over(sofa: Sofa) -> None:
    begun = sofa.begun()
    sofa.clock.now += LIFETIME
    assert sofa.polls(begun)[1]["error"] == "expired_token"
    assert sofa.types(begun["user_code"], "allow").status_code == 400


def test_no_other_client_redeems_a_code(sofa: Sofa) -> None:
    begun = sofa.begun()
    sofa.types(begun["user_code"], "allow")
    other = {"client_id": "PROJECTOR", "client_secret": SECRET}
    assert sofa.polls(begun, **other)[1]["error"] == "invalid_grant"
    other = {"client_id": "WIKI", "client_secret": SECRET}
    assert sofa.polls(begun, **other)[1]["error"] == "unauthorized_client"
    assert sofa.polls(begun)[0] == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        pytest.param({"client_id": "WIKI", "client_secret": SECRET}, "unauthorized_client", id="x"),
        pytest.param({"client_id": "NOBODY"}, "invalid_client", id="unknown"),
        pytest.param({"client_id": "PROJECTOR"}, "invalid_client", id="without-its-secret"),
        pytest.param({"client_id": "TV", "scope": "openid groups"}, "invalid_scope", id="scope"),
        pytest.param({"client_id": "TV", "resource": "urn:x"}, "invalid_target", id="resource"),
    ],
)
def test_who_may_not_ask_gets_no_code(sofa: Sofa, form: dict[str, str], error: str) -> None:
    assert sofa.program(DEVICE_AUTHORIZATION, **form)[1]["error"] == error


def test_nobody_fills_the_store_with_codes(sofa: Sofa) -> None:
    for _ in range(MOST // 10):
        sofa.begun()
    status, told = sofa.program(DEVICE_AUTHORIZATION, client_id="TV", scope="openid")
    assert (status, told["error"]) == (429, "temporarily_unavailable")
    sofa.clock.now += 61
    sofa.begun()


# --- The page ------------------------------------------------------------------------------------


def test_a_link_with_a_code_in_it_connects_nothing(sofa: Sofa) -> None:
    begun = sofa.begun()
    page = sofa.visit(DEVICE, query={"user_code": begun["user_code"]}, session=sofa.session)
    assert heading(page) == "Connect a device"
    assert f'value="{begun["user_code"]}"' in page.get_data(as_text=True)
    assert sofa.polls(begun)[1]["error"] == "authorization_pending"


@pytest.mark.parametrize("code", ["", "BCDF-GHJK", '"><script>', "x" * 5000, "\0"])
def test_an_unknown_code_is_asked_for_again(sofa: Sofa, code: str) -> None:
    page = sofa.types(code, "allow")
    assert page.status_code == 400
    assert "No device waits for this code" in page.get_data(as_text=True)
    assert "<script" not in page.get_data(as_text=True)


def test_nobody_guesses_codes(sofa: Sofa) -> None:
    begun = sofa.begun()
    for _ in range(TRIES):
        sofa.types("BCDF-GHJK")
    with pytest.raises(TooManyTries):
        sofa.types(begun["user_code"], "allow")
    assert sofa.polls(begun)[1]["error"] == "authorization_pending"
    assert sofa.types(begun["user_code"], session=sofa.anns).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, id="form"),
        pytest.param({"Sec-Fetch-Site": "same-site", "Origin": "https://x.app.example"}, id="sub"),
    ],
)
def test_no_other_site_answers_for_a_person(sofa: Sofa, headers: dict[str, Any]) -> None:
    begun = sofa.begun()
    with pytest.raises(CrossSite):
        sofa.types(begun["user_code"], "allow", **headers)
    assert sofa.polls(begun)[1]["error"] == "authorization_pending"


def test_who_must_sign_in_first_comes_back_with_the_code(sofa: Sofa) -> None:
    back = sent_to_sign_in(sofa.visit(DEVICE, query={"user_code": "BCDF-GHJK"}))
    assert back == f"{DEVICE}?user_code=BCDF-GHJK"


def test_whoever_is_in_none_of_the_client_s_groups_connects_nothing(sofa: Sofa) -> None:
    sofa.store.clients.update(replace(sofa.television, groups=frozenset({"family"})))
    begun = sofa.begun()
    assert sofa.types(begun["user_code"], "allow").status_code == 400
    assert sofa.polls(begun)[1]["error"] == "authorization_pending"
