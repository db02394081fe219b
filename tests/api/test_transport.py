"""What programs may send in which way, and WHMCS's three forms of an answer."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from ssogate.api import ACTIONS, endpoint
from ssogate.api.answers import written
from ssogate.crypto.random_secrets import matches
from ssogate.errors import StoreFailure
from ssogate.http import environ as env
from tests.api.making import API, HERE, Office, answer, refused


def test_every_action_of_the_list_is_answered_and_no_other(office: Office) -> None:
    assert office.api.actions == {action.lower() for action in ACTIONS}


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("GetPermissionsList", id="as documented"),
        pytest.param("getpermissionslist", id="small"),
        pytest.param("GETPERMISSIONSLIST", id="large"),
    ],
)
def test_case_of_actions_and_parameters_does_not_count(office: Office, action: str) -> None:
    fields = {"Identifier": office.login["identifier"], "SECRET": office.secret, "Action": action}

    assert answer(office.post(fields))["result"] == "success"


def test_query_and_body_are_read_together(office: Office) -> None:
    response = office.post(office.login, query="action=GetPermissionsList&responsetype=json")

    assert answer(response)["result"] == "success"


def test_a_multipart_form_is_read(office: Office) -> None:
    """As PHP's curl sends an array."""
    fields = {**office.login, "action": "GetPermissionsList"}
    builder = EnvironBuilder(
        API,
        method="POST",
        data=fields,
        content_type="multipart/form-data",
        environ_overrides={"REMOTE_ADDR": HERE},
    )
    reply = office.api(Request(builder.get_environ()))

    assert answer(reply)["result"] == "success"


def test_a_parameter_may_stand_twice_if_it_says_the_same(office: Office) -> None:
    response = office.post(
        {**office.login, "action": "GetPermissionsList"}, query="ACTION=GetPermissionsList"
    )

    assert answer(response)["result"] == "success"


@pytest.mark.parametrize(
    ("query", "more"),
    [
        pytest.param("client_id=1&client_id=2", [], id="in the query"),
        pytest.param("", [("client_id", "1"), ("client_id", "2")], id="in the body"),
        pytest.param("client_id=1", [("client_id", "2")], id="in both"),
        pytest.param("client_id=1", [("CLIENT_ID", "2")], id="in another case"),
        pytest.param("client_id=", [("client_id", "1")], id="one of them empty"),
        pytest.param("action=AddUser", [], id="the action"),
    ],
)
def test_a_parameter_with_two_values_is_refused(
    office: Office, query: str, more: list[tuple[str, str]]
) -> None:
    fields = [*office.login.items(), ("action", "CreateSsoToken"), *more]

    assert refused(office.post(fields, query=query), 400) == "A parameter was given twice"
    assert office.lines == []


@pytest.mark.parametrize(
    ("body", "options", "status"),
    [
        pytest.param(b"a=%ff", {}, 400, id="not UTF-8"),
        pytest.param(b"client_id=1%00", {}, 400, id="zero byte"),
        pytest.param(b"&".join(b"a%d=" % n for n in range(101)), {}, 400, id="many fields"),
        pytest.param(b"a=" + b"b" * 65_536, {}, 413, id="large"),
        pytest.param(b"--x", {"content_type": "multipart/form-data"}, 400, id="no boundary"),
        pytest.param(b"", {"CONTENT_LENGTH": "10000000"}, 413, id="10 MB announced"),
        pytest.param(b"", {"HTTP_TRANSFER_ENCODING": "gzip"}, 501, id="packed"),
    ],
)
def test_what_cannot_be_read_is_refused_in_shape(
    office: Office, body: bytes, options: dict[str, str], status: int
) -> None:
    refused(office.post(body, **options), status)

    assert office.lines == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_only_post_is_taken(office: Office, method: str) -> None:
    response = office.post({**office.login, "action": "GetPermissionsList"}, method=method)

    assert refused(response, 405) == "Method Not Allowed"
    assert response.headers["Allow"] == "POST"
    assert office.lines == []


