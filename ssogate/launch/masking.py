"""The module log without its secrets: masked by value, in whatever spelling, and by well-known key.

By value first, because a key's rule could cut a secret in two and leave a half that nobody finds;
then by key, for what nobody told us is secret, such as the session that a panel has just made.
Too much may be masked, never too little.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html.entities import codepoint2name
from typing import Any

LONGEST = 4000  # characters of a text in the log
SHORTEST = 4  # characters; a shorter secret stands in half of all words, so only its key hides it
HIDDEN = "***"

_LARGEST = 65536  # characters of JSON that is read as such; beyond, it is a text like others
_DEEPEST = 12
_SPELLING = (
    24  # characters that one character of a secret may take: a UTF-8 byte of four is `%25F0`
)


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """A line of the module log, as of WHMCS's `logModuleCall`: its texts are masked already."""

    module: str
    action: str
    request: str
    response: str
    processed: str


def mask(value: object, secrets: Iterable[str] = ()) -> str:
    """Show a text, or any object as JSON, in one line of at most `LONGEST` characters, without the
    `secrets` and without the values of well-known keys."""
    given = tuple(filter(None, secrets))
    hidden = _Hidden(
        _spellings(given),
        _spellings(secret for secret in given if not _KEY.fullmatch(secret)),
        _SPELLING * max(map(len, given), default=0),
    )
    shown = _shown(value, hidden, 0)
    text = shown if isinstance(shown, str) else hidden.all.sub(HIDDEN, _json(shown))
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: LONGEST + 1])
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


@dataclass(frozen=True, slots=True)
class _Hidden:
    """The secrets of one call, as patterns."""

    all: re.Pattern[str]
    values: re.Pattern[str]
    """Without those that are a well-known key: WHMCS's own sample tells `password`, the word, for a
    secret. Masked sooner than that key's value, it would hide the key from the rules."""
    margin: int
    """Characters, more than the longest spelling of a secret has."""


def _shown(value: object, hidden: _Hidden, depth: int) -> Any:
    """Mask an object, key by key; what becomes of it is fit for JSON. Secrets that are keys stay,
    lest two keys become one: they are masked in the JSON."""
    if isinstance(value, bytes | bytearray):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        value = _parsed(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {
            _by_key(str(key)): (
                HIDDEN if _NAMED.search(str(key)) else _shown(item, hidden, depth + 1)
            )
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(item, hidden, depth + 1) for item in value]
    return _masked(str(value), hidden)


def _parsed(text: str) -> object:
    """Read a JSON object or list; any other text stays one."""
    if text.lstrip()[:1] in ("{", "[") and len(text) <= _LARGEST:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
    return text


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _masked(text: str, hidden: _Hidden) -> str:
    window = hidden.values.sub(HIDDEN, text[: LONGEST + hidden.margin])
    if len(text) > LONGEST + hidden.margin:  # what was cut off may begin inside of a secret
        window = window[: max(0, len(window) - hidden.margin)]
    return hidden.all.sub(HIDDEN, _by_key(window))


def _by_key(text: str) -> str:
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


# --- By key ---------------------------------------------------------------------------------------

_WORDS = (
    r"(?:pass|pwd|secret|token|hash|key|auth|cookie|sess|credential|signature|ticket"
    r"|location|nonce|jwt|\bsid\b|\botp\b|\bott\b|\bcode\b|\bpin\b)"
)
_NAMED = re.compile(_WORDS, re.I)
_KEY = re.compile(rf"[a-z_]*{_WORDS}[a-z_]*", re.I)
_QUOTED = r""""(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"""
_SCHEME = r"(?:basic|bearer|digest|whm|token)"


def _rule(pattern: str, replacement: str) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern, re.I | re.S), replacement


