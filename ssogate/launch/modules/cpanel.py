"""cPanel & WHM: a session for the user of a service, in cPanel or webmail, or for the server's own
user in WHM (WHM API 1, `create_user_session`)."""

from __future__ import annotations

from collections.abc import Mapping

from ssogate.launch.module import LaunchResult, Metadata, ModuleParams, Panel, PanelError, Shortcut
from ssogate.launch.modules.answers import customer, named, refused, signed_in


class CPanel:
    """WHM creates the session and gives its one-time address."""

    metadata = Metadata(
        "cPanel",
        port=2087,
        plain_port=2086,
        service_label="Log in to cPanel",
        admin_label="Log in to WHM",
        shortcuts=(
            Shortcut("Email_Accounts", "Email Accounts"),
            Shortcut("Email_Forwarders", "Forwarders"),
            Shortcut("Email_AutoResponders", "Autoresponders"),
            Shortcut("FileManager_Home", "File Manager"),
            Shortcut("Backups_Home", "Backup"),
            Shortcut("Domains_SubDomains", "Subdomains"),
            Shortcut("Domains_AddonDomains", "Addon Domains"),
            Shortcut("Cron_Home", "Cron Jobs"),
            Shortcut("Database_MySQL", "MySQL Databases"),
            Shortcut("Database_phpMyAdmin", "phpMyAdmin"),
            Shortcut("Stats_AWStats", "Awstats"),
        ),
    )

    def service_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        """Sign in to cPanel, or to webmail if the service is a mail account."""
        service = "webmaild" if "@" in params.username else "cpaneld"
        return _session(customer(params), service, params, panel)

    def admin_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        return _session(named(params.serverusername), "whostmgrd", params, panel)


def _session(user: str, service: str, params: ModuleParams, panel: Panel) -> LaunchResult:
    wanted = {"app": params.app, "locale": params.clientsdetails.get("locale", "")}
    headers, auth = _credentials(params)
    answer = panel.ask(
        "POST",
        "/json-api/create_user_session",
        query={"api.version": "1"},
        form={"user": user, "service": service} | {k: v for k, v in wanted.items() if v},
        headers=headers,
        auth=auth,
    )
    if answer.status != 200:
        raise PanelError(f"WHM answered {answer.status}")
    # A refusal has the status 200 too.
    match answer.json():
        case {"metadata": {"result": 1}, "data": {"url": str(url)}}:
            return signed_in(url, params, panel)
        case {"metadata": {"result": 0, "reason": str(reason)}}:
            return refused(reason, params)
    raise PanelError("WHM gave neither an address nor a reason")


def _credentials(params: ModuleParams) -> tuple[Mapping[str, str], tuple[str, str] | None]:
    user = named(params.serverusername)
    # The access hashes of old were copied in lines.
    token = "".join(params.serveraccesshash.split())
    if token:
        return {"Authorization": f"whm {user}:{token}"}, None
    return {}, (user, params.serverpassword)
