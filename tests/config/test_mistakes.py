"""Every mistake in a file is told at once: where it stands, and what to write instead."""

from __future__ import annotations

import json
from datetime import date
from ipaddress import IPv4Address
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from ssogate.config import Network, Settings, document
from ssogate.errors import ConfigurationError, Problem
from tests.config.models import Gate

URL = "public_url: https://app.example/\n"


def told(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        document(text, "gateway.yaml").validate(Gate)
    return [str(problem).removeprefix("gateway.yaml:") for problem in caught.value.problems]


def test_a_good_file_becomes_frozen_settings() -> None:
    gate = document(
        "public_url: HTTPS://APP.example:443\n"
        "login:\n"
        "  - {kind: password, password: 'no', enabled: no}\n"
        "routes:\n"
        "  wiki: {to: 'http://127.0.0.1:9000/w', max_body: 2MiB}\n"
        "trusted_proxies: [10.0.0.0/8]\n",
        "gateway.yaml",
    ).validate(Gate)

    assert gate.public_url == "https://app.example/"
    assert gate.routes["wiki"].max_body == 2 * 2**20
    assert gate.login[0].kind == "password"
    assert gate.login[0].enabled is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", ["1: public_url: is missing"], id="empty file"),
        pytest.param("- a\n", ["1: write keys and values, indented below it"], id="a list"),
        pytest.param("text\n", ["1: write keys and values, indented below it"], id="a text"),
        pytest.param(
            URL + "worker: 3\n",
            ["2: worker: unknown key 'worker'; did you mean 'workers'?"],
            id="key misspelt",
        ),
        pytest.param(
            URL + "zzz: 3\n",
            [
                "2: zzz: unknown key 'zzz' (known: fallback, groups, login, mode, names,"
                " public_url, ratio, routes, trusted_proxies, workers)"
            ],
            id="key from nowhere",
        ),
        pytest.param(
            URL + "login:\n- kind: signd_link\n",
            [
                "3: login.0.kind: unknown kind 'signd_link'; did you mean 'signed_link'?"
                " (known: password, signed_link)"
            ],
            id="kind misspelt",
        ),
        pytest.param(
            URL + "login:\n\n- expiry: 1m\n",
            ["4: login.0.kind: is missing (known: password, signed_link)"],
            id="kind missing",
        ),
        pytest.param(
            URL + "login:\n- kind: signed_link\n  expirey: 1m\n  expiry: 30\n",
            [
                "3: login.0.secret: is missing",
                "4: login.0.expirey: unknown key 'expirey'; did you mean 'expiry'?",
                "5: login.0.expiry: write a number with a unit, such as 90s, 30m, 12h or 7d",
            ],
            id="inside a kind",
        ),
        pytest.param(
            URL + "login:\n- kind: password\n  password:\n    x: 1\n",
            ["4: login.0.password: write text: put it in quotes"],
            id="a key named as its kind",
        ),
        pytest.param(
            URL + "login:\n- kind: password\n  password: 12345\n  enabled: maybe\n",
            [
                "4: login.0.password: write text: put it in quotes",
                "5: login.0.enabled: write true or false",
            ],
            id="number for text, text for a boolean",
        ),
        pytest.param(
            URL + "routes:\n  wiki:\n    too: http://x/\n",
            [
                "3: routes.wiki.to: is missing",
                "4: routes.wiki.too: unknown key 'too'; did you mean 'to'?",
            ],
            id="inside a named entry",
        ),
        pytest.param(
            URL + "routes:\n  wiki:\n",
            ["3: routes.wiki: nothing stands here: write keys and values, indented below it"],
            id="an entry without a value",
        ),
        pytest.param(
            URL + "routes: {a: {to: 'http://x/', headers: {'X_A': b}}}\n",
            [
                "2: routes.a.headers.X_A: write a header name of letters, digits and hyphens,"
                " such as X-Remote-User"
            ],
            id="a bad name of an entry",
        ),
        pytest.param(
            URL + "fallback:\n  t: 1\n",
            ["2: fallback.to: is missing", "3: fallback.t: unknown key 't'; did you mean 'to'?"],
            id="inside what may be absent",
        ),
        pytest.param(
            URL + "fallback:\n  to: http://x/\n  between: [9, 1]\n",
            ["2: fallback: write the smaller number first"],
            id="two settings that clash",
        ),
        pytest.param(
            URL + "fallback: {to: 'http://x/', between: [1, a]}\n",
            ["2: fallback.between.1: write a whole number"],
            id="inside a pair",
        ),
        pytest.param(URL + "mode: c\n", ["2: mode: write 'proxy' or 'wrap'"], id="choice"),
        pytest.param(
            URL + "names: 1\n",
            ["2: names: write text: put it in quotes; or write a list: one '- entry' a line"],
            id="either of two",
        ),
        pytest.param(
            URL + "names: [a, 1]\n",
            ["2: names: write text: put it in quotes", "2: names.1: write text: put it in quotes"],
            id="inside either of two",
        ),
        pytest.param(
            URL + "workers: 0\n", ["2: workers: write a number of at least 1"], id="too small"
        ),
        pytest.param(
            URL + "workers: 65\n", ["2: workers: write a number of at most 64"], id="too great"
        ),
        pytest.param(URL + "workers: 1.5\n", ["2: workers: write a whole number"], id="fraction"),
        pytest.param(URL + "ratio: half\n", ["2: ratio: write a number"], id="no number"),
        pytest.param(
            URL + "groups: [a, b, c]\n", ["2: groups: takes at most 2 entries"], id="too many"
        ),
        pytest.param(
            URL + "groups: a\n", ["2: groups: write a list: one '- entry' a line"], id="no list"
        ),
        pytest.param(
            URL + "trusted_proxies:\n- 10.0.0.0/8\n- 10.0.0.1/8\n",
            [
                "4: trusted_proxies.1: 10.0.0.1/8 is an address inside a network: write 10.0.0.0/8"
                " for all of the network or 10.0.0.1 for the one address"
            ],
            id="host bits",
        ),
    ],
)
def test_says_where_and_what_to_write(text: str, expected: list[str]) -> None:
    assert told(text) == expected


