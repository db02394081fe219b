"""What people and things are called, in the one form in which names are compared.

Two names that look alike must be alike: what nobody could see or type is refused, and case and
width (Unicode's NFKC) do not count.
"""

from __future__ import annotations

import re
import unicodedata

MAX_USERNAME = 255  # characters

# Cc control, Cf format (zero width, bidi), Cs surrogates, Zl/Zp line separators, Cn unassigned.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
# RFC 1123, section 2.1, and the underscore that some real names have.
_DOMAIN = re.compile(r"(?!-)[a-z0-9_\-]{1,63}(?<!-)(\.(?!-)[a-z0-9_\-]{1,63}(?<!-))*", re.ASCII)
# Letters, marks and symbols by category that nobody sees either: fillers, variation selectors.
_BLANK = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    r"\U000e0100-\U000e01ef]"
)


def canonical_name(name: str) -> str:
    """Give the one form in which user names are compared: NFKC, case-folded, NFKC again.

    Raises `ValueError`, in words for an operator, for a name that nobody could type or see.
    """
    if visible(name, MAX_USERNAME) != name or not name:
        raise ValueError("a user name must not be empty or begin or end with a space")
    # Case folding can undo the composition (and NFKC the folding), so fold to a fixed point.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    if visible(folded, MAX_USERNAME) != folded or not folded:
        raise ValueError("a user name must not hold characters that stand for a space")
    if _BLANK.search(name):
        raise ValueError("a user name must not hold characters that are not seen")
    return folded


def visible(text: str, limit: int) -> str:
    """Give `text` without surrounding white space.

    Raises `ValueError` if it is longer than `limit` characters, or holds control, format or
    unassigned characters: two names that look alike must be alike.
    """
    if len(text) > limit:
        raise ValueError(f"longer than {limit} characters")
    if not (text.isascii() and text.isprintable()):
        for character in text:
            if unicodedata.category(character) in _INVISIBLE:
                raise ValueError(f"holds the invisible character U+{ord(character):04X}")
    return text.strip()


def group_name(name: str) -> str:
    """Give `name` back if it can be a group: visible, without commas, at most 64 characters.

    Raises `ValueError`. Groups are compared exactly and travel joined by commas.
    """
    if not name or "," in name or visible(name, 64) != name:
        raise ValueError(
            "a group name must not be empty, hold a comma or begin or end with a space"
        )
    return name


def email_address(text: str) -> str:
    """Give `text` back if it can be an e-mail address: exactly one `@`, something on both sides,
    no space, at most 254 characters (RFC 5321, section 4.5.3.1.3). Raises `ValueError`."""
    local, _, domain = visible(text, 254).partition("@")
    if not local or not domain or "@" in domain or any(map(str.isspace, text)):
        raise ValueError("an e-mail address is a name, one @ and a domain")
    return text


def canonical_email(text: str) -> str:
    """Give the form in which e-mail addresses are compared: case and width do not count, and the
    domain is in ASCII (IDNA 2003's A-labels). Raises `ValueError` for what is no address."""
    local, _, domain = email_address(text).partition("@")
    labels = domain_name(domain)
    return f"{canonical_name(local)}@{labels}"


def domain_name(text: str) -> str:
    """Give a domain or host name in lower case and in ASCII (A-labels), without a last dot.

    Raises `ValueError`, in words.
    """
    try:
        name = visible(text, 253).encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError as error:
        raise ValueError(f"{text[:80]!r} is no domain name") from error
    if not _DOMAIN.fullmatch(name) or len(name) > 253:
        raise ValueError(f"{text[:80]!r} is no domain name")
    return name
