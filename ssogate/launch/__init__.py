"""The ways out: people who are signed in here are sent on to a control panel, signed in there.

Who may is the directory's to say. A panel's module may not know who asks, nor how the gate stores
what it signs in with; and no panel, however it fails, may hold up anybody but who asked for it.
"""

from ssogate.launch.client_area import SERVICES, ClientArea
from ssogate.launch.launcher import Launcher, open_launcher
from ssogate.launch.module import (
    Answer,
    LaunchResult,
    Metadata,
    Module,
    ModuleParams,
    Panel,
    Shortcut,
)
from ssogate.launch.pages import SERVERS, ServerPages, ServicePages
from ssogate.launch.settings import LaunchSettings

__all__ = [
    "SERVERS",
    "SERVICES",
    "Answer",
    "ClientArea",
    "LaunchResult",
    "LaunchSettings",
    "Launcher",
    "Metadata",
    "Module",
    "ModuleParams",
    "Panel",
    "ServerPages",
    "ServicePages",
    "Shortcut",
    "open_launcher",
]
