from __future__ import annotations

import re
import time
from hashlib import sha256
from urllib.parse import quote

import pytest
from werkzeug.test import Client

from ssogate.app import stack
from ssogate.login.signed_link import make_query
from tests.cli.conftest import OTHER_SECRET, SECRET, Site

JOHN = ("--username", "John", "--name", "John Smith", "--email", "john@example.com")
FIELDS = {"username": "John", "name": "John Smith", "email": "john@example.com"}


def _link(site: Site, *more: str) -> str:
    return site.good("link", "--sender", "members", *JOHN, *more).strip()


def _open(site: Site, link: str, method: str = "GET") -> tuple[int, str]:
    """Follow a link with the real stack; give the status and where it leads or why it does not."""
    gate = site.gate()
    client = Client(stack(gate, lambda environ, start_response: [], identity={}))
    path = link.removeprefix("https://app.example")
    response = client.open(path, method=method, base_url="https://app.example")
    gate.store.close()
    return response.status_code, response.headers.get("X-SSOGate-Error", response.location or "")


# --- Making -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "leads"),
    [
        pytest.param([], "/", id="plain"),
        pytest.param(["--redirect", "/members/?x=1"], "/members/?x=1", id="redirect"),
        pytest.param(
            ["--redirecttype", "article", "--redirectid", "31"], "/article.php?id=31", id="article"
        ),
    ],
)
def test_the_gate_takes_what_it_makes(site: Site, more: list[str], leads: str) -> None:
    assert _open(site, _link(site, *more)) == (303, leads)


def test_the_groups_are_given(site: Site) -> None:
    _open(site, _link(site, "--groups", "members,nonsense"))

    assert re.search(r"groups +members\n", site.good("user", "show", "john"))


def test_a_logout_link_ends_the_users_sessions(site: Site) -> None:
    _open(site, _link(site))
    link = site.good("link", "--sender", "members", "--username", "john", "--logout").strip()

    assert _open(site, link, "POST") == (200, "")
    assert len(site.good("session", "list").splitlines()) == 1


