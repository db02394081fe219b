"""`ssogate reference`: everything that can be set, sent, met or typed, as one Markdown page.

Strategy: nothing is told twice. Settings speak by their schema, refusals by their classes,
commands by their help, and what an app is told is what the guard tells it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import click

from ssogate import errors
from ssogate.cli.keys import Section, sections
from ssogate.config import Settings
from ssogate.doors import HEALTH, health
from ssogate.errors import GateError
from ssogate.http import environ as env
from ssogate.http.identity import DEFAULT_HEADERS
from ssogate.login.chooser import SIGN_IN, SIGNED_OUT
from ssogate.login.password.method import PASSWORD
from ssogate.login.second_factor import SECOND_FACTOR
from ssogate.middleware.auth_request import AUTH
from ssogate.middleware.guard import Guard
from ssogate.model import Decision, Identity, Outcome, Session, SessionRecord, Target
from ssogate.policy.settings import PolicyFile
from ssogate.portal import door
from ssogate.settings import GatewaySettings
from ssogate.worker.safe import CHECKS, SAFE

WIDTH = 80  # columns, of a command's help

Lines = Iterator[str]


@click.command(name="reference")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Print the reference: every setting, refusal, header, address and command.

    It is Markdown, made from the program itself, so it describes the version that you run.

    \b
    Example:
      ssogate reference > REFERENCE.md
    """
    root = ctx.find_root().command
    assert isinstance(root, click.Group)  # noqa: S101 (for mypy: who else would call us)
    click.echo(reference(root), nl=False)


def reference(root: click.Group) -> str:
    """Give the whole page. `root` is the command line that it describes."""
    parts: tuple[tuple[str, Iterable[str]], ...] = (
        ("gateway.yaml", _settings(GatewaySettings)),
        ("Policy files", _settings(PolicyFile)),
        ("Refusals", _refusals()),
        ("Headers for an application", _headers()),
        ("The environ of a wrapped application", _environ()),
        ("Addresses of the gate's own", _addresses()),
        ("Command line", _commands(root)),
        ("gunicorn's settings", _server()),
    )
    contents = [f"- [{title}](#{_anchor(title)})" for title, _ in parts]
    head = [
        "# Reference",
        "",
        "Everything that can be set, sent, met or typed. This page is made from the program by",
        "`make reference`; to change a word of it, change the docstring that it comes from.",
        "",
        *contents,
    ]
    body = chain.from_iterable(["", f"## {title}", "", *lines] for title, lines in parts)
    return "\n".join([*head, *body]) + "\n"


# --- Markdown ------------------------------------------------------------------------------------


