"""WHMCS's addresses of single sign-on: what is a launch, what it answers, and what is the app's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest
from werkzeug.wrappers import Request, Response

from ssogate.errors import CrossSite, InvalidParameter, Prefetched, SignInRequired
from ssogate.http import environ as env
from ssogate.launch import ClientArea
from ssogate.model import LocalPath, Reply, Session, SessionRecord, User
from ssogate.portal import Door
from tests.launch.fleet import URL, Fleet
from tests.login.forms import environ
from tests.storage.making import NOW

PATH = "/billing/clientarea.php"
OWN = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Area:
    """A visitor before the client area, Joe if nobody else is named; None is nobody."""

    fleet: Fleet
    who: User | None = field(init=False)

    def __post_init__(self) -> None:
        self.who = self.fleet.joe

    def ask(
        self, query: str, fields: Any = None, *, path: str = PATH, **headers: str
    ) -> Reply | None:
        sent = {name.replace("_", "-"): value for name, value in headers.items()} or OWN
        asked = environ(f"{path}?{query}", fields, **sent)
        asked["REMOTE_ADDR"] = "192.0.2.1"
        if self.who:
            identity = self.who.identity
            record = SessionRecord("k", identity.subject, "password", "", NOW, NOW, NOW + 99)
            asked[env.SESSION] = Session(record, identity, "t" * 43)
        door = Door(self.fleet.store, lambda to: f"/_sso/sign-in?return_to={to.text}")
        table = ClientArea(self.fleet.launcher, door, "/billing").endpoints()
        key = next(key for key in table if asked["PATH_INFO"].startswith(key))
        return table[key](Request(asked))

    def query(self, number: int | str | None = None, more: str = "") -> str:
        chosen = self.fleet.service.number if number is None else number
        return f"action=productdetails&id={chosen}&dosinglesignon=1{more}"


@pytest.fixture
def area(fleet: Fleet) -> Area:
    return Area(fleet)


def location(reply: Reply | None) -> str:
    assert isinstance(reply, Response)
    assert reply.status_code == 303
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    return reply.headers["Location"]


def told(reply: Reply | None) -> dict[str, Any]:
    assert isinstance(reply, Response)
    assert reply.status_code == 200
    found: dict[str, Any] = json.loads(reply.get_data())
    return found


def failed(reply: Reply | None, status: int, *words: str) -> None:
    assert isinstance(reply, Response)
    text = reply.get_data(as_text=True)
    assert reply.status_code == status
    assert reply.headers.get("Location") is None
    for word in words:
        assert word in text


# --- A launch -------------------------------------------------------------------------------------


def test_a_launch_leads_to_the_panel(area: Area) -> None:
    assert location(area.ask(area.query())) == URL
    assert location(area.ask(area.query(more="&app=Email"))) == URL
    assert [params.app for params in area.fleet.module.given] == ["", "Email"]
    assert area.fleet.module.given[0].clientip == "192.0.2.1"


def test_other_parameters_do_not_matter(area: Area) -> None:
    assert location(area.ask(f"x=1&{area.query()}&modop=custom&x=2")) == URL


def test_a_script_is_told_where_to_open_a_window(area: Area) -> None:
    fields = {"action": "productdetails", "id": str(area.fleet.service.number)}
    fields |= {"dosinglesignon": "1", "token": "of-the-apps-own-page"}

    assert told(area.ask("", fields, **OWN)) == {"redirect": f"window|{URL}"}
    assert told(area.ask(area.query(), {"token": "x"}, **OWN)) == {"redirect": f"window|{URL}"}


def test_a_script_is_told_of_a_failure(area: Area) -> None:
    area.fleet.module.answers(success=False, said="Quota <b>exceeded</b>")

    assert told(area.ask(area.query(), {}, **OWN)) == {"error": "Quota <b>exceeded</b>"}
    reply = area.ask(area.query(number=99), {}, **OWN)
    assert told(reply) == {"error": "You have no such service."}


def test_a_custom_action_is_a_shortcut_or_the_front_page(area: Area) -> None:
    for action, app in (("Email", "Email"), ("login", "")):
        path = f"/billing/clientarea/service/{area.fleet.service.number}/custom-action/{action}"
        assert told(area.ask("", {}, path=path, **OWN)) == {"success": True, "redirectTo": URL}
        assert area.fleet.module.given[-1].app == app


def test_a_custom_action_that_fails_leads_back(area: Area) -> None:
    area.fleet.module.answers(success=False)
    number = area.fleet.service.number
    path = f"/billing/clientarea/service/{number}/custom-action/login"

    found = told(area.ask("", {}, path=path, **OWN))

    assert found == {
        "success": False,
        "redirectTo": f"{PATH}?action=productdetails&id={number}&customaction_error=1",
    }


# --- What is none ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "",
        "action=productdetails&id=1",
        "action=productdetails&id=1&dosinglesignon=0",
        "action=productdetails&id=1&dosinglesignon=",
        "action=productdetails&id=1&dosinglesignon=01",
        "action=productdetails&id=1&dosinglesignon[]=1",
        "action=products&id=1&dosinglesignon=1",
        "action=&id=1&dosinglesignon=1",
        "id=1&dosinglesignon=1",
        "action=productdetails&id=1&DoSingleSignOn=1",
        "action=productdetails&id=1&dosinglesignon=1%00",
        "action=productdetails&id=1&dosinglesignon=1&x=%ff",
    ],
)
def test_what_is_no_launch_is_the_apps(area: Area, query: str) -> None:
    assert area.ask(query) is None
    assert area.fleet.module.given == []


@pytest.mark.parametrize(
    "path",
    [
        "/billing/clientarea/service/1",
        "/billing/clientarea/service/1/custom-action/",
        "/billing/clientarea/service/1/custom-action/a/b",
        "/billing/clientarea/service/",
    ],
)
def test_other_addresses_below_it_are_the_apps(area: Area, path: str) -> None:
    assert area.ask("", {}, path=path, **OWN) is None


def test_a_custom_action_is_posted(area: Area) -> None:
    path = f"/billing/clientarea/service/{area.fleet.service.number}/custom-action/login"
    assert area.ask("", path=path) is None


@pytest.mark.parametrize(
    "more",
    [
        "&dosinglesignon=1",
        "&dosinglesignon=0",
        "&id=1",
        "&id=",
        "&action=x",
        "&app=Email&app=Files",
    ],
)
def test_nothing_of_a_launch_is_there_twice(area: Area, more: str) -> None:
    with pytest.raises(InvalidParameter):
        area.ask(area.query(more=more))
    with pytest.raises(InvalidParameter):  # the other one in the body
        area.ask(area.query(), parse_qsl(more, keep_blank_values=True), **OWN)
    assert area.fleet.module.given == []


def test_a_launch_names_a_service(area: Area) -> None:
    with pytest.raises(InvalidParameter):
        area.ask("action=productdetails&dosinglesignon=1")


@pytest.mark.parametrize(
    "number", ["0", "-1", "01", "1%00", "%EF%BC%91", "1.0", "1e0", "", "999999", "1%20", "9" * 30]
)
def test_what_is_no_service_of_mine_is_none(area: Area, number: str) -> None:
    failed(area.ask(area.query(number=number)), 403, "You have no such service.")


@pytest.mark.parametrize("app", ["Root", "email", "Email%00", "../x"])
def test_a_shortcut_that_is_not_there_is_not_found(area: Area, app: str) -> None:
    failed(area.ask(area.query(more=f"&app={app}")), 404)


# --- Who asks, and from where ---------------------------------------------------------------------


def test_who_is_not_signed_in_signs_in_first_and_comes_back(area: Area) -> None:
    area.who = None
    expected = f"/_sso/sign-in?return_to={PATH}?{area.query()}"
    assert location(area.ask(area.query())) == expected
    with pytest.raises(SignInRequired):
        area.ask(area.query(), {}, **OWN)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="F2 another site's link"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="F2 a neighbour's link"),
        pytest.param({"Referer": "https://evil.example/"}, id="F2 an old browser's"),
        pytest.param(
            {"Referer": "https://app.example.evil.example/"}, id="F2 a name that begins so"
        ),
        pytest.param({"X-Nothing": "1"}, id="F2 who does not say"),
    ],
)
def test_a_link_from_elsewhere_opens_the_services_page(area: Area, headers: dict[str, str]) -> None:
    assert location(area.ask(area.query(), **headers)) == (
        f"/_sso/services/{area.fleet.service.number}"
    )
    assert area.fleet.module.given == []


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "none"}, OWN, {"Referer": "https://app.example/_sso/services/1"}],
    ids=["typed", "a page of ours", "an old browser's page of ours"],
)
def test_a_link_of_our_own_launches(area: Area, headers: dict[str, str]) -> None:
    assert location(area.ask(area.query(), **headers)) == URL


@pytest.mark.parametrize("dest", ["image", "iframe", "script", "embed"])
def test_nothing_that_is_embedded_launches(area: Area, dest: str) -> None:
    with pytest.raises(CrossSite):
        area.ask(area.query(), **OWN, **{"Sec-Fetch-Dest": dest})


def test_nothing_is_launched_ahead_of_a_click(area: Area) -> None:
    with pytest.raises(Prefetched):
        area.ask(area.query(), **OWN, **{"Sec-Purpose": "prefetch"})


@pytest.mark.parametrize("path", [PATH, "/billing/clientarea/service/1/custom-action/login"])
def test_no_form_of_another_site_launches(area: Area, path: str) -> None:
    with pytest.raises(CrossSite):
        area.ask(area.query(), {}, path=path, **{"Sec-Fetch-Site": "cross-site"})
    assert area.fleet.module.given == []


def test_a_failure_says_so_in_the_modules_own_words_escaped(area: Area) -> None:
    area.fleet.module.answers(success=False, said="No <script>alert(1)</script>")

    failed(area.ask(area.query()), 502, "Action Failed", "No &lt;script&gt;alert(1)&lt;/script&gt;")


@pytest.mark.parametrize(
    ("to", "landed"),
    [
        (f"{PATH}?action=productdetails&id=7&dosinglesignon=1", "/_sso/services/7"),
        (f"{PATH}?dosinglesignon=1&id=7&app=Email", "/_sso/services/7"),
        (f"{PATH}?%64osinglesignon=1&id=7", "/_sso/services/7"),
        (f"{PATH}?action=productdetails&id=7", None),
        ("/clientarea.php?dosinglesignon=1&id=7", None),
        (f"{PATH}?dosinglesignon=1&id=x", None),
        ("/members/", None),
    ],
)
def test_no_sign_in_ends_in_a_launch(area: Area, to: str, landed: str | None) -> None:
    door = Door(area.fleet.store, lambda to: to.text)
    landing = ClientArea(area.fleet.launcher, door, "/billing").landing

    assert landing(LocalPath(to)) == LocalPath(landed or to)
