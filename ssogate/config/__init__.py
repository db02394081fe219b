"""YAML to validated, frozen values that remember where they stood.

Knows neither rooms nor requests: the rooms own their settings classes, this room owns how a
file becomes one and how its mistakes are told (all at once, with file, line and "did you mean").
"""

from ssogate.config.load import Document, document, read
from ssogate.config.net import HeaderName, HostPattern, Network, Url
from ssogate.config.schema import schema
from ssogate.config.secret import Secret
from ssogate.config.values import Duration, Settings, Size

__all__ = [
    "Document",
    "Duration",
    "HeaderName",
    "HostPattern",
    "Network",
    "Secret",
    "Settings",
    "Size",
    "Url",
    "document",
    "read",
    "schema",
]
