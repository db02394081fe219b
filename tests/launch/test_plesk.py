"""Plesk: what the module asks for, and what it makes of the answers."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from ssogate.launch.module import ModuleParams, PanelError
from ssogate.launch.modules import BUILT_IN
from tests.launch.making import HOST, PARAMS, PASSWORD, TOKEN, WITH_TOKEN, MemoryPanel

MODULE = BUILT_IN["plesk"]
SESSION = "ede520d0fc93ae7aa0524076d631fba2"


def packet(result: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<packet version="1.6.9.1"><server>'
        f"<create_session><result>{result}</result></create_session></server></packet>"
    )


SUCCESS = packet(f"<status>ok</status><id>{SESSION}</id>")
ERROR = packet(
    "<status>error</status><errcode>1013</errcode><errtext>User does not exist.</errtext>"
)


def test_a_service_leads_to_a_session_of_the_browsers_address() -> None:
    panel = MemoryPanel(SUCCESS)

    result = MODULE.service_single_sign_on(PARAMS, panel)

    session = f"https://{HOST}:2000/enterprise/rsession_init.php?PHPSESSID={SESSION}"
    assert (result.success, result.redirect_to) == (True, session)
    (asked,) = panel.asked
    assert (asked.method, asked.path) == ("POST", "/enterprise/control/agent.php")
    assert asked.headers == {
        "Content-Type": "text/xml",
        "HTTP_AUTH_LOGIN": "root",
        "HTTP_AUTH_PASSWD": PASSWORD,
    }
    assert asked.body == (
        b"<packet><server><create_session><login>joe</login><data>"
        b"<user_ip>198.51.100.4</user_ip><source_server /></data>"
        b"</create_session></server></packet>"
    )


def test_the_packet_is_xml_whatever_the_name_is() -> None:
    panel = MemoryPanel(SUCCESS)
    name = "joe</login><login>admin&amp;ü"
    MODULE.service_single_sign_on(replace(PARAMS, username=name), panel)
    found = ElementTree.fromstring(panel.asked[0].body).findall("server/create_session/login")
    assert [login.text for login in found] == [name]


def test_an_old_plesk_gets_the_address_in_base64() -> None:
    panel = MemoryPanel(SUCCESS)
    BUILT_IN["plesk-base64"].service_single_sign_on(PARAMS, panel)
    assert b"<user_ip>MTk4LjUxLjEwMC40</user_ip>" in panel.asked[0].body


def test_a_key_takes_the_place_of_the_password() -> None:
    panel = MemoryPanel(SUCCESS)
    MODULE.service_single_sign_on(WITH_TOKEN, panel)
    assert panel.asked[0].headers == {"Content-Type": "text/xml", "KEY": TOKEN}


def test_an_administrator_signs_in_as_the_servers_own_user() -> None:
    panel = MemoryPanel(SUCCESS)
    assert MODULE.admin_single_sign_on(PARAMS, panel).success
    assert b"<login>root</login>" in panel.asked[0].body


def test_every_shortcut_opens_a_page_of_the_same_server() -> None:
    for shortcut in MODULE.metadata.shortcuts:
        params = replace(PARAMS, app=shortcut.app)
        result = MODULE.service_single_sign_on(params, MemoryPanel(SUCCESS))
        (page,) = parse_qs(urlsplit(result.redirect_to).query)["success_redirect_url"]
        assert page.startswith(f"https://{HOST}:2000/smb/")


def test_a_page_that_plesk_has_not_is_not_asked_for() -> None:
    panel = MemoryPanel(SUCCESS)
    with pytest.raises(PanelError):
        MODULE.service_single_sign_on(replace(PARAMS, app="Cron_Home"), panel)
    assert not panel.asked


@pytest.mark.parametrize(
    "params",
    [
        pytest.param(replace(PARAMS, clientip=""), id="no address"),
        pytest.param(replace(PARAMS, username=""), id="no user"),
        pytest.param(replace(PARAMS, username="admin"), id="Plesk's administrator"),
        pytest.param(replace(PARAMS, serverusername=""), id="no user of the server"),
    ],
)
def test_a_session_for_nobody_is_not_asked_for(params: ModuleParams) -> None:
    panel = MemoryPanel(SUCCESS)
    with pytest.raises(PanelError):
        MODULE.service_single_sign_on(params, panel)
    assert not panel.asked


def test_the_reason_of_a_refusal_is_told() -> None:
    result = MODULE.service_single_sign_on(PARAMS, MemoryPanel(ERROR))
    assert not result.success
    assert result.error_msg == "The panel says: User does not exist."


def test_wrong_credentials_are_the_operators_business() -> None:
    body = (
        "<packet><system><status>error</status><errcode>1001</errcode>"
        "<errtext>You have entered incorrect username or password.</errtext></system></packet>"
    )
    with pytest.raises(PanelError, match="1001"):
        MODULE.service_single_sign_on(PARAMS, MemoryPanel(body))


BOMB = '<!DOCTYPE packet [<!ENTITY a "ok"><!ENTITY b "&a;&a;&a;">]>'
FILE = '<!DOCTYPE packet [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(SUCCESS, 500, id="500"),
        pytest.param(SUCCESS, 302, id="a redirect"),
        pytest.param("", 200, id="nothing"),
        pytest.param(SUCCESS[:150], 200, id="half"),
        pytest.param("<html><br>Login</html>", 200, id="HTML"),
        pytest.param("<html>Login</html>", 200, id="XHTML"),
        pytest.param(SUCCESS.replace("packet", "html"), 200, id="another root"),
        pytest.param(BOMB + SUCCESS.split("\n")[1], 200, id="entities"),
        pytest.param(FILE + SUCCESS.split("\n")[1].replace(SESSION, "&a;"), 200, id="a file"),
        pytest.param(SUCCESS.encode("utf-16"), 200, id="UTF-16"),
        pytest.param((BOMB + packet("")).encode("utf-16"), 200, id="entities in UTF-16"),
        pytest.param(ERROR.encode().replace(b"User", b"\xff"), 200, id="not quite UTF-8"),
        pytest.param(packet("<status>ok</status>"), 200, id="no session"),
        pytest.param(packet("<status>ok</status><id></id>"), 200, id="an empty session"),
        pytest.param(packet("<status>ok</status><id>abcdefgh&amp;x=1</id>"), 200, id="parameters"),
        pytest.param(packet("<status>ok</status><id>../../a/b/c</id>"), 200, id="a path"),
        pytest.param(packet(f"<id>{SESSION}</id>"), 200, id="no status"),
        pytest.param(packet(f"<status>maybe</status><id>{SESSION}</id>"), 200, id="unknown status"),
    ],
)
def test_an_answer_that_makes_no_sense_is_not_for_the_visitor(
    body: bytes | str, status: int
) -> None:
    with pytest.raises(PanelError) as raised:
        MODULE.service_single_sign_on(PARAMS, MemoryPanel(body, status))
    assert SESSION not in str(raised.value)
