"""Plesk: a session for a user of the panel (XML API, `server/create_session`), which Plesk binds to
the address of the browser that may use it."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ssogate.launch.module import (
    Answer,
    LaunchResult,
    Metadata,
    ModuleParams,
    Panel,
    PanelError,
    Shortcut,
)
from ssogate.launch.modules.answers import customer, named, refused

_PAGES = {
    "Email_Accounts": "/smb/email-address/list",
    "FileManager_Home": "/smb/file-manager/list",
}
_SESSION = re.compile(r"[A-Za-z0-9_-]{8,128}")


@dataclass(frozen=True, slots=True)
class Plesk:
    """Plesk creates the session and tells its number, of which the address is made here."""

    encoded_address: bool = False
    """Whether the browser's address is sent in base64, as Plesk before Obsidian wants it."""

    metadata = Metadata(
        "Plesk",
        port=8443,
        plain_port=8880,
        service_label="Log in to Plesk",
        admin_label="Log in to Plesk",
        shortcuts=(
            Shortcut("Email_Accounts", "Email Accounts"),
            Shortcut("FileManager_Home", "File Manager"),
        ),
    )

    def service_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        return self._session(customer(params), params, panel)

    def admin_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        return self._session(named(params.serverusername), params, panel)

    def _session(self, login: str, params: ModuleParams, panel: Panel) -> LaunchResult:
        page = {"success_redirect_url": panel.url(_page(params.app))} if params.app else {}
        answer = panel.ask(
            "POST",
            "/enterprise/control/agent.php",
            body=_packet(login, self._address(params)),
            headers={"Content-Type": "text/xml"} | _credentials(params),
        )
        result = _result(answer)
        if result.findtext("status") == "error":
            return refused(result.findtext("errtext", ""), params)
        session = result.findtext("id", "")
        if result.findtext("status") != "ok" or not _SESSION.fullmatch(session):
            raise PanelError("Plesk gave neither a session nor a reason")
        address = panel.url("/enterprise/rsession_init.php", {"PHPSESSID": session} | page)
        return LaunchResult(True, address)

    def _address(self, params: ModuleParams) -> str:
        if not params.clientip:
            raise PanelError("Plesk binds a session to the browser's address, and none is known")
        if self.encoded_address:
            return b64encode(params.clientip.encode()).decode()
        return params.clientip


def _page(app: str) -> str:
    try:
        return _PAGES[app]
    except KeyError:
        raise PanelError(f"Plesk has no page {app!r}") from None


def _credentials(params: ModuleParams) -> dict[str, str]:
    key = "".join(params.serveraccesshash.split())
    if key:
        return {"KEY": key}
    return {
        "HTTP_AUTH_LOGIN": named(params.serverusername),
        "HTTP_AUTH_PASSWD": params.serverpassword,
    }


def _packet(login: str, address: str) -> bytes:
    packet = Element("packet")
    session = SubElement(SubElement(packet, "server"), "create_session")
    # Plesk reads them in this order only.
    SubElement(session, "login").text = login
    data = SubElement(session, "data")
    SubElement(data, "user_ip").text = address
    SubElement(data, "source_server")
    return ElementTree.tostring(packet, encoding="unicode").encode()


def _result(answer: Answer) -> Element:
    """Read what became of the session. Raises `PanelError` if the call as a whole failed."""
    try:
        text = answer.body.decode()
        # No DTD and no entities: an answer that could declare any (`<!`) is not parsed at all.
        packet = None if "<!" in text else ElementTree.fromstring(text)  # noqa: S314
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        raise PanelError(f"no XML (status {answer.status})") from error
    if answer.status != 200 or packet is None:
        raise PanelError(f"nothing that can be read (status {answer.status})")
    # Wrong credentials (1001) and the like stand in `system`: the operator's business.
    if (failure := packet.findtext("system/errcode")) is not None:
        raise PanelError(f"Plesk refused the call ({failure[:20]!r})")
    result = packet.find("server/create_session/result")
    if packet.tag != "packet" or result is None:
        raise PanelError("Plesk answered something else")
    return result
