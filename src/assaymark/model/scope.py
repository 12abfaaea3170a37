r"""Sites in source text: from a line number to the scope and the statement that identity is made of.

Guarantees
* Lines are split at ``\n``, ``\r\n`` and ``\r`` only, as compilers and analysers count them; never at U+2028 or form feed.
* Python is read with `ast` once per text, JavaScript, TypeScript, Java, Go and PHP with their grammars (`scope_tree`); what these cannot
  read, and every other language, is read by layout (`scope_text`).
* Linear time, and never an exception: thousand-fold nesting, half a file and binary text all give an answer.
* Editing text outside a statement and outside its scope headers leaves the site equal, as long as the text still parses.
* Credentials that can be told by their form are masked: a site is kept for ever and shown to people.

Not done here: normalising the statement (comments, layout, trailing commas), which is the business of identity.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from msgspec import Struct

from assaymark.model.finding import CodeSite
from assaymark.model.scope_mask import mask
from assaymark.model.scope_python import PythonOutline, UnparsableError
from assaymark.model.scope_text import Found, TextOutline
from assaymark.model.scope_tree import TreeOutline
from assaymark.model.syntax_tree import GRAMMARS, NoTreeError, parse

LONGEST_STATEMENT = 4_000
"""Characters. Generated and minified lines are cut here, with a digest of the whole, or one file could fill the memory with copies."""

LANGUAGES = {
    **dict.fromkeys(("py", "pyi", "pyw", "stub", "script"), "python"),
    **dict.fromkeys(("js", "jsx", "mjs", "cjs"), "javascript"),
    **dict.fromkeys(("ts", "tsx", "mts", "cts"), "typescript"),
    **dict.fromkeys(("cc", "cxx", "hh", "hpp"), "cpp"),
    **dict.fromkeys(("kt", "kts"), "kotlin"),
    "h": "c",
    "cs": "csharp",
    "rs": "rust",
    "tf": "terraform",
}
"""Names of languages by what checks call their dialects; whatever is not here is its own name."""


class Located(Struct, frozen=True):
    """A site and the lines (from 1, both inclusive) that its statement covers."""

    site: CodeSite
    first_line: int
    last_line: int


class _Outline(Protocol):
    def find(self, line: int, end_line: int, column: int) -> Found:
        """The same statement is the same object for as long as the outline lives."""
        ...


class Locator:
    """Answers for one text."""

    def __init__(self, outline: _Outline, language: str, *, parsed: bool) -> None:
        self._outline = outline
        self._language = language
        self._made: dict[int, Located] = {}
        self.parsed = parsed
        """True when a parser read the whole text; False when it was read by layout."""

    def locate(self, line: int, end_line: int = 0, *, column: int = 0) -> Located:
        """The innermost statement at a region.

        Lines and columns count from 1, columns in code points; without a column the first statement of the line is meant.
        `end_line` matters only where the region begins outside any statement (on a comment).
        """
        found = self._outline.find(line, max(line, end_line), column)
        if id(found) not in self._made:
            self._made[id(found)] = Located(site_of(found, self._language), found.first_line, found.last_line)
        return self._made[id(found)]

    def site(self, line: int, end_line: int = 0, *, column: int = 0) -> CodeSite:
        """The site alone."""
        return self.locate(line, end_line, column=column).site


def site_of(found: Found, language: str) -> CodeSite:
    """The site of a statement, however it was found."""
    return CodeSite(found.scope, mask(_bounded(found.statement)), language)


def locator(text: str, dialect: str) -> Locator:
    """A locator for a text; `dialect` is a language name or file extension, unknown ones are read by layout."""
    text = text.removeprefix("\ufeff")
    language = LANGUAGES.get(dialect, dialect)
    if language == "python":
        try:
            return Locator(PythonOutline(text), language, parsed=True)
        except UnparsableError:
            pass
    elif dialect in GRAMMARS:
        source = text.encode("utf-8", "replace")
        try:
            return Locator(TreeOutline(source, parse(source, GRAMMARS[dialect]), GRAMMARS[dialect]), language, parsed=True)
        except NoTreeError:
            pass
    return Locator(TextOutline(text, is_python=language == "python"), language, parsed=False)


def _bounded(statement: str) -> str:
    if len(statement) <= LONGEST_STATEMENT:
        return statement
    whole = hashlib.sha256("".join(statement.split()).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{statement[:LONGEST_STATEMENT]} …[{whole[:16]}]"
