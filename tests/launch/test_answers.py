"""What of a panel's answer reaches the visitor, and where a launch may lead by it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssogate.launch.module import PanelError
from ssogate.launch.modules.answers import customer, named, refused, signed_in
from tests.launch.making import ADDRESS, HOST, PARAMS, PASSWORD, TOKEN, WITH_TOKEN, MemoryPanel

PLAIN = replace(PARAMS, serversecure=False, serverhttpprefix="http")


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        pytest.param(f"https://{HOST}:2083/a?b=c%3ad", f"https://{HOST}:2083/a?b=c%3ad", id="host"),
        pytest.param(f"https://{ADDRESS}:2083/a", f"https://{HOST}:2083/a", id="its IP address"),
        pytest.param(f"https://{HOST.upper()}/a", f"https://{HOST}/a", id="capitals"),
        pytest.param(f"http://{HOST}:2222/a", f"https://{HOST}:2222/a", id="without TLS"),
        pytest.param(f"//{HOST}/a", f"https://{HOST}/a", id="protocol-relative"),
        pytest.param(f"https://{HOST}", f"https://{HOST}", id="no path"),
        pytest.param("https://evil.example/a", "https://evil.example/a", id="left to the gate"),
        pytest.param("https://192.0.2.70/a", "https://192.0.2.70/a", id="another IP address"),
    ],
)
def test_an_address_leads_to_the_servers_first_name_over_tls(address: str, leads_to: str) -> None:
    result = signed_in(address, PARAMS, MemoryPanel())

    assert (result.success, result.redirect_to, result.error_msg) == (True, leads_to, "")
    assert leads_to not in repr(result)


def test_an_ipv6_address_becomes_the_name_as_well() -> None:
    params = replace(PARAMS, serverip="2001:db8::7")

    result = signed_in("https://[2001:DB8::7]:2083/a", params, MemoryPanel())
    assert result.redirect_to == f"https://{HOST}:2083/a"


def test_a_server_without_tls_may_be_reached_without() -> None:
    result = signed_in(f"http://{ADDRESS}:2082/a", PLAIN, MemoryPanel())
    assert result.redirect_to == f"http://{HOST}:2082/a"


@pytest.mark.parametrize(
    "address",
    [
        *("", "/login", "login", "https://", "https:///a", "https:evil.example", "https:/evil"),
        *("javascript:alert(1)", "data:text/html,x", "ftp://node1.example/", " https://a/"),
        *("https://root@node1.example/", "https://node1.example\\@evil/", "https://[::1/a"),
        *("https://node1.example/\r\nSet-Cookie: a=b", "https://node1.example/\tx", "//a b/"),
        *('https://node1.example/"onload=', "https://node1.example/<b>", "https://a:999999/"),
        *("https://nöde.example/", "https://node1.example/ü", "https://node1.example/a#b\n"),
    ],
)
def test_what_is_no_address_is_no_success(address: str) -> None:
    with pytest.raises(PanelError):
        signed_in(address, PARAMS, MemoryPanel())


def test_a_panels_reason_is_told_in_one_line() -> None:
    result = refused(" The user \n“joe”\tdoes not exist. ", PARAMS)

    assert (result.success, result.redirect_to) == (False, "")
    assert result.error_msg == "The panel says: The user “joe” does not exist."


def test_a_long_reason_is_cut() -> None:
    words = refused("x" * 5000, PARAMS).error_msg
    assert words.startswith("The panel says: xxx")
    assert len(words) == 200


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param("", id="nothing"),
        pytest.param(" \n ", id="white space"),
        pytest.param("<html><b>Login</b></html>", id="HTML"),
        pytest.param("a > b", id="half of HTML"),
        pytest.param("\x1b[31mred", id="control characters"),
        pytest.param("\u202eevil", id="right to left"),
        pytest.param(f"wrong password {PASSWORD}", id="the password"),
        pytest.param(f"token {TOKEN[:5]}\n{TOKEN[5:]}", id="the token in lines"),
    ],
)
def test_a_reason_that_must_not_be_shown_is_not(reason: str) -> None:
    assert refused(reason, WITH_TOKEN).error_msg == ""


@pytest.mark.parametrize("name", ["joe", "joe@shop.example", "shop.example", "jö", "a-b_c"])
def test_a_user_of_a_panel_has_a_name(name: str) -> None:
    assert named(name) == name


@pytest.mark.parametrize("name", ["", " ", "a b", "a:b", "admin|joe", "a\n", "a\x00", "|", "a\x7f"])
def test_a_name_that_could_be_anothers_is_refused(name: str) -> None:
    with pytest.raises(PanelError):
        named(name)


def test_a_service_has_a_user() -> None:
    assert customer(PARAMS) == "joe"


@pytest.mark.parametrize(
    "name", ["", "joe|admin", "root", "admin", "Admin", "operator", "OPERATOR"]
)
def test_a_service_never_signs_in_an_administrator_of_the_server(name: str) -> None:
    with pytest.raises(PanelError):
        customer(replace(PARAMS, username=name, serverusername="operator"))
