"""Rows F, G5 and H3 at the API, and whatever the token endpoint has in common with it.

Who may not call gets an answer in shape and nothing else; who may call reaches nothing beyond.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from ssogate.directory.clients import API_CREDENTIALS
from tests.attack.house import FORM
from tests.attack.office import (
    ACCESS_KEY,
    API,
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
from tests.servers import Answer, Gunicorn, RawClient, request

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
