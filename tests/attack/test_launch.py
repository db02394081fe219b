"""Row G-WHMCS: people are signed in to panels that are theirs, by whom the gate knows, and a panel
that lies, hangs or shows a wrong certificate harms nobody."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from ssogate.directory import SERVERS, SERVICES
from ssogate.directory.administrators import add_administrator
from ssogate.directory.servers import set_server_secrets
from ssogate.model import Server, Service, ServiceStatus, User
from tests.attack.house import Browser, House, house_at
from tests.attack.office import SUE, now
from tests.attack.stage import PAGE
from tests.directory.making import customer, member
from tests.launch.tls import Authority, Listener, Request, authority
from tests.panels.whm import Whm
from tests.servers import Answer, Gunicorn

pytestmark = pytest.mark.server

TOKEN, HIDDEN = "TOKEN-OF-ROOT-0123456789", "the-servers-own-passw0rd"
OWN = "Sec-Fetch-Site: same-origin"
FAILED = "Action Failed"


@dataclass
class Dock:
    """A gate that launches, WHM behind it, and a panel whose answers a test writes."""

    house: House
    trust: Authority
    whm: Whm
    scripted: Listener
    answer: Callable[[Request], bytes] = field(default=lambda _request: b"")
    servers: dict[str, Server] = field(default_factory=dict)

    def server(self, name: str, port: int, **fields: Any) -> Server:
        drawn = Server(0, name, "cpanel", ("localhost",), port, username="root", **fields)
        made = SERVERS.add(self.house.store, drawn, by=SUE, now=now())
        assert self.house.parts.sealer
        self.servers[name] = set_server_secrets(
            self.house.store,
            made.number,
            password=HIDDEN,
            access_hash=TOKEN,
            sealer=self.house.parts.sealer,
            by=SUE,
            now=now(),
        )
        return self.servers[name]

    def service(self, server: str = "whm", **fields: Any) -> tuple[Service, Browser]:
        """A new customer's, who is signed in."""
        store = self.house.store
        user = self.house.person()
        account = customer(store, "Acme")
        member(store, account, user, owner=True)
        known = {"username": "joe", "status": ServiceStatus.ACTIVE, **fields}
        drawn = Service(0, account.number, "Hosting", server=self.servers[server].number, **known)
        browser = self.house.browser()
        browser.sign_in(user)
        return SERVICES.add(store, drawn, by=SUE, now=now()), browser

    def administrator(self, *groups: str) -> tuple[User, Browser]:
        user = self.house.person()
        add_administrator(self.house.store, user.identity.subject, groups, by=SUE, now=now())
        browser = self.house.browser()
        browser.sign_in(user)
        return user, browser


def path(service: Service | int | str, more: str = "") -> str:
    number = service.number if isinstance(service, Service) else service
    return f"/clientarea.php?action=productdetails&id={number}&dosinglesignon=1{more}"


def launch(browser: Browser, service: Service | int | str, more: str = "") -> Answer:
    return browser.ask(path(service, more), *PAGE, OWN)


def led(answer: Answer) -> str:
    assert answer.status == 303, answer
    assert answer.header("Referrer-Policy") == "no-referrer"
    assert answer.header("Cache-Control") == "no-store"
    return answer.header("Location") or ""


def _answered(panels: list[Dock]) -> Callable[[Request], bytes]:
    """By what the test says at the moment of the request."""

    def answer(request: Request) -> bytes:
        return panels[0].answer(request)

    return answer


@contextmanager
def dock_at(folder: Path, upstream: str, **settings: Any) -> Iterator[Dock]:
    trust = authority(folder)
    with ExitStack() as stack:
        tokens = {"root": TOKEN}
        tls = trust.context("localhost")
        whm = stack.enter_context(Whm(tls, administrators={"root": HIDDEN}, tokens=tokens))
        panels: list[Dock] = []
        scripted = Listener(_answered(panels), trust.context("localhost"))
        stack.enter_context(scripted)
        known = {
            "networks": ["127.0.0.0/8", "::1/128"],
            "servers": {
                name: {"ca": str(trust.ca_file)} for name in ("whm", "scripted", "elsewhere")
            },
            "module_log": True,
            "limit": "10s",
            **settings,
        }
        house = stack.enter_context(house_at(folder / "gate", upstream, launch=known))
        dock = Dock(house, trust, whm, scripted)
        panels.append(dock)
        dock.server("whm", whm.port)
        dock.server("untrusted", whm.port)
        dock.server("scripted", scripted.port)
        yield dock


@pytest.fixture(scope="module")
def dock(echo: Gunicorn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dock]:
    with dock_at(tmp_path_factory.mktemp("dock"), echo.url("").rstrip("/")) as made:
        yield made


