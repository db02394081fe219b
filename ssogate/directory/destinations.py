"""Where one-time tokens lead: WHMCS's scopes (seed 001) as pages of this site.

Strategy: targets are an operator's templates, checked and put together at the start. The one target
that a caller may choose is a path relative to `base`, and goes through `local_path`, which knows
neither dot segments nor empty ones in any spelling: nothing is left that leads out of the base.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ssogate.http.redirects import local_path
from ssogate.model import LocalPath

BASE_SCOPE = "clientarea:sso"
"""What every token may do: sign in, and lead to the front page of the client area."""
CUSTOM_REDIRECT = "sso:custom_redirect"


class BadDestination(ValueError):
    """A scope that is none, or that lacks the id or the path that it needs."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A destination: its default target, relative to the base, and the id that it needs."""

    target: str
    needs: str = ""
    """`service_id`, `domain_id`, or nothing."""


_CART = "cart.php"
_UPGRADE = Scope("upgrade.php?type=package&id={service_id}", "service_id")

SCOPES: Mapping[str, Scope] = {
    BASE_SCOPE: Scope("clientarea.php"),
    "clientarea:profile": Scope("clientarea.php?action=details"),
    "clientarea:billing_info": Scope("index.php?rp=/account/paymentmethods"),
    "clientarea:emails": Scope("clientarea.php?action=emails"),
    "clientarea:announcements": Scope("index.php?rp=/announcements"),
    "clientarea:downloads": Scope("index.php?rp=/download"),
    "clientarea:knowledgebase": Scope("index.php?rp=/knowledgebase"),
    "clientarea:network_status": Scope("serverstatus.php"),
    "clientarea:services": Scope("clientarea.php?action=services"),
    "clientarea:product_details": Scope(
        "clientarea.php?action=productdetails&id={service_id}", "service_id"
    ),
    "clientarea:domains": Scope("clientarea.php?action=domains"),
    "clientarea:domain_details": Scope(
        "clientarea.php?action=domaindetails&id={domain_id}", "domain_id"
    ),
    "clientarea:invoices": Scope("clientarea.php?action=invoices"),
    "clientarea:tickets": Scope("supporttickets.php"),
    "clientarea:submit_ticket": Scope("submitticket.php"),
    "clientarea:shopping_cart": Scope(_CART),
    "clientarea:shopping_cart_domain_register": Scope(f"{_CART}?a=add&domain=register"),
    "clientarea:shopping_cart_domain_transfer": Scope(f"{_CART}?a=add&domain=transfer"),
    "clientarea:upgrades": _UPGRADE,
    "clientarea:shopping_cart_addons": _UPGRADE,  # its older name
    CUSTOM_REDIRECT: Scope(""),
}

# RFC 3986, section 4.2: the first segment of a relative path holds no colon, or it were a scheme.
# Callers write one slash before it, too.
_RELATIVE = re.compile(r"/?(?P<path>[^/?#:\\][^/?#:\\]*(?:[/?#].*)?)")


class Destinations:
    """The targets of a site whose client area is at `base`, a path. `overrides` are other targets
    by scope: a path of this site, or one relative to `base`.

    Raises `ValueError`, in words for an operator, for what cannot be a target.
    """

    def __init__(self, base: str = "/", overrides: Mapping[str, str] | None = None) -> None:
        found = local_path(base)
        if found is None or found.text != base or "?" in base:
            raise ValueError(f"base: {base!r} is not a plain path of this site, such as /billing")
        self._base = base.rstrip("/")
        templates = {scope: known.target for scope, known in SCOPES.items()} | dict(overrides or {})
        self._templates = {scope: self._checked(scope, templates[scope]) for scope in templates}

    def _checked(self, scope: str, template: str) -> str:
        if scope == CUSTOM_REDIRECT and not template:
            return ""
        if scope not in SCOPES or scope == CUSTOM_REDIRECT:
            raise ValueError(f"destinations: {scope!r} is no scope that has a target")
        placed = template if template.startswith("/") else f"{self._base}/{template}"
        needs = SCOPES[scope].needs
        filled = _filled(placed, needs, 1)
        found = local_path(filled)  # any other placeholder is in the way here
        if found is None or found.text != filled:
            may = f", which may hold {{{needs}}}" if needs else ""
            raise ValueError(f"destinations: {scope}: {template!r} is no path of this site{may}")
        return placed

    def target(
        self, scope: str, *, service: int | None, domain: int | None, redirect_path: str | None
    ) -> LocalPath:
        """Give where a scope leads; an empty one leads to the client area's front page.

        `redirect_path` counts with `sso:custom_redirect` only. Raises `BadDestination`.
        """
        scope = scope or BASE_SCOPE
        known = SCOPES.get(scope)
        if known is None:
            raise BadDestination("there is no such destination")
        if scope == CUSTOM_REDIRECT:
            return self._inside(redirect_path or "")
        number = {"service_id": service, "domain_id": domain}.get(known.needs)
        if known.needs and number is None:
            raise BadDestination(f"{scope} needs a {known.needs}")
        return LocalPath(_filled(self._templates[scope], known.needs, number))

    def _inside(self, relative: str) -> LocalPath:
        found = _RELATIVE.fullmatch(relative)
        target = local_path(f"{self._base}/{found['path']}") if found else None
        if target is None:
            raise BadDestination("sso_redirect_path is not a path below the client area")
        return target


def _filled(template: str, needs: str, number: int | None) -> str:
    return template.replace(f"{{{needs}}}", str(number)) if needs else template
