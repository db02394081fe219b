"""Which client calls: one proof, told from all others in the same time."""

from __future__ import annotations

import pytest

from ssogate.crypto.random_secrets import digest
from ssogate.model import Client, ClientAuthentication
from ssogate.provider.clients.authentication import authenticate, is_integration_link
from ssogate.provider.errors import InvalidBasicClient, InvalidClient, InvalidRequest
from tests.provider.making import SECRET, Panel, basic
from tests.storage.making import NOW

ID = "ACME.0123456789abcdef0123456789abcdef"
POSTED = {"client_id": ID, "client_secret": SECRET, "grant_type": "single_sign_on"}
LINKED = {"app": "billing", "user": "acme", "subscriber_unique_id": ID, "token": SECRET}


def found(panel: Panel, parameters: dict[str, str], authorization: str = "") -> Client:
    return authenticate(
        panel.store,
        parameters,
        authorization,
        audience=frozenset(),
        now=NOW,
        linked=is_integration_link(parameters),
    ).client


@pytest.mark.parametrize(
    ("parameters", "authorization"),
    [
        pytest.param(POSTED, "", id="in the form"),
        pytest.param({}, basic(ID), id="HTTP Basic"),
        pytest.param({}, basic(ID, encoded=False), id="HTTP Basic as curl sends it"),
        pytest.param({}, basic(ID).replace("Basic", "bAsIc"), id="another spelling of Basic"),
        pytest.param({"client_id": ID}, basic(ID), id="who calls is said twice"),
        pytest.param(LINKED, "", id="an integration link"),
        pytest.param({**POSTED, **LINKED}, "", id="a grant type makes it no integration link"),
    ],
)
def test_a_client_proves_itself(
    panel: Panel, parameters: dict[str, str], authorization: str
) -> None:
    assert found(panel, parameters, authorization) == panel.client


@pytest.mark.parametrize(
    ("parameters", "authorization"),
    [
        pytest.param(POSTED, basic(ID), id="form and Basic"),
        pytest.param({"client_secret": SECRET}, basic(ID), id="a second secret"),
        pytest.param({"client_id": "OTHER"}, basic(ID), id="another client's name"),
        pytest.param(LINKED, basic(ID), id="integration link and Basic"),
        pytest.param({**LINKED, "client_id": ID}, "", id="integration link and form"),
    ],
)
def test_one_proof_is_enough(panel: Panel, parameters: dict[str, str], authorization: str) -> None:
    with pytest.raises(InvalidRequest, match="more than one"):
        found(panel, parameters, authorization)


@pytest.mark.parametrize(
    ("identifier", "secret"),
    [
        pytest.param(ID, SECRET[:-1], id="cut short"),
        pytest.param(ID, SECRET + " ", id="a space after it"),
        pytest.param(ID, SECRET.swapcase(), id="another case"),
        pytest.param(ID, "", id="empty"),
        pytest.param(ID.lower(), SECRET, id="another case of the name"),
        pytest.param("OTHER.0", SECRET, id="unknown"),
        pytest.param("OTHER.0", "", id="unknown and empty"),
        pytest.param("", SECRET, id="nobody"),
        pytest.param(f"{ID}\0", SECRET, id="a zero byte"),
        pytest.param("é", "é", id="not ASCII"),
        pytest.param(SECRET, ID, id="swapped"),
    ],
)
def test_a_wrong_proof_is_refused_the_same_way(panel: Panel, identifier: str, secret: str) -> None:
    by_form = {"client_id": identifier, "client_secret": secret}
    by_link = {"subscriber_unique_id": identifier, "token": secret}

    for parameters, authorization, kind in (
        (by_form, "", InvalidClient),
        (by_link, "", InvalidClient),
        ({}, basic(identifier, secret), InvalidBasicClient),
    ):
        with pytest.raises(InvalidClient) as refused:
            found(panel, parameters, authorization)
        assert type(refused.value) is kind
        assert refused.value.described == InvalidClient.public
        assert SECRET not in refused.value.detail


@pytest.mark.parametrize("identifier", [f"{ID}\0", "é\0", "\0", "\ud800"])
def test_what_no_client_is_called_finds_none(panel: Panel, identifier: str) -> None:
    with pytest.raises(InvalidClient):
        found(panel, {"client_id": identifier, "client_secret": SECRET})


@pytest.mark.parametrize("stored", ["", "0" * 64])
def test_a_client_without_a_secret_cannot_prove_itself(panel: Panel, stored: str) -> None:
    panel.add_client("EMPTY.0", secret_digest=stored)

    for secret in ("", "0" * 64):
        with pytest.raises(InvalidClient):
            found(panel, {"client_id": "EMPTY.0", "client_secret": secret})


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic QUNNRQ==",  # no colon
        "Basic /zr/",  # not UTF-8
        "Basic JWZmOiVmZg==",  # %ff:%ff
        "Basic QQ",
        "Bearer abc",
        "Basic QTpC, Basic QTpC",
        "\xff",
    ],
)
def test_a_header_that_is_not_basic_is_a_wrong_proof(panel: Panel, header: str) -> None:
    with pytest.raises(InvalidBasicClient):
        found(panel, {}, header)


def test_no_proof_at_all_is_a_wrong_one(panel: Panel) -> None:
    with pytest.raises(InvalidClient) as refused:
        found(panel, {"grant_type": "single_sign_on"})
    assert type(refused.value) is InvalidClient


# --- Clients of other kinds, and secrets that overlap ---------------------------------------------


@pytest.mark.parametrize(
    ("until", "good"),
    [
        pytest.param(NOW + 1, True, id="while both hold"),
        pytest.param(NOW, False, id="no longer"),
        pytest.param(0, False, id="it was reset at once"),
    ],
)
def test_an_old_secret_holds_until_its_end(panel: Panel, until: int, good: bool) -> None:
    old = digest("the old one")
    panel.add_client("TWO.0", old_secret_digest=old, old_secret_until=until)

    assert found(panel, {"client_id": "TWO.0", "client_secret": SECRET})
    if good:
        assert found(panel, {"client_id": "TWO.0", "client_secret": "the old one"})
    else:
        with pytest.raises(InvalidClient):
            found(panel, {"client_id": "TWO.0", "client_secret": "the old one"})


def test_a_client_that_never_had_another_secret_has_no_old_one(panel: Panel) -> None:
    panel.add_client("ONE.0", old_secret_until=NOW + 1)

    with pytest.raises(InvalidClient):
        found(panel, {"client_id": "ONE.0", "client_secret": ""})


def test_a_public_client_says_who_it_is_and_nothing_more(panel: Panel) -> None:
    public = panel.add_client("APP.0", authentication=ClientAuthentication.NONE)

    assert found(panel, {"client_id": "APP.0"}) == public
    for secret in (SECRET, "x"):
        with pytest.raises(InvalidClient):
            found(panel, {"client_id": "APP.0", "client_secret": secret})
        with pytest.raises(InvalidBasicClient):
            found(panel, {}, basic("APP.0", secret))


@pytest.mark.parametrize("way", [ClientAuthentication.SECRET, ClientAuthentication.PRIVATE_KEY])
def test_who_has_a_proof_must_give_it(panel: Panel, way: ClientAuthentication) -> None:
    panel.add_client("SURE.0", authentication=way)

    with pytest.raises(InvalidClient):
        found(panel, {"client_id": "SURE.0"})


def test_elsewhere_an_integration_link_is_no_proof(panel: Panel) -> None:
    """An introspected token is called `token`, too."""
    with pytest.raises(InvalidClient):
        authenticate(panel.store, LINKED, "", audience=frozenset(), now=NOW)
