"""A form counts when a page of this very origin sent it."""

from __future__ import annotations

import pytest

from ssogate.errors import BadHost, CrossSite
from ssogate.http import environ as env
from ssogate.http.same_origin import check_same_origin

OURS = "https://app.example"


def posted(
    *, origin: str | None = None, site: str | None = None, host: str = "app.example"
) -> dict[str, str]:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/_sso/password",
        "HTTP_HOST": host,
        env.SCHEME: "https",
    }
    told = {"HTTP_ORIGIN": origin, "HTTP_SEC_FETCH_SITE": site}
    return environ | {key: value for key, value in told.items() if value is not None}


@pytest.mark.parametrize(
    ("origin", "site", "host", "port"),
    [
        pytest.param(OURS, "same-origin", "app.example", None, id="a browser of today"),
        pytest.param(OURS, None, "app.example", None, id="Origin alone"),
        pytest.param(None, "same-origin", "app.example", None, id="Sec-Fetch-Site alone"),
        pytest.param(OURS, None, "app.example:443", None, id="the proxy writes the usual port"),
        pytest.param(f"{OURS}:443", None, "app.example", None, id="the browser does"),
        pytest.param(f"{OURS}:8443", None, "app.example:8443", None, id="odd port in Host"),
        pytest.param(f"{OURS}:8443", None, "app.example", 8443, id="the proxy hides the port"),
        pytest.param(OURS, None, "app.example:8080", None, id="the proxy writes its own port"),
        pytest.param("https://app.example.", None, "APP.Example.", None, id="dot at the end"),
        pytest.param("https://[::1]", None, "[0:0:0:0:0:0:0:1]", None, id="IPv6"),
    ],
)
def test_a_form_of_our_own_page_counts(
    origin: str | None, site: str | None, host: str, port: int | None
) -> None:
    check_same_origin(posted(origin=origin, site=site, host=host), public_port=port)


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        pytest.param(None, None, id="neither is told"),
        pytest.param("null", None, id="a sandbox, or no-referrer"),
        pytest.param("null", "same-origin", id="null beside same-origin"),
        pytest.param("https://evil.example", None, id="another site"),
        pytest.param("https://evil.example", "same-origin", id="the two contradict"),
        pytest.param(OURS, "cross-site", id="the two contradict, the other way"),
        pytest.param(OURS, "same-site", id="a sibling host"),
        pytest.param(OURS, "none", id="nobody's page"),
        pytest.param(OURS, "Same-Origin", id="another case"),
        pytest.param(OURS, "", id="empty Sec-Fetch-Site"),
        pytest.param(OURS, "same-origin,same-origin", id="two Sec-Fetch-Site"),
        pytest.param("", None, id="empty Origin"),
        pytest.param("https://sub.app.example", None, id="a host below"),
        pytest.param("https://example", None, id="a host above"),
        pytest.param("https://app.example.evil", None, id="begins like ours"),
        pytest.param("http://app.example", None, id="another scheme"),
        pytest.param("https://app.example:8443", None, id="another port"),
        pytest.param("http://app.example:443", None, id="our port by another scheme"),
        pytest.param("HTTPS://app.example", None, id="no browser writes it so"),
        pytest.param("ftp://app.example:443", None, id="no web page"),
        pytest.param("ftp://app.example", None, id="no web page, no port"),
        pytest.param(f"{OURS}/", None, id="a path"),
        pytest.param(f"{OURS},{OURS}", None, id="two Origins, joined by the server"),
        pytest.param(f"{OURS} https://evil.example", None, id="a list, as RFC 6454 allows"),
        pytest.param("https://evil@app.example", None, id="a user part"),
        pytest.param("https://app.example:0", None, id="port 0"),
        pytest.param("app.example", None, id="no scheme"),
        pytest.param("https://" + "a" * 10_000, None, id="very long"),
    ],
)
def test_anything_else_is_refused(origin: str | None, site: str | None) -> None:
    with pytest.raises(CrossSite):
        check_same_origin(posted(origin=origin, site=site))


def test_the_public_port_opens_no_other() -> None:
    with pytest.raises(CrossSite):
        check_same_origin(posted(origin=f"{OURS}:9443"), public_port=8443)


def test_plain_http_has_its_own_usual_port() -> None:
    environ = posted(origin="http://app.example") | {env.SCHEME: "http"}

    check_same_origin(environ)
    with pytest.raises(CrossSite):
        check_same_origin(environ | {"HTTP_ORIGIN": "http://app.example:443"})


def test_the_judged_host_decides() -> None:
    with pytest.raises(BadHost):
        check_same_origin(posted(origin=OURS, host="app.example@evil.example"))
