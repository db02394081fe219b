"""The password schemes that can be verified, as a table: how a hash is written, what it may cost.

A hash must match one grammar as a whole, so that a digest cut short by a narrow column cannot
match anything. DES crypt, unsalted MD5 and plain text are left out on purpose: DES sees eight
characters, and the others can be looked up. No hash algorithm here is our own.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import md5, pbkdf2_hmac
from typing import Any

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from passlib import hash as passlib_hash  # type: ignore[import-untyped]

_HASH64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BCRYPT_BYTES = 72  # what bcrypt looks at; PHP and others drop the rest, and so must we


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one kind of hash is recognised and verified."""

    name: str
    grammar: re.Pattern[str]
    verifies: Callable[[bytes, str], bool]
    """Whether a password (not empty, no zero byte) is a hash's. A `ValueError` means no."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """The most that a group of the grammar may say: above, one sign-in would stall the gate."""
    number: Callable[[str], int] = int
    """How those groups are read."""

    def check_cost(self, found: re.Match[str]) -> None:
        """Raise `ValueError` for a hash above a limit."""
        for what, most in self.limits.items():
            if found[what] and self.number(found[what]) > most:
                raise ValueError(f"this {self.name} hash costs too much: {what} is above {most}")


def recognise(stored: str) -> Scheme:
    """Find the scheme of a hash.

    Raises `ValueError` for none and for one that costs too much. The text does not show the hash:
    it may be a password, written in the wrong place.
    """
    for scheme in _SCHEMES:
        found = scheme.grammar.fullmatch(stored)
        if found:
            scheme.check_cost(found)
            return scheme
    names = ", ".join(scheme.name for scheme in _SCHEMES)
    raise ValueError(
        f"not a whole password hash of a known kind ({names}); DES crypt, unsalted MD5 and plain"
        " text are refused: they protect nobody"
    )


def _argon2_verifies(secret: bytes, stored: str) -> bool:
    """The only place where argon2 verifies: by `PasswordHasher.verify`, which tests count."""
    try:
        # The costs are the hash's own. Other threads run meanwhile: the GIL is released.
        return PasswordHasher().verify(stored, secret)
    except VerificationError:
        return False


def _bcrypt_verifies(secret: bytes, stored: str) -> bool:
    return bcrypt.checkpw(secret[:_BCRYPT_BYTES], stored.encode())  # releases the GIL


def _passlib_verifies(name: str) -> Callable[[bytes, str], bool]:
    """Verify by passlib. In Python, and holding the GIL: phpass and sha-crypt slow others down."""
    handler: Any = getattr(passlib_hash, name)

    def verifies(secret: bytes, stored: str) -> bool:
        return handler.verify(secret, stored) is True

    return verifies


def _pbkdf2_verifies(secret: bytes, stored: str) -> bool:
    algorithm, rounds, length, salt, digest = stored.split(":")[2:]
    made = pbkdf2_hmac(algorithm, secret, b64decode(salt), int(rounds), int(length))
    return hmac.compare_digest(made, b64decode(digest))


def _salted_md5_verifies(secret: bytes, stored: str) -> bool:
    salt, digest = stored.split(":")[2:]
    inner = md5(secret).hexdigest()  # noqa: S324 (MediaWiki's old scheme, replaced at first use)
    made = md5(f"{salt}-{inner}".encode()).hexdigest()  # noqa: S324
    return hmac.compare_digest(made, digest)


_SCHEMES = (
    Scheme(
        "argon2",  # argon2d is not for passwords: its memory accesses tell of them (RFC 9106)
        re.compile(
            r"\$argon2id?\$v=19\$m=(?P<memory>[1-9][0-9]{0,9}),t=(?P<passes>[1-9][0-9]{0,9}),"
            r"p=(?P<lanes>[1-9][0-9]{0,7})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,172}"
        ),
        _argon2_verifies,
        {"memory": 1_048_576, "passes": 20, "lanes": 16},  # memory is in KiB; a lane is a thread
    ),
    Scheme(
        "bcrypt",
        re.compile(r"\$2[aby]\$(?P<cost>0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}"),
        _bcrypt_verifies,
        {"cost": 13},
    ),
    Scheme(
        "phpass",
        re.compile(r"\$[PH]\$(?P<count_log2>[5-9A-S])[./A-Za-z0-9]{30}"),
        _passlib_verifies("phpass"),
        {"count_log2": 18},
        _HASH64.index,
    ),
    Scheme(
        "sha256-crypt",
        re.compile(
            r"\$5\$(?:rounds=(?P<rounds>[1-9][0-9]{3,8})\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43}"
        ),
        _passlib_verifies("sha256_crypt"),
        {"rounds": 500_000},
    ),
    Scheme(
        "sha512-crypt",
        re.compile(
            r"\$6\$(?:rounds=(?P<rounds>[1-9][0-9]{3,8})\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{86}"
        ),
        _passlib_verifies("sha512_crypt"),
        {"rounds": 500_000},
    ),
    Scheme(
        "apr1",
        re.compile(r"\$apr1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}"),
        _passlib_verifies("apr_md5_crypt"),
    ),
    # Of `htpasswd -s`, and unsalted: read because whole sites still have it, replaced at first use.
    Scheme("{SHA}", re.compile(r"\{SHA\}[A-Za-z0-9+/]{27}="), _passlib_verifies("ldap_sha1")),
    Scheme(
        "MediaWiki pbkdf2",
        re.compile(
            r":pbkdf2:sha(?:1|256|512):(?P<rounds>[1-9][0-9]{0,8}):(?P<length>[1-9][0-9]{1,2})"
            r":[A-Za-z0-9+/]{11,172}={0,2}:[A-Za-z0-9+/]{22,172}={0,2}"
        ),
        _pbkdf2_verifies,
        {"rounds": 2_000_000, "length": 128},
    ),
    Scheme("MediaWiki B", re.compile(r":B:[0-9A-Za-z]{1,32}:[0-9a-f]{32}"), _salted_md5_verifies),
)
