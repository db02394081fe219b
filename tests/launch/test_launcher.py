"""Who may sign in to a service or server, and what a module may answer (seeds 000 and 002)."""

from __future__ import annotations

import asyncio
import html
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest

from ssogate.directory.accounts import remove_member
from ssogate.errors import ActionFailed, GateError, LaunchRefused, UnknownShortcut
from ssogate.launch.module import PanelError
from ssogate.launch.modules.custom_http_settings import ShortcutSettings
from ssogate.launch.settings import (
    LaunchSettings,
    PanelServerSettings,
    ProductSettings,
    ShortcutRule,
)
from ssogate.model import AccountStatus, Permission, ServiceStatus
from tests.directory.making import SUE, texts
from tests.launch.fleet import ACCESS_HASH, BY, PASSWORD, URL, USERS_PASSWORD, Fleet
from tests.storage.making import NOW

UNABLE = "Unable to auto-login. Please contact support."


# --- Who may --------------------------------------------------------------------------------------


def test_the_owner_of_the_account_signs_in_to_its_service(fleet: Fleet) -> None:
    assert fleet.launch() == URL
    name, text = texts(fleet.store)[-1]
    assert name == "service.launched"
    assert "web1" in text
    assert "cpsess" not in text


def test_a_member_needs_both_permissions(fleet: Fleet) -> None:
    assert fleet.launch(fleet.ann) == URL
    for permission in (Permission.PRODUCTS, Permission.PRODUCT_SSO):
        fleet.allow(fleet.ann, *set(Permission) - {permission})
        with pytest.raises(LaunchRefused):
            fleet.launch(fleet.ann)
    assert len(fleet.module.given) == 1, "nobody else's launch reached a panel"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda f: f.change_service(status=ServiceStatus.SUSPENDED), id="service suspended"
        ),
        pytest.param(
            lambda f: f.change_service(status=ServiceStatus.PENDING), id="service pending"
        ),
        pytest.param(
            lambda f: f.change_service(status=ServiceStatus.FRAUD), id="service called fraud"
        ),
        pytest.param(lambda f: f.change_account(status=AccountStatus.CLOSED), id="account closed"),
        pytest.param(
            lambda f: f.change_account(allow_single_sign_on=False), id="account's switch off"
        ),
        pytest.param(
            lambda f: f.change_service(account=f.other.number), id="service of another account"
        ),
        pytest.param(
            lambda f: remove_member(
                f.store, f.acme.number, f.joe.identity.subject, by=SUE, now=NOW
            ),
            id="owner no more",
        ),
    ],
)
def test_what_is_taken_away_counts_at_the_next_launch(
    fleet: Fleet, change: Callable[[Fleet], None]
) -> None:
    fleet.launch()
    change(fleet)

    with pytest.raises(LaunchRefused):
        fleet.launch()


def test_somebody_elses_service_is_told_of_like_one_that_is_not_there(fleet: Fleet) -> None:
    told = set()
    for number in (fleet.others.number, 99):
        with pytest.raises(LaunchRefused) as caught:
            fleet.launch(number=number)
        told.add(caught.value.detail)

    assert len(told) == 1
    assert fleet.module.given == []


# --- Administrators -------------------------------------------------------------------------------


def test_role_group_1_has_servers_1_and_3_and_group_2_has_server_2(fleet: Fleet) -> None:
    """Seed 002's own example."""
    fleet.restrict(fleet.web1, "group 1")
    fleet.restrict(fleet.web2, "group 2")
    fleet.restrict(fleet.web3, "group 1")
    one, two = fleet.administrator("group 1"), fleet.administrator("group 2", user=fleet.ann)

    def open_to(subject: str) -> list[bool]:
        servers, launch = (fleet.web1, fleet.web2, fleet.web3), fleet.launcher.server
        return [_goes(partial(launch, server.number, subject, by=BY)) for server in servers]

    fleet.module.answers("https://192.0.2.8:2087/x")
    assert open_to(one) == [True, False, True]
    assert open_to(two) == [False, True, False]
    assert texts(fleet.store)[-1][0] == "server.launched"