def _anchor(title: str) -> str:
    """The fragment that a heading gets on the common hosts."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Lines:
    yield _row(headings)
    yield _row(["---"] * len(headings))
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _said(thing: object) -> str:
    """Its own docstring, not one that it inherits, as one line."""
    return " ".join((thing.__doc__ or "").split())


# --- Sections ------------------------------------------------------------------------------------


def _settings(model: type[Settings]) -> Lines:
    yield from ("What is not required may be left out. An unknown key is a mistake.", "")
    first, *below = sections(model)
    yield from _section(first)
    for section in below:
        yield from ("", f"### `{section.path}`", "")
        yield from _section(section)


def _section(section: Section) -> Lines:
    if section.meaning:
        yield from (section.meaning, "")
    yield from _table(
        ("key", "what to write", "default", "meaning"),
        ((f"`{key.name}`", key.write, key.default, key.meaning) for key in section.keys),
    )


def _refusals() -> Lines:
    yield "The code stands on the page, in the header `X-SSOGate-Error`, in JSON answers and in"
    yield "the log. It never changes; the words may."
    yield ""
    found = [it for it in vars(errors).values() if isinstance(it, type) and it is not GateError]
    yield from _table(
        ("code", "status", "what a visitor reads", "when"),
        (
            (f"`{it.code}`", str(it.status), f"**{it.title}.** {it.public} {it.hint}", _said(it))
            for it in found
            if issubclass(it, GateError)
        ),
    )


def _headers() -> Lines:
    yield "An upstream gets these with every request of somebody who is signed in. `identity` in"
    yield "gateway.yaml names others. A visitor cannot send them, in any spelling. Text is UTF-8;"
    yield "several groups have commas between them."
    yield ""
    rows = ((f"`{name}`", field) for name, field in DEFAULT_HEADERS.items())
    yield from _table(("header", "what it says"), rows)


def _environ() -> Lines:
    yield "What `SSOGate(app, …)` tells the app of a visitor who is signed in; for others these"
    yield "keys are absent:"
    yield ""
    yield from _table(("key", "value"), ((f"`{name}`", it) for name, it in _told().items()))
    yield ""
    yield "What the layers leave for whoever wants to know more; `ssogate.http.environ` has a"
    yield "function to read each:"
    yield ""
    keys = {name: str(key) for name, key in vars(env).items() if name.isupper()}
    rows = (
        (f"`{key}`", _said(getattr(env, name.lower())))
        for name, key in keys.items()
        if key.startswith("ssogate.")
    )
    yield from _table(("key", "what its reader does"), rows)


def _told() -> dict[str, str]:
    """What the guard adds to an environ, for somebody whose every field holds its own name."""
    who = Identity("subject", "username", "username", "name", "email", frozenset({"groups"}))
    record = SessionRecord("", "subject", "", "", 0, 0, 0)
    environ: dict[str, Any] = {
        env.TARGET: Target("GET", "", "/", "/", "", ()),
        env.SESSION: Session(record, who, ""),
    }
    before = {*environ}
    guard = Guard(
        lambda environ, start_response: [],
        decide=lambda target, identity, address: Decision(Outcome.ALLOW, ""),
        challenge_url=lambda return_to: "",
        identity=DEFAULT_HEADERS,
    )
    guard(environ, lambda status, headers, error=None: bytes)
    added = {key: value for key, value in environ.items() if key not in before}
    return {key: value for key, value in added.items() if not key.startswith("ssogate.")}


def _addresses() -> Lines:
    yield "All below `/_sso/` is the gate's; policies do not apply to it. So is the `path` of"
    yield "every `signed_link` in `login`, and `/_sso/theme/` with the files of a theme's `static`."
    yield ""
    yield from _table(("address", "what it does"), _ADDRESSES.items())


# A test holds it together with the addresses of a gate that has every way in.
_ADDRESSES = {
    f"`{path}`": meaning
    for path, meaning in (
        (HEALTH, _said(health)),
        (AUTH, "Tells a trusted proxy whether it may serve a visitor (nginx's `auth_request`)."),
        (SIGN_IN, "The page of all ways in; `return_to` is the path to come back to."),
        (PASSWORD, "Takes the form with user name and password (POST)."),
        (SECOND_FACTOR, "Asks for the code of whoever has given the first factor."),
        (SIGNED_OUT, "Says that the session has ended; it ends nothing itself."),
        (door.SIGN_OUT, "Ends the visitor's own session (POST)."),
        (door.ACCOUNT, "My account: who I am, for whom I act, where I am signed in."),
        (door.SESSIONS, "Ends one of my sessions, or all others (POST)."),
        (door.SWITCH, "Turns the switch for single sign-on of an account that I own (POST)."),
        (door.PASSWORD, "Changes my password."),
        (door.SECOND_FACTOR, "Switches my second factor on and off, renews recovery codes."),
    )
}


def _commands(root: click.Group) -> Lines:
    top = click.Context(root, info_name="ssogate", terminal_width=WIDTH, **root.context_settings)
    for number, ctx in enumerate(_contexts(top)):
        yield from ([""] if number else [])
        yield from (f"### {ctx.command_path}", "", "```text", ctx.get_help(), "```")


def _contexts(ctx: click.Context) -> Iterator[click.Context]:
    yield ctx
    if isinstance(ctx.command, click.Group):
        for name, below in ctx.command.commands.items():
            yield from _contexts(click.Context(below, info_name=name, parent=ctx))


def _server() -> Lines:
    yield "`ssogate check` and every start judge the settings that are in force, wherever they"
    yield "were given: the file, `GUNICORN_CMD_ARGS`, the command line. Which worker runs, who can"
    yield "read its files and where it listens are judged, too."
    yield ""
    yield from _table(
        ("setting", "ours", "what is said of another"),
        (
            (
                f"`{check.setting}`",
                f"`{SAFE[check.setting]!r}`" if check.setting in SAFE else "gunicorn's own",
                check.message + (" (a warning)" if check.warning else ""),
            )
            for check in CHECKS
        ),
    )
