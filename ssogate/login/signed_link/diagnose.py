"""Take a link apart, step by step, and say what is wrong with it: for the operator, not a visitor.

Strategy: each step is judged by the very functions that serve requests. Where a step fails, the
link is mended (in memory; nobody is told), so that the steps after it can be judged as well. The
last word is the login method's own. Pure: no store, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from werkzeug.wrappers import Response

from ssogate.errors import BadSignature, GateError
from ssogate.http.form import query_pairs
from ssogate.login.signed_link import meaning
from ssogate.login.signed_link.finding import Finding, Steps, misspelt, shown, told
from ssogate.login.signed_link.link import REQUIRED, Outer, digest, outer, verify
from ssogate.login.signed_link.method import SignedLink
from ssogate.login.signed_link.settings import SignedLinkSettings
from ssogate.login.signed_link.slips import hash_slip
from ssogate.model import SignIn

MAX_URL = 16_384  # characters; browsers and servers give up before


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings. Every one is `ok` exactly if the gate would take the link."""

    findings: tuple[Finding, ...]
    sign_in: SignIn | None
    """What the link asks for, if that can be made out: it may be forged or too old all the same.
    Its `proof` is None unless the hash is right."""


def diagnose(
    url: str,
    settings: SignedLinkSettings,
    *,
    now: float,
    others: Sequence[SignedLinkSettings] = (),
    policy_groups: frozenset[str] = frozenset(),
) -> Diagnosis:
    """Take apart a link of the sender `settings`. `now` counts in Unix seconds; `others` are the
    gate's other senders, whose path or secret may have been taken by mistake."""
    rest = tuple(other for other in others if other.name != settings.name)
    steps = _steps(url, _Sender(settings, rest, policy_groups, now))
    findings: list[Finding] = []
    while True:
        try:
            findings.append(next(steps))
        except StopIteration as end:
            return Diagnosis(tuple(findings), end.value)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Whose link it should be, and what else a step may need to know."""

    settings: SignedLinkSettings
    others: tuple[SignedLinkSettings, ...]
    policy_groups: frozenset[str]
    now: float


@dataclass(frozen=True, slots=True)
class _Asked:
    """The URL's parameters, mended so far that `outer` takes them, and what stood there."""

    outer: Outer
    text: str
    """The base64 text as it arrived: a raw `+` is still a space."""
    claimed: str
    """The hash as it arrived."""


def _steps(url: str, sender: _Sender) -> Steps[SignIn | None]:
    if len(url) > MAX_URL:
        yield Finding(False, "address", f"longer than {MAX_URL} characters")
        return None
    if not sender.settings.enabled:
        yield Finding(False, "sender", f"{sender.settings.name} is switched off (`enabled: false`)")
    raw = url.strip().partition("#")[0].partition("?")[2]
    yield from _address(path_of(url), sender)
    asked = yield from _parameters(raw)
    sign_in = None
    if asked and asked.outer.query:
        sign_in = yield from _signed(asked, sender)
    yield _verdict(raw, asked, sender)
    return sign_in


def _signed(asked: _Asked, sender: _Sender) -> Steps[SignIn | None]:
    """What the hash vouches for."""
    settings = sender.settings
    text = yield from _text(asked.text)
    genuine = yield from _hash(asked, text, sender)
    link = yield from meaning.contents(text, asked.outer.mode, settings)
    if link is None:
        return None
    yield meaning.age(link, settings, sender.now)
    if asked.outer.mode == "logout":
        return None
    unchanged = genuine and text == asked.outer.query
    right = digest(text, settings.secrets[0].bytes, settings.algorithm)
    claimed = asked.claimed if unchanged else right
    beside = asked.outer.redirect
    sign_in = meaning.wanted(
        link, settings, sender.policy_groups, text=text, claimed=claimed, beside=beside
    )
    yield from meaning.groups(link, sign_in, settings)
    yield meaning.destination(link, sign_in, beside, settings)
    return sign_in if unchanged else replace(sign_in, proof=None)


# --- The URL --------------------------------------------------------------------------------------


def path_of(url: str) -> str:
    """Give the decoded path of a link that may lack its scheme and host."""
    address = re.split(r"[?#]", url.strip(), maxsplit=1)[0]
    return unquote(re.sub(r"\Ahttps?://[^/]*", "", address, flags=re.IGNORECASE)) or "/"


def _address(path: str, sender: _Sender) -> Iterator[Finding]:
    ours = f"{sender.settings.name} has {sender.settings.path}"
    owner = next((other.name for other in sender.others if other.path == path), None)
    if path == sender.settings.path:
        yield Finding(True, "address", f"{path} is the path of {sender.settings.name}")
    elif owner:
        yield Finding(False, "address", f"{path} is the path of {owner}; {ours}")
    else:
        yield Finding(False, "address", f"{shown(path)} is the path of no sender; {ours}")