def test_a_store_that_fails_is_told_in_shape(
    office: Office, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise StoreFailure("disk I/O error in /var/secret/place")

    monkeypatch.setattr(type(office.store.api_credentials), "named", broken)
    response = office.send("GetPermissionsList")

    assert refused(response, 503) == "The database does not answer: try again in a minute"
    assert "disk I/O error" in caplog.text


def test_what_is_done_is_answered_even_if_it_cannot_be_noted(
    office: Office, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that was reset is told once, or never."""
    sent = {"grantType": "authorization_code", "name": "Wiki", "scope": "openid"}
    office.good("CreateOAuthCredential", **sent)

    def broken(*args: object) -> None:
        raise StoreFailure("database is locked")

    monkeypatch.setattr(endpoint, "note", broken)
    found = office.good("UpdateOAuthCredential", credentialId=1, resetSecret=1)

    client = office.store.clients.get(1)
    assert client is not None
    assert matches(found["newClientSecret"], client.secret_digest)
    assert "updateoauthcredential is done but not noted: database is locked" in caplog.text
    assert found["newClientSecret"] not in caplog.text


def test_a_program_whose_address_nobody_knows_is_nowhere(office: Office) -> None:
    sent: dict[str, Any] = {**office.login, "action": "GetPermissionsList"}
    nowhere: dict[str, Any] = {env.PROGRAM: None}

    assert refused(office.post(sent, **nowhere), 403) == "Invalid IP unknown"


# --- Forms ---------------------------------------------------------------------------------------


def test_json_is_written_as_php_does(office: Office) -> None:
    response = office.send("GetClients", search="acme")

    text = response.get_data(as_text=True)
    assert text.startswith('{"result":"success","totalresults":1,"startnumber":0,"numreturned":1,')
    assert '"companyname":"Acme Ltd"' in text
    token = office.send("CreateSsoToken", client_id=1).get_data(as_text=True)
    assert (
        '"redirect_url":"https:\\/\\/app.example\\/oauth\\/singlesignon.php?access_token=' in token
    )


def test_json_cannot_be_taken_for_html_and_is_ascii() -> None:
    evil = "</script><é\u2028\\/"

    text = written("json", "a", {"message": evil}).get_data(as_text=True)

    assert json.loads(text) == {"message": evil}
    assert "<" not in text
    assert text.isascii()


def test_xml_looks_like_whmcs(office: Office) -> None:
    response = office.send("GetPermissionsList", responsetype="xml")

    text = response.get_data(as_text=True)
    assert response.content_type == "application/xml; charset=utf-8"
    assert text.startswith(
        '<?xml version="1.0" encoding="utf-8"?>\n<whmcsapi version="8.13">\n'
        "<action>getpermissionslist</action>\n<result>success</result>\n"
        "<permissions>\n<permission>profile</permission>\n<permission>contacts</permission>\n"
    )
    assert text.endswith("</permissions>\n</whmcsapi>")


def test_xml_holds_any_text_unharmed() -> None:
    told = {"message": '<a>&"\x00\x0b\ufffe]]>é\U0001f600', "none": None, "yes": True, "no": False}

    root = ET.fromstring(written("xml", "<b>", told).get_data(as_text=True))

    assert [(it.tag, it.text or "") for it in root] == [
        ("action", "<b>"),
        ("message", '<a>&"]]>é\U0001f600'),
        ("none", ""),
        ("yes", "1"),
        ("no", ""),
    ]


def test_xml_repeats_the_element_of_a_list() -> None:
    told = {"clients": {"client": [{"id": 1}, {"id": 2}]}, "empty": []}

    text = written("xml", "a", told).get_data(as_text=True)

    assert "<clients>\n<client>\n<id>1</id>\n</client>\n<client>\n<id>2</id>\n</client>\n" in text
    assert "empty" not in text


def test_nvp_has_one_pair_a_value() -> None:
    told = {"result": "success", "clients": {"client": [{"id": 1, "ok": True}]}}

    response = written("nvp", "a", told)

    assert response.content_type == "text/plain; charset=utf-8"
    assert response.get_data(as_text=True) == (
        "result=success;clients[client][0][id]=1;clients[client][0][ok]=1;"
    )


def test_nvp_cannot_be_given_a_pair_by_a_value() -> None:
    text = written("nvp", "a", {"name": "x;result=success\n%3B"}).get_data(as_text=True)

    assert text == "name=x%3Bresult=success%0A%253B;"


@pytest.mark.parametrize("form", ["", "JSON", "php", "xml;"])
def test_any_other_form_is_json(office: Office, form: str) -> None:
    assert office.call("GetPermissionsList", responsetype=form)["result"] == "success"


@pytest.mark.parametrize("form", ["xml", "XML", "nvp"])
def test_a_refusal_has_the_form_that_was_asked_for(office: Office, form: str) -> None:
    response = office.post({"responsetype": form})

    assert response.status_code == 403
    assert "json" not in response.content_type
    assert "Authentication Failed" in response.get_data(as_text=True)


# --- The activity log ----------------------------------------------------------------------------


def test_each_call_is_noted_with_names_and_without_values(office: Office) -> None:
    office.call("GetClients", search="a-value-that-may-be-a-secret", accesskey="the-key")
    office.call("AddUser", firstname="A", password2="hunter2 hunter2")

    assert office.lines == [
        ("api.getclients", "search: success"),
        ("api.adduser", "firstname, password2: You did not enter a last name"),
    ]
    told = repr([*office.store.activity.listed()])
    assert not any(it in told for it in ("a-value", "the-key", "hunter2", office.secret))
    assert {it.client for it in office.store.activity.listed() if it.actor[:4] == "api:"} == {HERE}


def test_odd_names_are_not_noted(office: Office) -> None:
    office.call("GetPermissionsList", **{"my secret": "1", "x" * 80: "1", "a[0]": "1"})

    assert office.lines == [("api.getpermissionslist", "a[0]: success")]


def test_a_stranger_leaves_no_line_in_the_activity_log(office: Office) -> None:
    office.post({**office.login, "secret": "wrong", "action": "GetClients"})
    office.post({"action": "GetClients"})

    assert office.lines == []