def whms(**data: Any) -> Callable[[Request], bytes]:
    """What WHM says to a launch, with other data."""
    body = json.dumps({"metadata": {"result": 1}, "data": data}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    answer = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    return lambda _request: answer


# --- Who may --------------------------------------------------------------------------------------


def test_the_address_signs_its_visitor_in_once(dock: Dock) -> None:
    service, browser = dock.service()

    url = led(launch(browser, service, "&app=Email_Accounts"))

    def greeting() -> str:
        return requests.get(url, verify=str(dock.trust.ca_file), timeout=10).text

    assert "Welcome joe, Email_Accounts" in greeting()
    assert "Welcome" not in greeting()


@pytest.mark.parametrize(
    "number",
    [
        "{theirs}",
        "0{theirs}",
        "{theirs}%00",
        "999999",
        "{theirs}&id={mine}",
        "{theirs}%0a",
        "{spelt}",
    ],
)
def test_nobody_gets_into_somebody_elses_service(dock: Dock, number: str) -> None:
    mine, browser = dock.service()
    theirs, _ = dock.service()
    asked = len(dock.whm.calls)

    spelt = "".join(f"%{ord(digit):x}" for digit in str(theirs.number))
    answer = launch(browser, number.format(theirs=theirs.number, mine=mine.number, spelt=spelt))

    assert answer.status in (400, 403)
    assert answer.header("Location") is None
    assert len(dock.whm.calls) == asked, "the panel was not even asked"


def test_a_visitor_who_is_not_signed_in_comes_back_to_it_afterwards(dock: Dock) -> None:
    service, _ = dock.service()

    answer = dock.house.browser().ask(path(service), *PAGE, OWN)

    assert answer.status == 303
    assert "/_sso/" in (answer.header("Location") or "")
    assert "dosinglesignon" in (answer.header("Location") or "")


def test_an_administrator_opens_the_servers_of_the_role_groups_by_a_form_only(dock: Dock) -> None:
    user, browser = dock.administrator()
    address = f"/_sso/admin/servers/{dock.servers['whm'].number}/sso"

    assert "cpsess" in led(browser.post(address))
    assert led(browser.ask(address, *PAGE, OWN)) == "/_sso/admin/servers"
    assert browser.post(address, "Sec-Fetch-Site: cross-site").status == 403
    _, stranger = dock.service()
    assert stranger.post(address).status == 403
    log = dock.house.cli("activity", "list", "--containing", user.identity.canonical)
    assert log.count("server.launched") == 1


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(("Sec-Fetch-Site: cross-site",), id="F2 another site's link"),
        pytest.param(("Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: image"), id="F2 an image"),
        pytest.param(("Referer: https://evil.example/",), id="F2 an old browser's link"),
        pytest.param((OWN, "Sec-Purpose: prefetch;prerender"), id="ahead of the click"),
    ],
)
def test_nothing_is_launched_that_its_visitor_did_not_ask_for(
    dock: Dock, lines: tuple[str, ...]
) -> None:
    service, browser = dock.service()
    asked = len(dock.whm.calls)

    answer = browser.ask(path(service), "Accept: text/html", *lines)

    assert answer.status in (303, 403, 425)
    assert "cpsess" not in str(answer)
    assert len(dock.whm.calls) == asked


# --- A panel that lies ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/cpsess1/",
        "https://localhost.evil.example/",
        "https://localhost@evil.example/",
        "javascript:alert(document.cookie)",
        "//evil.example/",
        "/relative",
        "https://localhost/\r\nSet-Cookie: a=b",
        "",
        7,
        None,
    ],
)
def test_no_panel_leads_anybody_elsewhere(dock: Dock, url: Any) -> None:
    service, browser = dock.service("scripted")
    dock.answer = whms(url=url)

    answer = launch(browser, service)

    assert (answer.status, answer.header("Location")) == (502, None)
    assert FAILED in answer.text
    assert "evil" not in answer.text


