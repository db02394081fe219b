"""Virtualmin: what the module asks for, and what it makes of the answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssogate.launch.module import PanelError
from ssogate.launch.modules import BUILT_IN
from tests.launch.making import HOST, PARAMS, PASSWORD, MemoryPanel

MODULE = BUILT_IN["virtualmin"]
SESSION = "0123456789abcdef0123456789abcdef"


def success(output: str) -> dict[str, str]:
    return {"command": "create-login-link", "status": "success", "output": output}


def link(host: str) -> str:
    return f"https://{host}/session_login.cgi?session={SESSION}\n"


@pytest.mark.parametrize("host", [f"{HOST}:10000", "www.shop.example", "192.0.2.99:10000"])
def test_a_service_leads_to_the_servers_own_login_page(host: str) -> None:
    panel = MemoryPanel(success(link(host)))

    result = MODULE.service_single_sign_on(PARAMS, panel)

    assert result.redirect_to == f"https://{HOST}:2000/session_login.cgi?session={SESSION}"
    (asked,) = panel.asked
    assert (asked.method, asked.path) == ("GET", "/virtual-server/remote.cgi")
    assert asked.query == {"program": "create-login-link", "user": "joe", "json": "1"}
    assert asked.auth == ("root", PASSWORD)


def test_a_service_without_a_user_is_known_by_its_domain() -> None:
    panel = MemoryPanel(success(link(HOST)))
    MODULE.service_single_sign_on(replace(PARAMS, username=""), panel)
    expected = {"program": "create-login-link", "domain": "shop.example", "json": "1"}
    assert panel.asked[0].query == expected


def test_nobody_is_never_asked_for() -> None:
    panel = MemoryPanel(success(link(HOST)))
    with pytest.raises(PanelError):
        MODULE.service_single_sign_on(replace(PARAMS, username="", domain=""), panel)
    assert not panel.asked


def test_there_is_no_link_for_an_administrator() -> None:
    with pytest.raises(NotImplementedError):
        MODULE.admin_single_sign_on(PARAMS, MemoryPanel())


def test_the_reason_of_a_refusal_is_told() -> None:
    reason = "No virtual server owned by joe found"
    body = {"status": "failure", "error": reason, "full_error": f"{reason}\n\nUsage: …"}
    result = MODULE.service_single_sign_on(PARAMS, MemoryPanel(body))
    assert not result.success
    assert result.error_msg == f"The panel says: {reason}"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param("<h1>Unauthorized</h1>", 401, id="wrong credentials"),
        pytest.param(success(link(HOST)), 302, id="a redirect"),
        pytest.param("ERROR: You are not allowed to run remote commands", 200, id="not allowed"),
        pytest.param("<html>Login</html>", 200, id="HTML"),
        pytest.param('{"status":"success","outp', 200, id="half"),
        pytest.param("", 200, id="nothing"),
        pytest.param(success(""), 200, id="no link"),
        pytest.param(success(link(HOST) * 2), 200, id="two links"),
        pytest.param(success(f"https://{HOST}/other.cgi?session={SESSION}"), 200, id="other page"),
        pytest.param(success(link(HOST).strip() + "&page=//evil"), 200, id="parameters"),
        pytest.param(success("javascript:/session_login.cgi?session=01234567"), 200, id="script"),
        pytest.param(success(link(HOST)) | {"status": "maybe"}, 200, id="unknown result"),
        pytest.param({"status": "failure"}, 200, id="no reason"),
    ],
)
def test_an_answer_that_makes_no_sense_is_not_for_the_visitor(body: object, status: int) -> None:
    with pytest.raises(PanelError) as raised:
        MODULE.service_single_sign_on(PARAMS, MemoryPanel(body, status))
    assert SESSION not in str(raised.value)
