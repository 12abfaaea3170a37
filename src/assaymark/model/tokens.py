"""The normal form of a statement: what remains when layout, comments and redundant punctuation are taken away.

Two spellings that a formatter may turn into each other have the same tokens. It is no parser and needs none: any text gives some tokens,
in linear time, and the same text always gives the same ones.
"""

from __future__ import annotations

import re

_HASH_COMMENT = r"\#[^\r\n]*"
_SLASH_COMMENT = r"//[^\r\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|\Z)"
_DASH_COMMENT = r"--[^\r\n]*"

_COMMENTS = {
    "c": _SLASH_COMMENT,
    "hash": _HASH_COMMENT,
    "sql": _DASH_COMMENT + "|" + _SLASH_COMMENT,
    "php": _HASH_COMMENT + "|" + _SLASH_COMMENT,
}
_FAMILY = {
    **dict.fromkeys(("java", "javascript", "typescript", "go", "c", "cpp", "csharp", "rust", "kotlin", "scala", "swift", "groovy"), "c"),
    **dict.fromkeys(("php", "hcl", "terraform"), "php"),
    **dict.fromkeys(("sql", "lua", "haskell"), "sql"),
}

_STRING = r"""
    (?P<string>[A-Za-z]{0,3}(?:
        \"\"\"(?:[^\\"]|\\.|\"(?!\"\"))*(?:\"\"\"|\Z)
      | '''(?:[^\\']|\\.|'(?!''))*(?:'''|\Z)
      | "(?:[^"\\\n]|\\.)*"?
      | '(?:[^'\\\n]|\\.)*'?
      | `(?:[^`\\]|\\.)*`?
    ))"""
_REST = r"""
  | (?P<word>[^\W\d]\w*)
  | (?P<number>\d[\w.]*)
  | (?P<space>[\s\\]+)
  | (?P<mark>=>|->|==|!=|<=|>=|:=|\*\*|&&|\|\||<<|>>|.)
"""

_PATTERNS: dict[str, re.Pattern[str]] = {}


def _pattern(language: str) -> re.Pattern[str]:
    family = _FAMILY.get(language, "hash")
    if family not in _PATTERNS:
        text = rf"(?P<comment>{_COMMENTS[family]}) | {_STRING} {_REST}"
        _PATTERNS[family] = re.compile(text, re.VERBOSE | re.DOTALL)
    return _PATTERNS[family]


def tokens(statement: str, language: str = "") -> tuple[str, ...]:
    """Tokens of a statement without layout, comments, parentheses, trailing commas and quote style.

    Parentheses go because formatters add and remove redundant ones; that two groupings of one expression become equal is harmless,
    since a finding's core also holds its rule class and scope, and equal cores are counted.
    """
    out: list[str] = []
    for match in _pattern(language).finditer(statement):
        kind, text = match.lastgroup, match.group()
        if kind in ("space", "comment") or text == "(":
            continue
        if text in (")", "]", "}") and out and out[-1] == ",":
            out.pop()
        if text == ")":
            continue
        out.append(_one_quote_style(text) if kind == "string" else text)
    while out and out[-1] in (",", ";"):
        out.pop()
    return tuple(out)


def _one_quote_style(text: str) -> str:
    head = text.rstrip("\"'`")
    body = text.lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    prefix = "".join(sorted(text[: len(text) - len(body)].lower().replace("u", "")))
    if len(body) >= 2 and body[0] == "'" == body[-1] and '"' not in body and "\\" not in head:
        quotes = 3 if body.startswith("'''") and len(body) >= 6 else 1
        body = '"' * quotes + body[quotes:-quotes] + '"' * quotes
    return prefix + body
