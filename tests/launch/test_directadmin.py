"""DirectAdmin: what the module asks for, and what it makes of the answers."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from ssogate.launch.module import ModuleParams, PanelError
from ssogate.launch.modules import BUILT_IN
from tests.launch.making import HOST, PARAMS, PASSWORD, MemoryPanel

MODULE = BUILT_IN["directadmin"]
URL = f"https://{HOST}:2222/CMD_LOGIN_URL?hash={'a1B2' * 32}"
SUCCESS = urlencode({"error": "0", "text": "Login URL Created", "details": URL})
ADMIN = replace(PARAMS, serverusername="admin")


def test_a_service_leads_to_the_one_time_address_of_its_user() -> None:
    panel = MemoryPanel(SUCCESS)

    assert MODULE.service_single_sign_on(ADMIN, panel).redirect_to == URL

    (asked,) = panel.asked
    assert (asked.method, asked.path) == ("POST", "/CMD_API_LOGIN_KEYS")
    assert asked.auth == ("admin|joe", PASSWORD)
    assert asked.form == {"action": "create", "type": "one_time_url", "expiry": "5m"}


def test_an_administrator_signs_in_as_the_servers_own_user() -> None:
    panel = MemoryPanel(SUCCESS)
    assert MODULE.admin_single_sign_on(ADMIN, panel).redirect_to == URL
    assert panel.asked[0].auth == ("admin", PASSWORD)


def test_every_shortcut_opens_a_page_of_the_panel() -> None:
    for shortcut in MODULE.metadata.shortcuts:
        panel = MemoryPanel(SUCCESS)
        MODULE.service_single_sign_on(replace(ADMIN, app=shortcut.app), panel)
        assert panel.asked[0].form["redirect-url"] == f"/{shortcut.app}"


@pytest.mark.parametrize(
    "params",
    [
        pytest.param(replace(ADMIN, username=""), id="no user: that would be the administrator"),
        pytest.param(replace(ADMIN, username="joe|admin"), id="two users"),
        pytest.param(replace(ADMIN, username="joe:x"), id="a password"),
        pytest.param(replace(ADMIN, username="admin"), id="the server's own user"),
        pytest.param(replace(ADMIN, serverusername=""), id="no administrator"),
    ],
)
def test_nobody_is_never_asked_for(params: ModuleParams) -> None:
    panel = MemoryPanel(SUCCESS)
    with pytest.raises(PanelError):
        MODULE.service_single_sign_on(params, panel)
    assert not panel.asked


def test_no_administrator_is_no_administrator() -> None:
    panel = MemoryPanel(SUCCESS)
    with pytest.raises(PanelError):
        MODULE.admin_single_sign_on(replace(ADMIN, serverusername=""), panel)
    assert not panel.asked


def test_the_reason_of_a_refusal_is_told() -> None:
    body = urlencode({"error": "1", "text": "Cannot do that", "details": "Not your user\n"})
    result = MODULE.service_single_sign_on(ADMIN, MemoryPanel(body))
    assert not result.success
    assert result.error_msg == "The panel says: Cannot do that Not your user"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param("<html><body>Please enter your Username", 200, id="the login page"),
        pytest.param("<html>?error=0", 200, id="a page that speaks of success"),
        pytest.param(SUCCESS, 401, id="401"),
        pytest.param(SUCCESS, 302, id="a redirect"),
        pytest.param("", 200, id="nothing"),
        pytest.param(SUCCESS[: SUCCESS.index("details")], 200, id="half"),
        pytest.param("error=0&details=", 200, id="no address"),
        pytest.param("error=0&details=javascript%3Aalert(1)", 200, id="script"),
        pytest.param(SUCCESS.replace("error=0", "error=00"), 200, id="unknown result"),
        pytest.param(b"\xff\x00", 200, id="no text"),
    ],
)
def test_an_answer_that_makes_no_sense_is_not_for_the_visitor(
    body: bytes | str, status: int
) -> None:
    with pytest.raises(PanelError):
        MODULE.service_single_sign_on(ADMIN, MemoryPanel(body, status))
