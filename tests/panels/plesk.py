"""Plesk: the `server` operator of its XML API, and `rsession_init.php`."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.panels import OWNERS, Call, PanelServer, Visit, reply

HERE = "127.0.0.1"


class Plesk(PanelServer):
    """A session works in the browser of the address that it was made for."""

    cookie = "PLESKSESSID"

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        administrators: Mapping[str, str],
        keys: Mapping[str, str],
        users: Mapping[str, str] = OWNERS,
        host: str = "localhost",
    ) -> None:
        super().__init__(context, administrators=administrators, users=users, host=host)
        self.keys = dict(keys)
        """Secret keys, by the administrator whose they are."""

    def api(self, call: Call) -> bytes | None:
        if call.path != "/enterprise/control/agent.php":
            return None
        administrator = self._administrator(call)
        if not administrator:
            text = "You have entered incorrect username or password."
            return _packet(f"<system>{_error(1001, text)}</system>")
        try:
            session = ElementTree.fromstring(call.body).find("server/create_session")
        except ElementTree.ParseError:
            session = None
        order = [] if session is None else [node.tag for node in session.iter()][1:]
        if session is None or order != ["login", "data", "user_ip", "source_server"]:
            error = _error(1014, "Parser error: Request is invalid.")
            return _packet(f"<system>{error}</system>")
        result = self._result(
            administrator, session.findtext("login", ""), session.findtext("data/user_ip", "")
        )
        result = f"<create_session><result>{result}</result></create_session>"
        return _packet(f"<server>{result}</server>")

    def _administrator(self, call: Call) -> str:
        key = call.headers.get("key")
        if key is not None:
            return next((user for user, known in self.keys.items() if known == key), "")
        user = call.headers.get("http_auth_login", "")
        password = call.headers.get("http_auth_passwd")
        return user if password and self.administrators.get(user) == password else ""

    def _result(self, administrator: str, login: str, address: str) -> str:
        if login not in (*self.users, *self.administrators):
            return _error(1013, f"User {login} does not exist.")
        if not self.owns(administrator, login):
            return _error(1006, "Permission denied.")
        if address == b64encode(HERE.encode()).decode():
            address = HERE
        return f"<status>ok</status><id>{self.issue(Visit(login, '', address))}</id>"

    def ticket(self, call: Call) -> str:
        if call.path != "/enterprise/rsession_init.php":
            return ""
        ticket = call.query.get("PHPSESSID") or call.query.get("PLESKSESSID", "")
        page = urlsplit(call.query.get("success_redirect_url", "")).path
        visit = self._visits.get(ticket)
        if visit and page:
            self._visits[ticket] = Visit(visit.user, page, visit.address)
        return ticket


def _error(code: int, text: str) -> str:
    return f"<status>error</status><errcode>{code}</errcode><errtext>{escape(text)}</errtext>"


def _packet(inner: str) -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return reply(f'{head}<packet version="1.6.9.1">{inner}</packet>', kind="text/xml")
