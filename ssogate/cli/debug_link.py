"""`ssogate link --debug`: what `diagnose` finds in a link, and what the store says to it.

Nothing is used up: a spent mark can be asked for only by setting one, so the question is put in a
transaction that is always undone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ssogate.cli.console import say
from ssogate.directory import admit
from ssogate.errors import GateError
from ssogate.gate import Gate
from ssogate.http.redirects import url_host
from ssogate.http.site import host_matches
from ssogate.login.signed_link import SignedLinkSettings, diagnose
from ssogate.login.signed_link.finding import Finding, shown, told
from ssogate.model import Proof, SignIn
from ssogate.names import canonical_name
from ssogate.storage import Store


def debug(gate: Gate, url: str, settings: SignedLinkSettings, now: float) -> bool:
    """Print what is right and wrong with a sender's link; give whether all of it is right."""
    senders = gate.loaded.senders
    groups = gate.loaded.policy.groups
    found = diagnose(url, settings, now=now, others=senders, policy_groups=groups)
    *steps, verdict = found.findings
    findings = [*_site(gate, url), *steps]
    if found.sign_in:
        findings += _account(gate, found.sign_in, int(now))
        findings += _spent(gate, found.sign_in.proof)
    if verdict.ok and not all(finding.ok for finding in findings):
        verdict = Finding(False, verdict.title, "the gate refuses it, though its form is right")
    for finding in (*findings, verdict):
        say(f"{'✓' if finding.ok else '✗'} {finding.title}: {finding.detail}")
    return verdict.ok


def _site(gate: Gate, url: str) -> Iterator[Finding]:
    if url.startswith("/"):
        return
    host = url_host(url.partition("?")[0])
    if host is None:
        yield Finding(False, "site", "the link does not begin with http:// or https:// and a host")
    elif any(host_matches(served, host) for served in gate.loaded.hosts):
        yield Finding(True, "site", f"{host} is served here")
    else:
        yield Finding(False, "site", f"{host} is not served here: see `hosts` in gateway.yaml")


class _Undone(Exception):
    pass


@contextmanager
def _undone(store: Store) -> Iterator[None]:
    """A transaction that leaves no trace."""
    with suppress(_Undone), store.transaction():
        yield
        raise _Undone


def _account(gate: Gate, sign_in: SignIn, now: int) -> Iterator[Finding]:
    """What `admit` would do: it is let do it, and undone."""
    store = gate.store
    known = store.users.get(canonical_name(sign_in.assertion.username))
    try:
        with _undone(store):
            admitted = admit(store, sign_in, client="", now=now)
    except GateError as error:
        yield Finding(False, "account", told(error))
        return
    identity = admitted.identity
    groups = ", ".join(sorted(identity.groups)) or "no group"
    if known is None:
        yield Finding(True, "account", f"would be created, in {shown(groups)}")
        return
    owner = f"{known.source}'s" if known.source else "added by an operator"
    would = "would be updated" if identity != known.identity else "stays as it is"
    yield Finding(True, "account", f"exists, active, {owner}; {would}, in {shown(groups)}")
    if admitted.owes_second_factor:
        yield Finding(True, "second factor", "the user would be asked for it")


def _spent(gate: Gate, proof: Proof | None) -> Iterator[Finding]:
    if proof is None:
        return
    with _undone(gate.store):
        fresh = gate.store.one_time.spend(proof.key, until=proof.until)
    if fresh:
        yield Finding(True, "single use", "not used yet, and not used up by this question")
    else:
        yield Finding(False, "single use", "400E3 this link was used already")
