from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assaymark.model.tokens import tokens


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("run(a,b)", "run(\n    a,\n    b,\n)"),
        ("x = 'text'", 'x = "text"'),
        ("x = a + b", "x = (\n    a\n    + b\n)"),
        ("run(a)  # nosec", "run(a)"),
        ("run(a)\r\n", "run(a)"),
        ("run(a, \\\n    b)", "run(a, b)"),
        ("f(Rb'x')", 'f(bR"x")'),
    ],
)
def test_what_a_formatter_may_change_is_no_difference(one: str, other: str) -> None:
    assert tokens(one) == tokens(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("run(a, shell=True)", "run(a, shell=False)"),
        ("execute('a b')", "execute('ab')"),
        ("f'{x}'", "'{x}'"),
        ("a - b", "a + b"),
        ("x = '#no comment'", "x = '"),
    ],
)
def test_what_changes_meaning_is_a_difference(one: str, other: str) -> None:
    assert tokens(one) != tokens(other)


def test_comments_are_those_of_the_language() -> None:
    assert tokens("exec(x) // why", "java") == tokens("exec(x)", "java")
    assert tokens("a // b", "python") != tokens("a", "python")
    assert tokens("run(x); /* two\nlines */", "javascript") == tokens("run(x)", "javascript")


@given(st.text(max_size=400), st.sampled_from(["", "python", "java", "php", "sql"]))
def test_any_text_has_tokens_and_layout_is_not_among_them(text: str, language: str) -> None:
    assert all(token.strip() for token in tokens(text, language))
    assert tokens(text, language) == tokens(text, language)


def test_an_unclosed_string_of_a_megabyte_is_read_in_linear_time() -> None:
    assert len(tokens('"""' + 'a"' * 500_000)) == 1
    assert tokens("/*" + "* " * 500_000, "java") == ()
