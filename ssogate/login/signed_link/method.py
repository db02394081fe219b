"""The login method: `/sso.php?mode=login|logout`. The order of its checks is the order of the
lines in `_login`, and is PROTOCOLS section 1's: nobody learns anything without the secret."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ssogate.errors import (
    BadReferrer,
    GateError,
    InvalidParameter,
    LinkExpired,
    MissingParameter,
    Prefetched,
    SignInDisabled,
)
from ssogate.http import environ as env
from ssogate.http.audience import is_embedded, is_prefetch
from ssogate.http.form import form_pairs, query_pairs
from ssogate.http.pages import page, redirect, refusal, reply_json
from ssogate.http.redirects import local_path, url_host, with_query
from ssogate.http.site import host_matches
from ssogate.login.signed_link.link import (
    REQUIRED,
    Link,
    Outer,
    VerifiedText,
    decode,
    outer,
    verify,
)
from ssogate.login.signed_link.settings import SignedLinkSettings
from ssogate.model import (
    AllOf,
    Assertion,
    Clock,
    Endpoint,
    Enrolment,
    LocalPath,
    Proof,
    Reply,
    Session,
    SignIn,
    SignOut,
)
from ssogate.names import canonical_name

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

_ID = re.compile(r"[A-Za-z0-9_\-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class SignedLink:
    """One sender of signed links. `policy_groups` are the groups that the policies name;
    `signed_out` is where a visitor goes after signing out if the settings do not say."""

    settings: SignedLinkSettings
    policy_groups: frozenset[str]
    clock: Clock
    signed_out: str = "/"

    @property
    def label(self) -> str:
        return self.settings.label or self.settings.name

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {self.settings.path: self}

    def challenge_url(self, return_to: LocalPath) -> str | None:
        """Give the sender's page for visitors to sign in at, with where they wanted to go."""
        if self.settings.return_url is None or not self.settings.enabled:
            return None
        wanted = {**self._redirect_fields(return_to), "redirect": return_to.text}
        return with_query(str(self.settings.return_url), wanted)

    def __call__(self, request: Request) -> Reply:
        try:
            return self._answer(request)
        except GateError as error:
            if request.method != "POST":
                raise
            # The guide promises JSON to whoever sends POST.
            return refusal(error, request.environ, rule=self.settings.name, as_page=False)

    def _answer(self, request: Request) -> Reply:
        if not self.settings.enabled:
            raise SignInDisabled(self.settings.name)
        by_post = request.method == "POST"
        asked = outer([*query_pairs(request), *(form_pairs(request) if by_post else ())])
        if asked.mode == "login":
            return self._login(request, asked)
        return self._logout_by_post(asked) if by_post else self._logout(request)

    # --- mode=login -----------------------------------------------------------------------------

    def _login(self, request: Request, asked: Outer) -> Reply:
        if request.method != "GET":
            raise InvalidParameter(f"mode=login by {request.method}")
        if is_prefetch(request.environ):
            raise Prefetched
        verified = self._verified(asked)
        session = env.session(request.environ)
        again = session is not None and session.record.proof == self._proof_key(verified)
        vouched = again or self._vouched(request)
        link = decode(verified, required=REQUIRED[asked.mode])
        return_to = self._return_to(link, asked)
        if again:  # a reload, or the back button
            return return_to
        self._check_timestamp(link)
        if session and not (vouched or _may_replace(session, link, verified, asked)):
            return self._ask_first(request, session, link, verified, asked)
        return self._sign_in(link, verified, return_to)

    def _verified(self, asked: Outer) -> VerifiedText:
        secrets = [secret.bytes for secret in self.settings.secrets]
        return verify(asked.query, asked.digest, secrets, self.settings.algorithm)

    def _vouched(self, request: Request) -> bool:
        """Whether the page that the link came from is one of the allowed domains'."""
        referrer = request.environ.get("HTTP_REFERER")
        if not self.settings.allowed_domains:
            return False
        if referrer is None and self.settings.missing_referrer == "allow":
            return False
        host = url_host(referrer or "")
        if host is None or not any(host_matches(d, host) for d in self.settings.allowed_domains):
            raise BadReferrer(f"referrer's host is {host}")
        return True

    def _check_timestamp(self, link: Link) -> None:
        if not self.settings.verify_timestamp:
            return
        if link.issued_at is None:
            raise MissingParameter("t")
        age = self.clock() - link.issued_at
        if age < -self.settings.clock_skew:
            raise InvalidParameter(f"t is {-age:.0f} s ahead of our clock")
        if age > self.settings.expiry:
            raise LinkExpired(f"{age:.0f} s old")

    def _sign_in(self, link: Link, verified: VerifiedText, return_to: LocalPath) -> SignIn:
        groups = None if link.groups is None else link.groups & self._groups_allowed
        return SignIn(
            method=self.settings.name,
            assertion=Assertion(link.username, link.name, link.email, groups),
            enrolment=self._enrolment,
            return_to=return_to,
            proof=self._proof(link, verified),
            complete=self.settings.satisfies_second_factor,
        )

    def _proof(self, link: Link, verified: VerifiedText) -> Proof | None:
        if link.issued_at is None or not (
            self.settings.verify_timestamp and self.settings.single_use
        ):
            return None
        until = link.issued_at + int(self.settings.expiry) + 1
        return Proof(self._proof_key(verified), until)

    def _proof_key(self, verified: VerifiedText) -> str:
        return f"link:{self.settings.name}:{verified.digest}"

    @cached_property
    def _enrolment(self) -> Enrolment:
        return Enrolment(
            source=self.settings.name,
            create=self.settings.auto_create,
            update=self.settings.update_existing,
            shared=self.settings.shared_users,
            default_groups=frozenset(self.settings.default_groups),
        )

    @cached_property
    def _groups_allowed(self) -> frozenset[str]:
        allowed = self.settings.groups_allowed
        return self.policy_groups if allowed is None else frozenset(allowed)

    def _ask_first(
        self, request: Request, session: Session, link: Link, verified: VerifiedText, asked: Outer
    ) -> Response:
        fields = {
            "mode": "login",
            "query": asked.query,
            "hash": asked.digest,
            **asked.redirect,
            "confirm": _confirmation(session, verified),
        }
        return page(
            request.environ,
            "confirm.html",
            current=session.identity.username,
            other=link.username,
            action=self.settings.path,
            fields=fields.items(),
            stay=self._return_to(link, asked).text,
        )

    # --- Where to, and back -------------------------------------------------------------------

    def _return_to(self, link: Link, asked: Outer) -> LocalPath:
        """Where the link leads: what it says inside, else beside, else the default page."""
        for fields in (link.redirect, asked.redirect):
            template = self.settings.redirects.get(fields.get("redirecttype", ""))
            number = fields.get("redirectid", "")
            wanted = fields.get("redirect", "")
            if template and _ID.fullmatch(number):
                wanted = template.replace("{id}", number)
            found = local_path(wanted)
            if found and found.text.partition("?")[0] != self.settings.path:
                return found
        return local_path(self.settings.default_page) or LocalPath("/")

    def _redirect_fields(self, return_to: LocalPath) -> dict[str, str]:
        for kind, pattern in self._redirect_patterns.items():
            found = pattern.fullmatch(return_to.text)
            if found:
                return {"redirecttype": kind, "redirectid": found[1]}
        return {}

    @cached_property
    def _redirect_patterns(self) -> Mapping[str, re.Pattern[str]]:
        return {
            kind: re.compile(re.escape(template).replace(r"\{id\}", f"({_ID.pattern})"))
            for kind, template in self.settings.redirects.items()
        }

    # --- mode=logout ----------------------------------------------------------------------------

    def _logout(self, request: Request) -> SignOut:
        if request.method != "GET":
            raise InvalidParameter(f"mode=logout by {request.method}")
        if is_prefetch(request.environ):
            raise Prefetched
        if is_embedded(request.environ):
            raise InvalidParameter("mode=logout by an image, a frame or a script")
        return SignOut(redirect(self.settings.logout_url or self.signed_out))

    def _logout_by_post(self, asked: Outer) -> SignOut:
        """Without a query: the visitor's own session. With a signed one: all of a user's."""
        done = reply_json(200, message="You have been logged out.")
        if not asked.query:
            return SignOut(done)
        link = decode(self._verified(asked), required=REQUIRED[asked.mode])
        self._check_timestamp(link)
        return SignOut(done, AllOf(canonical_name(link.username), self._enrolment))


def _may_replace(session: Session, link: Link, verified: VerifiedText, asked: Outer) -> bool:
    """Whether the session may give way to the link's user: the same one, or the visitor said so.

    Otherwise a stranger's link would silently move a visitor into the stranger's account.
    """
    if session.identity.canonical == canonical_name(link.username):
        return True
    expected = _confirmation(session, verified)
    return hmac.compare_digest(expected.encode(), asked.confirm.encode())


def _confirmation(session: Session, verified: VerifiedText) -> str:
    """What only a page of ours, shown in this very session about this very link, can carry."""
    message = f"confirm:{verified.digest}".encode()
    return hmac.new(session.token.encode(), message, "sha256").hexdigest()
