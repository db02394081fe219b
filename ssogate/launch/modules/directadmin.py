"""DirectAdmin: a one-time login address (`CMD_API_LOGIN_KEYS`), asked for by the server's own user
as the user who signs in (`admin|user`)."""

from __future__ import annotations

from ssogate.launch.module import LaunchResult, Metadata, ModuleParams, Panel, PanelError, Shortcut
from ssogate.launch.modules.answers import customer, named, refused, signed_in


class DirectAdmin:
    """DirectAdmin gives the address in url-encoded text. It signs in whoever asks for it, so a user
    without a name, who would be the administrator, is never asked for."""

    metadata = Metadata(
        "DirectAdmin",
        port=2222,
        plain_port=2222,
        service_label="Log in to DirectAdmin",
        admin_label="Log in to DirectAdmin",
        shortcuts=(
            Shortcut("CMD_FILE_MANAGER", "File Manager"),
            Shortcut("CMD_DB", "MySQL Databases"),
            Shortcut("CMD_CRON_JOBS", "Cron Jobs"),
        ),
    )

    def service_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        user = f"{named(params.serverusername)}|{customer(params)}"
        return _one_time_url(user, params, panel)

    def admin_single_sign_on(self, params: ModuleParams, panel: Panel) -> LaunchResult:
        return _one_time_url(named(params.serverusername), params, panel)


def _one_time_url(user: str, params: ModuleParams, panel: Panel) -> LaunchResult:
    page = {"redirect-url": f"/{params.app}"} if params.app else {}
    answer = panel.ask(
        "POST",
        "/CMD_API_LOGIN_KEYS",
        form={"action": "create", "type": "one_time_url", "expiry": "5m"} | page,
        auth=(user, params.serverpassword),
    )
    # A wrong password is answered with the login page, which is no form.
    said = answer.form()
    if answer.status == 200 and said.get("error") == "0":
        return signed_in(said.get("details", "").strip(), params, panel)
    if answer.status == 200 and said.get("error") == "1":
        return refused(f"{said.get('text', '')} {said.get('details', '')}", params)
    raise PanelError(f"DirectAdmin did not let the gate in (status {answer.status})")
