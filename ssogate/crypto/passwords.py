"""Password hashes: argon2id for ours, and older schemes that are read once and then replaced.

An argon2id verification of one fixed cost is what a sign-in is meant to take, whoever is asked
for: `verify_nobody` does it for names that do not exist, and `verify_password` for hashes that
cannot be read. Only a user whose hash is still of an older scheme takes another time.
"""

from __future__ import annotations

import unicodedata
from enum import Enum

from argon2 import PasswordHasher

from ssogate.crypto.cpus import on_any_cpu
from ssogate.crypto.schemes import recognise

MAX_PASSWORD = 1024  # bytes of UTF-8; a long passphrase has 100, and slow hashes take any length

# The costs of RFC 9106 section 4 (its second option), but one lane instead of four: a sign-in must
# not take every core of the machine.
_HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1, hash_len=32, salt_len=16)
# How our hashes begin, newest first. A cost that is replaced stays here: it tells our hashes, made
# over the prepared text, from other programs', made over the text as it was typed.
_OURS = ("$argon2id$v=19$m=65536,t=3,p=1$",)
# The cost of a real hash, and (as good as) no password's: salt and digest are zeros.
_NOBODY = f"{_OURS[0]}{'A' * 22}${'A' * 43}"


class Verdict(Enum):
    """What a password is to a hash. Only `WRONG` is false."""

    WRONG = "wrong"
    GOOD = "good"
    OUTDATED = "outdated"
    """It is the right one, and should be hashed anew: its scheme or cost is not today's."""

    def __bool__(self) -> bool:
        return self is not Verdict.WRONG


def hash_password(password: str) -> str:
    """Hash a password as a PHC string: argon2id, 3 passes over 64 MiB, one lane, 16 bytes salt.

    Raises `ValueError` for one that never verifies: empty, over 1024 bytes, or of odd characters.
    """
    if not _possible(password):
        raise ValueError(f"a password has from 1 to {MAX_PASSWORD} bytes of UTF-8, none of them 0")
    with on_any_cpu():
        return _HASHER.hash(_prepared(password))


def verify_password(password: str, stored: str) -> Verdict:
    """Compare a password with a stored hash of any scheme that `readable_hash` names.

    Never raises for an odd password or hash. A hash that cannot be read, or that would cost too
    much, is nobody's: wrong, after the same work as for an unknown name.
    """
    if not _possible(password):
        return Verdict.WRONG
    try:
        scheme = recognise(stored)
    except ValueError:
        verify_nobody(password)
        return Verdict.WRONG
    text = _prepared(password) if stored.startswith(_OURS) else password
    try:
        with on_any_cpu():
            good = scheme.verifies(text.encode(), stored)
    except ValueError:  # a hash that keeps to the grammar, and is odd nevertheless
        good = False
    if not good:
        return Verdict.WRONG
    # Other programs' stronger hashes are replaced too: equal cost hides who exists.
    return Verdict.GOOD if stored.startswith(_OURS[0]) else Verdict.OUTDATED


def verify_nobody(password: str) -> None:
    """Do the work of `verify_password` with one of our hashes, for a name that does not exist."""
    verify_password(password, _NOBODY)


def readable_hash(stored: str) -> str:
    """Give the name of the scheme of a hash that is to be imported, such as `bcrypt`.

    Raises `ValueError`, in words that do not show the hash, if `verify_password` would refuse it:
    of an unknown scheme, or so costly that sign-ins would stall the gate.
    """
    return recognise(stored).name


def _possible(password: str) -> bool:
    # Some schemes end at a zero byte, and HMAC (so PBKDF2) cannot tell one at the end from none.
    try:
        return 0 < len(password.encode()) <= MAX_PASSWORD and "\0" not in password
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _prepared(password: str) -> str:
    """Give the form that is hashed: the mappings of OpaqueString (RFC 8265 section 4.2.2).

    Keyboards differ in how they compose letters and in which space they send. Case and width stay.
    """
    spaced = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in password)
    return unicodedata.normalize("NFC", spaced)
