"""The demonstration's two sites: what the old app and the members' house promise.

The whole story in a browser is told elsewhere; here the parts are asked one by one.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from demo import legacy_app, member_site
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from tests.servers import PROJECT

DEMO = PROJECT / "examples/demo"

SECRET = "a secret of the demonstration's tests"
SUE = {"X-Remote-User": "sue", "X-Remote-Name": "Sue Baker", "X-Remote-Groups": "members,staff"}


@pytest.fixture
def club() -> Client:
    return Client(legacy_app.ClubPages())


@pytest.fixture
def house() -> Client:
    return Client(member_site.MembersHouse("http://localhost:8000", SECRET))


def signed_in_link(page: str) -> dict[str, str]:
    """The fields inside the link of a page, its signature being right."""
    found = re.search(r'id="continue" href="([^"]+)"', page)
    assert found, page
    link = urlsplit(unescape(found[1]))
    assert (link.scheme, link.netloc, link.path) == ("http", "localhost:8000", "/sso.php")
    outer = {key: value for key, (value,) in parse_qs(link.query).items()}
    assert outer["mode"] == "login"
    return inner_fields(outer)


def inner_fields(outer: dict[str, str]) -> dict[str, str]:
    right = hashlib.sha256((outer["query"] + SECRET).encode()).hexdigest()
    assert outer["hash"] == right
    inner = base64.b64decode(outer["query"], validate=True).decode()
    return {key: value for key, (value,) in parse_qs(inner, keep_blank_values=True).items()}


# --- The club's old app ------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*legacy_app.PAGES, "/article.php?id=31", "/article.php?id=32"])
def test_the_club_shows_everything_to_whoever_reaches_it(club: Client, path: str) -> None:
    page = club.get(path)

    assert page.status_code == 200
    assert "Guest" in page.text


def test_the_club_believes_the_headers(club: Client) -> None:
    name = "Sue Bäker <i>".encode().decode("latin-1")  # UTF-8, as a server hands it over

    page = club.get("/members/", headers={**SUE, "X-Remote-Name": name})

    assert "Sue Bäker &lt;i&gt;" in page.text
    assert page.text.count('class="badge"') == 2


def test_a_notice_is_pinned_to_the_board_as_text(club: Client) -> None:
    sent = club.post("/staff/", data={"notice": " Hello\n<script> "}, headers=SUE)

    assert (sent.status_code, sent.location) == (303, "/staff/")
    assert "<li>Hello &lt;script&gt; <span" in club.get("/members/").text


def test_the_notice_board_does_not_grow_without_end(club: Client) -> None:
    for number in range(legacy_app.MAX_NOTICES + 5):
        club.post("/staff/", data={"notice": f"number {number}"})

    assert club.get("/members/").text.count("number ") == legacy_app.MAX_NOTICES


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/nope", 404, id="no such page"),
        pytest.param("GET", "/article.php?id=9", 404, id="no such article"),
        pytest.param("GET", "/article.php?id=x", 404, id="not a number"),
        pytest.param("POST", "/members/", 405, id="nothing to post to"),
    ],
)
def test_the_club_refuses_with_a_page(club: Client, method: str, path: str, status: int) -> None:
    page = club.open(path, method=method)

    assert page.status_code == status
    assert "To the front page" in page.text


@pytest.mark.parametrize("sheet", [*DEMO.glob("static/*"), *DEMO.glob("pages/*/*")])
def test_the_pages_need_no_network_and_no_script(sheet: Path) -> None:
    text = sheet.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")

    assert not re.search(r"https?://|<script|@import|url\(|\son\w+=", text)


# --- The members' house --------------------------------------------------------------------------


def test_a_visitor_from_the_gate_logs_in_and_continues_to_where_he_wanted(house: Client) -> None:
    asked = house.get("/sso?redirect=/members/rota%3Fa%3D1&redirecttype=article&redirectid=31")
    assert "/members/rota?a=1" in asked.text
    form = dict(re.findall(r'name="(redirect\w*)" value="([^"]*)"', asked.text))

    sent = house.post("/login", data={"person": "max", **form})
    page = house.get(sent.location or "")

    fields = signed_in_link(page.text)
    assert re.fullmatch(r"\d{10,}", fields.pop("t"))
    assert fields == {
        "username": "max",
        "name": "Max Müller",
        "email": "max@example.com",
        "groups": "",
        "redirect": "/members/rota?a=1",
        "redirecttype": "article",
        "redirectid": "31",
    }
    assert page.headers["Cache-Control"] == "no-store"


def test_nobody_gets_a_link_without_logging_in(house: Client) -> None:
    page = house.get("/sso?redirect=/members/")

    assert "sso.php" not in page.text


def test_a_new_login_ends_the_old_one(house: Client) -> None:
    house.post("/login", data={"person": "john"})
    old = house.get_cookie(member_site.COOKIE)
    house.post("/login", data={"person": "sue"})
    assert "Sue Baker" in house.get("/").text
    assert old is not None

    house.set_cookie(member_site.COOKIE, old.value)

    assert "Who are you?" in house.get("/").text


@contextmanager
def stand_in_gate(status: int) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A gate that answers every request with `status`, and the forms that it was sent."""
    forms: list[dict[str, str]] = []

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: object) -> None: ...

    @Request.application
    def gate(request: Request) -> Response:
        forms.append({"method": request.method, **request.form})
        return Response(status=status)

    with make_server("127.0.0.1", 0, gate, handler_class=Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", forms
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        pytest.param(200, "the gate has ended your sessions", id="the gate agrees"),
        pytest.param(401, "The gate could not be told", id="the gate refuses"),
    ],
)
def test_logging_out_tells_the_gate_by_a_signed_post(status: int, words: str) -> None:
    with stand_in_gate(status) as (gate, forms):
        house = Client(member_site.MembersHouse(gate, SECRET))
        house.post("/login", data={"person": "john"})

        goodbye = house.post("/logout")

    assert words in goodbye.text
    assert "Who are you?" in house.get("/").text
    (form,) = forms
    assert (form["method"], form["mode"]) == ("POST", "logout")
    assert inner_fields(form)["username"] == "john"


def test_logging_out_works_when_the_gate_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        gate = f"http://127.0.0.1:{unused.getsockname()[1]}"
    house = Client(member_site.MembersHouse(gate, SECRET))
    house.post("/login", data={"person": "john"})

    assert "The gate could not be told" in house.post("/logout").text
    assert "Who are you?" in house.get("/").text


def test_a_stranger_cannot_make_the_house_talk_to_the_gate() -> None:
    with stand_in_gate(200) as (gate, forms):
        Client(member_site.MembersHouse(gate, SECRET)).post("/logout")

    assert forms == []
