"""Programs that were written for the real panels, unchanged: the test panels understand them, and
answer so that they do.

For Plesk it is pypleski, for DirectAdmin directadmin-cli. For WHM and Virtualmin it is curl, called
as their documentation does: the one client of WHM on PyPI that asks for sessions, WhamBamPy, wants
libraries of years ago beside it (its 0.0.7 and the fake understand each other), and none asks a
Virtualmin for login links.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest
import requests
from directadmin.client import DirectAdminAPIClient
from pypleski.core import PleskApiClient, PleskRequestPacket

from tests.launch.tls import Authority, authority
from tests.panels.directadmin import DirectAdmin
from tests.panels.plesk import Plesk
from tests.panels.virtualmin import Virtualmin
from tests.panels.whm import Whm

pytestmark = pytest.mark.server

PASSWORD, TOKEN = "a pass&word", "TOKEN0123456789"
CURL = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("trust"))


@pytest.fixture
def plesk(trust: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plesk]:
    """pypleski takes no CA file, but believes OpenSSL's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(trust.ca_file))
    tls, keys = trust.context("localhost"), {"admin": TOKEN}
    with Plesk(tls, administrators={"admin": PASSWORD}, keys=keys) as panel:
        yield panel


def greeting(trust: Authority, url: str) -> str:
    """What a browser sees at an address."""
    return requests.get(url, verify=str(trust.ca_file), timeout=10).text


@CURL
def test_curl_gets_a_session_from_the_whm(trust: Authority) -> None:
    tls, tokens = trust.context("localhost"), {"root": TOKEN}
    with Whm(tls, administrators={"root": PASSWORD}, tokens=tokens) as panel:
        url = f"{panel.base}/json-api/create_user_session?api.version=1&service=cpaneld"
        token = ("--header", f"Authorization: whm root:{TOKEN}")

        answer = json.loads(_curl(trust, f"{url}&user=joe&app=Email_Accounts", *token))
        assert answer["metadata"]["result"] == 1
        assert "Welcome joe, Email_Accounts" in greeting(trust, answer["data"]["url"])

        assert json.loads(_curl(trust, f"{url}&user=nobody", *token))["metadata"]["result"] == 0
        refused = _curl(trust, f"{url}&user=joe", "--header", "Authorization: whm root:wrong")
        assert "cpsess" not in refused


@pytest.mark.parametrize("key", [False, True], ids=["password", "secret key"])
def test_pypleski_gets_a_session_from_the_plesk(
    trust: Authority, plesk: Plesk, *, key: bool
) -> None:
    client = PleskApiClient("localhost", plesk.port)
    client.set_credentials("admin", "forgotten" if key else PASSWORD)
    if key:
        client.set_access_token(TOKEN)  # which is possible after `set_credentials` only
    data = {"user_ip": "127.0.0.1", "source_server": ""}
    packet = PleskRequestPacket("server", "create_session", login="joe", data=data)

    result = client.request(packet).to_dict()["packet"]["server"]["create_session"]["result"]

    assert result["status"] == "ok"
    url = f"{plesk.base}/enterprise/rsession_init.php?PHPSESSID={result['id']}"
    assert "Welcome joe" in greeting(trust, url)


def test_pypleski_reads_why_the_plesk_refuses(plesk: Plesk) -> None:
    client = PleskApiClient("localhost", plesk.port)
    client.set_credentials("admin", "wrong")
    packet = PleskRequestPacket("server", "create_session", login="joe", data={})

    assert client.request(packet).to_dict()["packet"]["system"]["errcode"] == "1001"


def test_directadmin_cli_gets_an_address_from_the_directadmin(trust: Authority) -> None:
    with DirectAdmin(trust.context("localhost"), administrators={"admin": PASSWORD}) as panel:
        client = DirectAdminAPIClient(panel.base, "admin|joe", PASSWORD, ssl=str(trust.ca_file))
        wanted = {"action": "create", "type": "one_time_url", "expiry": "5m"}
        # The client has no method for this command, but one for any.
        answer = client._make_request("CMD_API_LOGIN_KEYS", method="POST", data=wanted)

        assert answer["error"] == ["0"]
        assert "Welcome joe" in greeting(trust, answer["details"][0])

        stranger = DirectAdminAPIClient(panel.base, "admin", "wrong", ssl=str(trust.ca_file))
        assert "error" not in stranger._make_request("CMD_API_LOGIN_KEYS", data=wanted)


@CURL
def test_curl_gets_a_link_from_the_virtualmin(trust: Authority) -> None:
    with Virtualmin(trust.context("localhost"), administrators={"root": PASSWORD}) as panel:
        url = f"{panel.base}/virtual-server/remote.cgi?program=create-login-link&user=joe"

        root = ("--user", f"root:{PASSWORD}")
        plain = _curl(trust, url, *root)
        assert plain.endswith("\n\nExit status: 0\n")
        assert "Welcome joe" in greeting(trust, plain.split("\n")[0])

        answer = json.loads(_curl(trust, f"{url}&json=1", *root))
        assert "Welcome joe" in greeting(trust, answer["output"].strip())


def _curl(trust: Authority, url: str, *options: str) -> str:
    command = ["curl", "--silent", "--cacert", str(trust.ca_file), *options, url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
