"""`ssogate launch`: what a click would do, and what was said to the panel, without its secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Site
from tests.cli.making import with_sealing_key
from tests.launch.tls import Listener, Request

LAUNCH = """
launch:
  modules:
    acme:
      kind: custom_http
      display_name: Acme
      port: 1
      service:
        path: /api/session
        auth: {user: "{serverusername}", password: "{serverpassword}"}
        form: {user: "{username}"}
        url_json: url
"""
PASSWORD = "of-the-panel-0123"


def answer(request: Request) -> bytes:
    body = b'{"url": "http://127.0.0.1/enter?ticket=abcdefghijkl"}'
    if b"joe" not in request.body:
        body = b"{}"
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.fixture
def panel() -> Iterator[Listener]:
    with Listener(answer) as listener:
        yield listener


@pytest.fixture
def desk(site: Site, panel: Listener) -> Site:
    """Joe owns Acme with a service on a server of that panel, Sue is an administrator."""
    with_sealing_key(site)
    site.edit("upstreams:", f"{LAUNCH}upstreams:")
    for name in ("joe", "sue"):
        site.good("user", "add", name, "--email", f"{name}@example.com")
    site.good("admin", "add", "sue", "--roles", "support")
    site.good("account", "add", "Acme")
    site.good("account", "member", "add", "1", "joe", "--owner")
    where = ("--host", "127.0.0.1", "--port", str(panel.port), "--insecure-no-tls")
    site.good("server", "add", "web1", "--module", "acme", *where, "--username", "root")
    site.good("server", "credentials", "web1", "--stdin", stdin=PASSWORD)
    site.good("service", "add", "1", "Hosting", "--server", "web1", "--username", "joe1")
    return site


def test_it_prints_the_address_and_the_masked_module_log(desk: Site) -> None:
    said = desk.good("launch", "1", "--as", "joe")

    assert said.splitlines()[0] == "http://127.0.0.1/enter?ticket=abcdefghijkl"
    assert "POST /api/session" in said
    assert PASSWORD not in said


def test_programs_are_told_the_same(desk: Site) -> None:
    told = json.loads(desk.good("launch", "1", "--as", "joe", "--json"))

    assert told["url"].startswith("http://127.0.0.1/enter")
    assert [call["action"] for call in told["calls"]] == ["POST /api/session"]
    assert PASSWORD not in json.dumps(told["calls"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("1", "--as", "sue", "--app", "Email"), "no such page", id="shortcut"),
        pytest.param(("--server", "web1", "--as", "joe"), "no such server", id="no administrator"),
        pytest.param(
            ("--server", "web1", "--as", "sue"), "no such function", id="not in the panel"
        ),
    ],
)
def test_a_refusal_says_why_and_ends_with_1(
    desk: Site, arguments: tuple[str, ...], words: str
) -> None:
    result = desk.run("launch", *arguments)

    assert result.exit_code == 1
    assert result.output.startswith("refused: ")
    assert words in result.output


def test_who_owns_nothing_is_refused(desk: Site) -> None:
    desk.good("user", "add", "ann", "--email", "ann@example.com")
    result = desk.run("launch", "1", "--as", "ann", "--json")

    assert result.exit_code == 1
    assert json.loads(result.output)["error"].endswith("You have no such service.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--as", "joe"), "name a SERVICE"),
        (("1", "--server", "web1", "--as", "joe"), "name a SERVICE"),
        (("9", "--as", "joe"), "there is no service"),
        (("1", "--as", "nobody"), "there is no user"),
        (("--server", "web9", "--as", "joe"), "there is no server"),
    ],
    ids=["neither", "both", "no such service", "no such user", "no such server"],
)
def test_a_mistake_in_the_command_ends_with_2(
    desk: Site, arguments: tuple[str, ...], words: str
) -> None:
    result = desk.run("launch", *arguments)

    assert result.exit_code == 2
    assert words in result.output


def test_without_the_key_there_is_nothing_to_launch(site: Site) -> None:
    site.good("user", "add", "joe", "--email", "joe@example.com")
    site.good("account", "add", "Acme")
    result = site.run("launch", "1", "--as", "joe")

    assert result.exit_code == 2
    assert "launch:" in result.output