def test_everything_is_told_at_once() -> None:
    text = "worker: 1\nlogin: [{kind: x}]\nmode: y\nratio: z\n"

    assert [line.partition(":")[0] for line in told(text)] == ["1", "1", "2", "3", "4"]


class Odd(Settings):
    """Types whose mistakes no room has words for yet."""

    address: IPv4Address
    day: date


def test_a_mistake_of_an_unforeseen_kind_is_told_in_pydantic_s_words() -> None:
    with pytest.raises(ConfigurationError) as caught:
        document("address: hunter2\nday: hunter2\n", "f").validate(Odd)

    first, second = caught.value.problems
    assert str(first) == "f:1: address: this is not a valid IPv4 address"
    assert str(second).startswith("f:2: day: must be a valid date")
    assert "hunter2" not in str(caught.value)


class Offices(Settings):
    """Lists that must not be empty, one inside the other's neighbour."""

    networks: Annotated[tuple[Network, ...], Field(min_length=1)]
    spare: Annotated[tuple[Network, ...], Field(min_length=1)] = ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("networks: []\n", ["networks: needs at least 1 entries"], id="an empty list"),
        pytest.param(
            "networks: [x]\n",
            ["networks.0: write an address or a network, such as 10.0.0.0/8"],
            id="a wrong entry is not counted as none",
        ),
        pytest.param(
            "networks: [x]\nspare: []\n",
            [
                "networks.0: write an address or a network, such as 10.0.0.0/8",
                "spare: needs at least 1 entries",
            ],
            id="another list's wrong entry excuses no empty one",
        ),
    ],
)
def test_a_list_is_called_short_for_its_own_length_only(text: str, expected: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        document(text, "f").validate(Offices)

    assert [str(problem).partition(": ")[2] for problem in caught.value.problems] == expected


def test_no_message_repeats_a_value() -> None:
    text = URL + (
        "workers: hunter2\nratio: hunter2\nmode: hunter2\ngroups: hunter2\nrouts: hunter2\n"
        "trusted_proxies: [hunter2]\nfallback: {to: 'https://joe:hunter2@x/'}\n"
        "login:\n- {kind: signed_link, secret: hunter2, expiry: hunter2, domains: [hunter2 x]}\n"
        "- {kind: signed_link, secret: {env: hunter2-x}}\n"
        "- {kind: signed_link, secret: {env: hunter2}}\n"
        "- {kind: signed_link, secret: {file: hunter2}}\n"
        "- {kind: signed_link, secret: {hunter2: x}}\n"
        "- {kind: password, password: hunter2 and more}\n"
    )

    assert len(told(text)) >= 12
    assert not [line for line in told(text) if "hunter2" in line]


WORDS = st.sampled_from([*Gate.model_fields, "kind", "signed_link", "to", "password", "worker"])
VALUES: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab:/.@", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(WORDS, VALUES, max_size=4))
def test_no_document_raises_anything_but_a_configuration_error(data: dict[str, object]) -> None:
    for problem in problems_of(json.dumps(data)):
        assert problem.line == 1
        assert problem.message


def problems_of(text: str) -> list[Problem]:
    try:
        document(text, "f").validate(Gate)
    except ConfigurationError as error:
        return error.problems
    return []
