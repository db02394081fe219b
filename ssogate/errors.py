"""Every refusal a request can meet, with its code, status and public words.

Show `title`, `public` and `hint` to anyone; write `detail` only to the log. Codes are stable:
compare types or codes, never text. `http.pages.refusal` renders them. The codes of the form
`400E1` are the ones of the PHPKB guide (seed 004, "Error Codes").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class GateError(Exception):
    """A refusal with a stable code."""

    code: ClassVar[str] = "gate_error"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request could not be accepted"
    public: ClassVar[str] = "The gate could not accept this request."
    hint: ClassVar[str] = "Go back and try again."
    headers: ClassVar[tuple[tuple[str, str], ...]] = ()

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.code)
        self.detail = detail


# --- The request itself ---------------------------------------------------------------------


class BadTarget(GateError):
    """The address could be read in more than one way, or in none."""

    code, status = "bad_target", 400
    title = "This address cannot be used"
    public = "The address has a spelling that servers read differently, so the gate refuses it."
    hint = "Type the address anew, or follow a link to the page."


class BadHost(GateError):
    """The Host header is missing or malformed."""

    code, status = "bad_host", 400
    title = "The request names no valid host"
    public = "The request does not say which site it is for."
    hint = "Type the site's address anew."


class UnknownHost(GateError):
    """The Host header names a site that this gate does not serve (RFC 9110, section 15.5.20)."""

    code, status = "unknown_host", 421
    title = "This site is not served here"
    public = "The gate does not serve a site of this name."
    hint = "Check the address. Operators: `hosts` in gateway.yaml lists the names that are served."


class BadMount(GateError):
    """The server passes a SCRIPT_NAME, which would move the path that is judged."""

    code, status = "bad_mount", 400
    title = "The gate is mounted below a path"
    public = "The gate must stand at the root of its site."
    hint = "Operators: mount the gate at /, and the app below it."


class BadBody(GateError):
    """The request's body is malformed or was cut short."""

    code, status = "bad_body", 400
    title = "The request was cut short"
    public = "What your browser sent did not arrive whole."
    hint = "Check your connection and send it again."


class BadHeaders(GateError):
    """The request's headers contradict one another, or hold what no header may."""

    code, status = "bad_headers", 400
    title = "The request cannot be understood"
    public = "The request's headers contradict one another."


class CodingRefused(GateError):
    """A transfer coding that only a server would understand (RFC 9112, section 6.1)."""

    code, status = "coding_refused", 501
    title = "The request cannot be read"
    public = "The request's body is packed in a way that the gate does not take apart."
    hint = "Send it plainly."


class BodyTooLarge(GateError):
    """The body is larger than the route's `max_body`, or than any form for the gate itself."""

    code, status = "body_too_large", 413
    title = "That is too large"
    public = "The request is larger than this site accepts."
    hint = "Send a smaller file, or ask the site's operator about the limit."


