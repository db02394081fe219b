"""Every text has its German one, and a catalogue cannot break a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import ssogate
from ssogate import errors
from ssogate.errors import GateError
from ssogate.http.languages import MAX_ACCEPT_LANGUAGE, MAX_CATALOGUE, Languages, msgid
from ssogate.launch import Metadata
from ssogate.launch.modules import BUILT_IN

PACKAGE = Path(ssogate.__file__).parent
OURS = PACKAGE / "http" / "translations"
PLACEHOLDER = re.compile(r"%\(\w+\)s|%")

HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'


def catalogue(folder: Path, name: str, text: str) -> Path:
    """Write a catalogue; give its folder."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(HEADER + text)
    return folder


# --- German ----------------------------------------------------------------------------------


def texts_in_use() -> Iterator[str | tuple[str, ...]]:
    found = extract_from_dir(
        PACKAGE,
        method_map=[("**.html", "jinja2.ext:babel_extract"), ("**.py", "python")],
        options_map={"**.html": {"trim_blocks": "1", "lstrip_blocks": "1", "silent": "0"}},
        keywords={"_": None, "gettext": None, "ngettext": (1, 2), "msgid": None},
    )
    for _, _, text, _, _ in found:
        yield text if isinstance(text, str) else tuple(text)
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, GateError):
            yield from (error.title, error.public, error.hint)
    for metadata in (Metadata("", 0), *(module.metadata for module in BUILT_IN.values())):
        yield from (metadata.service_label, metadata.admin_label)
        yield from (shortcut.label for shortcut in metadata.shortcuts)


def forms(either: str | Iterable[str] | None) -> list[str]:
    return [either] if isinstance(either, str) else list(either or ())


IN_USE = frozenset(texts_in_use())


@pytest.fixture(scope="module")
def german() -> dict[str | tuple[str, ...], Message]:
    with (OURS / "de.po").open("rb") as file:
        catalog: Catalog = read_po(file, locale="de", abort_invalid=True)
    assert not catalog.obsolete
    return {
        message.id if isinstance(message.id, str) else tuple(message.id): message
        for message in catalog
        if message.id
    }


def test_texts_are_found_wherever_they_stand() -> None:
    assert "Sign in" in IN_USE, "in a template"
    assert "You are signed in as %(username)s." in IN_USE, "in the code, marked"
    assert GateError.hint in IN_USE, "on an error"


@pytest.mark.parametrize("text", sorted(IN_USE, key=str), ids=lambda text: str(text)[:40])
def test_every_text_is_translated(
    german: dict[str | tuple[str, ...], Message], text: str | tuple[str, ...]
) -> None:
    assert text in german, "add it to translations/de.po"
    message = german[text]
    assert not message.fuzzy
    assert all(forms(message.string))
    assert forms(message.string)


def test_no_translation_is_left_of_a_text_that_is_gone(
    german: dict[str | tuple[str, ...], Message],
) -> None:
    assert set(german) - IN_USE == set()


def test_every_translation_fills_in_the_same(
    german: dict[str | tuple[str, ...], Message],
) -> None:
    for message in german.values():
        wanted = sorted(PLACEHOLDER.findall(forms(message.id)[-1]))
        for text in forms(message.string):
            assert sorted(PLACEHOLDER.findall(text)) == wanted, text


def test_markup_and_full_stops_agree(german: dict[str | tuple[str, ...], Message]) -> None:
    for message in german.values():
        one, other = forms(message.id)[0], forms(message.string)[0]
        assert re.findall(r"</?\w+>", one) == re.findall(r"</?\w+>", other), other
        assert re.findall(r"[.?:]$", one) == re.findall(r"[.?:]$", other), other


# --- The visitor's choice --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "tag"),
    [
        pytest.param("de", "de", id="German"),
        pytest.param("DE-de", "de", id="any case"),
        pytest.param("de-AT,en;q=0.9", "de", id="Austrian, although English is named whole"),
        pytest.param("de-Latn-DE-1996", "de", id="a long tag"),
        pytest.param("en;q=0.3,de;q=0.7", "de", id="by weight"),
        pytest.param("fr,nl;q=0.9,de;q=0.1", "de", id="the first that there is"),
        pytest.param("pt", "en", id="a region's language only"),
        pytest.param("pt-br", "pt-BR", id="a region"),
        pytest.param("de;q=0,en", "en", id="German is unwanted"),
        pytest.param("de;q=0", "en", id="only German is unwanted"),
        pytest.param("*", "en", id="any"),
        pytest.param("de;q=0.5,*", "de", id="any, after the ones that are named"),
        pytest.param("", "en", id="nothing"),
        pytest.param("xx", "en", id="unknown"),
        pytest.param(";;;q=,,=\x00--", "en", id="nonsense"),
        pytest.param("../../de", "en", id="a path"),
        pytest.param("de" + " " * MAX_ACCEPT_LANGUAGE, "en", id="too long to read"),
    ],
)
def test_the_best_language_is_found(tmp_path: Path, accept: str, tag: str) -> None:
    languages = Languages([OURS, catalogue(tmp_path, "pt_BR.po", "")])

    assert languages.best(accept).tag == tag


