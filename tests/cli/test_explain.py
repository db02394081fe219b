from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Site


@pytest.fixture
def people(site: Site) -> Site:
    site.good("user", "add", "John", "--email", "john@example.com", "--groups", "members")
    site.good("user", "add", "sue", "--email", "sue@example.com")
    return site


@pytest.mark.parametrize(
    ("arguments", "status", "outcome"),
    [
        pytest.param(["/"], 0, "allow by rule 'Front page'", id="public"),
        pytest.param(["/members/"], 1, "challenge by rule 'Members'", id="anonymous"),
        pytest.param(["/members/", "--as", "john"], 0, "allow by rule 'Members'", id="member"),
        pytest.param(["/members/", "--as", "JOHN"], 0, "allow", id="member, spelt otherwise"),
        pytest.param(["/members/", "--as", "sue"], 1, "deny by rule 'Members'", id="no member"),
        pytest.param(
            ["/members/", "--as", "sue", "--groups", "staff"], 0, "allow", id="if she were staff"
        ),
        pytest.param(
            ["/members/", "--as", "john", "--groups", ""], 1, "deny", id="if he were in no group"
        ),
        pytest.param(["/members/", "--as", "new", "--groups", "members"], 0, "allow", id="new"),
        pytest.param(["/nowhere"], 1, "deny", id="no rule"),
        pytest.param(
            ["/office/x", "--as", "sue", "--from", "10.1.2.3"], 0, "allow", id="from the office"
        ),
        pytest.param(
            ["/office/x", "--as", "sue", "--from", "::ffff:10.1.2.3"], 0, "allow", id="mapped"
        ),
        pytest.param(
            ["/office/x", "--as", "sue", "--from", "192.0.2.1"], 1, "deny", id="from elsewhere"
        ),
        pytest.param(["/office/x", "--as", "sue"], 1, "deny", id="from nowhere"),
        pytest.param(["https://app.example/?x=1"], 0, "allow", id="a whole address"),
        pytest.param(["https://app.example?x=1"], 0, "allow", id="an address without a path"),
        pytest.param(["https://a.branch.example/"], 0, "allow", id="a host of a wildcard"),
    ],
)
def test_decides_as_the_policy_does(
    people: Site, arguments: list[str], status: int, outcome: str
) -> None:
    result = people.run("explain", *arguments)

    assert result.exit_code == status
    assert result.stdout.splitlines()[1].startswith(outcome)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["/members/../x"], "bad_target", id="dot segments"),
        pytest.param(["/members%2fx"], "bad_target", id="encoded slash where no route opens it"),
        pytest.param(["/x#y"], "bad_target", id="fragment"),
        pytest.param(["/a\x1b[31mb"], "bad_target", id="escape sequence"),
        pytest.param(["https://evil.example/"], "unknown_host", id="unknown host"),
        pytest.param(["https://user@app.example/"], "bad_host", id="user part"),
        pytest.param(["https://"], "bad_host", id="no host"),
        pytest.param(["/", "--method", "TRACE"], "method_refused", id="method"),
    ],
)
def test_tells_what_is_refused_before_any_rule(site: Site, arguments: list[str], code: str) -> None:
    result = site.run("explain", *arguments)

    assert result.exit_code == 1
    assert result.stdout.startswith(f"refused before any rule is asked: {code}, ")
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    ("url", "status", "text"),
    [
        pytest.param("/sso.php?mode=login", 0, "/sso.php is the gate's own", id="a way in"),
        pytest.param("/_sso/health", 0, "/_sso/health is the gate's own", id="health"),
        pytest.param("/_sso/x", 1, "there is nothing (404)", id="nothing"),
    ],
)
def test_knows_the_gates_own_addresses(site: Site, url: str, status: int, text: str) -> None:
    result = site.run("explain", url)

    assert result.exit_code == status
    assert text in result.stdout


@pytest.mark.parametrize(
    ("url", "place"),
    [
        pytest.param(
            "/members/news?x=1",
            "route / leads to club (http://127.0.0.1:8001), which is asked for /members/news?x=1",
            id="as it is",
        ),
        pytest.param(
            "/wiki/start",
            "route /wiki leads to club (http://127.0.0.1:8001), which is asked for /w/start",
            id="another prefix",
        ),
        pytest.param("/wiki/a%2Fb", "which is asked for /w/a%2Fb", id="an opened spelling"),
        pytest.param(
            "/old/x?y", "route /old redirects to https://old.example/old/x?y (302)", id="redirect"
        ),
    ],
)
def test_tells_where_the_request_would_go(people: Site, url: str, place: str) -> None:
    text = people.run("explain", url, "--as", "john").stdout

    assert place in text


