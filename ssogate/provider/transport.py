"""How programs speak to the provider: a form in, JSON out, refusals in OAuth's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from ssogate.crypto import SealBroken
from ssogate.errors import GateError, StoreFailure
from ssogate.http.form import sent_pairs
from ssogate.http.log import log_refusal
from ssogate.http.pages import PRIVATE_HEADERS
from ssogate.oauth.errors import AuthorizationError
from ssogate.provider.errors import InvalidRequest, NotPosted, OAuthError, Unavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.datastructures import Headers
    from werkzeug.wrappers import Request

# RFC 6749, section 5.1. As pairs, which werkzeug takes as they are.
_HEADERS = tuple({**PRIVATE_HEADERS, "Pragma": "no-cache"}.items())


@dataclass(frozen=True, slots=True)
class Sent:
    """What a form says: each thing once but `resource`, nothing by an empty value."""

    parameters: Mapping[str, str]
    resources: tuple[str, ...] = ()
    """RFC 8707, section 2: it may repeat."""
    in_query: bool = False
    """Whether some of it stood in the URL, which everything on its way writes down."""

    def required(self, name: str) -> str:
        """Raises `InvalidRequest`."""
        value = self.parameters.get(name, "")
        if not value:
            raise InvalidRequest(f"{name} is missing.")
        return value


def sent(request: Request) -> Sent:
    """Read what query and form say together (RFC 6749, section 3.2). Raises `InvalidRequest` and
    what `sent_pairs` raises."""
    if request.method != "POST":
        raise NotPosted
    pairs = [(name, value) for name, value in sent_pairs(request) if value]
    resources = tuple(dict.fromkeys(value for name, value in pairs if name == "resource"))
    once = [(name, value) for name, value in pairs if name != "resource"]
    parameters = dict(once)
    if len(parameters) != len(once):
        raise InvalidRequest("A parameter is given twice.")
    return Sent(parameters, resources, in_query=bool(request.query_string))


def sent_in_body(request: Request) -> Sent:
    """Read a form none of which stands in the URL. Raises as `sent`."""
    found = sent(request)
    if found.in_query:
        raise InvalidRequest("Send parameters in the body, not in the URL.")
    return found


def authorization(request: Request) -> tuple[str, str]:
    """Give the scheme of the Authorization header, in lower case (RFC 9110, section 11.1), and what
    follows it; both are empty where there is none."""
    scheme, _, credentials = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return scheme.lower(), credentials.strip()


def answered(request: Request, rule: str, answer: Callable[[], Response]) -> Response:
    """Give the answer, or why there is none, which is logged under `rule`."""
    try:
        return answer()
    except (StoreFailure, SealBroken) as failure:
        error: GateError = Unavailable(detail=str(failure))
    except GateError as refused:
        error = refused
    log_refusal(error, request.environ, rule=rule)
    return told(error)


def told(error: GateError) -> Response:
    """Give a refusal in the form of RFC 6749, section 5.2."""
    code, described = "invalid_request", error.public
    if isinstance(error, OAuthError):
        code, described = error.code, error.described
    elif isinstance(error, AuthorizationError):
        code, described = error.error.value, error.description
    response = reply({"error": code, "error_description": described}, status=error.status)
    response.headers.extend(error.headers)
    return response


class Whole(Response):
    """An answer whose headers are all there, each as it is: werkzeug would make them twice more,
    and write addresses in its own way."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        return self.headers


def reply(values: Mapping[str, object], *, status: int = 200) -> Response:
    """Give JSON that nobody keeps."""
    return Whole(json.dumps(values), status, _HEADERS, content_type="application/json")
