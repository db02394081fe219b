"""The page of a service, its JSON, and an administrator's servers."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from ssogate.errors import CrossSite, NoRoute
from ssogate.http import environ as env
from ssogate.launch import ServerPages, ServicePages
from ssogate.model import AccountStatus, Reply, Session, SessionRecord, User
from ssogate.portal import Door
from tests.launch.fleet import Fleet
from tests.login.forms import environ
from tests.storage.making import NOW

SERVICES, SERVERS = "/_sso/services", "/_sso/admin/servers"


def visit(
    fleet: Fleet, path: str, fields: Any = None, who: User | None = None, **sent: str
) -> Reply:
    """Open a page, as Joe if nobody else is named."""
    identity = (who or fleet.joe).identity
    asked = environ(path, fields, **sent)
    record = SessionRecord("k", identity.subject, "password", "", NOW, NOW, NOW + 99)
    asked[env.SESSION] = Session(record, identity, "t" * 43)
    door = Door(fleet.store, lambda to: f"/_sso/sign-in?return_to={to.text}")
    pages = {
        **ServicePages(fleet.launcher, "/billing").pages(),
        **ServerPages(fleet.launcher).pages(),
    }
    table = door.endpoints(pages)
    key = (
        path if path in table else next(it for it in table if it[-1] == "/" and path.startswith(it))
    )
    reply = table[key](Request(asked))
    assert reply
    return reply


def text(reply: Reply, status: int = 200) -> str:
    assert isinstance(reply, Response)
    assert reply.status_code == status
    return reply.get_data(as_text=True)


def told(fleet: Fleet, path: str, who: User | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text(visit(fleet, path, who=who, Accept="application/json")))
    return found


def test_a_service_has_a_button_and_its_shortcuts(fleet: Fleet) -> None:
    number = fleet.service.number
    shown = text(visit(fleet, f"{SERVICES}/{number}"))

    link = f"/billing/clientarea.php?action=productdetails&amp;id={number}&amp;dosinglesignon=1"
    assert re.findall(r'href="(/billing[^"]*)"', shown) == [
        link,
        f"{link}&amp;app=Email",
        f"{link}&amp;app=Files",
    ]
    for words in (
        "Hosting",
        "a.example",
        "Log in to the control panel",
        "E-mail",
        "Quick shortcuts",
    ):
        assert words in shown


def test_a_program_is_told_the_same(fleet: Fleet) -> None:
    number = fleet.service.number
    url = f"/billing/clientarea.php?action=productdetails&id={number}&dosinglesignon=1"
    expected = {
        "id": number,
        "product": "Hosting",
        "domain": "a.example",
        "status": "Active",
        "login": {"app": "", "label": "Log in to the control panel", "url": url},
        "shortcuts": [
            {"app": "Email", "label": "E-mail", "url": f"{url}&app=Email"},
            {"app": "Files", "label": "Files", "url": f"{url}&app=Files"},
        ],
    }

    assert told(fleet, f"{SERVICES}/{number}") == expected
    assert told(fleet, SERVICES) == {"services": [expected]}


def test_only_those_that_i_may_sign_in_to_are_listed(fleet: Fleet) -> None:
    suspended = fleet.add_service(product="Old hosting")
    fleet.allow(fleet.ann)

    assert "Hosting" in text(visit(fleet, SERVICES))
    assert told(fleet, SERVICES, fleet.ann) == {"services": []}
    assert "There is no service" in text(visit(fleet, SERVICES, who=fleet.sue))
    assert text(visit(fleet, SERVICES)).count("<li>") == 2
    fleet.change_account(status=AccountStatus.INACTIVE)
    assert text(visit(fleet, f"{SERVICES}/{suspended.number}"))


@pytest.mark.parametrize("number", ["2", "99"])
def test_somebody_elses_is_told_of_like_none(fleet: Fleet, number: str) -> None:
    assert "You have no such service." in text(visit(fleet, f"{SERVICES}/{number}"), 403)


@pytest.mark.parametrize("below", ["", "0", "01", "x", "1/", "1/x", "\uff11"])
def test_what_is_no_number_is_no_page(fleet: Fleet, below: str) -> None:
    with pytest.raises(NoRoute):
        visit(fleet, f"{SERVICES}/{below}")


def test_an_administrator_sees_the_servers_of_the_role_groups(fleet: Fleet) -> None:
    fleet.restrict(fleet.web2, "billing")
    fleet.administrator("support")
    reply = visit(fleet, SERVERS, who=fleet.sue)
    shown = text(reply)

    assert [name in shown for name in ("web1", "web2", "web3")] == [True, False, True]
    assert f'action="{SERVERS}/{fleet.web1.number}/sso"' in shown
    assert isinstance(reply, Response)
    policy = reply.headers["Content-Security-Policy"]
    assert "form-action 'self' https://web1.example.com:* https://192.0.2.8:*" in policy
    assert "web2" not in policy


def test_an_administrators_button_leads_to_the_server(fleet: Fleet) -> None:
    fleet.administrator()
    path = f"{SERVERS}/{fleet.web1.number}/sso"

    reply = visit(fleet, path, {}, who=fleet.sue)

    assert isinstance(reply, Response)
    assert reply.headers["Location"].startswith("https://web1.example.com")
    opened = visit(fleet, path, who=fleet.sue)
    assert isinstance(opened, Response)
    assert opened.headers["Location"] == SERVERS, "opening the address launches nothing"
    assert len(fleet.module.given) == 1


def test_it_launches_for_no_other_site(fleet: Fleet) -> None:
    fleet.administrator()
    with pytest.raises(CrossSite):
        visit(
            fleet,
            f"{SERVERS}/{fleet.web1.number}/sso",
            {},
            who=fleet.sue,
            **{"Sec-Fetch-Site": "cross-site"},
        )
    assert fleet.module.given == []


def test_nobody_else_finds_anything_there(fleet: Fleet) -> None:
    with pytest.raises(NoRoute):
        visit(fleet, SERVERS)
    assert text(visit(fleet, f"{SERVERS}/{fleet.web1.number}/sso", {}), 403)
    fleet.administrator("support")
    fleet.restrict(fleet.web1, "billing")
    assert text(visit(fleet, f"{SERVERS}/{fleet.web1.number}/sso", {}, who=fleet.sue), 403)
    assert fleet.module.given == []
