"""WHM: `create_user_session` of WHM API 1, and the pages that its addresses lead to."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Mapping
from urllib.parse import quote

from tests.panels import OWNERS, ROOT, Call, PanelServer, Visit, reply

SERVICES = ("cpaneld", "whostmgrd", "webmaild")
APPS = ("Email_Accounts", "FileManager_Home", "Cron_Home", "Database_phpMyAdmin")
DENIED = {
    "cpanelresult": {
        "apiversion": "2",
        "error": "Access denied",
        "data": {"reason": "Access denied", "result": "0"},
        "type": "text",
    }
}


class Whm(PanelServer):
    """An access token or a password lets the gate in; an unknown `app` is silently ignored."""

    cookie = "cpsession"

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        administrators: Mapping[str, str],
        tokens: Mapping[str, str],
        users: Mapping[str, str] = OWNERS,
        host: str = "localhost",
    ) -> None:
        super().__init__(context, administrators=administrators, users=users, host=host)
        self.tokens = dict(tokens)

    def api(self, call: Call) -> bytes | None:
        if not call.path.endswith("/json-api/create_user_session"):
            return None
        administrator = self._administrator(call)
        if not administrator:
            return reply(DENIED, status="403 Forbidden", kind="application/json")
        fields = call.fields
        user, service = fields.get("user", ""), fields.get("service", "")
        reason = self._refusal(administrator, user, service)
        metadata = {"command": "create_user_session", "version": 1}
        if reason or fields.get("api.version") != "1":
            body: object = {"metadata": {**metadata, "result": 0, "reason": reason}}
        else:
            metadata |= {"result": 1, "reason": "Created session"}
            app = fields.get("app", "")
            body = {"metadata": metadata, "data": self._session(user, service, app)}
        return reply(body, kind="application/json")

    def _administrator(self, call: Call) -> str:
        scheme, _, value = call.headers.get("authorization", "").partition(" ")
        user, _, token = value.partition(":")
        if scheme.lower() == "whm" and token and self.tokens.get(user) == token:
            return user
        user, password = call.basic
        return user if password and self.administrators.get(user) == password else ""

    def _refusal(self, administrator: str, user: str, service: str) -> str:
        account, _, domain = user.partition("@")
        known = (ROOT, *self.administrators) if service == "whostmgrd" else self.users
        if service not in SERVICES:
            return "Invalid service."
        if account not in known or (service == "webmaild") != bool(domain):
            return f"The user “{user}” does not exist."
        if not self.owns(administrator, account):
            return f"You do not have access to an account named “{account}”."
        return ""

    def _session(self, user: str, service: str, app: str) -> dict[str, object]:
        app = app if app in APPS else ""
        ticket = self.issue(Visit(user, "WHM" if service == "whostmgrd" else app))
        session = f"{user}:{ticket}:CREATE_USER_SESSION"
        token = f"/cpsess{secrets.randbelow(10**10):010}"
        url = f"{self.base}{token}/login/?session={quote(session, safe='')}"
        return {
            "cp_security_token": token,
            "expires": "1790000000",
            "service": service,
            "session": session,
            "url": url + (f"&goto_app={app}" if app else ""),
        }

    def ticket(self, call: Call) -> str:
        return call.query.get("session", "").partition(":")[2].partition(":")[0]
