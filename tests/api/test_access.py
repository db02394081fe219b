"""Who may call the API: secrets, addresses, the access key, roles."""

from __future__ import annotations

from typing import Any

import pytest

from ssogate.api import ApiSettings
from ssogate.config.net import network
from ssogate.directory.clients import API_ROLES, reset_api_secret
from ssogate.model import ApiRole
from tests.api.making import Office, answer, refused
from tests.directory.making import SUE
from tests.storage.making import NOW

KEY = "a key of some length é"
ASK = {"action": "GetPermissionsList"}


def with_key(office: Office) -> None:
    office.settings = ApiSettings.model_validate(
        {"networks": (), "access_key": {"env": "KEY"}}, context={"environ": {"KEY": KEY}}
    )


@pytest.mark.parametrize(
    "empty",
    [
        pytest.param({}, id="identifier and secret"),
        pytest.param({"username": "", "password": "", "accesskey": ""}, id="node-whmcs"),
    ],
)
def test_identifier_and_secret_open(office: Office, empty: dict[str, str]) -> None:
    assert answer(office.post({**office.login, **ASK, **empty}))["result"] == "success"


def test_the_same_pair_opens_as_user_name_and_password(office: Office) -> None:
    pair = {"username": office.login["identifier"], "password": office.secret}

    assert answer(office.post({**pair, **ASK}))["result"] == "success"
    assert answer(office.post({"identifier": "", **pair, **ASK}))["result"] == "success"


NONE = "Authentication Failed"
UNKNOWN = "Invalid or missing credentials"


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        pytest.param({"identifier": "", "secret": ""}, NONE, id="none"),
        pytest.param({"secret": ""}, NONE, id="no secret"),
        pytest.param({"secret": "wrong"}, NONE, id="wrong secret"),
        pytest.param({"identifier": ""}, NONE, id="no identifier"),
        pytest.param({"identifier": "0" * 32}, UNKNOWN, id="unknown identifier"),
        pytest.param({"identifier": "joe"}, UNKNOWN, id="no identifier of ours"),
        pytest.param({"identifier": "joe", "secret": ""}, NONE, id="unknown, no secret"),
    ],
)
def test_anything_else_is_refused(office: Office, sent: dict[str, str], message: str) -> None:
    assert refused(office.post({**office.login, **ASK, **sent}), 403) == message


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(str.upper, id="upper case"),
        pytest.param(lambda text: f"{text} ", id="a space"),
        pytest.param(lambda text: text[:-1], id="truncated"),
        pytest.param(lambda text: f"{text}%00", id="more"),
    ],
)
def test_a_secret_has_one_spelling(office: Office, change: Any) -> None:
    sent = {**office.login, **ASK, "secret": change(office.secret)}

    assert refused(office.post(sent), 403) == NONE


def test_the_secret_of_another_program_does_not_open(office: Office) -> None:
    other, secret = office.program("all")

    assert refused(office.post({**office.login, **ASK, "secret": secret}), 403) == NONE
    assert answer(office.post({"identifier": other.identifier, "secret": secret, **ASK}))


def test_the_digest_that_is_stored_does_not_open(office: Office) -> None:
    sent = {**office.login, **ASK, "secret": office.credential.secret_digest}

    assert refused(office.post(sent), 403) == NONE


def test_a_deactivated_program_is_unknown(office: Office) -> None:
    office.deactivate()

    assert refused(office.post({**office.login, **ASK}), 403) == UNKNOWN


def test_a_secret_that_was_reset_is_dead_at_once(office: Office) -> None:
    number = office.credential.number
    _, new = reset_api_secret(office.store, number, random=office.random, by=SUE, now=NOW)

    assert refused(office.post({**office.login, **ASK}), 403) == NONE
    assert answer(office.post({**office.login, **ASK, "secret": new}))["result"] == "success"


