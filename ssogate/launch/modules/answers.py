"""What becomes of a panel's answer: an address for the visitor's browser, or words for the visitor.

Of the panel's own text the visitor sees one short line at most, and never its HTML. Whether an
address is one of the server's hosts is for the gate to judge, after any module.
"""

from __future__ import annotations

import re

from ssogate.launch.module import LaunchResult, ModuleParams, Panel, PanelError, is_master

_LONGEST = 200  # characters of what the visitor reads
_ADDRESS = re.compile(
    r"(?:(?P<scheme>https?):)?//"
    r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])"
    r"(?P<rest>(?::[0-9]{1,5})?(?:[/?][A-Za-z0-9/?&=%:;@,.!~*'()$+_-]*)?)"
)
# What Basic, `admin|user` and a log line give a meaning to.
_NAME = re.compile(r"[^\s:|\x00-\x1f\x7f]+")


def named(name: str) -> str:
    """Give a user name of the panel. Raises `PanelError` if there is none, or if a panel could take
    it for another's."""
    if not _NAME.fullmatch(name):
        raise PanelError("no user name, or one that cannot be used")
    return name


def customer(params: ModuleParams) -> str:
    """Give the panel's name of the service's user. Raises `PanelError` also for the name of an
    administrator."""
    if is_master(params.username, params.serverusername):
        raise PanelError("the service's user is an administrator of the server")
    return named(params.username)


def signed_in(address: str, params: ModuleParams, panel: Panel) -> LaunchResult:
    """Lead the browser to the address that a panel made: by https if the server is secure, and by
    the server's first host name, since panels like to give their IP address, which no certificate
    names. Raises `PanelError` if it is no address."""
    found = _ADDRESS.fullmatch(address)
    server = _ADDRESS.match(panel.url("/"))
    if not (found and server):
        raise PanelError("the panel gave no address")
    host, scheme = found["host"], found["scheme"]
    if host.strip("[]").lower() in (params.serverip.lower(), params.serverhostname.lower()):
        host = server["host"]
    if params.serversecure or not scheme:
        scheme = "https"
    return LaunchResult(True, f"{scheme}://{host}{found['rest']}")


def refused(reason: str, params: ModuleParams) -> LaunchResult:
    """Tell the visitor that the panel refused, and why if that is a line that may be shown."""
    line = " ".join(reason.split())
    told = any("".join(secret.split()) in "".join(line.split()) for secret in params.secrets)
    if told or not line or not line.isprintable() or {"<", ">"} & set(line):
        return LaunchResult(False)
    return LaunchResult(False, error_msg=f"The panel says: {line}"[:_LONGEST])
