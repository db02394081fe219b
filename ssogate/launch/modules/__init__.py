"""The modules that ship, by the name that servers have them by.

A module knows the calls and answers of its panel, and neither who may sign in nor where a launch
may lead. There is none for Proxmox: its ticket is a cookie of its own origin (`PVEAuthCookie`),
which no address sets, so no redirect can sign anybody in.
"""

from __future__ import annotations

from collections.abc import Mapping

from ssogate.launch.module import Module
from ssogate.launch.modules.cpanel import CPanel
from ssogate.launch.modules.directadmin import DirectAdmin
from ssogate.launch.modules.plesk import Plesk
from ssogate.launch.modules.virtualmin import Virtualmin

BUILT_IN: Mapping[str, Module] = {
    "cpanel": CPanel(),
    "plesk": Plesk(),
    "plesk-base64": Plesk(encoded_address=True),
    "directadmin": DirectAdmin(),
    "virtualmin": Virtualmin(),
}