def test_tells_what_the_app_is_told(people: Site) -> None:
    text = people.good("explain", "/members/", "--as", "john")

    headers = [line.strip() for line in text.splitlines() if line.startswith("  X-")]
    assert headers == [
        "X-Remote-User: John",
        "X-Remote-Email: john@example.com",
        "X-Remote-Name:",
        "X-Remote-Groups: members",
    ]


def test_tells_what_the_app_is_told_by_the_gates_own_identity(people: Site) -> None:
    people.edit("login:", "identity: {X-Who: username}\nlogin:")

    text = people.good("explain", "/members/", "--as", "john")

    assert [line.strip() for line in text.splitlines() if line.startswith("  X-")] == [
        "X-Who: John"
    ]


def test_tells_no_identity_of_nobody(site: Site) -> None:
    assert "X-Remote" not in site.good("explain", "/")


def test_says_where_no_route_leads(site: Site) -> None:
    site.edit("  - {path: /, upstream: club}\n", "")

    assert "no route leads anywhere (404)" in site.good("explain", "/")


def test_explains_a_wrap(people: Site) -> None:
    text = (people.folder / "gateway.yaml").read_text("utf-8")
    people.write("gateway.yaml", text[: text.index("upstreams:")])

    text = people.good("explain", "/members/", "--as", "john")

    assert "beyond the rules: the wrapped app" in text
    assert "X-Remote-User: John" in text


def test_a_deactivated_user_is_nobody(people: Site) -> None:
    people.good("user", "deactivate", "john")

    result = people.run("explain", "/members/", "--as", "john")

    assert result.exit_code == 1
    assert "as anonymous" in result.stdout
    assert result.stderr == "note: John is deactivated, so is nobody to the gate\n"


def test_gives_json_to_programs(people: Site) -> None:
    result = people.run("explain", "/members/", "--as", "sue", "--json")

    assert result.exit_code == 1
    facts = json.loads(result.stdout)
    assert (facts["outcome"], facts["rule"], facts["user"]) == ("deny", "Members", "sue")
    assert facts["steps"][0]["place"] == "policies/10.yaml:3"
    assert facts["upstream"] == "club"
    assert facts["headers"]["X-Remote-User"] == "sue"


@pytest.mark.parametrize(
    ("url", "facts"),
    [
        pytest.param("/sso.php", {"outcome": "own"}, id="own"),
        pytest.param("/_sso/x", {"outcome": "no_route"}, id="nothing"),
        pytest.param("/a/../b", {"outcome": "refused", "code": "bad_target"}, id="refused"),
    ],
)
def test_gives_json_of_what_no_rule_judges(site: Site, url: str, facts: dict[str, str]) -> None:
    assert json.loads(site.run("explain", url, "--json").stdout) == facts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["/", "--as", "nobody"],
            "there is no user nobody: give --groups to ask for one who might come",
            id="unknown user",
        ),
        pytest.param(["/", "--groups", "a"], "--groups goes with --as", id="groups of nobody"),
        pytest.param(["/", "--as", "x", "--groups", "a\x00"], "invisible character", id="group"),
        pytest.param(["/", "--as", " x"], "a user name must not", id="user name"),
        pytest.param(["/", "--from", "here"], "here is no address", id="address"),
        pytest.param(["members"], "URL is a path such as /staff/", id="no URL"),
        pytest.param(["ftp://app.example/"], "URL is a path such as /staff/", id="ftp"),
    ],
)
def test_tells_a_mistake_in_the_command(site: Site, arguments: list[str], message: str) -> None:
    result = site.run("explain", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_a_name_that_no_header_can_carry_is_refused_beyond(people: Site) -> None:
    people.edit("login:", "identity: {X-Remote-Groups: groups}\nlogin:")
    many = ",".join(f"group-{number:058}" for number in range(90))

    text = people.good("explain", "/members/", "--as", "x", "--groups", f"members,{many}")

    assert "refused there: identity_unsendable" in text
