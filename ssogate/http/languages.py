"""In which words: the catalogues of a site, and the one that suits a visitor.

The English texts in the code and the templates are the keys, so English needs no catalogue; every
other language is a gettext `.po` file, read and checked at start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

ENGLISH = "en"
MAX_ACCEPT_LANGUAGE = 512  # characters; browsers send a handful of tags
MAX_CATALOGUE = 1 << 20  # bytes; ours has some twenty thousand

_TAG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z]{2,4})?")
_PLACEHOLDER = re.compile(r"%\(\w+\)s|%%|%")


def msgid(text: str) -> str:
    """Mark a text for the catalogues that the code hands to a page; it is translated there."""
    return text


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The texts of one language."""

    tag: str
    """As HTML names it (RFC 5646): `de`, `pt-BR`."""
    locale: Locale
    translations: NullTranslations

    def gettext(self, text: str) -> str:
        """Give the text in this language; unchanged if nobody translated it."""
        # The empty key is where gettext keeps the file's own header.
        return self.translations.gettext(text) if text else ""

    def ngettext(self, one: str, many: str, number: int) -> str:
        """Give the text in the plural form that goes with the number."""
        return self.translations.ngettext(one, many, number)


class Languages:
    """The languages that a site offers: English, and every `<tag>.po` in `folders`.

    A later folder adds to, or replaces, what an earlier one says. `default` is for visitors who
    ask for none of them. Raises `ValueError` in words.
    """

    def __init__(self, folders: Iterable[Path], default: str = ENGLISH) -> None:
        found = {ENGLISH.lower(): _catalogue(ENGLISH, NullTranslations())}
        for folder in folders:
            for file in sorted(folder.glob("*.po")):
                tag = file.stem.replace("_", "-")
                _add(found, _catalogue(tag, _read(file, tag)))
        if default.lower() not in found:
            offered = ", ".join(catalogue.tag for catalogue in found.values())
            raise ValueError(f"there is no catalogue for the language {default!r}, only {offered}")
        self._by_tag: Mapping[str, Catalogue] = found
        self.default = found[default.lower()]

    def best(self, accept_language: str) -> Catalogue:
        """Give the language that suits an Accept-Language header best.

        Tags are tried by their weight, each whole and then cut shorter (RFC 4647, section 3.4), so
        `de-AT` finds German.
        """
        if len(accept_language) > MAX_ACCEPT_LANGUAGE:
            return self.default
        for wanted, quality in parse_accept_header(accept_language, LanguageAccept):
            tag = wanted.lower().replace("_", "-")
            while tag and quality > 0:
                if tag in self._by_tag:
                    return self._by_tag[tag]
                tag = tag.rpartition("-")[0]
        return self.default


def _add(found: dict[str, Catalogue], catalogue: Catalogue) -> None:
    key = catalogue.tag.lower()
    if key in found:
        catalogue.translations.add_fallback(found[key].translations)
    found[key] = catalogue


def _catalogue(tag: str, translations: NullTranslations) -> Catalogue:
    return Catalogue(tag, Locale.parse(tag, sep="-"), translations)


def _read(file: Path, tag: str) -> GNUTranslations:
    try:
        if not _TAG.fullmatch(tag):
            raise ValueError("name the file by its language, such as fr.po or pt_BR.po")
        Locale.parse(tag, sep="-")
        if file.stat().st_size > MAX_CATALOGUE:
            raise ValueError(f"larger than {MAX_CATALOGUE} bytes")
        with file.open("rb") as opened:
            catalog = read_po(opened, locale=tag.replace("-", "_"), abort_invalid=True)
        for message in catalog:
            _check(message)
        return _compiled(catalog)
    except (OSError, PoFileError, UnknownLocaleError, ValueError, LookupError) as error:
        raise ValueError(f"{file}: {error}") from error


def _check(message: Message) -> None:
    """A placeholder that the code does not fill would fail in front of a visitor."""
    filled = {found for text in _texts(message.id) for found in _PLACEHOLDER.findall(text)}
    for text in _texts(message.string) if message.id else ():
        unknown = set(_PLACEHOLDER.findall(text)) - filled
        if unknown:
            raise ValueError(f"line {message.lineno}: {' '.join(sorted(unknown))} is never filled")


def _texts(either: str | Iterable[str] | None) -> Iterable[str]:
    """The forms of a message: one text, one for each plural form, or none yet."""
    return (either,) if isinstance(either, str) else either or ()


def _compiled(catalog: Catalog) -> GNUTranslations:
    compiled = BytesIO()
    write_mo(compiled, catalog)  # leaves out what is fuzzy or not translated
    compiled.seek(0)
    return GNUTranslations(compiled)
