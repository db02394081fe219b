"""The token endpoint: what a client gets, what it does not, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ssogate.crypto.random_secrets import digest
from ssogate.directory import ACCOUNTS, DOMAINS, SERVICES, change_user
from ssogate.directory.accounts import remove_member
from ssogate.directory.sso_tokens import redeemable
from ssogate.errors import StoreFailure
from ssogate.model import (
    AccountStatus,
    Domain,
    DomainStatus,
    GrantType,
    LocalPath,
    ServiceStatus,
)
from tests.directory.making import SUE, member, person, texts
from tests.provider.making import SECRET, SITE, Panel, basic, refused
from tests.storage.making import NOW

TOKEN = f"{1:040x}"


def target(panel: Panel, token: str = TOKEN) -> LocalPath:
    found = redeemable(panel.store, digest(token), now=NOW)
    assert found
    assert found.user == panel.joe
    return found.grant.target


def test_a_client_gets_a_token_for_its_accounts_owner(panel: Panel) -> None:
    response = panel.ask(scope="clientarea:profile clientarea:sso")

    assert response.status_code == 200
    assert response.get_json() == {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 60,
        "scope": "clientarea:sso clientarea:profile",
        "redirect_url": f"{SITE}/oauth/singlesignon.php?access_token={TOKEN}",
    }
    assert target(panel) == LocalPath("/clientarea.php?action=details")
    (line,) = panel.store.activity.latest(1)
    assert (line.actor, line.client) == (f"client:{panel.client.identifier}", "192.0.2.9")
    assert (line.action, line.text) == (
        "sso-token.made",
        "account 1 (Acme): user joe, clientarea:profile",
    )


@pytest.mark.parametrize("scope", ["", "clientarea:sso", " clientarea:sso "])
def test_the_base_scope_is_implied(panel: Panel, scope: str) -> None:
    assert panel.ask(scope=scope).get_json()["scope"] == "clientarea:sso"
    assert target(panel) == LocalPath("/clientarea.php")


@pytest.mark.parametrize("encoded", [True, False])
def test_a_client_may_use_http_basic(panel: Panel, encoded: bool) -> None:
    header = basic(panel.client.identifier, encoded=encoded)

    response = panel.post({"grant_type": "single_sign_on"}, authorization=header)

    assert response.get_json()["access_token"] == TOKEN


def test_a_client_may_send_a_multipart_form(panel: Panel) -> None:
    fields = {"grant_type": "single_sign_on", **panel.pair}
    head = '--x\r\nContent-Disposition: form-data; name="'
    body = "".join(f'{head}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())

    response = panel.post(
        f"{body}--x--\r\n".encode(), content_type="multipart/form-data; boundary=x"
    )

    assert response.get_json()["access_token"] == TOKEN


def test_query_and_form_are_one(panel: Panel) -> None:
    response = panel.post(
        {"grant_type": "single_sign_on", **panel.pair}, query="scope=clientarea%3Aprofile&scope="
    )

    assert response.get_json()["scope"] == "clientarea:sso clientarea:profile"


# --- Whose token it is ----------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["clientarea:product_details", "clientarea:upgrades"])
def test_a_page_of_a_service_is_of_the_clients_own_unless_it_names_another(
    panel: Panel, scope: str
) -> None:
    panel.ask(scope=scope)
    panel.ask(scope=scope, service_id=str(panel.second.number))

    assert target(panel).text.endswith(f"&id={panel.service.number}")
    assert target(panel, f"{2:040x}").text.endswith(f"&id={panel.second.number}")


def test_a_page_of_a_domain_is_of_the_accounts_own(panel: Panel) -> None:
    panel.add_client("DOMAINS.0", scopes=frozenset({"clientarea:domain_details"}))
    mine, others = (
        DOMAINS.add(
            panel.store,
            Domain(0, account.number, f"d{account.number}.example", DomainStatus.ACTIVE),
            by=SUE,
            now=NOW,
        )
        for account in (panel.acme, panel.other)
    )
    fields = {"client_id": "DOMAINS.0", "scope": "clientarea:domain_details"}

    assert panel.ask(**fields, domain_id=str(mine.number)).status_code == 200
    assert target(panel).text.endswith(f"&id={mine.number}")
    assert refused(panel.ask(**fields, domain_id=str(others.number)), "invalid_request")
    assert refused(panel.ask(**fields), "invalid_request")


@pytest.mark.parametrize("scope", ["clientarea:product_details", "clientarea:profile", ""])
@pytest.mark.parametrize("name", ["service_id", "domain_id"])
@pytest.mark.parametrize(
    "number", ["2", "99", "0", "-1", "1x", "1\0", " 1", "1 ", "１", "01", "1e3", "9" * 19, "1,2"]
)
def test_nothing_beyond_the_account_is_reached(
    panel: Panel, scope: str, name: str, number: str
) -> None:
    """Number 2 is somebody else's service, and nobody's domain."""
    assert panel.others.number == 2

    assert refused(panel.ask(scope=scope, **{name: number}), "invalid_request")
    assert panel.store.tickets.get(digest(TOKEN), "sso") is None


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param("clientarea:invoices", id="not the client's"),
        pytest.param("clientarea:homepage", id="unknown"),
        pytest.param("sso:custom_redirect", id="for the API only"),
        pytest.param("openid", id="another protocol's"),
        pytest.param("clientarea:profile,clientarea:sso", id="a comma"),
        pytest.param("Clientarea:Profile", id="capitals"),
        pytest.param("clientarea:profile clientarea:upgrades", id="two destinations"),
        pytest.param("clientarea:profile clientarea:invoices", id="one of them not the client's"),
    ],
)
def test_a_scope_is_one_of_the_clients(panel: Panel, scope: str) -> None:
    assert refused(panel.ask(scope=scope, sso_redirect_path="index.php"), "invalid_scope")


def test_a_path_of_the_callers_own_is_for_the_api(panel: Panel) -> None:
    panel.add_client("CUSTOM.0", scopes=frozenset({"sso:custom_redirect"}))

    response = panel.ask(
        client_id="CUSTOM.0", scope="sso:custom_redirect", sso_redirect_path="index.php"
    )

    assert refused(response, "invalid_scope")


def _closed(panel: Panel) -> None:
    closed = replace(panel.acme, status=AccountStatus.CLOSED)
    ACCOUNTS.change(panel.store, panel.acme.number, lambda _: closed, by=SUE, now=NOW)


def _switched_off(panel: Panel) -> None:
    off = replace(panel.acme, allow_single_sign_on=False)
    ACCOUNTS.change(panel.store, panel.acme.number, lambda _: off, by=SUE, now=NOW)


def _deactivated(panel: Panel) -> None:
    change_user(panel.store, "joe", active=False, by=SUE, now=NOW)


def _no_owner(panel: Panel) -> None:
    subject = panel.joe.identity.subject
    remove_member(panel.store, panel.acme.number, subject, by=SUE, now=NOW)


def _another_grant(panel: Panel) -> None:
    other = replace(panel.client, grant=GrantType.AUTHORIZATION_CODE)
    panel.store.clients.update(other)


def _no_service(panel: Panel) -> None:
    panel.store.clients.update(replace(panel.client, service=None))


@pytest.mark.parametrize(
    "happens", [_closed, _switched_off, _deactivated, _no_owner, _another_grant, _no_service]
)
def test_who_may_not_come_in_gets_no_token(panel: Panel, happens: Callable[[Panel], None]) -> None:
    happens(panel)
    before = texts(panel.store)

    assert refused(panel.ask(), "unauthorized_client")
    assert panel.store.tickets.get(digest(TOKEN), "sso") is None
    assert texts(panel.store) == before


def test_a_client_does_not_go_with_its_service_to_another_account(panel: Panel) -> None:
    """Who holds the secret is a customer of the first."""
    member(panel.store, panel.other, person(panel.store, "ann"), owner=True)
    moved = replace(panel.service, account=panel.other.number)
    SERVICES.change(panel.store, panel.service.number, lambda _: moved, by=SUE, now=NOW)

    assert refused(panel.ask(), "unauthorized_client")
    back = replace(panel.service, account=panel.acme.number)
    SERVICES.change(panel.store, panel.service.number, lambda _: back, by=SUE, now=NOW)
    assert panel.ask().status_code == 200


@pytest.mark.parametrize("status", ServiceStatus)
def test_a_service_that_is_over_gives_no_token(panel: Panel, status: ServiceStatus) -> None:
    changed = replace(panel.service, status=status)
    SERVICES.change(panel.store, panel.service.number, lambda _: changed, by=SUE, now=NOW)

    if status in ("Terminated", "Cancelled", "Fraud"):
        assert refused(panel.ask(), "unauthorized_client")
    else:
        assert panel.ask().status_code == 200


# --- What is no request ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        pytest.param({"grant_type": ""}, "invalid_request", id="no grant type"),
        pytest.param({"grant_type": "password"}, "unsupported_grant_type", id="another grant type"),
        pytest.param(
            {"grant_type": "SINGLE_SIGN_ON"}, "unsupported_grant_type", id="another spelling"
        ),
        pytest.param({"client_secret": "x"}, "invalid_client", id="wrong secret"),
        pytest.param({"client_id": "x"}, "invalid_client", id="unknown client"),
        pytest.param({"client_secret": ""}, "invalid_client", id="no secret"),
    ],
)
def test_a_refusal_has_the_code_of_the_rfc(
    panel: Panel, fields: dict[str, str], error: str
) -> None:
    lines = texts(panel.store)

    response = panel.ask(**fields)

    assert refused(response, error)
    assert "WWW-Authenticate" not in response.headers
    assert texts(panel.store) == lines


def test_a_wrong_proof_by_basic_is_asked_for_again(panel: Panel) -> None:
    response = panel.post(
        {"grant_type": "single_sign_on"}, authorization=basic(panel.client.identifier, "wrong")
    )

    assert refused(response, "invalid_client", 401)
    assert response.headers["WWW-Authenticate"] == 'Basic realm="oauth"'


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_post_is_answered(panel: Panel, method: str) -> None:
    response = panel.post(method=method, query="grant_type=single_sign_on")

    assert refused(response, "invalid_request", 405)
    assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize("name", ["client_id", "scope", "grant_type", "service_id", "anything"])
@pytest.mark.parametrize("where", ["query", "form"])
def test_nothing_is_said_twice(panel: Panel, name: str, where: str) -> None:
    """G5."""
    form = {"grant_type": "single_sign_on", **panel.pair, "scope": "clientarea:sso"}
    form |= {"service_id": "1", "anything": "x"}
    again = f"{name}={form[name]}"
    body = "&".join([f"{key}={value}" for key, value in form.items()])
    body = body.replace("+", "%2B")

    if where == "query":
        response = panel.post(body.encode(), query=again)
    else:
        response = panel.post(f"{body}&{again}".encode())

    assert refused(response, "invalid_request")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        pytest.param(b"a=" + b"b" * 70_000, "application/x-www-form-urlencoded", 413, id="large"),
        pytest.param(b"a=%ff", "application/x-www-form-urlencoded", 400, id="not UTF-8"),
        pytest.param(
            b"&".join([b"a=b"] * 200), "application/x-www-form-urlencoded", 400, id="many"
        ),
        pytest.param(b"x", "multipart/form-data; boundary=x", 400, id="no multipart form"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    panel: Panel, body: bytes, content_type: str, status: int
) -> None:
    assert refused(panel.post(body, content_type=content_type), "invalid_request", status)


def test_json_is_no_form(panel: Panel) -> None:
    response = panel.post(b'{"grant_type":"single_sign_on"}', content_type="application/json")

    assert refused(response, "invalid_client")


def test_a_store_that_fails_gives_no_token(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail(panel, monkeypatch)
    response = panel.ask()

    assert refused(response, "temporarily_unavailable", 503)
    assert response.headers["Retry-After"] == "30"


def test_no_secret_is_logged(panel: Panel, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    panel.ask(client_secret="wrong-secret")
    panel.post({"grant_type": "single_sign_on", "client_id": SECRET, "client_secret": "x"})
    panel.post(authorization=basic(SECRET, "wrong-secret"))
    panel.ask()

    assert "invalid_client" in caplog.text
    assert panel.client.identifier in caplog.text
    for secret in (SECRET, "wrong-secret", TOKEN):
        assert secret not in caplog.text


# --- cPanel's integration links -------------------------------------------------------------------

QUERY = "scope=clientarea%3Asso+clientarea%3Aproduct_details"


def link(panel: Panel, **fields: str) -> dict[str, str]:
    """What cPanel's server sends (its documentation of create_integration_link)."""
    return {
        "app": "WHMCS_billing",
        "token": SECRET,
        "user": "acme",
        "subscriber_unique_id": panel.client.identifier,
        **fields,
    }