def test_an_unrestricted_server_is_open_to_administrators_and_to_nobody_else(fleet: Fleet) -> None:
    assert fleet.launcher.server(fleet.web1.number, fleet.administrator(), by=BY) == URL
    for subject in (fleet.joe.identity.subject, "nobody"):
        with pytest.raises(LaunchRefused):
            fleet.launcher.server(fleet.web1.number, subject, by=BY)
    with pytest.raises(LaunchRefused):
        fleet.launcher.server(99, fleet.sue.identity.subject, by=BY)


def test_an_administrator_signs_in_to_services_on_servers_of_the_role_groups(fleet: Fleet) -> None:
    fleet.administrator("support")

    assert fleet.launch(fleet.sue) == URL
    fleet.restrict(fleet.web1, "billing")
    with pytest.raises(LaunchRefused):
        fleet.launch(fleet.sue)
    fleet.restrict(fleet.web1, "support")
    assert fleet.launch(fleet.sue) == URL


def test_an_administrators_own_services_are_open_like_everybodys(fleet: Fleet) -> None:
    fleet.restrict(fleet.web1, "billing")
    fleet.administrator("support", user=fleet.ann)

    assert fleet.launch(fleet.ann) == URL


def test_a_resellers_credentials_reach_his_own_accounts_only(fleet: Fleet) -> None:
    web = fleet.server("web4", owner="reseller")
    mine = fleet.add_service(server=web.number, owner="reseller")
    roots = fleet.add_service(server=web.number)
    fleet.module.answers("https://web4.example.com/")

    assert fleet.launch(number=mine.number)
    with pytest.raises(ActionFailed) as caught:
        fleet.launch(number=roots.number)
    assert caught.value.title == "Action Failed"
    assert caught.value.public == UNABLE
    assert len(fleet.module.given) == 1, "the panel is not even asked"


# --- What a module is told ------------------------------------------------------------------------


def test_a_module_is_told_what_whmcs_tells_it(fleet: Fleet) -> None:
    product = ProductSettings(pid=3, type="hostingaccount", options=("gold", "5"))
    fleet.settings = LaunchSettings(products={"Hosting": product})
    fleet.launch(app="Email")

    (params,) = fleet.module.given
    told = params.as_dict()
    expected = {
        **{"serviceid": fleet.service.number, "userid": fleet.acme.number, "pid": 3},
        **{"serverid": fleet.web1.number, "domain": "a.example", "username": "joe1"},
        **{"password": USERS_PASSWORD, "producttype": "hostingaccount", "moduletype": "scripted"},
        **{"configoption1": "gold", "configoption2": "5", "configoption24": "", "server": True},
        **{"serverip": "192.0.2.8", "serverhostname": "web1.example.com", "serverusername": "root"},
        **{"serverpassword": PASSWORD, "serveraccesshash": ACCESS_HASH, "serversecure": True},
        **{"serverport": 2087, "serverhttpprefix": "https", "action": "ServiceSingleSignOn"},
        **{"app": "Email", "clientip": "192.0.2.1"},
    }
    assert {name: told[name] for name in expected} == expected
    assert told["clientsdetails"]["companyname"] == "Acme"
    for secret in (PASSWORD, ACCESS_HASH, USERS_PASSWORD):
        assert secret not in repr(params)


def test_without_the_key_nothing_is_unsealed_and_nobody_asked(fleet: Fleet) -> None:
    fleet.sealer = type(fleet.sealer)([b"another key of more than 32 characters!"])
    with pytest.raises(ActionFailed):
        fleet.launch()
    assert fleet.module.given == []


# --- Shortcuts ------------------------------------------------------------------------------------


