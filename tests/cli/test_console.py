"""How commands print: many rows at little memory, whatever strangers put into them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ssogate.cli.console import LOOKAHEAD, say_json_list, say_table


def counting(read: list[int], last: int) -> Iterator[int]:
    for number in range(last):
        read.append(number)
        yield number


def test_a_table_reads_few_rows_ahead(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read: list[int] = []
    ahead: list[int] = []
    printed = 0

    def echo(line: str) -> None:
        nonlocal printed
        ahead.append(len(read) - printed)
        printed += 1

    monkeypatch.setattr("click.echo", echo)
    say_table(("NUMBER",), ([str(number)] for number in counting(read, 5 * LOOKAHEAD)))

    assert printed == 5 * LOOKAHEAD + 1
    assert max(ahead) <= LOOKAHEAD


def test_a_row_that_is_wider_than_the_first_ones_is_printed_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [["a", "b"]] * LOOKAHEAD + [["wide one", "b"]]

    say_table(("A", "B"), rows)

    *_, narrow, wide = capsys.readouterr().out.splitlines()
    assert narrow == "a  b"
    assert wide == "wide one  b"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_list_is_json_and_printed_as_it_comes(
    capsys: pytest.CaptureFixture[str], count: int
) -> None:
    say_json_list({"name": f"ü{number}\x1b"} for number in range(count))

    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == [{"name": f"ü{number}\x1b"} for number in range(count)]
