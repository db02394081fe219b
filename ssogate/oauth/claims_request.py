"""The `claims` parameter (OpenID Connect Core, section 5.5): what a client wants to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ssogate.http.json_object import json_object

MAX_CLAIMS = 50  # names in each half; there are not as many that anybody has


@dataclass(frozen=True, slots=True)
class Wanted:
    """One claim: whether the client cannot do without it, and which values would do."""

    essential: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimsRequest:
    """What is wanted in the ID token and from userinfo."""

    id_token: Mapping[str, Wanted] = field(default_factory=dict)
    userinfo: Mapping[str, Wanted] = field(default_factory=dict)


def claims_request(text: str) -> ClaimsRequest:
    """Read the parameter. Members that nobody knows are ignored, as the standard wants it.

    Raises ValueError.
    """
    asked = json_object(text.encode())
    return ClaimsRequest(_half(asked.get("id_token")), _half(asked.get("userinfo")))


def _half(asked: object) -> Mapping[str, Wanted]:
    if asked is None:
        return {}
    if not isinstance(asked, dict) or len(asked) > MAX_CLAIMS:
        raise ValueError("not an object, or too many claims")
    return {name: _wanted(how) for name, how in asked.items()}


def _wanted(how: object) -> Wanted:
    if how is None:
        return Wanted()
    if not isinstance(how, dict):
        raise ValueError("neither null nor an object")
    values = how.get("values", [])
    if not isinstance(values, list):
        raise ValueError("values is no list")
    texts = [one for one in (how.get("value"), *values) if isinstance(one, str)]
    return Wanted(how.get("essential") is True, tuple(texts))
