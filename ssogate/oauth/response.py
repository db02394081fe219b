"""The answer to an authorization request, as data: parameters, and how they travel.

Every answer names its issuer, so that a client of several providers sees which one answered
(RFC 9207), and gives back the client's state.
"""

from __future__ import annotations

from urllib.parse import quote

from ssogate.oauth.errors import AuthorizationError, ReplyTo, ResponseMode

Parameters = tuple[tuple[str, str], ...]


def granted(reply_to: ReplyTo, *, issuer: str, code: str) -> Parameters:
    """Give the parameters of success. They hold the code: never log them."""
    return (("code", code), *_always(reply_to, issuer))


def refused(error: AuthorizationError, *, issuer: str) -> Parameters:
    """Give the parameters of a refusal that the client may be told.

    Raises `AuthorizationError` itself if there is nowhere to tell it.
    """
    if error.reply_to is None:
        raise error
    told = (("error", error.error.value), ("error_description", error.description))
    return (*told, *_always(error.reply_to, issuer))


def redirect_location(reply_to: ReplyTo, parameters: Parameters) -> str:
    """Give the Location for the modes query and fragment. A query that was registered with the
    redirect URI stays (RFC 6749, section 3.1.2); a fragment it never has.

    Raises ValueError for form_post, which is a page.
    """
    added = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters)
    uri = reply_to.redirect_uri
    match reply_to.mode:
        case ResponseMode.QUERY:
            mark = "" if uri.endswith(("?", "&")) else "&" if "?" in uri else "?"
            return f"{uri}{mark}{added}"
        case ResponseMode.FRAGMENT:
            return f"{uri}#{added}"
    raise ValueError("form_post is answered by a page")


def _always(reply_to: ReplyTo, issuer: str) -> Parameters:
    state = (("state", reply_to.state),) if reply_to.state else ()
    return (*state, ("iss", issuer))
