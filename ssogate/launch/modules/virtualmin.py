"""Virtualmin: a login link for the owner of a virtual server (remote API, `create-login-link`)."""

from __future__ import annotations

import re

from ssogate.launch.module import LaunchResult, Metadata, ModuleParams, Panel, PanelError
from ssogate.launch.modules.answers import named, refused

# Virtualmin writes the link with the customer's domain, where the panel need not be reachable.
_LINK = re.compile(r"https?://[^\s/]+/session_login\.cgi\?session=([A-Za-z0-9]{8,128})")


class Virtualmin:
    """The remote API makes the session; only its number is used, at the server's own address."""

    metadata = Metadata(
        "Virtualmin", port=10000, plain_port=10000, service_label="Log in to Virtualmin"
    )

    def service_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        """Sign in the service's user or, if that has no name, the owner of its domain."""
        who = "user" if params.username else "domain"
        answer = panel.ask(
            "GET",
            "/virtual-server/remote.cgi",
            query={
                "program": "create-login-link",
                who: named(params.username or params.domain),
                "json": "1",
            },
            auth=(named(params.serverusername), params.serverpassword),
        )
        if answer.status != 200:
            raise PanelError(f"Virtualmin answered {answer.status}")
        match answer.json():
            case {"status": "success", "output": str(output)} if found := _LINK.fullmatch(
                output.strip()
            ):
                return LaunchResult(True, panel.url("/session_login.cgi", {"session": found[1]}))
            case {"status": "failure", "error": str(reason)}:
                return refused(reason, params)
        raise PanelError("Virtualmin gave neither a link nor a reason")

    def admin_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        """Virtualmin makes links for owners only."""
        raise NotImplementedError