BROKEN: dict[str, bytes] = {
    "a refusal with status 200": b"HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\n"
    b'{"metadata":{"result":0,"reason":"<b>No</b> 1234"}}',
    "403": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
    "a login page": b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n<html>Sign in!!</html>",
    "half a body": b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99\r\n\r\n{"a"',
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n"
    b"Content-Length: 0\r\n\r\n",
    "2 MiB": b"HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n" + b"[" * 2097152,
    "nothing": b"",
}


@pytest.mark.parametrize("answer", [pytest.param(v, id=k) for k, v in BROKEN.items()])
def test_a_broken_answer_is_a_page_that_tells_nothing(dock: Dock, answer: bytes) -> None:
    service, browser = dock.service("scripted")
    closed = answer or b"HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    dock.answer = lambda _request: closed

    found = launch(browser, service)

    assert (found.status, found.header("Location")) == (502, None)
    assert FAILED in found.text
    for secret in (TOKEN, HIDDEN, "169.254", "ESMTP", "<b>No"):
        assert secret not in found.text


def test_a_certificate_that_nobody_vouches_for_ends_it(dock: Dock) -> None:
    service, browser = dock.service("untrusted")
    asked = len(dock.whm.calls)

    assert launch(browser, service).status == 502
    assert len(dock.whm.calls) == asked


def test_a_private_network_is_reached_only_where_the_configuration_says_so(
    echo: Gunicorn, tmp_path: Path
) -> None:
    with dock_at(tmp_path, echo.url("").rstrip("/"), networks=[]) as dock:
        service, browser = dock.service()

        assert launch(browser, service).status == 502
        assert dock.whm.calls == []


def test_no_secret_stands_in_any_log_or_page(dock: Dock) -> None:
    service, browser = dock.service()
    url = led(launch(browser, service))
    failing, other = dock.service("scripted")
    dock.answer = whms(url=f"https://evil.example/{TOKEN}")
    page = launch(other, failing)

    log = dock.house.running.log()
    shown = {
        "the log": log,
        "the activity log": dock.house.cli("activity", "list", "--latest", "200", "--json"),
        "the page": page.text,
    }
    assert "module call" in log, "the module log is there"
    session = url.partition("session=")[2].partition("&")[0]
    for where, text in shown.items():
        for secret in (TOKEN, HIDDEN, session):
            assert secret not in text, where


# --- A panel that hangs ---------------------------------------------------------------------------


def test_a_panel_that_hangs_holds_up_nobody_else(dock: Dock) -> None:
    end, asked = threading.Event(), Counter[str]()

    def hang(request: Request) -> bytes:
        asked["panel"] += 1
        end.wait(30)
        return whms(url="https://localhost/")(request)

    dock.answer = hang
    customers = [dock.service("scripted") for _ in range(10)]
    done: list[Answer] = []

    def come(number: int) -> None:
        service, browser = customers[number % len(customers)]
        mine = dock.house.browser()
        mine.cookies.update(browser.cookies)
        done.append(launch(mine, service))

    with ThreadPoolExecutor(60) as pool:
        launches = [pool.submit(come, number) for number in range(200)]
        while len(done) < 200 - 2 * 4:  # four in each worker wait, all others are told at once
            time.sleep(0.01)
        # Meanwhile the pages of the app, of the gate, and of other panels.
        others, elsewhere = dock.service()
        assert elsewhere.ask("/members/x").status == 200
        assert "cpsess" in led(launch(elsewhere, others))
        end.set()
        for future in launches:
            future.result()

    assert Counter(answer.status for answer in done) == {503: 192, 303: 8}
    assert asked["panel"] == 8
    busy = next(answer for answer in done if answer.status == 503)
    assert "The control panel is busy" in busy.text
    assert busy.header("Retry-After") == "5"


def test_nobody_takes_all_the_places_of_a_panel(dock: Dock) -> None:
    end = threading.Event()

    def hang(request: Request) -> bytes:
        if b"user=joe" in request.body:
            end.wait(30)
        return whms(url="https://localhost/")(request)

    dock.answer = hang
    service, browser = dock.service("scripted")
    other, others = dock.service("scripted", username="ann")
    done: list[int] = []

    def come(_: int) -> None:
        mine = dock.house.browser()
        mine.cookies.update(browser.cookies)
        done.append(launch(mine, service).status)

    with ThreadPoolExecutor(40) as pool:
        launches = [pool.submit(come, number) for number in range(60)]
        while len(done) < 60 - 2 * 2:
            time.sleep(0.01)
        reached = [launch(others, other).status for _ in range(10)]
        end.set()
        for future in launches:
            future.result()

    assert reached == [303] * 10
    assert Counter(done) == {503: 56, 303: 4}


def test_a_crafted_way_through_the_sign_in_ends_at_the_button(dock: Dock) -> None:
    user = dock.house.person()
    account = customer(dock.house.store, "Acme")
    member(dock.house.store, account, user, owner=True)
    drawn = Service(0, account.number, "Hosting", ServiceStatus.ACTIVE, username="joe")
    drawn = replace(drawn, server=dock.servers["whm"].number)
    service = SERVICES.add(dock.house.store, drawn, by=SUE, now=now())

    answer = dock.house.browser().sign_in(user, return_to=path(service))

    assert led(answer) == f"/_sso/services/{service.number}"
