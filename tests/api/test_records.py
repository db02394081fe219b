"""Products, servers and the activity log by the API."""

from __future__ import annotations

from typing import Any

import pytest

from ssogate.directory import By, note, verify
from ssogate.model import ServiceStatus
from tests.api.making import HERE, Office
from tests.directory.making import customer
from tests.storage.making import NOW


def test_products_are_listed_without_a_password(office: Office) -> None:
    server = office.server()
    office.service(server=server.number, domain="acme.example", username="acme")

    found = office.good("GetClientsProducts", clientid=1)

    assert found == {
        "clientid": 1,
        "serviceid": None,
        "pid": None,
        "domain": None,
        "totalresults": 1,
        "startnumber": 0,
        "numreturned": 1,
        "products": {
            "product": [
                {
                    "id": 1,
                    "clientid": 1,
                    "pid": 0,
                    "name": "Hosting L",
                    "translated_name": "Hosting L",
                    "domain": "acme.example",
                    "serverid": 1,
                    "servername": "web1",
                    "serverhostname": "web1.example",
                    "status": "Active",
                    "username": "acme",
                }
            ]
        },
    }


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        pytest.param({}, [1, 2, 3], id="all"),
        pytest.param({"clientid": 1}, [1, 2], id="of a client"),
        pytest.param({"serviceid": 2}, [2], id="one"),
        pytest.param({"serviceid": "2x"}, [], id="no number"),
        pytest.param({"clientid": 1, "serviceid": 3}, [], id="one of another client"),
        pytest.param({"domain": "a.example"}, [1], id="by domain"),
        pytest.param({"username2": "b"}, [2], id="by user name"),
        pytest.param({"pid": 1}, [], id="by a product's number"),
        pytest.param({"limitnum": 1, "limitstart": 1}, [2], id="the second"),
    ],
)
def test_some_products_are_listed(
    office: Office, asked: dict[str, Any], numbers: list[int]
) -> None:
    office.service(domain="a.example", username="a", status=ServiceStatus.SUSPENDED)
    office.service(username="b")
    office.service(customer(office.store, "Other").number)

    found = office.good("GetClientsProducts", **asked)

    assert [product["id"] for product in found["products"]["product"]] == numbers


def test_products_of_nobody(office: Office) -> None:
    assert office.no("GetClientsProducts", clientid=9) == "Client ID Not Found"


def test_servers_are_listed_without_a_secret(office: Office) -> None:
    office.server()

    assert office.good("GetServers")["servers"] == [
        {
            "id": 1,
            "name": "web1",
            "hostname": "web1.example",
            "module": "cpanel",
            "active": True,
        }
    ]


# --- The activity log ----------------------------------------------------------------------------


@pytest.fixture
def log(office: Office) -> Office:
    """An office with three lines that a test knows."""
    for at, who, text in ((0, "ann", "one"), (86_400, "bob", "two%"), (86_401, "ann", "three")):
        by = By(f"user:{who}", "192.0.2.77" if who == "ann" else "")
        note(office.store, by, "test.line", text, NOW + at)
    return office


def told(office: Office, **asked: object) -> list[str]:
    entries = office.good("GetActivityLog", **asked)["activity"]["entry"]
    return [it["description"].removeprefix("test.line: ") for it in entries]


@pytest.mark.parametrize(
    ("asked", "texts"),
    [
        pytest.param({"description": "test.line"}, ["three", "two%", "one"], id="newest first"),
        pytest.param({"description": "%"}, ["two%"], id="no pattern"),
        pytest.param({"user": "user:ann"}, ["three", "one"], id="who"),
        pytest.param({"ipaddress": "192.0.2.77"}, ["three", "one"], id="from where"),
        pytest.param({"date": "2027-01-16"}, ["three", "two%"], id="when"),
        pytest.param({"user": "user:", "limitstart": 1, "limitnum": 1}, ["two%"], id="a part"),
    ],
)
def test_lines_are_found(log: Office, asked: dict[str, Any], texts: list[str]) -> None:
    assert told(log, **asked) == texts


def test_a_line_has_whmcss_fields(log: Office) -> None:
    found = log.good("GetActivityLog", description="one", user="ann")

    assert (found["totalresults"], found["startnumber"], found["numreturned"]) == (1, 0, 1)
    (entry,) = found["activity"]["entry"]
    assert isinstance(entry.pop("id"), int)
    assert entry == {
        "userid": 0,
        "date": "2027-01-15 08:00:00",
        "description": "test.line: one",
        "username": "user:ann",
        "ipaddress": "192.0.2.77",
    }


def test_a_program_may_write_a_line_that_cannot_pass_for_the_gates(office: Office) -> None:
    assert office.good("LogActivity", description="Backup done\nuser.deleted: joe") == {}

    line = office.store.activity.latest(2)[-1]
    assert (line.action, line.client) == ("activity.logged", HERE)
    assert line.actor == f"api:{office.credential.identifier}"
    assert line.text == "Backup done\\nuser.deleted: joe"


def test_a_line_may_name_a_client(office: Office) -> None:
    office.good("LogActivity", description="Called", clientid=1)

    assert office.lines[0] == ("activity.logged", "client 1: Called")


@pytest.mark.parametrize("asked", [{}, {"description": " "}])
def test_an_empty_line_is_refused(office: Office, asked: dict[str, str]) -> None:
    assert office.no("LogActivity", **asked) == "A description is required"
    assert len(office.lines) == 1


def test_the_log_stays_whole(log: Office) -> None:
    log.good("LogActivity", description="x")
    assert verify(log.store.activity.listed()).fault == ""
