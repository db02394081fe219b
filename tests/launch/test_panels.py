"""Each module with a panel that answers as the real one does, over TLS, to the first page in it."""

from __future__ import annotations

import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from ssogate.launch.masking import ModuleCall
from ssogate.launch.module import LaunchResult, ModuleParams, PanelError
from ssogate.launch.modules import BUILT_IN
from ssogate.launch.panel import Connections, HttpPanel
from ssogate.model import Server
from ssogate.policy.networks import networks
from tests.launch.tls import Authority, authority
from tests.panels import BROKEN, Call, PanelServer
from tests.panels.directadmin import DirectAdmin
from tests.panels.plesk import Plesk
from tests.panels.virtualmin import Virtualmin
from tests.panels.whm import Whm

pytestmark = pytest.mark.server

ADMINISTRATOR = {"cpanel": "root", "plesk": "admin", "directadmin": "admin", "virtualmin": "root"}
WORDS = ("correct-horse&<battery>", "staple+0123456789")
PASSWORDS = {"root": WORDS[0], "admin": WORDS[0], "reseller": WORDS[0]}
KEYS = dict.fromkeys(PASSWORDS, WORDS[1])

MAKERS: dict[str, Callable[[ssl.SSLContext, str], PanelServer]] = {
    "cpanel": lambda tls, host: Whm(tls, host=host, administrators=PASSWORDS, tokens=KEYS),
    "plesk": lambda tls, host: Plesk(tls, host=host, administrators=PASSWORDS, keys=KEYS),
    "directadmin": lambda tls, host: DirectAdmin(tls, host=host, administrators=PASSWORDS),
    "virtualmin": lambda tls, host: Virtualmin(tls, host=host, administrators=PASSWORDS),
}


@dataclass
class Launch:
    """A module, its panel, and what it is told."""

    module: str
    panel: PanelServer
    params: ModuleParams
    ca_file: Path
    log: list[ModuleCall]

    def service(self, **changes: Any) -> LaunchResult:
        params = replace(self.params, **changes)
        return BUILT_IN[self.module].service_single_sign_on(params, self._http(params))

    def administrator(self) -> LaunchResult:
        return BUILT_IN[self.module].admin_single_sign_on(self.params, self._http(self.params))

    def _http(self, params: ModuleParams) -> HttpPanel:
        server = Server(1, "node1", self.module, ("localhost", "127.0.0.1"))
        connections = Connections(
            networks=networks([ip_network("127.0.0.0/8"), ip_network("::1/128")]),
            ca_files={"node1": self.ca_file},
        )
        return HttpPanel(
            connections,
            server,
            module=self.module,
            port=self.panel.port,
            until=time.monotonic() + 20,
            log=self.log.append,
            secrets=params.secrets,
        )

    def browse(self, result: LaunchResult) -> str:
        """What a browser sees where a launch leads."""
        assert result.success, result.error_msg
        assert result.redirect_to.startswith(f"https://localhost:{self.panel.port}/")
        trust = ssl.create_default_context(cafile=self.ca_file)
        with urllib.request.urlopen(result.redirect_to, context=trust, timeout=10) as answer:
            text = answer.read().decode()
            assert ("Welcome" in text) == bool(answer.headers["Set-Cookie"])
        assert isinstance(text, str)
        return text


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("trust"))


