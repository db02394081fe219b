"""What may stand in a record; the rest is tested with the records themselves."""

from __future__ import annotations

import pytest

from ssogate.directory import fields
from ssogate.model import DomainStatus, Permission


def test_words_are_the_ones_of_whmcs() -> None:
    assert fields.word(DomainStatus, "Transferred Away") is DomainStatus.TRANSFERRED_AWAY
    assert fields.word(Permission, "productsso") is Permission.PRODUCT_SSO


@pytest.mark.parametrize("value", ["", "active", "Active ", "ACTIVE", "\x1b[2J", "x" * 500])
def test_another_word_is_refused_with_the_ones_that_are_known(value: str) -> None:
    with pytest.raises(ValueError, match="is none of: Pending, Active, Expired") as caught:
        fields.word(DomainStatus, value)

    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", ["cpanel", "0", "a-b_c", "a" * 32])
def test_a_module_is_named_by_its_grammar(value: str) -> None:
    assert fields.module(value) == value


@pytest.mark.parametrize("value", ["", "_a", "-a", "A", "a.b", "a/b", "a" * 33, "é", "a\n", "a b"])
def test_nothing_else_names_a_module(value: str) -> None:
    with pytest.raises(ValueError, match="module: "):
        fields.module(value)
