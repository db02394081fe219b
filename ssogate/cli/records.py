"""What the commands for accounts, services, clients and their like have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from enum import StrEnum
from itertools import islice
from typing import Any, TypeVar

import click

from ssogate.cli.console import (
    Mistake,
    moment,
    printable,
    say_facts,
    say_json,
    say_json_list,
    say_table,
)
from ssogate.directory.records import Kind, R
from ssogate.storage import Records, Store

EXTERNAL = "ext:"

W = TypeVar("W", bound=StrEnum)

id_option = click.option(
    "--id", "external_id", metavar="ID", help="Its name elsewhere, to be found by as ext:ID."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def word_option(name: str, words: type[W], **options: Any) -> Callable[..., Any]:
    """An option that is one of WHMCS's words, in any case."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> W | None:
        if value is None:
            return None
        for word in words:
            if word.lower() == value.lower():
                return word
        raise click.BadParameter(f"{printable(value)} is none of: {', '.join(words)}")

    return click.option(name, callback=read, metavar="|".join(words), show_default=True, **options)


def find(kind: Kind[R], store: Store, text: str, named: Callable[[str], str] | None = None) -> R:
    """Find a record by its number, or by its external id as `ext:ID`, or (where `named` gives the
    form in which names are stored) by its name."""
    table = kind.table(store)
    if text.startswith(EXTERNAL):
        record = table.by_external_id(text.removeprefix(EXTERNAL))
    elif text.isascii() and text.isdecimal():
        record = table.get(int(text)) if len(text) < 19 else None  # no more than 64 bits
    else:
        record = _called(kind, table, text, named) if named else None
    if record is None:
        name = " a name," if named else ""
        raise Mistake(
            f"there is no {kind.noun} {printable(text)}: give a number,{name} or ext: and an"
            f" external id; `ssogate {kind.noun} list` shows what there is"
        )
    return record


def _called(kind: Kind[R], table: Records[R], text: str, named: Callable[[str], str]) -> R | None:
    try:
        found = list(islice(table.listed(name=named(text)), 2))
    except ValueError:  # no name at all
        return None
    if len(found) > 1:
        raise Mistake(f"there are several {kind.noun}s {printable(text)}: give a number")
    return found[0] if found else None


def given(**values: Any) -> dict[str, Any]:
    """Give those of a record's fields that the command names."""
    found = {name: value for name, value in values.items() if value is not None}
    if not found:
        raise click.UsageError("Say what to change: see --help.")
    return found


def say_records(records: Iterable[R], columns: Mapping[str, str], *, as_json: bool) -> None:
    """List records. `columns` are headings with the fields below them."""
    if as_json:
        say_json_list(facts(record) for record in records)
        return
    say_table(
        [*columns], ([cell(getattr(it, name)) for name in columns.values()] for it in records)
    )


def say_record(record: R, more: Mapping[str, object], *, as_json: bool) -> None:
    """Show a record, and what else there is to say of it."""
    told = {**facts(record), **more}
    if as_json:
        say_json(told)
        return
    say_facts({name.replace("_", " "): cell(_dated(name, it)) for name, it in told.items()})


def facts(record: R) -> dict[str, object]:
    """Give what may be told of a record: of what is sealed or hidden, whether it is there."""
    told: dict[str, object] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if not field.repr:
            name = field.name.removeprefix("sealed_").removesuffix("_digest")
            told[name] = "set" if value else ""
        else:
            told[field.name] = sorted(value) if isinstance(value, frozenset) else value
    return told


def _dated(name: str, value: object) -> object:
    return moment(value) if name.endswith("_at") and isinstance(value, int) else value


def cell(value: object) -> str:
    """Give a field as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | frozenset):
        return ",".join(map(str, sorted(value) if isinstance(value, frozenset) else value))
    return "" if value is None else str(value)


def confirmed(question: str, *, yes: bool) -> None:
    """Ask, unless it is answered already."""
    if not yes:
        click.confirm(question, abort=True)
