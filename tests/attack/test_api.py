"""Rows F, G5 and H3 at the API, and whatever the token endpoint has in common with it.

Who may not call gets an answer in shape and nothing else; who may call reaches nothing beyond.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

from ssogate.directory.clients import API_CREDENTIALS
from ssogate.model import Account, AccountStatus
from tests.attack.house import FORM
from tests.attack.office import (
    ACCESS_KEY,
    API,
    BAD_NUMBERS,
    SUE,
    TOKEN,
    Customer,
    Office,
    Program,
    now,
    office_at,
    told,
)
from tests.attack.stage import HOST, SCRIPT
from tests.servers import Answer, Gunicorn, RawClient, held, request

pytestmark = pytest.mark.server

MEGABYTES = 10_000_000
ELSEWHERE = "203.0.113.9"


@pytest.fixture(scope="module")
def joe(office: Office) -> Customer:
    return office.customer()


@pytest.fixture(scope="module")
def ann(office: Office) -> Customer:
    return office.customer()


def no(answer: Answer, status: int = 200) -> str:
    """Give the message of a refusal of the API, which says nothing else."""
    found = told(answer)
    assert answer.status == status, answer
    assert found.keys() == {"result", "message"}
    assert found["result"] == "error"
    return str(found["message"])


def asking(office: Office, customer: Customer) -> dict[str, str]:
    """What asks for a token."""
    number = str(customer.account.number)
    return {**office.program.pair, "action": "CreateSsoToken", "client_id": number}


# --- Who may call ---------------------------------------------------------------------------------

WRONG: dict[str, tuple[Callable[[Program], dict[str, str]], str]] = {
    "nothing": (lambda p: {}, "Authentication Failed"),
    "no secret": (lambda p: {"identifier": p.identifier}, "Authentication Failed"),
    "an empty secret": (lambda p: {**p.pair, "secret": ""}, "Authentication Failed"),
    "a wrong secret": (lambda p: {**p.pair, "secret": "0" * 64}, "Authentication Failed"),
    "upper case": (lambda p: {**p.pair, "secret": p.secret.upper()}, "Authentication Failed"),
    "cut short": (lambda p: {**p.pair, "secret": p.secret[:-1]}, "Authentication Failed"),
    "a space": (lambda p: {**p.pair, "secret": f"{p.secret} "}, "Authentication Failed"),
    "the identifier": (lambda p: {**p.pair, "secret": p.identifier}, "Authentication Failed"),
    "nobody": (
        lambda p: {**p.pair, "identifier": "0" * 32},
        "Invalid or missing credentials",
    ),
    "SQL": (
        lambda p: {**p.pair, "identifier": "' OR 1=1 --"},
        "Invalid or missing credentials",
    ),
    "a pattern": (lambda p: {**p.pair, "identifier": "%"}, "Invalid or missing credentials"),
    "the key alone": (lambda p: {"accesskey": ACCESS_KEY}, "Authentication Failed"),
    "a pair in halves": (
        lambda p: {"identifier": p.identifier, "password": p.secret},
        "Authentication Failed",
    ),
    "a list": (
        lambda p: {"identifier[]": p.identifier, "secret[]": p.secret},
        "Authentication Failed",
    ),
}


@pytest.mark.parametrize(("sent", "message"), [pytest.param(*v, id=k) for k, v in WRONG.items()])
def test_who_proves_nothing_calls_nothing(
    office: Office, sent: Callable[[Program], dict[str, str]], message: str
) -> None:
    answer = office.post({"action": "GetClients", **sent(office.program)})

    assert no(answer, 403) == message


FORWARDED = {
    "elsewhere": (f"X-Forwarded-For: {ELSEWHERE}", ELSEWHERE),
    "this machine, named in front": (f"X-Forwarded-For: 127.0.0.1, {ELSEWHERE}", ELSEWHERE),
    "in the form of IPv6": (f"X-Forwarded-For: ::ffff:{ELSEWHERE}", ELSEWHERE),
    "IPv6": ("X-Forwarded-For: 2001:db8::1", "2001:db8::1"),
}


@pytest.mark.parametrize(("line", "seen"), [pytest.param(*v, id=k) for k, v in FORWARDED.items()])
@pytest.mark.parametrize("right", [True, False])
def test_from_elsewhere_nobody_learns_whether_a_secret_is_right(
    office: Office, line: str, seen: str, right: bool
) -> None:
    pair = office.program.pair if right else {**office.program.pair, "secret": "0" * 64}
    more = (line, "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1", "Client-IP: 127.0.0.1")

    answer = office.post({**pair, "action": "GetClients"}, *more)

    assert no(answer, 403) == f"Invalid IP {seen}"


@pytest.mark.parametrize(
    ("key", "opens"),
    [
        pytest.param(ACCESS_KEY, True, id="right"),
        pytest.param("", False, id="empty"),
        pytest.param(ACCESS_KEY[:-1], False, id="cut short"),
        pytest.param(ACCESS_KEY.upper(), False, id="upper case"),
        pytest.param(f"{ACCESS_KEY}\n", False, id="with a line end"),
        pytest.param("ä", False, id="beyond ASCII"),
    ],
)
def test_the_access_key_alone_opens_from_elsewhere(office: Office, key: str, opens: bool) -> None:
    sent = {**office.program.pair, "action": "GetPermissionsList", "accesskey": key}
    answer = office.post(sent, f"X-Forwarded-For: {ELSEWHERE}")

    assert answer.status == (200 if opens else 403)
    assert (told(answer)["result"] == "success") is opens


@pytest.fixture(scope="module")
def shut(echo: Gunicorn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A gate that trusts no proxy, and no key, and lets one network call that nobody is in."""
    more: dict[str, Any] = {"trusted_proxies": [], "api": {"networks": ["10.9.0.0/16"]}}
    with office_at(tmp_path_factory.mktemp("shut"), echo.url("").rstrip("/"), **more) as made:
        yield made