@pytest.fixture(params=MAKERS)
def module(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture
def launch(module: str, trust: Authority) -> Iterator[Launch]:
    """The panels give their IP address where they may, as WHM does."""
    tls = trust.context("localhost", "127.0.0.1")
    with MAKERS[module](tls, "127.0.0.1") as panel:
        params = ModuleParams(
            serviceid=1,
            username="joe",
            domain="shop.example",
            serverip="127.0.0.1",
            serverhostname="localhost",
            serverusername=ADMINISTRATOR[module],
            serverpassword=WORDS[0],
            clientip="127.0.0.1",
        )
        yield Launch(module, panel, params, trust.ca_file, [])


def only(*modules: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("module", modules)


def test_a_user_arrives_signed_in_and_once(launch: Launch) -> None:
    result = launch.service()

    assert "Welcome joe<" in launch.browse(result)
    assert "<title>Login" in launch.browse(result)


@only("cpanel", "plesk", "directadmin")
def test_an_administrator_arrives_as_the_servers_own_user(launch: Launch) -> None:
    who = launch.params.serverusername
    assert f"Welcome {who}" in launch.browse(launch.administrator())


@only("cpanel", "plesk")
def test_a_key_takes_the_place_of_the_password(launch: Launch) -> None:
    result = launch.service(serverpassword="old", serveraccesshash=WORDS[1])
    assert "Welcome joe<" in launch.browse(result)


@pytest.mark.parametrize(
    ("module", "app", "page"),
    [
        ("cpanel", "Email_Accounts", "Email_Accounts"),
        ("plesk", "Email_Accounts", "/smb/email-address/list"),
        ("directadmin", "CMD_FILE_MANAGER", "CMD_FILE_MANAGER"),
    ],
)
def test_a_shortcut_leads_to_its_page(launch: Launch, app: str, page: str) -> None:
    assert f"Welcome joe, {page}<" in launch.browse(launch.service(app=app))


@only("cpanel")
def test_a_mail_account_arrives_in_webmail(launch: Launch) -> None:
    assert "Welcome joe@shop.example" in launch.browse(launch.service(username="joe@shop.example"))


@only("virtualmin")
def test_a_virtual_server_is_found_by_its_domain(launch: Launch) -> None:
    assert "Welcome joe<" in launch.browse(launch.service(username=""))


@only("plesk")
def test_another_browser_cannot_use_the_session_of_a_plesk(launch: Launch) -> None:
    assert "<title>Login" in launch.browse(launch.service(clientip="198.51.100.4"))


@only("plesk")
def test_an_old_plesk_understands_the_address(launch: Launch) -> None:
    launch.module = "plesk-base64"
    assert "Welcome joe<" in launch.browse(launch.service())


def test_a_user_that_the_panel_has_not_is_refused_with_its_reason(launch: Launch) -> None:
    result = launch.service(username="nobody")

    assert (result.success, result.redirect_to) == (False, "")
    assert result.error_msg.startswith("The panel says: ")
    assert "nobody" in result.error_msg


@only("cpanel", "plesk", "directadmin")
def test_a_reseller_arrives_at_its_own_accounts_only(launch: Launch) -> None:
    assert "Welcome ann<" in launch.browse(
        launch.service(username="ann", serverusername="reseller")
    )

    result = launch.service(serverusername="reseller")
    assert not result.success
    assert result.error_msg.startswith("The panel says: ")


def test_wrong_credentials_are_the_operators_business(launch: Launch) -> None:
    with pytest.raises(PanelError) as raised:
        launch.service(serverpassword="mistaken")
    assert "mistaken" not in f"{raised.value} {launch.log}"


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_answer_signs_nobody_in(launch: Launch, broken: str) -> None:
    launch.panel.instead = BROKEN[broken]()

    with pytest.raises(PanelError):
        launch.service()

    assert len(launch.panel.calls) == 1


def test_the_module_log_tells_of_every_call_and_of_no_secret(launch: Launch) -> None:
    result = launch.service(serveraccesshash=WORDS[1] if launch.module == "cpanel" else "")
    launch.service(username="nobody")

    assert [call.module for call in launch.log] == [launch.module] * 2
    told = "".join(f"{call.action} {call.request} {call.response}" for call in launch.log)
    assert launch.panel.calls[0].path in told
    ticket = launch.panel.ticket(visited(launch, result))
    assert len(ticket) >= 32
    for secret in (*WORDS, ticket):
        assert secret not in told


def visited(launch: Launch, result: LaunchResult) -> Call:
    launch.browse(result)
    return launch.panel.calls[-1]