# Repetitions have bounds or no alternative way to match: an answer may not hold up its own log.
_RULES = (
    # <passwd>…</passwd>, and the number of a session that Plesk has made.
    _rule(
        rf"<([\w:.-]{{0,40}}?{_WORDS}[\w:.-]{{0,40}})(\s[^<>]{{0,400}})?(?<!/)>.*?(?:</\1\s*>|\Z)",
        rf"<\1>{HIDDEN}</\1>",
    ),
    _rule(r"(<id>)[^<]{16,}", rf"\1{HIDDEN}"),
    # A header's line, or a key of what is almost JSON; unquoted, the value is the rest of the line.
    _rule(
        rf"({_WORDS}[\w-]{{0,40}}\\*[\"'\]]{{0,2}}[ \t]{{0,4}}:[ \t]{{0,4}})(?:{_QUOTED}|[^\r\n]*)",
        rf"\1{HIDDEN}",
    ),
    # A query or a form, maybe url-encoded once more; PHP's `[key] => value`.
    _rule(
        rf"({_WORDS}[\w%-]{{0,40}}?\\*[\"'\]]{{0,2}}\s{{0,4}}(?:=>|=|%(?:25)*3D)[ \t]{{0,4}})"
        rf"(?:{_QUOTED}|(?:{_SCHEME}(?:\s|\+|%20))?[^&\s]*)",
        rf"\1{HIDDEN}",
    ),
    _rule(rf"\b({_SCHEME}\s+)[\w+/=.:~-]{{8,}}", rf"\1{HIDDEN}"),
    _rule(r"(cpsess)[0-9]+", rf"\1{HIDDEN}"),
    _rule(r"(://)[^\s/@]{1,200}@", rf"\1{HIDDEN}@"),
    # Of an address, the site alone: one that works once may have its secret anywhere.
    _rule(r"(https?:(?:\\?/){2}[\w.:\[\]-]{1,300}\\?/)[^\s\"'<>]+", rf"\1{HIDDEN}"),
    _rule(r"\beyJ[\w-]{8,}\.[\w.-]*", HIDDEN),  # a JWT
    # Thirty-two digits of hex are a session's, a key's or a digest's, whatever name they stand by.
    _rule(r"\b[0-9a-f]{32,}\b", HIDDEN),
)


# --- By value -------------------------------------------------------------------------------------

_JSON_LETTERS = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_ENTITIES = codepoint2name | {ord("'"): "apos"}
_BASE64 = "[A-Za-z0-9+/_-]?"
_NOTHING = re.compile(r"(?!)")


def _spellings(secrets: Iterable[str]) -> re.Pattern[str]:
    # A key of several lines is sent in one.
    forms = {form for secret in secrets for form in (secret, "".join(secret.split()))}
    known = sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)
    if not known:
        return _NOTHING
    plain = "|".join("".join(map(_spelled, form)) for form in known)
    encoded = "|".join("".join(map(_spelled, core)) for form in known for core in _base64(form))
    return re.compile(f"{plain}|{_BASE64}(?:{encoded}){_BASE64}={{0,2}}")


def _spelled(character: str) -> str:
    """Give a pattern of all that URLs, HTML and JSON write for a character, escaped once or again:
    each of their encoders leaves others as they are. Again has a bound: an answer may not hold up
    its own log."""
    if character.isascii() and character.isalnum():
        return character
    number = ord(character)
    units = character.encode("utf-16-be", "surrogatepass")
    ways = [
        re.escape(character),
        "".join(f"%(?:25){{0,4}}{byte:02x}" for byte in character.encode("utf-8", "surrogatepass")),
        rf"&(?:amp;){{0,4}}#(?:0{{0,8}}{number}|x0{{0,8}}{number:x});",
        "".join(rf"\\{{1,8}}u{units[i : i + 2].hex()}" for i in range(0, len(units), 2)),
        rf"\\{{1,8}}{re.escape(_JSON_LETTERS.get(character, character))}",
    ]
    if character == " ":
        ways.append(r"\+")
    if number in _ENTITIES:
        ways.append(f"&(?:amp;){{0,4}}{_ENTITIES[number]};")
    return f"(?i:{'|'.join(ways)})"


def _base64(secret: str) -> set[str]:
    """Give what base64 makes of a secret, wherever it stands in what is encoded (behind `user:`,
    for example): the digits that depend on it alone."""
    content = secret.encode("utf-8", "surrogatepass")
    return {
        encode(b"\0" * before + content)[start : 8 * (before + len(content)) // 6].decode()
        for before, start in ((0, 0), (1, 2), (2, 3))
        for encode in (b64encode, urlsafe_b64encode)
    }