def _fail(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(name: str) -> None:
        raise StoreFailure("database is locked")

    monkeypatch.setattr(panel.store.clients, "named", busy)


def test_an_integration_link_leads_to_its_service(panel: Panel) -> None:
    response = panel.post(link(panel), query=QUERY)

    assert response.status_code == 200
    assert response.get_json()["redirect_url"] == (
        f"{SITE}/oauth/singlesignon.php?access_token={TOKEN}"
    )
    assert target(panel).text.endswith(f"action=productdetails&id={panel.service.number}")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        pytest.param({"token": "wrong"}, "invalid_client", id="wrong token"),
        pytest.param({"token": ""}, "invalid_client", id="no token"),
        pytest.param({"subscriber_unique_id": "x"}, "invalid_client", id="unknown"),
        pytest.param({"subscriber_unique_id": ""}, "invalid_client", id="nobody"),
        pytest.param({"client_id": "x"}, "invalid_request", id="another client besides"),
        pytest.param({"service_id": "2"}, "invalid_request", id="another's service"),
    ],
)
def test_an_integration_link_proves_itself_like_any_client(
    panel: Panel, fields: dict[str, str], error: str
) -> None:
    assert refused(panel.post(link(panel, **fields), query=QUERY), error)


@pytest.mark.parametrize(
    ("made", "following"),
    [
        pytest.param({}, 1, id="it does not say"),
        pytest.param({"attempt": "1"}, 2, id="the second"),
        pytest.param({"attempt": "2"}, 3, id="the third and last"),
    ],
)
def test_while_the_store_is_busy_it_is_asked_to_come_again(
    panel: Panel, monkeypatch: pytest.MonkeyPatch, made: dict[str, str], following: int
) -> None:
    _fail(panel, monkeypatch)

    response = panel.post(link(panel, **made), query=QUERY)

    assert response.status_code == 200
    assert response.get_json() == {"retry": 30, "attempt": following}


@pytest.mark.parametrize("attempt", ["3", "4", "-1", "x", "１"])
def test_there_is_no_fourth_attempt(
    panel: Panel, monkeypatch: pytest.MonkeyPatch, attempt: str
) -> None:
    _fail(panel, monkeypatch)

    response = panel.post(link(panel, attempt=attempt), query=QUERY)

    assert refused(response, "temporarily_unavailable", 503)
