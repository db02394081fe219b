"""Keys, password hashes, one-time codes: what a stolen table or a guesser must not undo.

Knows no users, no requests and no configuration: it is given texts, keys, time and randomness,
and gives values to be stored by others.
"""

from ssogate.crypto.passwords import (
    Verdict,
    hash_password,
    readable_hash,
    verify_nobody,
    verify_password,
)
from ssogate.crypto.seal import SealBroken, Sealer
from ssogate.crypto.turns import TooBusy, Turns

__all__ = [
    "SealBroken",
    "Sealer",
    "TooBusy",
    "Turns",
    "Verdict",
    "hash_password",
    "readable_hash",
    "verify_nobody",
    "verify_password",
]