@pytest.mark.parametrize(
    "line",
    [
        "X-Forwarded-For: 10.9.0.1",
        "X_Forwarded_For: 10.9.0.1",
        "X-Real-IP: 10.9.0.1",
        "Forwarded: for=10.9.0.1",
        "Client-IP: 10.9.0.1",
        "True-Client-IP: 10.9.0.1",
        "Remote-Addr: 10.9.0.1",
        "X-Client: 10.9.0.1",
    ],
)
@pytest.mark.parametrize("key", ["", ACCESS_KEY])
def test_an_address_that_a_stranger_names_is_not_his(shut: Office, line: str, key: str) -> None:
    """E1."""
    answer = shut.post({**shut.program.pair, "accesskey": key, "action": "GetClients"}, line)

    if answer.status == 400:  # the server refuses a header whose name has an underscore
        assert "_" in line.partition(":")[0]
    else:
        assert no(answer, 403) == "Invalid IP 127.0.0.1"


def test_what_is_taken_from_a_program_is_gone_at_once_in_each_worker(office: Office) -> None:
    program = office.credential("GetServers")
    number = program.number

    def answers() -> set[tuple[int, str]]:
        sent = {**program.pair, "action": "GetServers"}
        found = [office.post(sent) for _ in range(8)]
        return {(it.status, told(it).get("message", "")) for it in found}

    assert answers() == {(200, "")}
    API_CREDENTIALS.change(
        office.store, number, lambda old: replace(old, roles=frozenset()), by=SUE, now=now()
    )
    assert answers() == {(403, 'Invalid Permissions: API action "getservers" is not allowed')}
    API_CREDENTIALS.change(
        office.store, number, lambda old: replace(old, active=False), by=SUE, now=now()
    )
    assert answers() == {(403, "Invalid or missing credentials")}


@pytest.mark.parametrize(
    "action", ["GetClients", "getclients", "GETCLIENTS", "CreateSsoToken", "CreateOAuthCredential"]
)
def test_a_role_opens_no_other_action(office: Office, joe: Customer, action: str) -> None:
    program = office.credential("GetServers")
    sent = {**program.pair, "client_id": str(joe.account.number), "action": action}

    message = no(office.post(sent), 403)

    assert message == f'Invalid Permissions: API action "{action.lower()}" is not allowed'


def test_a_role_that_is_gone_opens_nothing(office: Office) -> None:
    program = office.credential("GetServers")
    named = office.store.api_credentials.named(program.identifier)
    assert named
    (role,) = filter(None, map(office.store.api_roles.named, named.roles))
    assert told(office.post({**program.pair, "action": "GetServers"}))["result"] == "success"
    office.store.api_roles.delete(role.number)

    assert no(office.post({**program.pair, "action": "GetServers"}), 403)


