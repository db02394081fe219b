"""The gate's own addresses: a verdict becomes a session here, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from ssogate.errors import LinkExpired, StoreFailure
from ssogate.http.cookies import cookies
from ssogate.http.pages import reply_json
from ssogate.middleware.endpoints import Endpoints
from ssogate.middleware.sessions import Sessions
from ssogate.model import AllOf, Endpoint, Enrolment, LocalPath, SignOut, Step
from ssogate.sessions import Keeper
from tests.middleware.recording import PAGE, Recorder, Strict, code
from tests.sessions.making import CRM, make_keeper, sign_in
from tests.storage.making import NOW, Hands

COOKIE = "__Host-ssogate"
ACCOUNTS = {"/in": sign_in("Joe", return_to="/wanted"), "/ann": sign_in("Ann")}


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return make_keeper(tmp_path, Hands())


@pytest.fixture
def app() -> Recorder:
    return Recorder()


def always(reply: Any) -> Endpoint:
    def endpoint(request: Request) -> Any:
        if isinstance(reply, Exception):
            raise reply
        return reply() if callable(reply) and not isinstance(reply, Response) else reply

    return endpoint


def client(app: Recorder, keeper: Keeper, table: dict[str, Any], *, secure: bool = True) -> Strict:
    endpoints = {path: always(reply) for path, reply in {**ACCOUNTS, **table}.items()}
    own = cookies(secure=secure)
    layer = Endpoints(
        app, table=endpoints, keeper=keeper, cookies=own, second_factor="/code", pages=["/page"]
    )
    return Strict(Sessions(layer, cookie=own.session.name, find=keeper.find))


def signed_in(app: Recorder, keeper: Keeper, table: dict[str, Any]) -> tuple[Strict, str]:
    browser = client(app, keeper, table)
    cookie = browser.get("/in").headers["Set-Cookie"].partition(";")[0]
    return browser, cookie


def test_an_address_of_the_table_is_answered_here(app: Recorder, keeper: Keeper) -> None:
    response = client(app, keeper, {"/own": Response("mine")}).get("/own?x=y")

    assert response.data == b"mine"
    assert app.seen == []


@pytest.mark.parametrize("path", ["/", "/own/", "/own/x", "/OWN", "/x/own", "/_ssox", "/_sso"])
def test_every_other_address_is_the_apps(app: Recorder, keeper: Keeper, path: str) -> None:
    client(app, keeper, {"/own": Response("mine")}).get(path)

    assert len(app.seen) == 1


@pytest.mark.parametrize("path", ["/_sso/", "/_sso/x", "/_sso/health/x", "/%5fsso/x"])
def test_what_lies_below_our_own_is_never_the_apps(
    app: Recorder, keeper: Keeper, path: str
) -> None:
    response = client(app, keeper, {}).get(path)

    assert (response.status_code, code(response)) == (404, "no_route")
    assert app.seen == []


def test_alone_it_refuses_an_ambiguous_address(app: Recorder, keeper: Keeper) -> None:
    response = client(app, keeper, {}).get("/a/../own")

    assert (response.status_code, code(response)) == (400, "bad_target")
    assert app.seen == []


@pytest.mark.parametrize(
    ("to", "location"),
    [
        pytest.param("/there?x=y", "/there?x=y", id="into the app"),
        pytest.param("/in?mode=logout", "/", id="an address of our own"),
    ],
)
def test_a_path_is_where_the_visitor_is_sent_on_to(
    app: Recorder, keeper: Keeper, to: str, location: str
) -> None:
    response = client(app, keeper, {"/on": LocalPath(to)}).get("/on")

    assert (response.status_code, response.headers["Location"]) == (303, location)
    assert "Set-Cookie" not in response.headers


# --- Signing in ------------------------------------------------------------------------------


def test_a_sign_in_becomes_a_session_and_a_redirect(app: Recorder, keeper: Keeper) -> None:
    response = client(app, keeper, {}).get("/in")

    assert (response.status_code, response.headers["Location"]) == (303, "/wanted")
    cookie, *flags = response.headers["Set-Cookie"].split("; ")
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]
    found = keeper.find(cookie.removeprefix(f"{COOKIE}="))
    assert found is not None
    assert found.identity.canonical == "joe"
    assert response.headers["Cache-Control"] == "no-store"


def test_on_plain_http_the_cookie_has_another_name(app: Recorder, keeper: Keeper) -> None:
    cookie = client(app, keeper, {}, secure=False).get("/in").headers["Set-Cookie"]

    assert cookie.startswith("ssogate=")
    assert "Secure" not in cookie


@pytest.mark.parametrize("path", ["/in", "/ann"])
def test_a_sign_in_ends_the_session_that_there_was(
    app: Recorder, keeper: Keeper, path: str
) -> None:
    """C5."""
    browser, old = signed_in(app, keeper, {})

    new = browser.get(path, headers={"Cookie": old}).headers["Set-Cookie"].partition(";")[0]

    assert new != old
    assert keeper.find(old.partition("=")[2]) is None
    assert keeper.find(new.partition("=")[2])
    assert len(keeper.store.sessions.listed()) == 1


def test_a_session_id_that_a_visitor_brings_is_not_taken_up(app: Recorder, keeper: Keeper) -> None:
    """C5: session fixation."""
    planted = f"{COOKIE}={'f' * 43}"

    response = client(app, keeper, {}).get("/in", headers={"Cookie": planted})

    assert planted not in response.headers["Set-Cookie"]
    assert keeper.find("f" * 43) is None


@pytest.mark.parametrize(
    ("method", "headers", "mimetype"),
    [
        pytest.param("GET", PAGE, "text/html", id="browser"),
        pytest.param("GET", {}, "text/html", id="whoever follows a link"),
        pytest.param("GET", {"Accept": "application/json"}, "application/json", id="asks for JSON"),
        pytest.param("POST", {}, "application/json", id="a server"),
        pytest.param("POST", PAGE, "text/html", id="a form"),
    ],
)
def test_a_refusal_is_told_in_the_askers_own_way(
    app: Recorder,
    keeper: Keeper,
    method: str,
    headers: dict[str, str],
    mimetype: str,
) -> None:
    response = client(app, keeper, {"/own": LinkExpired("detail")}).open(
        "/own", method=method, headers=headers
    )

    assert (response.status_code, code(response)) == (400, "400E3")
    assert response.mimetype == mimetype
    assert "Set-Cookie" not in response.headers
    assert b"detail" not in response.data
    assert app.seen == []


def test_a_sign_in_is_one_line_in_the_log(
    app: Recorder, keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ssogate")
    _, cookie = signed_in(app, keeper, {})

    (line,) = caplog.messages
    fields = json.loads(line)
    assert (fields["event"], fields["user"], fields["method"]) == ("signed in", "joe", "crm")
    assert cookie.partition("=")[2] not in line


def second_factor_of(keeper: Keeper, name: str) -> None:
    user = keeper.store.users.get(name)
    assert user
    keeper.store.secrets.set_second_factor(user.identity.subject, "sealed", [], NOW)


def test_who_owes_a_second_factor_gets_a_step_and_no_session(app: Recorder, keeper: Keeper) -> None:
    signed_in(app, keeper, {})
    second_factor_of(keeper, "joe")
    browser = client(app, keeper, {})

    response = browser.get("/in")

    assert (response.status_code, response.location) == (303, "/code")
    (cookie,) = response.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-ssogate-step=")
    assert "HttpOnly; SameSite=Lax; Secure" in cookie


def test_the_second_step_opens_the_session_and_ends_the_step(app: Recorder, keeper: Keeper) -> None:
    signed_in(app, keeper, {})
    second_factor_of(keeper, "joe")
    step = keeper.open(sign_in("Joe"), None)
    assert isinstance(step, Step)
    done = replace(sign_in("Joe"), complete=True, step=step.token, device="d" * 43)
    browser = client(app, keeper, {"/done": done})

    response = browser.get("/done")

    names = [cookie.partition("=")[0] for cookie in response.headers.getlist("Set-Cookie")]
    assert names == ["__Host-ssogate", "__Host-ssogate-step", "__Host-ssogate-device"]
    assert "Max-Age=0" in response.headers.getlist("Set-Cookie")[1]
    assert f"Max-Age={400 * 86400}" in response.headers.getlist("Set-Cookie")[2]
    assert browser.get("/done").headers["X-SSOGate-Error"] == "step_expired", "used up"


def test_a_sign_in_may_lead_to_a_page_of_ours(app: Recorder, keeper: Keeper) -> None:
    table = {"/page": Response("mine"), "/in2": sign_in("Joe", return_to="/page?x")}

    assert client(app, keeper, table).get("/in2").location == "/page?x"


def test_a_store_that_fails_in_an_endpoint_is_a_refusal(app: Recorder, keeper: Keeper) -> None:
    response = client(app, keeper, {"/own": StoreFailure("disk full")}).get("/own")

    assert (response.status_code, response.headers["X-SSOGate-Error"]) == (500, "500E1")
    assert b"disk full" not in response.data


# --- Signing out -----------------------------------------------------------------------------


def out(**options: Any) -> Callable[[], SignOut]:
    return lambda: SignOut(reply_json(200, message="out"), **options)


def test_a_sign_out_ends_the_visitors_own_session(app: Recorder, keeper: Keeper) -> None:
    browser, cookie = signed_in(app, keeper, {"/out": out()})

    response = browser.get("/out", headers={"Cookie": cookie})

    assert response.status_code == 200
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    assert keeper.store.sessions.listed() == []


def test_a_sign_out_removes_a_cookie_that_is_of_no_use_any_more(
    app: Recorder, keeper: Keeper
) -> None:
    browser = client(app, keeper, {"/out": out()})
    response = browser.get("/out", headers={"Cookie": f"{COOKIE}={'x' * 43}"})

    assert response.headers["Set-Cookie"].startswith(f"{COOKIE}=;")


def test_a_form_of_another_site_takes_nobodys_cookie_away(app: Recorder, keeper: Keeper) -> None:
    """It comes without the cookie, for that is SameSite=Lax."""
    response = client(app, keeper, {"/out": out()}).post("/out")

    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    ("enrolment", "left"),
    [
        pytest.param(CRM, 0, id="the source's own user"),
        pytest.param(Enrolment("shop"), 1, id="another source's"),
    ],
)
def test_a_source_signs_its_own_user_out_and_not_the_messenger(
    app: Recorder, keeper: Keeper, enrolment: Enrolment, left: int
) -> None:
    table = {"/out": out(sessions=AllOf("joe", enrolment))}
    browser, _ = signed_in(app, keeper, table)
    messenger = browser.get("/ann").headers["Set-Cookie"].partition(";")[0]

    response = browser.post("/out", headers={"Cookie": messenger})

    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers
    owners = [who.canonical for _, who in keeper.store.sessions.listed()]
    assert sorted(owners) == ["ann", *(["joe"] * left)]


@pytest.mark.parametrize("wanted", ["/own", "/own?mode=logout", "/in"])
def test_a_sign_in_never_leads_on_to_an_address_of_the_gates(
    app: Recorder, keeper: Keeper, wanted: str
) -> None:
    """A link must not sign its visitor out again, nor in by another link."""
    table = {"/own": Response("mine"), "/go": sign_in("Joe", return_to=wanted)}
    response = client(app, keeper, table).get("/go")

    assert (response.status_code, response.headers["Location"]) == (303, "/")
