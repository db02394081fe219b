"""DirectAdmin: one-time login addresses by `CMD_API_LOGIN_KEYS`."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.panels import Call, PanelServer, Visit, reply

LOGIN_PAGE = "<!DOCTYPE html><title>DirectAdmin Login</title><form><input name=username></form>"


class DirectAdmin(PanelServer):
    """An administrator acts for a user as `admin|user`; who is not let in gets the login page."""

    def api(self, call: Call) -> bytes | None:
        if call.path != "/CMD_API_LOGIN_KEYS":
            return None
        name, password = call.basic
        administrator, _, user = name.partition("|")
        if not password or self.administrators.get(administrator) != password:
            return reply(LOGIN_PAGE, X_DirectAdmin="Unauthorized")
        user = user or administrator
        if user not in (*self.users, *self.administrators):
            return _said(1, "Unable to login as user", f"User {user} does not exist")
        if not self.owns(administrator, user):
            return _said(1, "Access Denied", "You are not the creator of this user")
        fields = call.fields
        if (fields.get("action"), fields.get("type")) != ("create", "one_time_url"):
            return _said(1, "Invalid request", "Unknown action or type")
        ticket = self.issue(Visit(user, fields.get("redirect-url", "").lstrip("/")), length=128)
        return _said(0, "Login URL Created", f"{self.base}/CMD_LOGIN_URL?hash={ticket}")

    def ticket(self, call: Call) -> str:
        return call.query.get("hash", "") if call.path == "/CMD_LOGIN_URL" else ""


def _said(error: int, text: str, details: str) -> bytes:
    body = urlencode({"error": error, "text": text, "details": details})
    return reply(body, kind="text/plain", X_DirectAdmin="2")
