"""The JSON Schema that editors complete and check YAML by."""

from __future__ import annotations

import json
import re
from typing import Any

from ssogate.config import Settings, schema
from ssogate.config.net import url
from tests.config.models import Gate, Route


def at(*path: str) -> Any:
    node: Any = schema(Gate)
    for part in path:
        node = node[part]
    return node


def test_names_its_draft_and_can_be_written_as_json() -> None:
    assert at("$schema") == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema(Gate))) == schema(Gate)


def test_a_field_is_described_by_the_docstring_below_it() -> None:
    assert at("properties", "public_url", "description") == "Where visitors find the gate."
    assert at("$defs", "Link", "properties", "expiry", "description") == "How old a link may be."


def test_unknown_keys_are_marked() -> None:
    assert at("additionalProperties") is False
    assert at("$defs", "Route", "additionalProperties") is False


def test_a_duration_is_text_with_a_unit_and_so_is_its_default() -> None:
    expiry = at("$defs", "Link", "properties", "expiry")

    assert (expiry["type"], expiry["default"]) == ("string", "5m")
    assert all(re.search(expiry["pattern"], text) for text in [*expiry["examples"], "300s"])
    assert not re.search(expiry["pattern"], "300")


def test_a_size_is_text_with_a_unit_and_so_is_its_default() -> None:
    assert at("$defs", "Route", "properties", "max_body", "default") == "10MiB"


class Nested(Settings):
    route: Route = Route(to=url("https://app.example/"))


def test_the_default_of_keys_below_is_told_by_those_keys() -> None:
    node = schema(Nested)

    assert node["properties"]["route"] == {"$ref": "#/$defs/Route"}
    assert node["$defs"]["Route"]["properties"]["max_body"]["default"] == "10MiB"


def test_a_secret_is_a_mapping_of_two_forms() -> None:
    secret = at("$defs", "Link", "properties", "secret")

    assert secret["type"] == "object"
    assert set(secret["properties"]) == {"env", "file"}
    assert secret["description"] == "Signs the links."


def test_a_url_is_text() -> None:
    pattern = at("properties", "public_url", "pattern")

    assert re.search(pattern, "https://app.example/")
    assert not re.search(pattern, "https://joe@app.example/")


def test_no_title_repeats_a_name() -> None:
    assert '"title"' not in json.dumps(schema(Gate))
