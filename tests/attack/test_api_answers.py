"""Row G-WHMCS: what programs are told, what stands in logs, and what lies beyond a client."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest

from ssogate.model import Account, AccountStatus
from tests.attack.office import (
    ACCESS_KEY,
    API,
    BAD_NUMBERS,
    TOKEN,
    Customer,
    Office,
    told,
)
from tests.attack.stage import HOST, SCRIPT
from tests.attack.test_api import asking, no
from tests.servers import Answer, held

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def joe(office: Office) -> Customer:
    return office.customer()


@pytest.fixture(scope="module")
def ann(office: Office) -> Customer:
    return office.customer()


# --- What is told ---------------------------------------------------------------------------------

HOSTILE = f"{SCRIPT}&amp;]]>;result=success;\r\nX: y\u2028\x01<!ENTITY>%3b\\/\"'"


@pytest.fixture(scope="module")
def hostile(office: Office) -> Account:
    """Stored without the rules: what an import or an older gate may have left."""
    blank = Account(0, HOSTILE, "x@example.com", AccountStatus.ACTIVE, True, 0, 0)
    return office.store.accounts.add(blank)


def hostile_answer(office: Office, hostile: Account, form: str) -> Answer:
    number = str(hostile.number)
    fields = {"action": "GetClientsDetails", "clientid": number, "responsetype": form}
    answer = office.post({**office.program.pair, **fields})
    assert answer.status == 200
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("X") is None
    return answer


@pytest.mark.parametrize("form", ["json", "", "html", "xml2", "php", SCRIPT])
def test_no_value_leaves_its_json(office: Office, hostile: Account, form: str) -> None:
    answer = hostile_answer(office, hostile, form)

    assert answer.header("Content-Type") == "application/json"
    assert "<" not in answer.text
    assert answer.body.isascii()
    assert told(answer)["companyname"] == HOSTILE


def test_no_value_leaves_its_element(office: Office, hostile: Account) -> None:
    answer = hostile_answer(office, hostile, "xml")

    assert (answer.header("Content-Type") or "").startswith("application/xml")
    assert "<script" not in answer.text
    assert "<!" not in answer.text
    read = ElementTree.fromstring(answer.text)
    assert read.tag == "whmcsapi"
    assert [it.text for it in read.findall("result")] == ["success"]
    found = (read.findtext("companyname") or "").replace("\n", "")
    assert found == HOSTILE.replace("\x01", "").replace("\r\n", "")


def test_no_value_becomes_a_pair(office: Office, hostile: Account) -> None:
    answer = hostile_answer(office, hostile, "nvp")

    assert (answer.header("Content-Type") or "").startswith("text/plain")
    pairs = [pair.partition("=")[::2] for pair in answer.text.split(";") if pair]
    assert [value for name, value in pairs if name == "result"] == ["success"]
    assert len({name for name, _ in pairs}) == len(pairs)
    assert not re.search(r"[\r\n\x01]", answer.text)


@pytest.mark.parametrize("form", ["json", "xml", "nvp"])
def test_what_a_stranger_sends_is_escaped_when_it_is_repeated(office: Office, form: str) -> None:
    fields = {"action": HOSTILE.replace("\0", ""), "responsetype": form}

    answer = office.post({**office.program.pair, **fields})

    assert answer.status == 400
    if form == "xml":
        assert ElementTree.fromstring(answer.text).findtext("result") == "error"
    elif form == "nvp":
        assert answer.text.startswith("result=error;")
        assert "result=success;" not in answer.text
    assert form == "nvp" or "<script" not in answer.text


def test_no_secret_is_kept_in_the_clear_or_told_again(office: Office, joe: Customer) -> None:
    """H3."""
    service = str(joe.service.number)
    made = office.call(
        "CreateOAuthCredential",
        grantType="single_sign_on",
        scope="clientarea:profile",
        serviceId=service,
    )
    number = made["credentialId"]
    reset = office.call("UpdateOAuthCredential", credentialId=number, resetSecret=1)
    typed = "typed-by-a-person-0123456789"
    person = {"firstname": "A", "lastname": "B", "password2": typed}
    office.call("AddUser", **person, email=f"new{number}@example.com")
    office.call("AddUser", **{**person, "password2": "short-0f"}, email="b@example.com")
    office.call("ValidateLogin", email="nobody@example.com", password2=typed)
    office.call("GetClients", accesskey=ACCESS_KEY)
    office.post({**office.program.pair, "action": f"x\n{typed}"[:2], "secret": "wrong-secret-7"})
    client = {"client_id": made["clientIdentifier"], "client_secret": reset["newClientSecret"]}
    token = told(office.post({"grant_type": "single_sign_on", **client}, to=TOKEN))["access_token"]
    wrong = {"client_id": "swapped-secret-7", "client_secret": made["clientIdentifier"]}
    office.post({"grant_type": "single_sign_on", **wrong}, to=TOKEN)

    secrets = {
        *(office.program.secret, made["clientSecret"], reset["newClientSecret"], token, typed),
        *(ACCESS_KEY, "wrong-secret-7", "short-0f", "swapped-secret-7"),
    }
    kept = held(office.house.running.site.folder / "var")
    shown = {
        "the log": office.house.running.log(),
        "the activity log": office.house.cli("activity", "list", "--latest", "500", "--json"),
        "the store": kept.decode("latin-1"),
        "the list of credentials": json.dumps(office.call("ListOAuthCredentials")),
        "the API's own log": json.dumps(office.call("GetActivityLog", limitnum=250)),
        "the command": office.house.cli("client", "list", "--json"),
    }
    for where, text in shown.items():
        for secret in secrets:
            assert secret not in text, (where, secret)
    assert office.house.cli("activity", "verify")


def test_no_line_of_a_log_is_a_strangers(office: Office) -> None:
    forged = "\n2026-01-01 signed in user=root\r\n"
    for action in (f"x{forged}", "LogActivity"):
        sent = {"action": action, "description": f"x{forged}sso-token.refused"}
        office.post({**office.program.pair, **sent})
        office.post({"identifier": forged, "secret": forged, **sent})
    program = {"client_id": f"x{forged}", "client_secret": "x"}
    office.post({"grant_type": "single_sign_on", **program}, to=TOKEN)

    lines = office.house.running.log().splitlines()
    lines += office.house.cli("activity", "list", "--latest", "200").splitlines()
    assert not [line for line in lines if line.startswith("2026-01-01 signed in")]


# --- Beyond the client ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [pytest.param(n, id=n[:20]) for n in BAD_NUMBERS])
@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("service_id", "clientarea:product_details"),
        ("service_id", "clientarea:upgrades"),
        ("domain_id", "clientarea:domain_details"),
    ],
)
def test_what_is_no_number_of_the_clients_makes_no_token(
    office: Office, joe: Customer, name: str, scope: str, number: str
) -> None:
    message = no(office.post({**asking(office, joe), "destination": scope, name: number}))

    assert message.startswith("Token could not be provisioned: ")


@pytest.mark.parametrize("name", ["client_id", "user_id"])
@pytest.mark.parametrize("number", [pytest.param(n, id=n[:20]) for n in BAD_NUMBERS])
def test_what_is_no_number_is_nobody(office: Office, joe: Customer, name: str, number: str) -> None:
    sent = {**office.program.pair, "action": "CreateSsoToken", name: number}

    assert no(office.post(sent)) == f"Invalid {name}"


@pytest.mark.parametrize("number", ["1%00", "%001", "1%00.1"])
def test_a_zero_byte_is_in_no_number(office: Office, joe: Customer, number: str) -> None:
    to = f"{API}?destination=clientarea:product_details&service_id={number}"

    assert no(office.post(asking(office, joe), to=to), 400)


def test_what_is_somebody_elses_makes_no_token(
    office: Office, joe: Customer, ann: Customer
) -> None:
    others = {
        "clientarea:product_details": {"service_id": ann.service.number},
        "clientarea:upgrades": {"service_id": ann.service.number},
        "clientarea:domain_details": {"domain_id": ann.domain.number},
        "clientarea:profile": {"service_id": ann.service.number},
        "": {"domain_id": ann.domain.number},
    }
    for scope, which in others.items():
        fields = {"client_id": joe.account.number, "destination": scope, **which}
        found = office.call("CreateSsoToken", **fields)
        assert found["result"] == "error", scope
        assert found["message"].startswith("Token could not be provisioned: "), scope
        assert "access_token" not in found

    both = {"client_id": joe.account.number, "user_id": ann.user.number}
    assert office.call("CreateSsoToken", **both)["message"] == "Invalid user_id for client"


@pytest.mark.parametrize(
    "scope",
    [
        "clientarea:homepage",
        "clientarea:",
        "CLIENTAREA:PROFILE",
        "clientarea:profile ",
        "clientarea:profile clientarea:emails",
        "sso:custom",
        "https://evil.example",
        "/clientarea.php",
        "{service_id}",
        SCRIPT,
    ],
)
def test_what_is_no_destination_is_called_so(office: Office, joe: Customer, scope: str) -> None:
    message = no(office.post({**asking(office, joe), "destination": scope}))

    assert message == "Invalid destination"


def test_a_program_is_held_to_its_destinations(office: Office, joe: Customer) -> None:
    program = office.credential("CreateSsoToken", scopes=frozenset({"clientarea:tickets"}))
    sent = {**asking(office, joe), **program.pair}

    assert told(office.post({**sent, "destination": "clientarea:tickets"}))["result"] == "success"
    for scope in ("clientarea:profile", "sso:custom_redirect"):
        more = {"destination": scope, "sso_redirect_path": "admin/x"}
        assert no(office.post({**sent, **more})) == "Invalid destination"


def test_the_reply_names_the_site_of_the_configuration(office: Office, joe: Customer) -> None:
    """E3."""
    lines = ("X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http", "X-Forwarded-Port: 81")
    found = told(office.post(asking(office, joe), *lines))

    token = found["access_token"]
    assert re.fullmatch(r"[0-9a-f]{40}", token)
    assert found["redirect_url"] == (f"https://{HOST}/oauth/singlesignon.php?access_token={token}")
