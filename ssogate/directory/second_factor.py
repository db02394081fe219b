"""Second factors: what their secrets are bound to, and that each code works once."""

from __future__ import annotations

from ssogate.crypto.totp import PERIOD
from ssogate.storage import Store


def sealing_context(subject: str) -> str:
    """Give what the sealed secret of a user is bound to."""
    return f"totp:{subject}"


def spend_step(store: Store, subject: str, step: int) -> bool:
    """Use up the code of a time step (RFC 6238); False if it was used before. The mark stays for as
    long as the same step could match again."""
    return store.one_time.spend(f"totp:{subject}:{step}", until=(step + 3) * PERIOD)