class MethodRefused(GateError):
    """TRACE, CONNECT and their like, which no gated app needs."""

    code, status = "method_refused", 405
    title = "This kind of request is not accepted"
    public = "The gate does not pass on requests of this kind."
    headers = (("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),)


class UpgradeRefused(GateError):
    """The request wants to turn into a WebSocket or another protocol."""

    code, status = "upgrade_refused", 501
    title = "Live connections are not supported"
    public = "The gate cannot carry WebSocket or other upgraded connections yet."
    hint = "The rest of the site works without them."


# --- Who may ---------------------------------------------------------------------------------


class SignInRequired(GateError):
    """Nobody is signed in. Who opens a page is sent to sign in instead; this is for the rest."""

    code, status = "sign_in_required", 401
    title = "Please sign in"
    public = "This page is for people who are signed in."
    hint = "Sign in, then you are taken back to the page."
    # RFC 9110, section 15.5.2 asks for a challenge with every 401; no browser answers this one
    # with a password box.
    headers = (("WWW-Authenticate", 'Cookie realm="sign-in"'),)


class Forbidden(GateError):
    """The policy denies it and says why: `detail` is safe to show."""

    code, status = "forbidden", 403
    title = "You may not open this page"
    public = "This page is not open to you."
    hint = "If you should have access, ask the person who runs this site."


class CrossSite(GateError):
    """A form for one of our own pages was sent by a page of another site."""

    code, status = "cross_site", 403
    title = "This did not come from our page"
    public = "What was sent did not come from a page of this site, so nothing was done."
    hint = "Open the page here and send it again. If you did not send anything, all is well."


class SessionsUnavailable(GateError):
    """The session store does not answer: nobody can be let in (and nobody is)."""

    code, status = "sessions_unavailable", 503
    title = "Sign-in is out of order"
    public = "The gate cannot check who is signed in right now."
    hint = "Nothing is lost. Please try again in a minute."
    headers = (("Retry-After", "30"),)


class IdentityUnsendable(GateError):
    """A name, e-mail or group that no header can carry unharmed."""

    code, status = "identity_unsendable", 403
    title = "Your account has a name that cannot be passed on"
    public = "Your account holds characters or a length that the site cannot be told safely."
    hint = "Ask the person who runs this site to correct your account."


class Prefetched(GateError):
    """A browser fetches a one-time link ahead of the click; it must not be spent by that."""

    code, status = "prefetch_refused", 425
    title = "Not ahead of time"
    public = "This address works when it is opened, not before."
    hint = "Open the link."


# --- The upstream ----------------------------------------------------------------------------


class NoRoute(GateError):
    """No route of gateway.yaml leads anywhere from this address."""

    code, status = "no_route", 404
    title = "There is nothing here"
    public = "No application answers at this address."
    hint = "Check the address. Operators: `routes` in gateway.yaml says what is served where."


class UpstreamUnreachable(GateError):
    """No connection to the upstream could be opened, or it hung up without an answer."""

    code, status = "upstream_unreachable", 502
    title = "The application does not answer"
    public = "You are through the gate, but the application behind it cannot be reached."
    hint = "Nothing you did. Please try again in a minute."


class UpstreamInvalid(GateError):
    """The upstream's answer broke off, or other programs could read it in another way."""

    code, status = "upstream_invalid", 502
    title = "The application answered nonsense"
    public = "The application behind the gate sent an answer that cannot be passed on safely."
    hint = "Nothing you did. Please try again, and tell the person who runs this site."


class UpstreamTimeout(GateError):
    """The upstream took or sent nothing for the `write_timeout` or `read_timeout`, or all of the
    `total_timeout` passed."""

    code, status = "upstream_timeout", 504
    title = "The application takes too long"
    public = "The application behind the gate did not answer in time."
    hint = "What you sent may still be at work there. Wait a little before you try again."


class UpstreamBusy(GateError):
    """`max_connections` requests were under way for all of the `queue_timeout`."""

    code, status = "upstream_busy", 503
    title = "The application is busy"
    public = "The application behind the gate has as many visitors as it can take."
    hint = "Please try again in a moment."
    headers = (("Retry-After", "5"),)


class UpstreamDown(GateError):
    """Every server of the upstream is out: `max_failures` requests or checks in a row failed."""

    code, status = "upstream_down", 503
    title = UpstreamUnreachable.title
    public = UpstreamUnreachable.public
    hint = UpstreamUnreachable.hint
    headers = (("Retry-After", "10"),)


# --- Signed links: the codes of seed 004 ------------------------------------------------------

_ASK_AGAIN = "Go back to the site that you came from and follow its link again."


class MissingParameter(GateError):
    """A signed link lacks a parameter; the log says which."""

    code, status = "400E1", 400
    title = "This sign-in link is incomplete"
    public = "A required URL parameter is missing."
    hint = _ASK_AGAIN


class InvalidParameter(GateError):
    """A parameter of a signed link is malformed, or stands there twice."""

    code, status = "400E2", 400
    title = "This sign-in link is not valid"
    public = "An invalid URL parameter was received."
    hint = _ASK_AGAIN


class LinkExpired(GateError):
    """Too old, or spent already: the visitor learns the same of both."""

    code, status = "400E3", 400
    title = "This sign-in link is too old"
    public = "The link has expired or was used already. A link works once, for a short time."
    hint = _ASK_AGAIN


class DuplicateUser(GateError):
    """The user name belongs to another sender's user, and `shared_users` is off."""

    code, status = "400E4", 400
    title = "This user name is taken"
    public = "The account cannot be created because duplicate user names are not allowed."
    hint = "Ask the person who runs this site which of your accounts to use."


class BadSignature(GateError):
    """The hash is of another text, or was made with another secret."""

    code, status = "401E1", 401
    title = "This sign-in link is not genuine"
    public = "Authentication failed: the link's signature does not match."
    hint = _ASK_AGAIN


class BadReferrer(GateError):
    """The link was followed from a page outside of `allowed_domains`."""

    code, status = "401E2", 401
    title = "This sign-in link came from elsewhere"
    public = "The request could not be authenticated because of the page that it came from."
    hint = "Open the link from the site that offers it, not from a message or another site."


class AccountInactive(GateError):
    """The user was deactivated (`ssogate user deactivate`)."""

    code, status = "404E1", 404
    title = "This account is not active"
    public = "The requested user account is inactive."
    hint = "Ask the person who runs this site to activate it."


class AccountNotFound(GateError):
    """There is no such user, and `auto_create` is off."""

    code, status = "404E2", 404
    title = "There is no such account"
    public = "The requested user account was not found."
    hint = "Ask the person who runs this site for an account."


class BadForm(GateError):
    """A form of ours that no page of ours sends."""

    code, status = "bad_form", 400
    title = "The form cannot be read"
    public = "What was sent is not what the form on this page sends."
    hint = "Open the page anew and fill it in again."


class WrongPassword(GateError):
    """No such user, no such password, no password at all: everybody learns the same."""

    code, status = "wrong_password", 401
    title = "That is not right"
    public = "No one here has this user name and this password."
    hint = "Check both and try again."
    headers = (("WWW-Authenticate", 'Cookie realm="sign-in"'),)


class WrongCode(GateError):
    """Not the code of now, one that was used before, or none of the recovery codes."""

    code, status = "wrong_code", 401
    title = "That is not right"
    public = "This code is wrong, was used already, or is too old."
    hint = "Wait for the next code and try again."
    headers = (("WWW-Authenticate", 'Cookie realm="sign-in"'),)


class TooManyTries(GateError):
    """So many wrong passwords or codes that not even the right one counts for a while."""

    code, status = "too_many_tries", 429
    title = "Too many tries"
    public = (
        "There were too many tries lately. Wait up to an hour, then try again, or sign in another"
        " way if this site offers one."
    )
    hint = "Somebody else may have tried. Your account is not locked and nothing in it changed."
    headers = (("Retry-After", "3600"),)


class SignInBusy(GateError):
    """As many sign-ins are being checked as the machine can bear."""

    code, status = "sign_in_busy", 503
    title = "Many people sign in right now"
    public = "So many people sign in at once that your sign-in was not looked at."
    hint = "Please try again in a moment."
    headers = (("Retry-After", "5"),)


class SsoTokenRefused(GateError):
    """A one-time token that is unknown, too old or malformed, or that its account does not allow;
    the activity log says which."""

    code, status = "sso_token_refused", 401
    title = "This sign-in link does not work"
    public = "You could not be signed in by this link. A link works once, for a minute."
    hint = "Go back to the site that you came from and follow its link again, or sign in here."
    headers = (("WWW-Authenticate", 'Cookie realm="sign-in"'),)


class NotForAdministrators(GateError):
    """A way in that may not open an administrator's session: only a password does."""

    code, status = "not_for_administrators", 403
    title = "This way in is not for administrators"
    public = "Administrators sign in with their password."
    hint = "Open the sign-in page and choose the password."


class StepExpired(GateError):
    """The second factor came too late, twice, or without the first one."""

    code, status = "step_expired", 400
    title = "That took too long"
    public = "The sign-in was not finished in time, or was finished already."
    hint = "Please start again."


class DatabaseError(GateError):
    """The store failed while somebody was signing in or out."""

    code, status = "500E1", 500
    title = "Sign-in is out of order"
    public = "A database error kept the gate from signing you in."
    hint = "Nothing is lost, and your link is not used up. Please try it again in a minute."


class SignInDisabled(GateError):
    """The sender's `enabled` is off."""

    code, status = "503E1", 503
    title = "Single sign-on is switched off"
    public = "Single sign-on is not available. It is currently disabled."
    hint = "Please try again later, or ask the person who runs this site."


# --- On to a control panel ------------------------------------------------------------------------


class LaunchRefused(GateError):
    """Who may not sign in to a service or server; `detail` says why, and is safe to show."""

    code, status = "launch_refused", 403
    title = "You may not sign in there"
    public = "The gate may not sign you in to this."
    hint = "If you should have access, ask the person who runs this site."


class UnknownShortcut(GateError):
    """A page that the panel's table does not have (seed 002, "Quick Shortcuts")."""

    code, status = "unknown_shortcut", 404
    title = "There is no such page"
    public = "This service has no such page in its control panel."
    hint = "Open the service, and choose one of those that it shows."


class ActionFailed(GateError):
    """The panel, or the module that speaks to it, did not sign anybody in. `said` is the module's
    own word for it, safe to show."""

    code, status = "action_failed", 502
    title = "Action Failed"
    public = "Unable to auto-login. Please contact support."
    hint = "Nothing was changed. You may try it again."

    def __init__(self, detail: str = "", *, said: str = "") -> None:
        super().__init__(detail or said)
        self.said = said


class PanelSlow(ActionFailed):
    """The panel did not answer in time."""

    code, status = "panel_slow", 504
    public = "The control panel did not answer in time."


class PanelBusy(ActionFailed):
    """As many sign-ins as may wait for this panel wait already."""

    code, status = "panel_busy", 503
    title = "The control panel is busy"
    public = "Others are waiting for this control panel already."
    hint = "Please try again in a moment."
    headers = (("Retry-After", "5"),)


# --- Not a visitor's: between rooms, and to the operator ------------------------------------------


class StoreFailure(Exception):
    """A store could not do what it was asked. Rooms above translate it into a `GateError`."""


class Conflict(StoreFailure):
    """A record that contradicts another one: a name that is taken, a number that names nothing.
    Says in words which, for an operator."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a configuration, and where."""

    file: str
    line: int
    where: str
    """The setting's path, such as `login.0.expiry`."""
    message: str
    warning: bool = False
    """A warning is told but does not stop the start."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        kind = "warning: " if self.warning else ""
        return f"{place}: {kind}{self.where + ': ' if self.where else ''}{self.message}"


class ConfigurationError(Exception):
    """A configuration that must not be started, with everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