@pytest.mark.parametrize(
    "action",
    [
        "DecryptPassword",
        "AddAdmin",
        "GetAdminUsers",
        "__class__",
        "functions",
        "CreateSsoToken ",
        "CreateSsoToken\n",
        "Create\u017fsoToken",
        "create_sso_token",
        "../CreateSsoToken",
        "x" * 5000,
        SCRIPT,
    ],
)
def test_what_is_no_action_is_called_so(office: Office, joe: Customer, action: str) -> None:
    message = no(office.post({**asking(office, joe), "action": action}), 400)

    assert message == f'Invalid API Action: "{action.lower()[:64]}"'


# --- What cannot be read --------------------------------------------------------------------------

TWICE = {
    "an id": [("client_id", "999999")],
    "the action": [("action", "GetClients")],
    "the action in another case": [("Action", "GetClients")],
    "an id in capitals": [("CLIENT_ID", "999999")],
    "the identifier": [("identifier", "0" * 32)],
    "the secret": [("secret", "x")],
    "an empty id": [("client_id", "")],
    "among themselves": [("destination", "clientarea:profile"), ("destination", "x")],
    "a path": [("sso_redirect_path", "a"), ("sso_redirect_path", "b")],
}


@pytest.mark.parametrize("more", [pytest.param(v, id=k) for k, v in TWICE.items()])
@pytest.mark.parametrize("where", ["body", "query"])
def test_a_parameter_with_two_values_is_refused(
    office: Office, joe: Customer, more: list[tuple[str, str]], where: str
) -> None:
    """G5."""
    pairs = [*asking(office, joe).items()]
    if where == "body":
        answer = office.post([*pairs, *more])
    else:
        answer = office.post(pairs, to=f"{API}?{urlencode(more)}")

    assert no(answer, 400) == "A parameter was given twice"


def test_a_body_of_ten_megabytes_is_refused_before_it_is_read(office: Office) -> None:
    for to in (API, TOKEN):
        said = office.send(b"x", FORM, f"Content-Length: {MEGABYTES}", to=to)
        assert said.status == 413
        assert told(said)
        sent = office.send(b"a=" + b"x" * MEGABYTES, FORM, to=to)
        assert sent.status == 413
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (MEGABYTES, b"x" * MEGABYTES)
        assert office.send(chunks, FORM, "Transfer-Encoding: chunked", to=to).status == 413


def test_a_body_in_chunks_is_a_body(office: Office, joe: Customer) -> None:
    body = urlencode(asking(office, joe)).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"

    found = told(office.send(chunks, FORM, "Transfer-Encoding: chunked"))

    assert found["result"] == "success"


def test_a_body_that_ends_too_early_is_refused(office: Office, joe: Customer) -> None:
    body = urlencode(asking(office, joe)).encode()
    data = request(API, FORM, f"Content-Length: {len(body) + 9}", method="POST", host=HOST)

    with RawClient(office.house.running.port, timeout=20) as client:
        client.send(data + body).finish()
        assert client.answer().status == 400


def test_a_form_of_many_parts_is_read_as_one(office: Office, joe: Customer) -> None:
    pairs = asking(office, joe).items()
    kind = "Content-Type: multipart/form-data; boundary=b"

    def parts(*more: str) -> bytes:
        heads = [f'name="{name}"\r\n\r\n{value}' for name, value in pairs]
        told = [f"--b\r\nContent-Disposition: form-data; {part}\r\n" for part in (*heads, *more)]
        return ("".join(told) + "--b--\r\n").encode()

    assert told(office.send(parts(), kind))["result"] == "success"
    for more in (
        'name="client_id"\r\n\r\n999999',
        'name="x"; filename="x"\r\n\r\n2',
        "x=y\r\n\r\n2",
    ):
        assert no(office.send(parts(more), kind), 400)
    assert no(office.send(parts()[:-20], kind), 400)
    assert no(office.send(parts(), kind.replace("=b", "=c")), 400)


@pytest.mark.parametrize(
    "kind",
    ["application/json", "text/plain", "application/xml", "application/x-www-form-urlencoded-x"],
)
def test_another_kind_of_body_says_nothing(office: Office, joe: Customer, kind: str) -> None:
    sent = asking(office, joe)
    body = json.dumps(sent) if kind.endswith("json") else urlencode(sent)

    answer = office.send(body.encode(), f"Content-Type: {kind}")

    assert no(answer, 403) == "Authentication Failed"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_is_called_but_by_post(office: Office, joe: Customer, method: str) -> None:
    before = office.store.activity.last()

    answer = office.send(b"", to=f"{API}?{urlencode(asking(office, joe))}", method=method)

    assert (answer.status, answer.header("Allow")) == (405, "POST")
    assert "access_token" not in answer.text
    assert office.store.activity.last() == before


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
