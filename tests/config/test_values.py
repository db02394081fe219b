"""Amounts have a unit, addresses have one spelling."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from ssogate.config import Duration, HeaderName, HostPattern, Network, Settings, Size, Url
from ssogate.config.values import BYTES, SECONDS, written

IN_A_FILE: dict[str, Any] = {"base": "."}


def parse(kind: Any, value: Any, context: dict[str, Any] | None = IN_A_FILE) -> Any:
    return TypeAdapter(kind).validate_python(value, context=context)


def refusal(kind: Any, value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        parse(kind, value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        pytest.param(Duration, "90s", 90.0, id="seconds"),
        pytest.param(Duration, "30 m", 1800.0, id="minutes"),
        pytest.param(Duration, "1.5h", 5400.0, id="fraction"),
        pytest.param(Duration, "7d", 604800.0, id="days"),
        pytest.param(Duration, "250ms", 0.25, id="milliseconds"),
        pytest.param(Duration, "0s", 0.0, id="nothing"),
        pytest.param(Size, "512B", 512, id="bytes"),
        pytest.param(Size, "64KiB", 65536, id="kibibytes"),
        pytest.param(Size, "2GB", 2_000_000_000, id="gigabytes"),
        pytest.param(Size, "1.5MiB", 1572864, id="one and a half"),
    ],
)
def test_an_amount_is_read_with_its_unit(kind: Any, written: str, value: float) -> None:
    found = parse(kind, written)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "units", "amount", "text"),
    [
        pytest.param(Duration, SECONDS, 43200.0, "12h", id="hours"),
        pytest.param(Duration, SECONDS, 5400.0, "90m", id="no whole hours"),
        pytest.param(Duration, SECONDS, 0.25, "250ms", id="less than one"),
        pytest.param(Duration, SECONDS, 0.0, "0s", id="nothing"),
        pytest.param(Size, BYTES, 2**30, "1GiB", id="a power of two"),
        pytest.param(Size, BYTES, 10**9, "1GB", id="a power of ten"),
        pytest.param(Size, BYTES, 1025, "1025B", id="odd"),
    ],
)
def test_an_amount_is_written_as_it_is_read(
    kind: Any, units: dict[str, float], amount: float, text: str
) -> None:
    assert written(amount, units) == text
    assert parse(kind, text) == amount


@pytest.mark.parametrize("kind", [Duration, Size])
@pytest.mark.parametrize(
    "written",
    [
        30,
        1.5,
        True,
        None,
        [],
        "",
        "30",
        "s",
        "-1s",
        "1e3s",
        "1 s ",
        " 1s",
        "1S",
        "1x",
        "٣s",
        "9" * 10,
    ],
)
def test_an_amount_without_a_plain_number_and_unit_is_refused(kind: Any, written: Any) -> None:
    assert "write a number with a unit, such as" in refusal(kind, written)


@pytest.mark.parametrize("number", [0, 30, 0.5])
def test_code_gives_plain_numbers(number: float) -> None:
    assert parse(Duration, number, None) == number


@pytest.mark.parametrize("number", [-1, True, float("nan"), float("inf")])
def test_code_gives_no_nonsense(number: float) -> None:
    with pytest.raises(ValidationError):
        parse(Duration, number, None)


def test_settings_are_frozen_and_know_their_keys() -> None:
    class Room(Settings):
        expiry: Duration = 60.0

    room = Room()
    with pytest.raises(ValidationError):
        room.expiry = 1.0  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Room(expirey=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("written", "url"),
    [
        pytest.param("https://app.example", "https://app.example/", id="no path"),
        pytest.param("HTTP://APP.Example/A", "http://app.example/A", id="capitals"),
        pytest.param("https://app.example:443/", "https://app.example/", id="default port"),
        pytest.param("http://app.example:443/", "http://app.example:443/", id="other port"),
        pytest.param("http://my_app:8000/x/", "http://my_app:8000/x/", id="compose name"),
        pytest.param("http://[2001:DB8:0::1]:80/", "http://[2001:db8::1]/", id="IPv6"),
        pytest.param("https://a.example/x?b=%20c", "https://a.example/x?b=%20c", id="query"),
        pytest.param("https://a.example?b", "https://a.example/?b", id="query without path"),
    ],
)
def test_a_url_has_one_spelling(written: str, url: str) -> None:
    found = parse(Url, written)

    assert (found, type(found)) == (url, Url)
    assert parse(Url, url) == url


@pytest.mark.parametrize(
    ("written", "told"),
    [
        pytest.param("app.example", "with its scheme", id="no scheme"),
        pytest.param("//app.example/", "with its scheme", id="scheme-relative"),
        pytest.param("ftp://app.example/", "with its scheme", id="another scheme"),
        pytest.param("javascript://a/", "with its scheme", id="script"),
        pytest.param(5, "with its scheme", id="number"),
        pytest.param("https:///x", "write scheme, host", id="no host"),
        pytest.param("https://joe:pw@a.example/", "without a user or password", id="user part"),
        pytest.param("https://a.example@evil/", "without a user or password", id="at sign"),
        pytest.param("https://a.example/#x", "without a fragment", id="fragment"),
        pytest.param("https://bücher.example/", "in ASCII", id="not ASCII"),
        pytest.param("https://a.example/\n", "write scheme, host", id="line break"),
        pytest.param("https://a.exa\tmple/", "write scheme, host", id="tab in host"),
        pytest.param("https://a.example\\@b/", "write scheme, host", id="backslash"),
        pytest.param("https://a.example/ b", "write scheme, host", id="space"),
        pytest.param("https://a.example/%zz", "write %25", id="broken escape"),
        pytest.param("https://a.example/?%", "write %25", id="broken escape in query"),
        pytest.param("https://a.example/a/../b", "without . and ..", id="dot segment"),
        pytest.param("https://a.example/%2e%2E/b", "without . and ..", id="encoded dot segment"),
        pytest.param("https://a.example:0/", "a port from 1", id="port 0"),
        pytest.param("https://a.example:65536/", "a port from 1", id="port too great"),
        pytest.param("https://a.example:8x/", "write scheme, host", id="port no number"),
        pytest.param("https://a.example./", "write a host name alone", id="trailing dot"),
        pytest.param("https://-a.example/", "write a host name alone", id="leading hyphen"),
        pytest.param("https://127.1/", "IPv4 address as four", id="short IPv4"),
        pytest.param("https://1.2.3.0x7f/", "IPv4 address as four", id="hex IPv4"),
        pytest.param("https://[::1/", "write scheme, host", id="bracket left open"),
        pytest.param("https://[1::2::3]/", "host name or address", id="no IPv6"),
        pytest.param("https://[::ffff:1.2.3.4]/", "write the plain address", id="IPv4 in IPv6"),
        pytest.param("https://a.example/" + "x" * 2048, "write scheme, host", id="endless"),
    ],
)
def test_a_url_that_parsers_differ_over_is_refused(written: Any, told: str) -> None:
    assert told in refusal(Url, written)


def test_a_url_tells_its_parts() -> None:
    found = parse(Url, "http://[2001:db8::1]:8080/a/b?c=d")

    assert found.scheme == "http"
    assert found.host == "[2001:db8::1]"
    assert found.origin == "http://[2001:db8::1]:8080"
    assert (found.path, found.query) == ("/a/b", "c=d")
    assert parse(Url, "https://a.example").origin == "https://a.example"
    assert parse(Url, "http://[2001:db8::1]/").host == "[2001:db8::1]"


def test_a_url_in_a_model_is_dumped_as_text() -> None:
    class Model(BaseModel):
        to: Url

    assert Model(to="http://a.example").model_dump_json() == '{"to":"http://a.example/"}'


@given(st.text("htps:/[]@#?%.\\ a1\t\nA", max_size=30).map("http://".__add__))
def test_whatever_is_taken_for_a_url_has_one_host_to_every_parser(text: str) -> None:
    from urllib.parse import urlsplit

    try:
        found = parse(Url, text)
    except ValidationError:
        return
    parts = urlsplit(found)
    assert parts.username is None
    assert found.host.strip("[]") == parts.hostname
    assert parse(Url, str(found)) == found


@pytest.mark.parametrize(
    ("written", "host"),
    [
        pytest.param("App.Example", "app.example", id="capitals"),
        pytest.param("localhost", "localhost", id="one label"),
        pytest.param("xn--bcher-kva.example", "xn--bcher-kva.example", id="IDN"),
        pytest.param("192.0.2.7", "192.0.2.7", id="IPv4"),
        pytest.param("2001:DB8::7", "[2001:db8::7]", id="IPv6"),
        pytest.param("[::1]", "[::1]", id="IPv6 in brackets"),
        pytest.param("*.App.Example", "*.app.example", id="all below one"),
    ],
)
def test_a_host_has_one_spelling(written: str, host: str) -> None:
    assert parse(HostPattern, written) == host


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a b",
        "a.example.",
        ".a",
        "a..b",
        "https://a",
        "a/b",
        "a:80",
        "a@b",
        "*",
        "**.a",
        "a.*.b",
        "*.*.a",
        "*.10.0.0.1.",
        "bücher",
        "a\n",
        "127.1",
        "010.0.0.1",
        "1.2.3.256",
        "0x7f",
        "[::1",
        "::1%eth0",
        "-a",
        "a-",
        "x" * 64,
        5,
        None,
    ],
)
def test_a_host_that_is_no_plain_name_is_refused(written: Any) -> None:
    told = refusal(HostPattern, written)

    assert "write" in told or "a * may stand only at the start" in told


@pytest.mark.parametrize(
    "written", ["10.0.0.0/8", "192.0.2.7", "192.0.2.7/32", "2001:db8::/32", "::1", "0.0.0.0/0"]
)
def test_a_network_is_read(written: str) -> None:
    assert parse(Network, written) == ip_network(written)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        pytest.param("10.0.0.1/8", "write 10.0.0.0/8 for all of the network", id="host bits"),
        pytest.param("10.0.0.1/8", "or 10.0.0.1 for the one address", id="one address"),
        pytest.param("2001:db8::1/32", "write 2001:db8::/32", id="IPv6 host bits"),
        pytest.param("10.0.0.0/255.0.0.0", "write 10.0.0.0/8", id="netmask"),
        pytest.param("*", "write an address or a network", id="everybody"),
        pytest.param("", "write an address or a network", id="nothing"),
        pytest.param("localhost", "write an address or a network", id="name"),
        pytest.param(167772160, "write an address or a network", id="number"),
        pytest.param("10.0.0.0/33", "write an address or a network", id="prefix too long"),
        pytest.param("fe80::1%eth0", "write an address or a network", id="zone"),
        pytest.param("::ffff:10.0.0.0/104", "in their own form", id="IPv4 in IPv6"),
    ],
)
def test_a_network_with_two_readings_is_refused(written: Any, told: str) -> None:
    assert told in refusal(Network, written)


@pytest.mark.parametrize("written", ["X-Remote-User", "Remote", "x-1"])
def test_a_header_name_is_read_as_written(written: str) -> None:
    assert parse(HeaderName, written) == written


@pytest.mark.parametrize(
    "written", ["", "X_Remote_User", "X.A", "X A", "X:", "-x", "ü", "x\n", "X" * 65, 5, None]
)
def test_a_header_name_that_servers_fold_is_refused(written: Any) -> None:
    assert "write a header name" in refusal(HeaderName, written)
