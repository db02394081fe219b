"""Tokens lead to the pages of the client area, and nowhere else."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssogate.directory.destinations import (
    BASE_SCOPE,
    CUSTOM_REDIRECT,
    SCOPES,
    BadDestination,
    Destinations,
)

BILLING = Destinations("/billing")


def led(
    scope: str,
    path: str | None = None,
    *,
    service: int | None = None,
    domain: int | None = None,
    by: Destinations = BILLING,
) -> str:
    return by.target(scope, service=service, domain=domain, redirect_path=path).text


@pytest.mark.parametrize(
    ("scope", "target"),
    [
        ("", "clientarea.php"),
        ("clientarea:sso", "clientarea.php"),
        ("clientarea:profile", "clientarea.php?action=details"),
        ("clientarea:billing_info", "index.php?rp=/account/paymentmethods"),
        ("clientarea:emails", "clientarea.php?action=emails"),
        ("clientarea:announcements", "index.php?rp=/announcements"),
        ("clientarea:downloads", "index.php?rp=/download"),
        ("clientarea:knowledgebase", "index.php?rp=/knowledgebase"),
        ("clientarea:network_status", "serverstatus.php"),
        ("clientarea:services", "clientarea.php?action=services"),
        ("clientarea:product_details", "clientarea.php?action=productdetails&id=3"),
        ("clientarea:domains", "clientarea.php?action=domains"),
        ("clientarea:domain_details", "clientarea.php?action=domaindetails&id=7"),
        ("clientarea:invoices", "clientarea.php?action=invoices"),
        ("clientarea:tickets", "supporttickets.php"),
        ("clientarea:submit_ticket", "submitticket.php"),
        ("clientarea:shopping_cart", "cart.php"),
        ("clientarea:shopping_cart_domain_register", "cart.php?a=add&domain=register"),
        ("clientarea:shopping_cart_domain_transfer", "cart.php?a=add&domain=transfer"),
        ("clientarea:upgrades", "upgrade.php?type=package&id=3"),
        ("clientarea:shopping_cart_addons", "upgrade.php?type=package&id=3"),
    ],
)
def test_a_scope_leads_where_whmcs_has_the_page(scope: str, target: str) -> None:
    assert led(scope, service=3, domain=7) == f"/billing/{target}"
    assert led(scope, service=3, domain=7, by=Destinations()) == f"/{target}"


def test_the_scopes_are_the_seeds_nineteen_the_base_and_an_older_name() -> None:
    assert len(SCOPES) == 19 + 2
    assert {BASE_SCOPE, CUSTOM_REDIRECT, "clientarea:shopping_cart_addons"} < SCOPES.keys()


@pytest.mark.parametrize(
    "scope",
    [
        "clientarea:homepage",
        "profile",
        "CLIENTAREA:PROFILE",
        "clientarea:profile ",
        "clientarea:",
        "sso:custom",
        "openid",
    ],
)
def test_another_scope_is_no_destination(scope: str) -> None:
    with pytest.raises(BadDestination, match="no such destination"):
        led(scope, "index.php")


@pytest.mark.parametrize(
    ("scope", "missing", "given_instead"),
    [
        ("clientarea:product_details", "service_id", {"domain": 7}),
        ("clientarea:upgrades", "service_id", {}),
        ("clientarea:shopping_cart_addons", "service_id", {}),
        ("clientarea:domain_details", "domain_id", {"service": 3}),
    ],
)
def test_a_page_of_something_needs_its_number(
    scope: str, missing: str, given_instead: dict[str, int]
) -> None:
    with pytest.raises(BadDestination, match=f"{scope} needs a {missing}"):
        led(scope, service=given_instead.get("service"), domain=given_instead.get("domain"))


def test_a_path_counts_with_its_scope_only() -> None:
    assert led("clientarea:profile", "https://evil.example") == (
        "/billing/clientarea.php?action=details"
    )


# --- The path that a caller chooses ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "target"),
    [
        pytest.param("viewinvoice.php?id=3", "viewinvoice.php?id=3", id="as whmcspy sends it"),
        pytest.param("/viewinvoice.php?id=3", "viewinvoice.php?id=3", id="with the slash of many"),
        pytest.param("a/b/c.php", "a/b/c.php", id="deeper"),
        pytest.param("a.php?u=https://x.example/../", "a.php?u=https://x.example/../", id="query"),
        pytest.param("b/c?t=12:30", "b/c?t=12:30", id="a colon in the query"),
        pytest.param("%7ejoe/", "~joe/", id="another spelling of the same"),
        pytest.param("a.php#tab", "a.php", id="a fragment goes"),
        pytest.param("evil.example", "evil.example", id="what looks like a host is a file"),
    ],
)
def test_a_caller_may_choose_a_page_below_the_base(path: str, target: str) -> None:
    assert led(CUSTOM_REDIRECT, path) == f"/billing/{target}"


OUTSIDE = [
    *("//evil", "/\\evil", "\\/evil", "\\\\evil", "/%09/evil", "/\t/evil", "\t//evil", "///evil"),
    *("////evil", " //evil", "/\n/evil", "https:evil", "https:/evil", "https://evil", "HTTPS:evil"),
    *("http://ok@evil", "https://ok%2eevil", "https://ok.evil", "https://ok\\@evil", "/https:evil"),
    *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "/javascript:x", "data:text/html,x", "x:y"),
    *("%0d%0aSet-Cookie:a=b", "a?b=%0d%0aSet-Cookie:a=b", "a\r\nb: c", "a\n", "a\0", "a%00.png"),
    *("/..//evil", "..", "../admin", "/../admin", "a/../../admin", "./a", "a/.", "a/./b", "a/.."),
    *("%2e%2e/admin", "a/%2E%2e/b", "..%2fadmin", "a%2fb", "a%5cb", "a\\b", "%252e%252e/b"),
    *("a/%c0%ae%c0%ae/b", "..;/admin", "a/..;x=y/b", ".;/a", "%ff", "%zz", "%", "a//b", "a;/../b"),
    *("?a=b", "#a", "", "/", "/?a", "/#a", "@evil\\", "https://[::ffff:1.2.3.4]", "a?b c", "a b"),
    *("a\u2028b", "\uff0f\uff0fevil", "a?\u00e9", "a" * 2100),
]


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path[:40]!a}") for path in OUTSIDE])
@pytest.mark.parametrize("base", ["/", "/billing"])
def test_a_caller_may_choose_nothing_else(path: str, base: str) -> None:
    """F1."""
    with pytest.raises(BadDestination, match="sso_redirect_path"):
        led(CUSTOM_REDIRECT, path, by=Destinations(base))


def test_the_scope_of_a_path_needs_one() -> None:
    with pytest.raises(BadDestination, match="sso_redirect_path"):
        led(CUSTOM_REDIRECT)


PIECES = st.sampled_from(
    [
        *("/", "//", "\\", ".", "..", "%2e", "%2E%2e", "%2f", "%5c", "%252e", "%25", ";", "?", "#"),
        *(":", "@", "evil.example", "https:", "a", "%09", "\t", "\n", "\0", "%00", " ", "é", "&"),
        *("billing", "..;", "%3b", "%3f", "%23", "%c0%ae", "~", "|", "[", "=", "\u2028", "\uff0f"),
    ]
)


@given(st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=20)))
@example("..%2f..")
@example(";")
def test_no_spelling_of_a_path_leaves_the_base(path: str) -> None:
    try:
        target = led(CUSTOM_REDIRECT, path)
    except BadDestination:
        return
    assert target.isascii()
    assert target.isprintable()
    assert "\\" not in target
    found = urlsplit(urljoin("https://app.example/", target))
    assert (found.scheme, found.netloc) == ("https", "app.example")
    for reading in (found.path, unquote(found.path), unquote(unquote(found.path))):
        for server in (reading, "/".join(part.partition(";")[0] for part in reading.split("/"))):
            assert f"{posixpath.normpath(server)}/".startswith("/billing/")


# --- What an operator writes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "template", "target"),
    [
        pytest.param("clientarea:profile", "/profile", "/profile", id="a path of the site"),
        pytest.param("clientarea:profile", "me.php", "/billing/me.php", id="below the base"),
        pytest.param("clientarea:sso", "/home?a=b", "/home?a=b", id="the front page"),
        pytest.param("clientarea:upgrades", "/up/{service_id}", "/up/3", id="service_id"),
        pytest.param(
            "clientarea:domain_details", "/d/{domain_id}?x={domain_id}", "/d/7?x=7", id="twice"
        ),
        pytest.param("clientarea:product_details", "/list", "/list", id="a number is not used"),
    ],
)
def test_an_operator_may_choose_another_page(scope: str, template: str, target: str) -> None:
    chosen = Destinations("/billing", {scope: template})

    assert led(scope, service=3, domain=7, by=chosen) == target
    assert led("clientarea:tickets", by=chosen) == "/billing/supporttickets.php"


@pytest.mark.parametrize(
    ("scope", "template", "message"),
    [
        pytest.param("clientarea:homepage", "/x", "'clientarea:homepage' is no scope", id="scope"),
        pytest.param(CUSTOM_REDIRECT, "/x", "is no scope that has a target", id="the caller's own"),
        pytest.param("clientarea:profile", "//evil", "'//evil' is no path", id="another site"),
        pytest.param("clientarea:profile", "https://evil", "is no path", id="a URL"),
        pytest.param("clientarea:profile", "/a/../b", "is no path", id="dots"),
        pytest.param("clientarea:profile", "/a#b", "is no path", id="fragment"),
        pytest.param("clientarea:profile", "/%7Ejoe", "is no path", id="not canonical"),
        pytest.param("clientarea:profile", "/a?b={service_id}", "is no path", id="not its number"),
        pytest.param("clientarea:profile", "/a/{}", "is no path", id="no name"),
        pytest.param(
            "clientarea:upgrades", "/a?b={domain_id}", "may hold {service_id}", id="other number"
        ),
    ],
)
def test_what_an_operator_writes_is_checked_at_the_start(
    scope: str, template: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Destinations("/", {scope: template})


@pytest.mark.parametrize(
    "base", ["", "billing", "//evil", "/a?b", "/a#b", "/a/../b", "/a b", "/a\n"]
)
def test_a_base_is_a_plain_path(base: str) -> None:
    with pytest.raises(ValueError, match="base: "):
        Destinations(base)


def test_a_base_may_end_in_a_slash() -> None:
    assert led("", by=Destinations("/billing/")) == "/billing/clientarea.php"