def test_only_the_link_goes_to_the_output(site: Site) -> None:
    result = site.run("link", "--sender", "members", *JOHN)

    assert result.stdout.startswith("https://app.example/sso.php?mode=login&query=")
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("more", "note"),
    [
        pytest.param(["--time", "1562230800"], "note: time: 400E3 signed at 2019-07-04", id="old"),
        pytest.param(["--no-timestamp"], "note: time: 400E1 t is missing", id="no time"),
        pytest.param(["--groups", "a\x07"], "note: contents: 400E2", id="bad group"),
    ],
)
def test_a_link_that_will_be_refused_is_made_with_a_note(
    site: Site, more: list[str], note: str
) -> None:
    result = site.run("link", "--sender", "members", *JOHN, *more)

    assert result.exit_code == 0
    assert note in result.stderr
    assert _open(site, result.stdout.strip())[0] == 400


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([*JOHN], "give --sender, one of members, partners", id="which sender"),
        pytest.param(["--sender", "x", *JOHN], "there is no sender x", id="unknown sender"),
        pytest.param(["--sender", "members"], "--username, --name, --email", id="nobody"),
        pytest.param(["--sender", "members", *JOHN[:4]], "needs --email", id="no e-mail"),
        pytest.param(["--debug", "/sso.php", *JOHN], "give one", id="debug and make"),
        pytest.param(
            ["--debug", "/x"], "give --sender, one of members, partners", id="nobody's path"
        ),
        pytest.param(["--debug", "/x", "--sender", "y"], "there is no sender y", id="nobody's"),
    ],
)
def test_tells_a_mistake_in_the_command(site: Site, arguments: list[str], message: str) -> None:
    result = site.run("link", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_without_a_sender_there_is_no_link(site: Site) -> None:
    text = (site.folder / "gateway.yaml").read_text("utf-8")
    start, end = text.index("login:"), text.index("upstreams:")
    site.write("gateway.yaml", text[:start] + text[end:])

    for arguments in (JOHN, ["--debug", "/sso.php"]):
        assert "no sender of signed links" in site.run("link", *arguments).stderr


# --- Taking apart -----------------------------------------------------------------------------


def _signed(fields: dict[str, str], *, secret: str = SECRET) -> str:
    query = make_query({**fields, "t": str(int(time.time()))})
    digest = sha256((query + secret).encode()).hexdigest()
    return f"https://app.example/sso.php?mode=login&query={quote(query, safe='')}&hash={digest}"


def test_says_yes_to_a_good_link_and_leaves_it_good(site: Site) -> None:
    link = _link(site, "--groups", "members", "--redirect", "/members/")

    for _ in range(2):
        text = site.good("link", "--debug", link)
        assert "✗" not in text
        assert "✓ destination: leads to /members/" in text
        assert "✓ account: would be created, in 'members'" in text
        assert "✓ single use: not used yet" in text
        assert text.endswith("✓ verdict: the gate takes it\n")
    assert site.good("user", "list").count("\n") == 1
    assert _open(site, link) == (303, "/members/")


def test_reads_the_link_from_its_input(site: Site) -> None:
    assert site.good("link", "--debug", "-", stdin=f"  {_link(site)}\n")


def test_takes_a_link_without_its_site(site: Site) -> None:
    text = site.good("link", "--debug", _link(site).removeprefix("https://app.example"))

    assert text.startswith("✓ address: /sso.php is the path of members\n")


def test_bytes_that_are_no_text_are_no_trouble(site: Site) -> None:
    result = site.run("link", "--debug", "-", "--sender", "members", stdin=b"\xff\0\x1b[2J")

    assert result.exit_code == 1
    assert "\x1b" not in result.output


def test_knows_whether_a_link_was_used(site: Site) -> None:
    link = _link(site)
    _open(site, link)

    result = site.run("link", "--debug", link)

    assert result.exit_code == 1
    assert "✗ single use: 400E3 this link was used already" in result.stdout
    assert "✓ account: exists, active, members's; stays as it is" in result.stdout
    assert "✗ verdict: the gate refuses it" in result.stdout


@pytest.mark.parametrize(
    ("commands", "finding"),
    [
        pytest.param(
            [["user", "add", "john", "--email", "x@example.com", "--groups", "staff"]],
            "✓ account: exists, active, added by an operator; would be updated, in 'staff'",
            id="an operator's",
        ),
        pytest.param(
            [
                ["user", "add", "john", "--email", "x@example.com"],
                ["user", "deactivate", "john"],
            ],
            "✗ account: 404E1 The requested user account is inactive",
            id="deactivated",
        ),
    ],
)
def test_tells_of_the_account(site: Site, commands: list[list[str]], finding: str) -> None:
    for command in commands:
        site.good(*command)
    before = site.good("user", "show", "john")

    result = site.run("link", "--debug", _link(site))

    assert finding in result.stdout
    assert result.exit_code == (1 if finding.startswith("✗") else 0)
    assert site.good("user", "show", "john") == before


def test_tells_that_nobody_is_created(site: Site) -> None:
    site.edit("auto_create: true", "auto_create: false")

    result = site.run("link", "--debug", _link(site))

    assert result.exit_code == 1
    assert "✗ account: 404E2 The requested user account was not found" in result.stdout


def test_tells_that_the_user_is_another_senders(site: Site) -> None:
    _open(site, _link(site))

    made = site.good("link", "--sender", "partners", *JOHN).strip()
    result = site.run("link", "--debug", made)

    assert result.exit_code == 1
    assert "✗ account: 400E4" in result.stdout
    assert "belongs to 'members'" in result.stdout


@pytest.mark.parametrize(
    ("edit", "finding"),
    [
        pytest.param(
            ("https://app.example", "https://evil.example"),
            "✗ site: evil.example is not served here",
            id="another site",
        ),
        pytest.param(
            ("https://app.example", "https://x@app.example"),
            "✗ site: the link does not begin with",
            id="user part",
        ),
        pytest.param(
            ("/sso.php", "/partners.php"),
            "✗ hash: wrong: it is made with a secret of another sender, members",
            id="another sender's path",
        ),
        pytest.param(
            ("hash=", "hash=0"), "✗ parameters: 400E2 An invalid URL parameter", id="hash too long"
        ),
        pytest.param(
            ("mode=login", "mode=LOGIN"),
            "✗ parameters: 400E2 An invalid URL parameter was received: mode is neither",
            id="mode",
        ),
    ],
)
def test_tells_each_kind_of_breakage(site: Site, edit: tuple[str, str], finding: str) -> None:
    result = site.run("link", "--debug", _signed(FIELDS).replace(*edit))

    assert result.exit_code == 1
    assert finding in result.stdout
    assert "✗ verdict: the gate refuses it" in result.stdout


def test_knows_whose_link_it_is_however_the_address_is_spelt(site: Site) -> None:
    link = _signed(FIELDS).replace("https://app.example/sso.php", "HTTPS://app.example/%73so.php")

    assert "✓ address: /sso.php is the path of members" in site.good("link", "--debug", link)


def test_finds_the_mistake_behind_a_wrong_hash(site: Site) -> None:
    result = site.run("link", "--debug", _signed(FIELDS, secret=f"{SECRET}\n"))

    assert result.exit_code == 1
    assert "✗ hash: wrong: the secret has a line break at its end" in result.stdout


def test_says_nothing_of_use_when_the_hash_is_wrong(site: Site) -> None:
    result = site.run("link", "--debug", _signed(FIELDS, secret="x"))

    assert "single use" not in result.stdout
    assert "✓ account: would be created" in result.stdout


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(SECRET, id="the right one"),
        pytest.param(OTHER_SECRET, id="another sender's"),
        pytest.param("x", id="unknown"),
        pytest.param(f"{SECRET}\n", id="with a line break"),
    ],
)
def test_never_tells_a_secret_or_a_right_hash(site: Site, secret: str) -> None:
    link = _signed(FIELDS, secret=secret)
    right = _signed(FIELDS)

    result = site.run("link", "--debug", link)

    assert SECRET not in result.output
    assert OTHER_SECRET not in result.output
    assert right[-64:] not in result.output
    assert link[-64:] not in result.output