# --- Addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("networks", "own", "client", "opens"),
    [
        pytest.param([], (), "192.0.2.1", False, id="nobody is listed"),
        pytest.param(["192.0.2.0/24"], (), "192.0.2.255", True, id="listed for all"),
        pytest.param(["192.0.2.0/24"], (), "192.0.3.0", False, id="beside it"),
        pytest.param([], ("192.0.2.1/32",), "192.0.2.1", True, id="the program's own"),
        pytest.param(["10.0.0.0/8"], ("192.0.2.1",), "192.0.2.2", False, id="in neither"),
        pytest.param(["10.0.0.0/8"], ("192.0.2.1",), "10.1.1.1", True, id="own ones add"),
        pytest.param(["192.0.2.0/24"], (), "::ffff:192.0.2.1", True, id="IPv4 in IPv6"),
        pytest.param(["2001:db8::/32"], (), "2001:db8::7", True, id="IPv6"),
        pytest.param(["0.0.0.0/0", "::/0"], (), "", False, id="no address"),
    ],
)
def test_a_program_calls_from_listed_networks(
    office: Office, networks: list[str], own: tuple[str, ...], client: str, opens: bool
) -> None:
    office.settings = ApiSettings(networks=tuple(map(network, networks)))
    credential, secret = office.program("all", networks=own)
    response = office.post(
        {"identifier": credential.identifier, "secret": secret, **ASK}, client=client
    )

    if opens:
        assert answer(response)["result"] == "success"
    else:
        shown = client or "unknown"
        assert refused(response, 403) == f"Invalid IP {shown}"


def test_another_programs_network_does_not_count(office: Office) -> None:
    office.settings = ApiSettings()
    office.program("all", networks=("192.0.2.0/24",))

    assert refused(office.post({**office.login, **ASK}), 403) == "Invalid IP 192.0.2.10"


def test_from_elsewhere_nobody_learns_whether_a_secret_is_right(office: Office) -> None:
    sent = [
        {**office.login, **ASK},
        {**office.login, **ASK, "secret": "wrong"},
        {**office.login, **ASK, "identifier": "0" * 32},
    ]

    answers = {refused(office.post(it, client="198.51.100.1"), 403) for it in sent}

    assert answers == {"Invalid IP 198.51.100.1"}


def test_the_access_key_opens_from_anywhere_to_who_has_a_secret(office: Office) -> None:
    with_key(office)
    sent = {**office.login, **ASK, "accesskey": KEY}

    assert answer(office.post(sent))["result"] == "success"
    assert refused(office.post({**sent, "secret": "wrong"}), 403) == NONE
    assert refused(office.post({**ASK, "accesskey": KEY}), 403) == NONE


@pytest.mark.parametrize("key", ["", "wrong", KEY.upper(), KEY[:-1], f"{KEY} "])
def test_a_wrong_access_key_opens_nothing(office: Office, key: str) -> None:
    with_key(office)
    sent = {**office.login, **ASK, "accesskey": key}

    assert refused(office.post(sent), 403) == "Invalid IP 192.0.2.10"


@pytest.mark.parametrize("key", ["", "None"])
def test_without_an_access_key_no_text_is_one(office: Office, key: str) -> None:
    office.settings = ApiSettings()

    assert refused(office.post({**office.login, **ASK, "accesskey": key}), 403)[:10] == "Invalid IP"


@pytest.mark.parametrize("key", ["short", "fifteen letters"])
def test_a_short_access_key_is_refused_at_the_start(key: str) -> None:
    with pytest.raises(ValueError, match="anybody may guess it") as refusal:
        ApiSettings.model_validate(
            {"access_key": {"env": "KEY"}}, context={"environ": {"KEY": key}}
        )
    assert key not in str(refusal.value)


# --- Roles ---------------------------------------------------------------------------------------


def test_a_role_allows_its_actions_and_no_others(office: Office) -> None:
    for name, action in (("tokens", "CreateSsoToken"), ("logs", "GetActivityLog")):
        API_ROLES.add(office.store, ApiRole(0, name, frozenset({action})), by=SUE, now=NOW)
    office.credential, office.secret = office.program("tokens", "logs")

    assert office.call("createssotoken", client_id=1)["result"] == "success"
    assert office.call("getactivitylog")["result"] == "success"
    assert refused(office.send("GetClients"), 403) == (
        'Invalid Permissions: API action "getclients" is not allowed'
    )
    assert office.lines[-1] == (
        "api.getclients",
        'nothing: Invalid Permissions: API action "getclients" is not allowed',
    )


def test_a_program_without_a_role_may_do_nothing(office: Office) -> None:
    office.credential, office.secret = office.program()

    assert "is not allowed" in refused(office.send("GetPermissionsList"), 403)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        pytest.param("", "Empty action request", id="none"),
        pytest.param("DeleteEverything", 'Invalid API Action: "deleteeverything"', id="unknown"),
        pytest.param("a" * 99, f'Invalid API Action: "{"a" * 64}"', id="long"),
        pytest.param('"><script>', 'Invalid API Action: ""><script>"', id="markup"),
        pytest.param("GetClients ", 'Invalid API Action: "getclients "', id="a space"),
    ],
)
def test_an_action_that_does_not_exist_is_told(office: Office, action: str, message: str) -> None:
    assert refused(office.send(action), 400) == message
    assert office.lines[-1][0] == "api.refused"
