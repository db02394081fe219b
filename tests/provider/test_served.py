"""The endpoints for programs, served by two real workers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner

from ssogate.cli import main
from ssogate.crypto.jwk import public_key, verify
from ssogate.crypto.random_secrets import digest
from ssogate.directory.grants import begin_grant, code_key
from ssogate.gate import Gate, open_gate
from ssogate.model import Client, Code, Grant, GrantType
from ssogate.oauth.pkce import challenge_of
from ssogate.provider.addresses import DISCOVERY, INTROSPECTION, JWKS, TOKEN, USERINFO
from ssogate.settings import load
from tests.gate import HOST, RunningGate, site
from tests.provider.making_openid import BACK, SECRET, VERIFIER
from tests.servers import Answer
from tests.storage.making import user

pytestmark = pytest.mark.server

FORM = "Content-Type: application/x-www-form-urlencoded"


class Served:
    """A running provider without WHMCS's tokens, and its store."""

    def __init__(self, folder: Path) -> None:
        written = site(folder, "http://127.0.0.1:9", password={}, provider={})
        self.config = written.config
        self.gate = RunningGate(written, "--workers", "2", "--threads", "4")
        self.parts: Gate = open_gate(load(written.config))
        self.joe, self._codes = user("joe"), count()
        store, now = self.parts.store, int(time.time())
        store.users.add(self.joe)
        scopes = frozenset({"openid", "email", "offline_access"})
        store.clients.add(
            Client(
                0,
                "WIKI",
                digest(SECRET),
                GrantType.AUTHORIZATION_CODE,
                name="Wiki",
                service=None,
                scopes=scopes,
                description="",
                logo_uri="",
                redirect_uris=(BACK,),
                created_at=now,
                updated_at=now,
            )
        )

    def code(self) -> str:
        """Let Joe sign in, for good."""
        text, now = f"code {next(self._codes)}", int(time.time())
        grant = Grant(
            0,
            "WIKI",
            self.joe.identity.subject,
            session=None,
            scopes=frozenset({"openid", "email", "offline_access"}),
            resources=(),
            auth_time=now,
            nonce="n",
            sid="sid",
            claims="",
            created_at=now,
            until=now + 1000,
        )
        code = Code(code_key(self.parts.store, text), 0, BACK, challenge_of(VERIFIER), now + 60)
        begin_grant(self.parts.store, grant, code)
        return text

    def ask(self, path: str, **form: str) -> Answer:
        known = {"client_id": "WIKI", "client_secret": SECRET, **form}
        return self.gate.ask(path, FORM, method="POST", body=urlencode(known).encode())

    def redeem(self, code: str) -> Answer:
        fields = {"code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
        return self.ask(TOKEN, grant_type="authorization_code", **fields)

    def verified(self, id_token: str) -> dict[str, Any]:
        """Verify as a client that has just asked for the keys."""
        listed = json.loads(self.gate.ask(JWKS).body)["keys"]
        return dict(
            verify(
                id_token,
                [public_key(jwk) for jwk in listed],
                issuer=f"http://{HOST}",
                audience=frozenset({"WIKI"}),
                types=frozenset({"JWT"}),
                now=time.time(),
            )
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("served") / "gate")
    with closing(made.parts.store), made.gate:
        yield made


def test_a_code_gives_tokens_that_count(served: Served) -> None:
    told = json.loads(served.redeem(served.code()).body)

    assert served.verified(told["id_token"])["email"] == "joe@example.com"
    answer = served.gate.ask(USERINFO, f"Authorization: Bearer {told['access_token']}")
    assert json.loads(answer.body)["sub"] == served.joe.identity.subject
    active = served.ask(INTROSPECTION, token=told["access_token"])
    assert json.loads(active.body)["active"] is True


def test_of_many_who_bring_one_code_at_once_one_gets_tokens(served: Served) -> None:
    code = served.code()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: served.redeem(code), range(8)))

    assert sorted({answer.status for answer in answers}) == [200, 400]
    (good,) = (json.loads(answer.body) for answer in answers if answer.status == 200)
    active = served.ask(INTROSPECTION, token=good["access_token"])
    assert json.loads(active.body) == {"active": False}


def test_of_many_who_refresh_at_once_all_get_the_same_successor(served: Served) -> None:
    token = json.loads(served.redeem(served.code()).body)["refresh_token"]

    def refresh(_: int) -> dict[str, Any]:
        answer = served.ask(TOKEN, grant_type="refresh_token", refresh_token=token)
        found: dict[str, Any] = json.loads(answer.body)
        return found

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(refresh, range(8)))

    assert len({it["refresh_token"] for it in told}) == 1
    assert len({it["access_token"] for it in told}) == 8


def test_keys_may_be_rotated_while_people_sign_in(served: Served) -> None:
    kids = set()
    for number in range(12):
        if number % 4 == 2:
            run = CliRunner().invoke(main, ["keys", "rotate", "--config", str(served.config)])
            assert run.exit_code == 0, run.output
        told = json.loads(served.redeem(served.code()).body)
        assert served.verified(told["id_token"])["sub"] == served.joe.identity.subject
        kids |= {key["kid"] for key in json.loads(served.gate.ask(JWKS).body)["keys"]}
    assert kids


def test_the_documents_come_through_all_layers(served: Served) -> None:
    for path in (*DISCOVERY, JWKS):
        answer = served.gate.ask(path, "Origin: https://spa.example")
        assert answer.status == 200
        assert answer.header("Access-Control-Allow-Origin") == "*"
        assert answer.header("Set-Cookie") is None
        assert json.loads(answer.body)
        head = served.gate.ask(path, method="HEAD")
        assert head.status == 200
    told = json.loads(served.gate.ask(DISCOVERY[1]).body)
    assert told["issuer"] == f"http://{HOST}"
    assert "single_sign_on" not in told["grant_types_supported"]


def test_a_browser_asks_first_through_all_layers(served: Served) -> None:
    answer = served.gate.ask(
        TOKEN,
        "Origin: https://spa.example",
        "Access-Control-Request-Method: POST",
        method="OPTIONS",
    )

    assert answer.status == 204
    assert answer.header("Access-Control-Allow-Origin") == "*"


@pytest.mark.parametrize("size", [70_000, 10_000_000])
def test_a_large_body_is_refused_before_it_is_read(served: Served, size: int) -> None:
    answer = served.gate.ask(TOKEN, FORM, method="POST", body=b"a" * size)

    assert answer.status == 413


def test_both_kinds_of_grants_stand_at_one_address(tmp_path: Path) -> None:
    login = [{"kind": "password"}, {"kind": "sso_token"}]
    written = site(tmp_path / "gate", "http://127.0.0.1:9", password={}, provider={})
    tree = json.loads(written.config.read_text())
    written.config.write_text(json.dumps({**tree, "login": login}))
    with RunningGate(written) as gate:
        told = json.loads(gate.ask(DISCOVERY[0]).body)
        assert {"single_sign_on", "authorization_code"} <= {*told["grant_types_supported"]}
        refused = gate.ask(TOKEN, FORM, method="POST", body=b"grant_type=single_sign_on")
        assert json.loads(refused.body)["error"] == "invalid_client"