def test_a_shortcut_that_the_table_has_not_never_reaches_the_panel(fleet: Fleet) -> None:
    assert fleet.launch(app="Files") == URL
    for app in ("Root", "files", "Files ", "../Files"):
        with pytest.raises(UnknownShortcut):
            fleet.launch(app=app)
    assert [params.app for params in fleet.module.given] == ["Files"]


def test_the_table_is_of_the_first_rule_that_fits_product_and_server(fleet: Fleet) -> None:
    def rule(app: str, **of: str) -> ShortcutRule:
        return ShortcutRule(pages=(ShortcutSettings(app=app, label=app),), **of)

    fleet.settings = LaunchSettings(
        shortcuts=(rule("A", product="Mail"), rule("B", server="web2"), rule("C", server="web1"))
    )
    on_web2 = fleet.add_service(server=fleet.web2.number)
    mail = fleet.add_service(product="Mail")
    shown = [
        [shortcut.app for shortcut in fleet.launcher.shortcuts(service)]
        for service in (fleet.service, on_web2, mail, fleet.add_service(server=fleet.web3.number))
    ]

    assert shown == [["C"], ["B"], ["A"], ["Email", "Files"]]


# --- What a module answers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://web1.example.com/", id="first host"),
        pytest.param("https://192.0.2.8:2083/x?y=z", id="its address"),
        pytest.param("https://WEB1.example.com:8443", id="upper case"),
        pytest.param("https://panel.example.org/x", id="a host listed for the server"),
    ],
)
def test_a_launch_leads_to_the_servers_own_hosts(fleet: Fleet, url: str) -> None:
    listed = PanelServerSettings(hosts=("panel.example.org",))
    fleet.settings = LaunchSettings(servers={"web1": listed})
    fleet.module.answers(url)

    assert fleet.launch() == url


def test_an_address_without_a_scheme_means_https(fleet: Fleet) -> None:
    fleet.module.answers("//web1.example.com/x")

    assert fleet.launch() == "https://web1.example.com/x"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/cpsess1/",
        "web1.example.com",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://evil.example/",
        "https://web1.example.com.evil.example/",
        "https://evil.example/web1.example.com",
        "https://web1.example.com@evil.example/",
        "https://evil.example\\@web1.example.com/",
        "https://web1.example.com\\.evil.example/",
        "https:/web1.example.com/",
        "https:web1.example.com",
        "///web1.example.com/",
        "\thttps://web1.example.com/",
        "https://web1.example.com/\r\nSet-Cookie: a=b",
        "https://web1.example.com/ x",
        "https://wеb1.example.com/",
        "https://sub.web1.example.com/",
        "http://web1.example.com/",
        "HTTP://web1.example.com/",
        "ftp://web1.example.com/",
        "https://web2.example.com/",
        "https://web1.example.com/" + "a" * 9000,
        None,
        7,
        ["https://web1.example.com/"],
        b"https://web1.example.com/",
    ],
    ids=lambda url: repr(url)[:50],
)
def test_it_leads_nowhere_else(fleet: Fleet, url: Any) -> None:
    fleet.module.answers(url)

    with pytest.raises(ActionFailed) as caught:
        fleet.launch()
    assert caught.value.said == ""
    assert texts(fleet.store)[-1][0] != "service.launched"


def test_a_server_without_tls_may_lead_to_itself_in_clear(fleet: Fleet) -> None:
    web = fleet.server("web5", secure=False, port=8080)
    service = fleet.add_service(server=web.number)
    fleet.module.answers("http://web5.example.com:8080/")

    assert fleet.launch(number=service.number) == "http://web5.example.com:8080/"


@pytest.mark.parametrize("success", [1, "true", "false", None, 0, [True], "1"], ids=repr)
def test_success_is_true_or_it_is_none(fleet: Fleet, success: Any) -> None:
    fleet.module.answers(URL, success=success)

    with pytest.raises(ActionFailed):
        fleet.launch()


