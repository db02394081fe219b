"""What users let clients do, as the users see it: asked once, remembered, and taken back."""

from __future__ import annotations

from ssogate.directory.activity import By, note
from ssogate.directory.grants import revoke_all
from ssogate.model import Consent
from ssogate.storage import Store


def consented(store: Store, subject: str, client: str) -> frozenset[str]:
    """Give the scopes that a user need not be asked for again."""
    consent = store.consents.get(subject, client)
    return consent.scopes if consent else frozenset()


def allowed(store: Store, subject: str, *, now: int) -> list[Consent]:
    """Give all that a user lets clients do: what was consented to, and what is granted without a
    consent of its own, to a device or a trusted client."""
    found = {consent.client: consent for consent in store.consents.listed(subject)}
    for grant in store.grants.listed(subject=subject):
        if grant.revoked_at is None and now < grant.until:
            given = Consent(subject, grant.client, grant.scopes | grant.agreed, grant.created_at)
            found[grant.client] = _joined(given, found.get(grant.client, given))
    return list(found.values())


def give_consent(
    store: Store, subject: str, client: str, scopes: frozenset[str], *, by: By, now: int
) -> None:
    """Remember a consent, beside what was given before. Raises `Conflict` for an unknown user or
    client."""
    with store.transaction():
        before = consented(store, subject, client)
        store.consents.put(Consent(subject, client, before | scopes, now))
        if added := scopes - before:
            told = f"client {client}, user {subject}: {', '.join(sorted(added))}"
            note(store, by, "consent.given", told, now)


def withdraw_consent(store: Store, subject: str, client: str, *, by: By, now: int) -> bool:
    """Forget a consent and end all that was granted to the client, consent or not; False if there
    was nothing."""
    with store.transaction():
        forgotten = store.consents.delete(subject, client)
        ended = revoke_all(store, subject=subject, client=client, by=by, now=now)
        if forgotten:
            note(store, by, "consent.withdrawn", f"client {client}, user {subject}", now)
    return forgotten or ended > 0


def withdraw_all(store: Store, client: str, *, by: By, now: int) -> None:
    """Forget every consent to a client and end all that was granted to it: it is not what people
    have agreed to."""
    with store.transaction():
        forgotten = store.consents.delete_all(client)
        revoke_all(store, client=client, by=by, now=now)
        if forgotten:
            told = f"client {client}: {forgotten} consents"
            note(store, by, "consent.withdrawn", told, now)


def _joined(one: Consent, other: Consent) -> Consent:
    since = min(one.updated_at, other.updated_at)
    return Consent(one.subject, one.client, one.scopes | other.scopes, since)
