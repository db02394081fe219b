"""Row F: a visitor is sent nowhere but to a path of this site, or where the configuration says."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.attack.links import inner, signed
from tests.attack.stage import PAGE, Stage
from tests.servers import Answer

pytestmark = pytest.mark.server

OFF_SITE = [
    pytest.param(target, id=f"F1 {target[:40]!r}")
    for target in (
        "//evil.example",
        "///evil.example",
        "////evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "\\\\evil.example",
        "/%09/evil.example",
        "/\t/evil.example",
        "\t//evil.example",
        " //evil.example",
        "/\n/evil.example",
        "/%2f/evil.example",
        "/%5cevil.example",
        "/.//evil.example",
        "/..//evil.example",
        "/x/..//evil.example",
        "/;//evil.example",
        "https://evil.example",
        "https:evil.example",
        "https:/evil.example",
        "HTTPS://evil.example",
        "http://app.example@evil.example",
        "https://app.example.evil.example",
        "https://app.example\\@evil.example",
        "https://[::ffff:1.2.3.4]/",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "evil.example",
        "@evil.example",
        "?//evil.example/../",
        "#//evil.example",
        "/x%0d%0aSet-Cookie:%20a=b",
        "/x\r\nSet-Cookie: a=b",
        "/x?a=%0d%0aSet-Cookie:%20a=b",
        "/x\0y",
        "/\u2028/evil.example",
        "/" + "a" * 2048,
        "",
    )
]


def assert_stays(answer: Answer) -> None:
    location = answer.header("Location") or ""
    assert answer.status == 303
    assert location == "/"
    assert all("a=b" not in cookie for cookie in answer.all("Set-Cookie"))


@pytest.mark.parametrize("target", OFF_SITE)
def test_a_link_leads_to_no_other_site(stage: Stage, target: str) -> None:
    assert_stays(stage.ask(signed(inner(redirect=target))))
    assert_stays(stage.ask(signed(inner(), redirect=target)))


@pytest.mark.parametrize("number", ["//evil", "../..", "1&x=y", "%2f", "", "a" * 65, "1\r\n", "１"])
def test_a_redirect_id_is_one_plain_word(stage: Stage, number: str) -> None:
    answer = stage.ask(signed(inner(redirecttype="article", redirectid=number)))

    assert answer.header("Location") == "/"


def test_a_good_target_is_kept(stage: Stage) -> None:
    by_type = stage.ask(signed(inner(redirecttype="article", redirectid="31")))
    by_path = stage.ask(signed(inner(redirect="/members/%7ejo?a=b&c=%20d#e")))

    assert by_type.header("Location") == "/article.php?id=31"
    assert by_path.header("Location") == "/members/~jo?a=b&c=%20d"


@pytest.mark.parametrize("target", OFF_SITE)
def test_the_sign_in_page_hands_on_no_other_site(stage: Stage, target: str) -> None:
    answer = stage.ask(f"/_sso/sign-in?return_to={quote(target, safe='')}", *PAGE)

    assert answer.status == 200
    assert "redirect=%2F&" in answer.text.replace('"', "&")
    assert "evil" not in answer.text
    assert "alert" not in answer.text


@pytest.mark.parametrize(
    "target", ["//evil.example/", "/\\evil.example/", "http://evil.example/", "/%2f/evil", "///x"]
)
def test_a_requested_path_never_becomes_an_off_site_return(stage: Stage, target: str) -> None:
    """F5."""
    answer = stage.ask(target, *PAGE)

    assert answer.status == 400
    assert answer.header("Location") is None


@pytest.mark.parametrize(
    "target",
    [
        "/go",
        "/go/",
        "/go/x?y=z",
        "/go/@evil.example",
        "/go/:80@evil",
        "/go/.evil.example",
        "/go/%40evil.example",
        "/go/x?u=//evil.example",
        "/go/x?%0d%0aSet-Cookie:a=b",
        "/go/x?\xe4",
    ],
)
def test_a_redirect_route_leads_to_its_own_host_alone(stage: Stage, target: str) -> None:
    answer = stage.ask(target)
    if answer.status == 400:  # the server itself refuses bytes beyond ASCII
        assert not target.isascii()
        return

    location = answer.header("Location") or ""
    assert answer.status == 302
    assert location.startswith("https://elsewhere.example")
    assert location.removeprefix("https://elsewhere.example")[:1] in ("/", "?", "")
    assert answer.header("Set-Cookie") is None


def test_a_stripped_redirect_cannot_grow_its_host(stage: Stage) -> None:
    for target in ("/go@evil.example/", "/go.evil.example/", "/go:80/", "/go;@evil/"):
        assert stage.ask(target).status in (401, 400)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_signing_out_leads_where_the_configuration_says(stage: Stage, method: str) -> None:
    more = "&redirect=//evil.example&logout_url=//evil.example&return_url=https://evil.example"
    answer = stage.ask(f"/sso.php?mode=logout{more}", method=method)

    assert answer.header("Location") == ("/_sso/signed-out" if method == "GET" else None)
    assert "evil" not in answer.text
