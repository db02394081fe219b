"""The `claims` parameter: names and wishes, within limits."""

from __future__ import annotations

import json

import pytest

from ssogate.oauth.claims_request import MAX_CLAIMS, ClaimsRequest, Wanted, claims_request

# OpenID Connect Core, section 5.5.
OF_THE_STANDARD = """
  {
   "userinfo":
    {
     "given_name": {"essential": true},
     "nickname": null,
     "email": {"essential": true},
     "email_verified": {"essential": true},
     "picture": null,
     "http://example.info/claims/groups": null
    },
   "id_token":
    {
     "auth_time": {"essential": true},
     "acr": {"values": ["urn:mace:incommon:iap:silver"] }
    }
  }
"""
MUST = Wanted(essential=True)


def test_the_example_of_the_standard() -> None:
    found = claims_request(OF_THE_STANDARD)

    assert found.id_token == {
        "auth_time": MUST,
        "acr": Wanted(values=("urn:mace:incommon:iap:silver",)),
    }
    assert found.userinfo["given_name"] == MUST
    assert found.userinfo["nickname"] == Wanted()
    assert len(found.userinfo) == 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{}", ClaimsRequest(), id="nothing"),
        pytest.param('{"id_token": null}', ClaimsRequest(), id="null"),
        pytest.param('{"other": {"a": 1}}', ClaimsRequest(), id="unknown member"),
        pytest.param(
            '{"id_token": {"sub": {"value": "u", "purpose": 1}}}',
            ClaimsRequest(id_token={"sub": Wanted(values=("u",))}),
            id="one value",
        ),
        pytest.param(
            '{"id_token": {"a": {"values": [1, "x", null], "essential": "true"}}}',
            ClaimsRequest(id_token={"a": Wanted(values=("x",))}),
            id="values that no claim of ours has",
        ),
    ],
)
def test_reads(text: str, expected: ClaimsRequest) -> None:
    assert claims_request(text) == expected


def test_reads_as_many_claims_as_the_limit() -> None:
    text = json.dumps({"userinfo": {str(number): None for number in range(MAX_CLAIMS)}})

    assert len(claims_request(text).userinfo) == MAX_CLAIMS


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("[]", id="a list"),
        pytest.param('{"id_token": []}', id="half a list"),
        pytest.param('{"id_token": {"a": true}}', id="neither null nor an object"),
        pytest.param('{"id_token": {"a": {"values": "x"}}}', id="values is no list"),
        pytest.param('{"id_token": {"a": null, "a": null}}', id="twice"),
        pytest.param("[" * 5000, id="deep"),
        pytest.param(
            json.dumps({"userinfo": {str(number): None for number in range(MAX_CLAIMS + 1)}}),
            id="too many",
        ),
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (which one is for nobody)
        claims_request(text)
