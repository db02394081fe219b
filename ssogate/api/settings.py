"""The settings of the API."""

from __future__ import annotations

from pydantic import field_validator

from ssogate.config import Network, Secret, Settings

SHORTEST_KEY = 16  # bytes; it opens the API to every address, though not without a credential


class ApiSettings(Settings):
    """`/includes/api.php`: programs that make tokens, and keep clients and users. What they may
    call is said by `ssogate api-role` and `ssogate api-credential`."""

    networks: tuple[Network, ...] = ()
    """Where any credential may call from, besides its own networks. Nowhere, if not given."""
    access_key: Secret | None = None
    """Whoever sends this text as `accesskey` may call from anywhere."""

    @field_validator("access_key")
    @classmethod
    def _long(cls, value: Secret | None) -> Secret | None:
        if value is not None and len(value.bytes) < SHORTEST_KEY:
            raise ValueError(f"has fewer than {SHORTEST_KEY} characters: anybody may guess it")
        return value
