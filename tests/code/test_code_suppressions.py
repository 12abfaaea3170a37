from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assaymark.checks.application.code.suppressions import LONGEST_MARKER, Suppressions

NAMES = {"S602", "B602", "my.rule.id"}


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("run(x) // nosemgrep", True),
        ("run(x) // why; nosemgrep: rule.id", True),
        ("run(x) // nosem: other, my.rule.id", True),
        ("run(x) // nosemgrep: other", False),
        ("run(x) /* assay:allow reviewed */", True),
        ("run(x) <!-- nosemgrep -->", True),
        ("run('http://nosemgrep')", False),
        ("run('// nosemgrep')", False),
        ('run("\\" // nosemgrep")', False),
    ],
)
def test_comments_of_other_languages_are_read_and_strings_are_not(line: str, is_one: bool) -> None:
    found = Suppressions(f"a\n{line}\nb\n", is_python=False).find(NAMES, 2, 2)
    assert (found is not None) == is_one


def test_a_comment_on_another_statement_is_nobody_s() -> None:
    comments = Suppressions("a()  # noqa\nb()\nc()  # nosec\n", is_python=True)
    assert comments.find(NAMES, 2, 2) is None
    one = comments.find(NAMES, 1, 1)
    assert one is not None
    assert (one.marker, one.line) == ("# noqa", 1)


@pytest.mark.parametrize("is_python", [True, False])
@pytest.mark.parametrize(
    "attack",
    [
        "# ruff: ignore[" * 30_000,
        '\\"' * 200_000 + "# noqa",
        "# noqa: " + "A1 " * 100_000,
        "# nosec " + "a_" * 100_000,
        "# nosemgrep: " + "a," * 100_000,
        "# ruff: disable[S1]\n" * 20_000,
        "#" * 300_000 + "noqa",
        '"""' + "'" * 300_000 + "# noqa",
    ],
    ids=["open-brackets", "escapes", "codes", "names", "ids", "disables", "hashes", "quotes"],
)
def test_floods_of_comments_are_read_in_linear_time(attack: str, is_python: bool) -> None:
    start = time.process_time()
    comments = Suppressions(attack + "\nrun()\n", is_python=is_python)
    last = attack.count("\n") + 1
    for line in (1, last, last + 1) * 50:
        found = comments.find(NAMES, line, line)
        assert found is None or len(found.marker) <= LONGEST_MARKER
    assert time.process_time() - start < 5


_text = st.lists(
    st.sampled_from(["# noqa", ": S602", "nosec", "B602", '"', "'", "\n", "// nosemgrep", "# ruff: disable[S602]", "\\", "é", "\r", " "]),
    max_size=20,
)


@given(_text.map("".join), st.integers(-2, 10), st.integers(-2, 10), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_text_and_any_lines_are_taken(text: str, first: int, last: int, is_python: bool) -> None:
    found = Suppressions(text, is_python=is_python).find(NAMES, first, last)
    if found:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert found.marker in lines[found.line - 1]
