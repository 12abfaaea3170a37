"""Content of others is shown, never obeyed."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.views import views_sample as sample

from assaymark.model.finding import Place
from assaymark.views.formats import FORMATS, renderer
from assaymark.views.sanitise import columns, location, one_line, raw_path, shortened, visible, visible_lines

ANY_TEXT = st.text(st.characters(), max_size=30)
HOSTILE_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
BIDI = [chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)]


@pytest.mark.parametrize("char", [*BIDI, "\x1b", "\x9b", "\x00", "\x7f", "\u200b", "\u200d", "\u2028", "\ufeff", "\udc80", "\U000e0041"])
def test_each_dangerous_character_becomes_a_visible_escape(char: str) -> None:
    assert visible(f"a{char}b").startswith("a\\")
    assert visible(f"a{char}b").isprintable()


def test_a_byte_that_is_no_utf8_is_shown_as_its_byte() -> None:
    assert visible(b"caf\xe9.py".decode("utf-8", "surrogateescape")) == "caf\\xe9.py"


@given(ANY_TEXT)
def test_visible_text_holds_nothing_hostile_and_stays_as_it_is_when_seen_again(text: str) -> None:
    seen = visible(text)
    assert not any(unicodedata.category(char) in HOSTILE_CATEGORIES for char in seen)
    assert visible(seen) == seen
    seen.encode()


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=30))
def test_ordinary_text_of_every_script_is_left_alone(text: str) -> None:
    plain = "".join(char for char in text if char not in "\u115f\u1160\u3164\uffa0")
    assert visible(plain) == plain


@given(ANY_TEXT)
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@given(ANY_TEXT, st.integers(1, 40))
def test_shortened_text_fits(text: str, width: int) -> None:
    assert columns(shortened(one_line(text), width)) <= width


def test_lines_keep_line_feeds_and_nothing_else() -> None:
    assert visible_lines("a\r\n\tb\rc\x1b") == "a\n    b\\rc\\x1b"


def test_location_leaves_out_the_line_of_a_whole_file() -> None:
    assert location(Place("a\x1b.py", 3)) == "a\\x1b.py:3"
    assert location(Place("a.py")) == "a.py"


@given(st.binary(max_size=12))
def test_raw_path_gives_back_the_bytes_of_any_name(name: bytes) -> None:
    assert raw_path(name.decode("utf-8", "surrogateescape")) == name


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_lets_a_hostile_character_through(form: str) -> None:
    text = renderer(form)(sample.hostile(), sample.OPTIONS)
    found = {repr(c) for c in text if unicodedata.category(c) in HOSTILE_CATEGORIES and c != "\n"}
    assert found == set()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.characters(), min_size=1, max_size=12), min_size=1, max_size=3).map(tuple))
def test_the_terminal_report_never_holds_an_escape_that_is_not_ours(texts: tuple[str, ...]) -> None:
    for verbose in (False, True):
        options = msgspec.structs.replace(sample.OPTIONS, verbose=verbose)
        text = renderer("terminal")(sample.hostile(texts), options)
        assert {c for c in text if unicodedata.category(c) in HOSTILE_CATEGORIES} <= {"\n"}