def test_a_site_has_its_own_default() -> None:
    languages = Languages([OURS], "de")

    assert languages.best("fr").tag == "de"
    assert languages.best("en").tag == "en"


def test_a_default_without_a_catalogue_is_told() -> None:
    with pytest.raises(ValueError, match="no catalogue for the language 'fr', only en, de"):
        Languages([OURS], "fr")


# --- Catalogues of a theme -------------------------------------------------------------------


def test_a_later_folder_replaces_one_text_and_keeps_the_rest(tmp_path: Path) -> None:
    folder = catalogue(tmp_path, "de.po", 'msgid "Sign in"\nmsgstr "Herein"\n')

    german = Languages([OURS, folder]).best("de")

    assert german.gettext("Sign in") == "Herein"
    assert german.gettext("Password") == "Passwort"
    assert german.gettext("nobody translated this") == "nobody translated this"


def test_even_the_english_words_can_be_replaced(tmp_path: Path) -> None:
    folder = catalogue(tmp_path, "en.po", 'msgid "Sign in"\nmsgstr "Come in"\n')

    assert Languages([OURS, folder]).best("en").gettext("Sign in") == "Come in"


def test_what_is_fuzzy_or_empty_counts_as_not_translated(tmp_path: Path) -> None:
    text = '#, fuzzy\nmsgid "Password"\nmsgstr "?"\n\nmsgid "Sign in"\nmsgstr ""\n'
    french = Languages([catalogue(tmp_path, "fr.po", text)]).best("fr")

    assert french.gettext("Password") == "Password"
    assert french.gettext("Sign in") == "Sign in"


def test_plural_forms_go_with_the_number() -> None:
    german = Languages([OURS]).best("de")
    one = "You have %(count)s recovery code left."
    many = "You have %(count)s recovery codes left."

    assert german.ngettext(one, many, 1).endswith("code.")
    assert german.ngettext(one, many, 0).endswith("codes.")


def test_the_header_of_a_catalogue_is_no_text() -> None:
    assert Languages([OURS]).best("de").gettext("") == ""


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        pytest.param("de.po", "nonsense", "de.po: ", id="no catalogue"),
        pytest.param("de.po", 'msgid "a"\nmsgstr "\udcff"\n', "de.po: ", id="not UTF-8"),
        pytest.param(
            "de.po",
            'msgid "Hello %(name)s"\nmsgstr "Hallo %(user)s"\n',
            r"de.po: line 4: %\(user\)s is never filled",
            id="a placeholder of its own",
        ),
        pytest.param(
            "de.po", 'msgid "Hello %(name)s"\nmsgstr "100 % %(name)s"\n', "line 4: % is", id="%"
        ),
        pytest.param(
            "de.po",
            'msgid "%(n)s day"\nmsgid_plural "%(n)s days"\nmsgstr[0] "1 Tag"\nmsgstr[1] "%(m)s"\n',
            r"%\(m\)s is never filled",
            id="in a plural form",
        ),
        pytest.param("german.po", "", "name the file by its language", id="no tag"),
        pytest.param("xq.po", "", "xq.po: ", id="a language that nobody speaks"),
        pytest.param("de.po", "#" * MAX_CATALOGUE, "larger than 1048576 bytes", id="huge"),
    ],
)
def test_a_broken_catalogue_is_told_at_start(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / name).write_bytes((HEADER + text).encode("utf-8", "surrogateescape"))

    with pytest.raises(ValueError, match=told):
        Languages([tmp_path])


def test_a_missing_folder_adds_nothing(tmp_path: Path) -> None:
    assert Languages([tmp_path / "translations"]).best("de").tag == "en"


def test_the_mark_changes_nothing() -> None:
    # Built at run time, so that it is not taken for a text of the gate's.
    text = "".join(["a", "b"])

    assert msgid(text) is text
