"""Virtualmin: the remote API's `create-login-link`, and Webmin's `session_login.cgi`."""

from __future__ import annotations

from tests.panels import Call, PanelServer, Visit, reply

DOMAINS = {"shop.example": "joe"}


class Virtualmin(PanelServer):
    """Only root may run remote commands; links are made for owners of virtual servers."""

    cookie = "sid"

    def api(self, call: Call) -> bytes | None:
        if call.path != "/virtual-server/remote.cgi":
            return None
        name, password = call.basic
        if not password or self.administrators.get(name) != password:
            return reply(
                "<h1>Error - Access denied</h1>",
                status="401 Unauthorized",
                WWW_Authenticate='Basic realm="Webmin Server"',
            )
        if name != "root":
            return reply("ERROR: You are not allowed to run remote commands\n", kind="text/plain")
        fields = call.fields
        if fields.get("program") != "create-login-link":
            return reply("ERROR: Command was not found\n", kind="text/plain")
        user = fields.get("user") or DOMAINS.get(fields.get("domain", ""), "")
        if user in self.users:
            ticket = self.issue(Visit(user))
            return _output(f"{self.base}/session_login.cgi?session={ticket}\n", 0, fields)
        asked = fields.get("user") or fields.get("domain")
        return _output(f"No virtual server owned by {asked} found\n\nGenerates …", 1, fields)

    def ticket(self, call: Call) -> str:
        return call.query.get("session", "") if call.path == "/session_login.cgi" else ""


def _output(text: str, status: int, fields: dict[str, str]) -> bytes:
    """Show what the command printed, as remote.cgi does: plainly, or in JSON."""
    if "json" not in fields:
        return reply(f"{text}\nExit status: {status}\n", kind="text/plain")
    found = {"error": text.partition("\n")[0], "full_error": text} if status else {"output": text}
    body = {"command": fields["program"], "status": "failure" if status else "success", **found}
    return reply(body, kind="text/plain")
