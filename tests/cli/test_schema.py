from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Site


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        pytest.param([], {"public_url", "login", "routes", "upstreams", "policy"}, id="gateway"),
        pytest.param(["gateway"], {"public_url", "login"}, id="gateway by name"),
        pytest.param(["policies"], {"rules", "tests"}, id="policies"),
    ],
)
def test_describes_what_a_file_may_hold(site: Site, arguments: list[str], keys: set[str]) -> None:
    found = json.loads(site.good("schema", *arguments))

    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert keys <= found["properties"].keys()
    assert found["additionalProperties"] is False


def test_needs_no_configuration(site: Site) -> None:
    (site.folder / "gateway.yaml").unlink()

    assert site.good("schema")


def test_knows_two_kinds_of_files(site: Site) -> None:
    assert site.run("schema", "users").exit_code == 2
