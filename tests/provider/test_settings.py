"""What the provider's part of gateway.yaml must not say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ssogate.provider import ProviderSettings

API = "https://api.example/"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({"access_token_lifetime": "8d"}, "key_overlap", id="access tokens"),
        pytest.param({"id_token_lifetime": "8d"}, "key_overlap", id="ID tokens"),
        pytest.param({"resources": {API: {"lifetime": "8d"}}}, "key_overlap", id="an API's tokens"),
        pytest.param({"key_lifetime": "6d"}, "key_overlap", id="a key"),
        pytest.param({"algorithms": ["ES256"]}, "RS256", id="no RS256"),
        pytest.param({"scopes": {f"resource:{API}": []}}, "resource:", id="a scope like an API"),
        pytest.param(
            {"resources": {API: {"scopes": ["resource:x"]}}}, "resource:", id="an API's scope"
        ),
        pytest.param({"resources": {"urn:x,email": {}}}, "comma", id="a comma"),
        pytest.param({"resources": {"urn:x#y": {}}}, "fragment", id="a fragment"),
        pytest.param({"resources": {"/api": {}}}, "absolute", id="a path"),
    ],
)
def test_what_cannot_be_is_said(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ProviderSettings.model_validate(settings)


def test_an_apis_tokens_may_count_as_long_as_keys_are_published() -> None:
    found = ProviderSettings.model_validate({"resources": {API: {"lifetime": "7d"}}})

    assert found.resources[API].lifetime == found.key_overlap