def _parameters(raw: str) -> Steps[_Asked | None]:
    """Judge the parameters' form; give them, mended if need be and if that can be done."""
    if "&amp;" in raw:
        message = "the & between them is written &amp;, as in the source of a page; write &"
        yield Finding(False, "parameters", message)
        raw = raw.replace("&amp;", "&")
    try:
        pairs = query_pairs(meaning.request(raw))
    except GateError as error:
        yield Finding(False, "parameters", told(error))
        return None
    try:
        asked = outer(pairs)
    except GateError as error:
        fields = _lenient(pairs)
        claimed = fields.get("hash", "").strip()
        hint = misspelt(error, (key for key, _ in pairs)) or _kind_of_hash(claimed)
        yield Finding(False, "parameters", told(error, hint))
        mended = _mended(fields)
        return _Asked(mended, fields.get("query", ""), claimed) if mended else None
    names = "mode, query and hash have" if asked.query else "mode has"
    yield Finding(True, "parameters", f"{names} the right form")
    text = next((value for key, value in pairs if key.lstrip(" ") == "query"), "")
    return _Asked(asked, text, asked.digest)


def _lenient(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters as somebody may have meant them; the first of a name counts."""
    fields: dict[str, str] = {}
    for key, value in pairs:
        fields.setdefault(key.strip().partition("[")[0].lower(), value)
    return fields


def _mended(fields: Mapping[str, str]) -> Outer | None:
    mode = fields.get("mode", "").strip().lower()
    mode = mode if mode in REQUIRED else "login"
    try:
        return outer({**fields, "mode": mode, "hash": "0" * 64}.items())
    except GateError:
        return None


def _kind_of_hash(claimed: str) -> str:
    kinds = {32: "as MD5 has", 40: "as SHA-1 has", 44: "as base64 has", 128: "as SHA-512 has"}
    return f"it has {len(claimed)} characters, {kind}" if (kind := kinds.get(len(claimed))) else ""


def _verdict(raw: str, asked: _Asked | None, sender: _Sender) -> Finding:
    """What the gate itself answers, to a visitor who comes from a page that it allows."""
    anywhere = sender.settings.model_copy(update={"allowed_domains": ()})
    method = SignedLink(anywhere, sender.policy_groups, lambda: sender.now)
    by_post = asked is not None and asked.outer.mode == "logout" and asked.outer.query
    code = ""
    try:
        reply = method(meaning.request(raw, method="POST" if by_post else "GET"))
        if isinstance(reply, Response):  # a POST is answered with the refusal itself
            code = reply.headers.get("X-SSOGate-Error", "")
    except GateError as error:
        code = error.code
    if code:
        return Finding(False, "verdict", f"the gate refuses it: {code}")
    return Finding(True, "verdict", "the gate takes it" + _conditions(sender.settings, by_post))


def _conditions(settings: SignedLinkSettings, by_post: object) -> str:
    if by_post:
        return ", when it is sent by POST"
    if not settings.allowed_domains:
        return ""
    return f", from a page of {', '.join(settings.allowed_domains)}"


# --- The base64 text and its hash -----------------------------------------------------------------

_FAULTS: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    (r"%[0-9A-Fa-f]{2}", "is URL-encoded twice; encode it once", unquote),
    (r"[\r\n\t]", "holds line breaks; make the base64 in one line", lambda t: "".join(t.split())),
    (
        r"[-_]",
        "is in the URL-safe alphabet; use the standard one, with + and /",
        lambda text: text.translate(str.maketrans("-_", "+/")),
    ),
    (r"[^A-Za-z0-9+/=]", "holds characters that base64 has not", str),
)


def _text(arrived: str) -> Steps[str]:
    """Judge the spelling; give the text as it should be."""
    text = arrived.replace(" ", "+")
    faults = 0
    for pattern, message, mend in _FAULTS:
        if re.search(pattern, text):
            yield Finding(False, "text", f"the query {message}")
            text, faults = mend(text), faults + 1
    if faults:
        return text
    notes = [f"base64, {len(text)} characters"]
    if " " in arrived:
        notes.append("a + came as a space, since the sender did not URL-encode it: read as +")
    if len(text) % 4:
        notes.append("its closing = is missing: taken all the same")
    yield Finding(True, "text", "; ".join(notes))
    return text


def _hash(asked: _Asked, text: str, sender: _Sender) -> Steps[bool]:
    """Judge the hash over the text as it arrived; say whether it is right."""
    settings = sender.settings
    for number, secret in enumerate(settings.secrets, 1):
        if _verifies(asked, settings, secret.bytes):
            older = f"an older secret, number {number} of {len(settings.secrets)}; use the first"
            yield Finding(True, "hash", f"right, by {older if number > 1 else 'the first secret'}")
            return True
    yield Finding(False, "hash", f"wrong: {_why_wrong(asked, text, sender)}")
    return False


def _why_wrong(asked: _Asked, text: str, sender: _Sender) -> str:
    for other in sender.others:
        if any(_verifies(asked, other, secret.bytes) for secret in other.secrets):
            return f"it is made with a secret of another sender, {other.name}"
    for settings in (sender.settings, *sender.others):
        secrets = [secret.bytes for secret in settings.secrets]
        for tried in dict.fromkeys((asked.outer.query, text)):
            slip = hash_slip(tried, asked.claimed, secrets, settings.algorithm, together=2)
            if slip and settings is not sender.settings:
                return f"{slip}; and the secret is one of another sender, {settings.name}"
            if slip:
                return slip
    return "it is of another text, or by another secret"


def _verifies(asked: _Asked, settings: SignedLinkSettings, secret: bytes) -> bool:
    try:
        verify(asked.outer.query, asked.claimed, [secret], settings.algorithm)
    except (BadSignature, TypeError):  # TypeError: a hash that is not even ASCII
        return False
    return True
