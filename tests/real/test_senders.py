"""Real senders, really run: PHP, Python and a shell make the same signed links.

Vectors: PROTOCOLS, section 1; the first is the one of the PHPKB guide (seed 004).
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import time
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.servers import PROJECT

SENDERS = PROJECT / "examples/senders"
SECRET = "GTYIY468D4568974"

VECTORS = [
    pytest.param(
        "username=john&name=John Smith&email=john@example.com&t=1562230800",
        "dXNlcm5hbWU9am9obiZuYW1lPUpvaG4gU21pdGgmZW1haWw9am9obkBleGFtcGxlLmNvbSZ0PTE1NjIyMzA4MDA=",
        "c35a8f0618516a7d730ec1a47d94514d39f1dbba42fe98325ae6ed783c716730",
        id="the guide's",
    ),
    pytest.param(
        "username=a?b>c&name=~~~???&email=x@y.z",
        "dXNlcm5hbWU9YT9iPmMmbmFtZT1+fn4/Pz8mZW1haWw9eEB5Lno=",
        "75b3d7ae7309583472f625c632fa1d27400fb59038ae1e4d1b087bf5c2b8460b",
        id="plus and slash in the base64",
    ),
]

# What each needs besides its file: how to call its functions, and how to run it.
CALLS = {
    "php": [
        "php",
        "-r",
        f"require '{SENDERS}/sender.php';"
        "echo implode(' ', signed(getenv('INNER'), getenv('SSO_SECRET')));",
    ],
    "python": [
        sys.executable,
        "-c",
        "import os, sender; e = os.environ;"
        "print(*sender.signed(e['INNER'], e['SSO_SECRET']).values())",
    ],
    "shell": [
        "bash",
        "-c",
        '. ./sender.sh; q=$(query "$INNER"); echo "$q $(hash_of "$q")"',
    ],
}
RUNS = {
    "php": ["php", "sender.php"],
    "python": [sys.executable, "sender.py"],
    "shell": ["bash", "sender.sh"],
}
SENDER = pytest.mark.parametrize(
    "sender",
    [
        pytest.param(
            name, marks=pytest.mark.skipif(not shutil.which(run[0]), reason=f"no {run[0]} here")
        )
        for name, run in RUNS.items()
    ],
)


def run(command: list[str], **environ: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environ}
    return subprocess.run(
        command, cwd=SENDERS, env=environ, capture_output=True, text=True, timeout=30, check=False
    )


def link(sender: str, *arguments: str) -> tuple[str, dict[str, str]]:
    """Run a sender: what it prints, and the inner fields, the signature being right."""
    made = run([*RUNS[sender], "https://app.example", *arguments], SSO_SECRET=SECRET)
    assert (made.returncode, made.stderr) == (0, "")
    outer = dict(parse_qsl(urlsplit(made.stdout.strip()).query, strict_parsing=True))
    assert outer["hash"] == hashlib.sha256((outer["query"] + SECRET).encode()).hexdigest()
    inner = base64.b64decode(outer["query"], validate=True).decode()
    return made.stdout, dict(parse_qsl(inner, keep_blank_values=True, strict_parsing=True))


@SENDER
@pytest.mark.parametrize(("inner", "query", "signature"), VECTORS)
def test_agrees_with_the_vector(sender: str, inner: str, query: str, signature: str) -> None:
    signed = run(CALLS[sender], INNER=inner, SSO_SECRET=SECRET)

    assert (signed.stdout.split(), signed.stderr) == ([query, signature], "")


@SENDER
@pytest.mark.parametrize(
    ("username", "name", "email"),
    [
        pytest.param("john", "John Smith", "john@example.com", id="plain"),
        pytest.param("jöhn", "Ｊöhn 李 🚣", "j@exämple.com", id="beyond ASCII"),
        pytest.param("a&t=1", "b=c+d e%20f", "x+y&z@q.r", id="separators are text"),
        pytest.param("a?b>c", "~~~???'\"$(id)`id`\\", "x@y.z", id="hostile to shells"),
    ],
)
def test_carries_every_field_unharmed(sender: str, username: str, name: str, email: str) -> None:
    _, fields = link(sender, username, name, email, "t=1562230800", "groups=a,b", "redirect=/x?y")

    assert fields == {
        "username": username,
        "name": name,
        "email": email,
        "t": "1562230800",
        "groups": "a,b",
        "redirect": "/x?y",
    }


@SENDER
def test_says_what_time_it_is(sender: str) -> None:
    before = int(time.time())

    text, fields = link(sender, "john", "John", "john@example.com")

    assert text.startswith("https://app.example/sso.php?mode=login&query=")
    assert before <= int(fields["t"]) <= time.time()


def test_all_make_the_same_link() -> None:
    senders = [name for name, command in RUNS.items() if shutil.which(command[0])]
    who = ("a?b>c", "~~~??? Ö'+", "x@y.z", "t=1562230800", "redirect=/members/")

    assert len({link(sender, *who)[0] for sender in senders}) == 1


@SENDER
@pytest.mark.parametrize(
    ("arguments", "secret"),
    [
        pytest.param(["https://app.example", "john"], SECRET, id="too little said"),
        pytest.param(["https://app.example", "john", "J", "j@e.x"], "", id="no secret"),
    ],
)
def test_prints_no_link_without_all_it_needs(
    sender: str, arguments: list[str], secret: str
) -> None:
    made = run([*RUNS[sender], *arguments], SSO_SECRET=secret)

    assert made.returncode != 0
    assert made.stdout == ""
    assert "usage" in made.stderr
