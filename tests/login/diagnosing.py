"""Links to take apart, and what is found in them."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from ssogate.config import Secret
from ssogate.login.signed_link import SignedLinkSettings, diagnose

NOW = 1_562_230_800
SECRET, OLDER, FOREIGN = "5e" * 20, "01de7" * 8, "f0e1" * 8
# Its base64 holds a plus, a slash and a closing equals sign.
INNER = f"username=John&name=~~~???&email=a>x@y.z&t={NOW}"
TEXT = b64encode(INNER.encode()).decode()


def sender(name: str = "members", *secrets: str, **more: Any) -> SignedLinkSettings:
    held = tuple(map(Secret, secrets or (SECRET, OLDER)))
    given = {"kind": "signed_link", "name": name, "secrets": held, **more}
    return SignedLinkSettings.model_validate(given)


PARTNERS = sender("partners", FOREIGN, path="/partners.php")


def right(text: str = TEXT, secret: str = SECRET) -> str:
    return sha256(f"{text}{secret}".encode()).hexdigest()


def url(text: str = TEXT, claimed: str | None = None, *, raw: bool = False, **more: str) -> str:
    """A link; `raw`: as a sender pastes it that does not URL-encode."""
    fields = {"mode": "login", "query": text, "hash": claimed or right(text), **more}
    query = "&".join(f"{k}={v}" for k, v in fields.items()) if raw else urlencode(fields)
    return f"https://app.example/sso.php?{query}"


def faults(link: str, settings: SignedLinkSettings | None = None, **more: Any) -> dict[str, str]:
    """What is wrong with a link, by step; the verdict must agree, and is left out."""
    found = diagnose(link, settings or sender(), now=more.pop("now", NOW), **more).findings
    wrong = {finding.title: finding.detail for finding in found if not finding.ok}
    if set(wrong) - {"address"}:
        assert "verdict" in wrong
    wrong.pop("verdict", None)
    return wrong


def notes(link: str, settings: SignedLinkSettings | None = None, **more: Any) -> dict[str, str]:
    """What each step says of a link that is all right."""
    found = diagnose(link, settings or sender(), now=NOW, **more).findings
    assert all(finding.ok for finding in found), found
    return {finding.title: finding.detail for finding in found}