@pytest.mark.parametrize(
    "given",
    [None, "https://web1.example.com/", {"success": True, "redirectTo": URL}, b"x" * 10_000_000],
    ids=["nothing", "a string", "an array", "10 MB"],
)
def test_what_is_no_result_is_a_failure(fleet: Fleet, given: Any) -> None:
    fleet.module.does = lambda: given

    with pytest.raises(ActionFailed):
        fleet.launch()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("The account is suspended.", "The account is suspended."),
        ("line\r\nbreak\0\x1b[31m  x", "line break [31m x"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("x" * 5000, "x" * 200 + "…"),
        (None, ""),
        (7, ""),
    ],
    ids=["words", "control characters", "HTML, which the page escapes", "long", "none", "number"],
)
def test_a_modules_own_words_are_one_short_line(fleet: Fleet, said: Any, shown: str) -> None:
    fleet.module.answers(success=False, said=said)

    with pytest.raises(ActionFailed) as caught:
        fleet.launch()
    assert caught.value.said == shown


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(f"password {PASSWORD}"),
        KeyError(ACCESS_HASH),
        NotImplementedError(),
        SystemExit(PASSWORD),
        GeneratorExit(),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        PanelError(f"password={PASSWORD}"),
        RecursionError(),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_module_that_raises_tells_nobody_anything(fleet: Fleet, error: BaseException) -> None:
    fleet.module.raises(error)

    with pytest.raises(ActionFailed) as caught:
        fleet.launch()
    for secret in (PASSWORD, ACCESS_HASH):
        assert secret not in f"{caught.value.detail} {caught.value.said}"


@pytest.mark.parametrize(
    "said",
    [
        PASSWORD,
        f"GET /login?user=root&pass={quote(PASSWORD)} failed",
        f"Authorization: Basic {b64encode(f'root:{PASSWORD}'.encode()).decode()}",
        f"wrong: {html.escape(PASSWORD + chr(38))}",
        "see https://web1.example.com/cpsess123/?session=root:abc",
    ],
    ids=["plain", "in a URL", "in Basic", "in HTML", "a session"],
)
def test_words_that_quote_a_secret_are_for_nobody(fleet: Fleet, said: str) -> None:
    fleet.module.answers(success=False, said=said)

    with pytest.raises(ActionFailed) as caught:
        fleet.launch()
    assert caught.value.said == ""
    for secret in (PASSWORD, quote(PASSWORD), "cpsess123", "root:abc"):
        assert secret not in caught.value.detail


@pytest.mark.parametrize("name", ["root", "Admin", "administrator", "gateway", "GATEWAY"])
def test_no_services_user_is_the_servers_master(fleet: Fleet, name: str) -> None:
    web = fleet.server("web7", username="gateway")
    service = fleet.add_service(server=web.number, username=name)

    with pytest.raises(ActionFailed):
        fleet.launch(number=service.number)
    assert fleet.module.given == []


def test_a_panel_that_fails_is_told_of_in_the_log_only(fleet: Fleet) -> None:
    fleet.module.raises(PanelError("connection refused"))

    with pytest.raises(ActionFailed) as caught:
        fleet.launch()
    assert (caught.value.detail, caught.value.said) == (f"{_name(fleet)}: connection refused", "")


def test_a_server_whose_module_is_not_there_has_no_panel(fleet: Fleet) -> None:
    web = fleet.server("web6", module="unknown")
    service = fleet.add_service(server=web.number)

    with pytest.raises(ActionFailed):
        fleet.launch(number=service.number)
    with pytest.raises(ActionFailed):
        fleet.launcher.server(web.number, fleet.administrator(), by=BY)


def _goes(call: Callable[[], str]) -> bool:
    try:
        call()
    except GateError:
        return False
    return True


def _name(fleet: Fleet) -> str:
    return f"server {fleet.web1.number} (web1)"
