"""cPanel & WHM: what the module asks for, and what it makes of the answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssogate.launch.module import ModuleParams, PanelError
from ssogate.launch.modules import BUILT_IN
from tests.launch.making import ADDRESS, HOST, PARAMS, PASSWORD, TOKEN, WITH_TOKEN, MemoryPanel

MODULE = BUILT_IN["cpanel"]
SESSION = "/cpsess1234567890/login/?session=joe%3aabc%3aCREATE_USER_SESSION%2cdef"
SUCCESS = {
    "metadata": {"command": "create_user_session", "reason": "Created session", "result": 1},
    "data": {"service": "cpaneld", "url": f"https://{ADDRESS}:2083{SESSION}"},
}


def failure(reason: str) -> dict[str, object]:
    return {"metadata": {"command": "create_user_session", "reason": reason, "result": 0}}


def test_a_service_leads_to_cpanel_by_the_servers_name() -> None:
    panel = MemoryPanel(SUCCESS)

    result = MODULE.service_single_sign_on(WITH_TOKEN, panel)

    assert result.redirect_to == f"https://{HOST}:2083{SESSION}"
    (asked,) = panel.asked
    assert (asked.method, asked.path) == ("POST", "/json-api/create_user_session")
    assert asked.query == {"api.version": "1"}
    assert asked.form == {"user": "joe", "service": "cpaneld"}
    assert (asked.headers, asked.auth) == ({"Authorization": f"whm root:{TOKEN}"}, None)


def test_a_mail_account_leads_to_webmail() -> None:
    panel = MemoryPanel(SUCCESS)
    MODULE.service_single_sign_on(replace(WITH_TOKEN, username="joe@shop.example"), panel)
    assert panel.asked[0].form == {"user": "joe@shop.example", "service": "webmaild"}


def test_an_administrator_gets_to_whm_as_the_servers_own_user() -> None:
    panel = MemoryPanel(SUCCESS)
    assert MODULE.admin_single_sign_on(replace(WITH_TOKEN, username=""), panel).success
    assert panel.asked[0].form == {"user": "root", "service": "whostmgrd"}


def test_a_shortcut_and_a_language_are_asked_for() -> None:
    panel = MemoryPanel(SUCCESS)
    params = replace(WITH_TOKEN, app="Email_Accounts", clientsdetails={"locale": "de"})

    MODULE.service_single_sign_on(params, panel)

    form = {"user": "joe", "service": "cpaneld", "app": "Email_Accounts", "locale": "de"}
    assert panel.asked[0].form == form


def test_without_a_token_the_password_is_used() -> None:
    panel = MemoryPanel(SUCCESS)
    MODULE.service_single_sign_on(PARAMS, panel)
    assert (panel.asked[0].headers, panel.asked[0].auth) == ({}, ("root", PASSWORD))


def test_the_line_breaks_of_an_old_access_hash_are_not_sent() -> None:
    panel = MemoryPanel(SUCCESS)
    MODULE.service_single_sign_on(replace(PARAMS, serveraccesshash="abc\r\ndef\n 0 "), panel)
    assert panel.asked[0].headers == {"Authorization": "whm root:abcdef0"}


def test_a_refusal_with_status_200_is_a_failure() -> None:
    panel = MemoryPanel(failure("The user “joe” does not exist."))
    result = MODULE.service_single_sign_on(WITH_TOKEN, panel)
    assert not result.success
    assert result.error_msg == "The panel says: The user “joe” does not exist."


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param('{"cpanelresult":{"error":"Access denied"}}', 403, id="wrong token"),
        pytest.param(SUCCESS, 403, id="403 that looks like success"),
        pytest.param(SUCCESS, 302, id="a redirect"),
        pytest.param("<html>Login</html>", 200, id="HTML"),
        pytest.param('{"metadata": {"result": 1}, "da', 200, id="half"),
        pytest.param("", 200, id="nothing"),
        pytest.param("[" * 100_000, 200, id="deep"),
        pytest.param(b"\xff\xfe", 200, id="no text"),
        pytest.param([SUCCESS], 200, id="a list"),
        pytest.param({"metadata": {"result": 1}, "data": {}}, 200, id="no address"),
        pytest.param({"metadata": {"result": 1}, "data": {"url": 7}}, 200, id="a number"),
        pytest.param(SUCCESS | {"metadata": {"result": "yes"}}, 200, id="unknown result"),
        pytest.param({"metadata": {"result": 0}}, 200, id="no reason"),
        pytest.param({"metadata": {"result": 0, "reason": 7}}, 200, id="a number for a reason"),
        pytest.param(SUCCESS | {"data": {"url": "javascript:alert(1)"}}, 200, id="script"),
    ],
)
def test_an_answer_that_makes_no_sense_is_not_for_the_visitor(body: object, status: int) -> None:
    with pytest.raises(PanelError) as raised:
        MODULE.service_single_sign_on(WITH_TOKEN, MemoryPanel(body, status))
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize(
    "params",
    [
        pytest.param(replace(WITH_TOKEN, username=""), id="no user"),
        pytest.param(replace(WITH_TOKEN, username="root"), id="the server's own user"),
        pytest.param(replace(WITH_TOKEN, serverusername=""), id="no user of the server"),
        pytest.param(replace(WITH_TOKEN, serverusername="root:x"), id="a colon"),
    ],
)
def test_nobody_is_never_asked_for(params: ModuleParams) -> None:
    panel = MemoryPanel(SUCCESS)
    with pytest.raises(PanelError):
        MODULE.service_single_sign_on(params, panel)
    assert not panel.asked


def test_the_shortcuts_are_the_ones_of_the_table() -> None:
    assert [shortcut.app for shortcut in MODULE.metadata.shortcuts] == [
        *("Email_Accounts", "Email_Forwarders", "Email_AutoResponders", "FileManager_Home"),
        *("Backups_Home", "Domains_SubDomains", "Domains_AddonDomains", "Cron_Home"),
        *("Database_MySQL", "Database_phpMyAdmin", "Stats_AWStats"),
    ]
