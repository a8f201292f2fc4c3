"""Text of strangers is one visible line, shows what it says, and never is a path."""

from __future__ import annotations

import os
import unicodedata

import markdown
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_compat.errors import InputError
from keras_compat.escaping import escape, escape_markdown, file_name

# Surrogates too: Python reads names of files that are not UTF-8 with them.
ANY_TEXT = st.text(st.characters(), max_size=60)
HOSTILE = "".join(map(chr, [0, 7, 10, 13, 27, 0x7F, 0x85, 0x9B, 0x2028, 0x202E, 0x2066, 0xDCE9]))


@given(ANY_TEXT)
def test_an_escaped_text_is_one_visible_line_and_stays_as_it_is(text):
    shown = escape(text)
    assert escape(shown) == shown
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    bad = {c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")}
    assert not bad and not set(shown) & set(HOSTILE)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=60))
def test_a_text_that_can_be_seen_stays(text):
    assert escape(text) == text


@given(st.text(st.sampled_from("<>&\"'`*_[]()|~$#\\ab 1"), min_size=1, max_size=30))
def test_markdown_shows_the_text_and_nothing_else(text):
    # After a word, so that what counts is the text and not the beginning of a line.
    page = markdown.markdown(f"x {escape_markdown(text)}", extensions=["tables"])
    assert page.startswith("<p>") and page.endswith("</p>")
    inner = page[3:-4]
    assert "<" not in inner and ">" not in inner


@given(ANY_TEXT, ANY_TEXT)
def test_a_file_name_is_no_path_and_tells_texts_apart(text, other):
    name = file_name(text)
    assert name and name.isascii() and os.path.basename(name) == name
    assert name.strip(".") == name and len(name) <= 100
    assert (name == file_name(other)) == (text == other)


@pytest.mark.parametrize("character", HOSTILE)
def test_an_error_shows_no_character_that_acts(character):
    assert character not in str(InputError(f"a{character}b"))
