"""One-time codes of an authenticator app (RFC 6238), and recovery codes for when it is lost.

SHA-1, six digits, 30 seconds: what every app assumes, whatever else the QR code asks for.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32decode, b32encode
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import quote, urlencode

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

DIGITS = 6
PERIOD = 30  # seconds
RECOVERY_CODES = 10

Random = Callable[[int], bytes]
"""So many random bytes, as `secrets.token_bytes` gives them."""

_SECRET = 20  # bytes: as long as the HMAC's output (RFC 4226 section 4, R6)
_SIGNS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: 32, without i, l, o and u
_LOOKALIKES = str.maketrans("ilo", "110", " -")
# 80 bits: the hashes of all codes of all users are searched at once, and SHA-256 is fast.
_GROUPS, _GROUP = 4, 4


def new_secret(random: Random) -> str:
    """Make a secret of 160 bits, in base32 as apps take it."""
    return b32encode(random(_SECRET)).decode()


def matching_step(secret: str, code: str, now: float, *, skew_steps: int = 1) -> int | None:
    """Give the time step whose code this is, None if it is of no step near `now` (Unix seconds).

    The caller spends the step: a code works once (RFC 6238 section 5.2). Spaces are ignored.
    Raises `ValueError` for a secret that is not one of ours.
    """
    digits = code.replace(" ", "")
    if not re.fullmatch(rf"[0-9]{{{DIGITS}}}", digits):
        return None
    codes = HOTP(b32decode(secret), DIGITS, SHA1())  # noqa: S303 (HMAC needs no collisions)
    present = int(now) // PERIOD
    steps = range(max(0, present - skew_steps), present + skew_steps + 1)
    # All are compared, whichever matches: the time taken does not tell which, or whether.
    found = [step for step in steps if hmac.compare_digest(codes.generate(step), digits.encode())]
    return max(found, default=None)


def provisioning_uri(secret: str, *, account: str, issuer: str) -> str:
    """Give the `otpauth:` address by which an app learns the secret. Not to be logged."""
    # Not cryptography's own: it writes a space as `+`, which apps show.
    asked = {
        "secret": secret,
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": PERIOD,
    }
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    return f"otpauth://totp/{label}?{urlencode(asked, quote_via=quote)}"


def qr_svg(uri: str, *, title: str) -> str:
    """Draw a QR code as inline SVG, black on white whatever the theme, with its quiet zone.

    Presentation attributes only: no style and no script that a page's CSP would have to allow.
    """
    code = segno.make_qr(uri, error="m")
    drawn = code.svg_inline(scale=4, border=4, dark="#000", light="#fff", title=title)
    return drawn.replace("<svg ", '<svg role="img" ', 1)


def recovery_codes(random: Random) -> tuple[str, ...]:
    """Make ten codes such as `7k2m-x0dq-94rt-hb3w`, to be shown once and stored by their keys."""
    return tuple(_recovery_code(random) for _ in range(RECOVERY_CODES))


def recovery_key(code: str) -> str:
    """Give the text by which a code is stored and looked up: the SHA-256, in hex, of its letters.

    Case, dashes and spaces do not count, and `o`, `i`, `l` are read as the digits they look like.
    """
    return sha256(code.lower().translate(_LOOKALIKES).encode(errors="replace")).hexdigest()


def _recovery_code(random: Random) -> str:
    letters = "".join(_SIGNS[byte % 32] for byte in random(_GROUPS * _GROUP))  # 256 = 8 * 32
    return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))
