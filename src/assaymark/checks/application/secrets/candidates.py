"""(key, separator, value) candidates of one line of text.

Works on text in which one character is one byte (Latin-1), so positions are byte offsets. Every step is linear: the key word is found,
then its neighbours are read to the left and to the right. Lines are bounded by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

KEY = re.compile(
    r"(?i)pass(?:word|wd|wort|phrase|code)s?|passw|pwd|secret|token|api[_. -]?key|access[_.-]?key|credential|bearer|[a-z][_.-]?key\b|key(?=[_-])|\bkey\b"  # noqa: E501
    r"|auth(?=[_\-\"'`= :.]|code|data|string|$)|(?<![a-z])pass(?![a-z])|(?<![a-z])pw(?![a-z])|salt(?![a-z])|\bnonce\b|connection[_-]?string"
)
_LEFT = re.compile(r"[\w.\-$@\[\]\"']{0,60}$")
_RIGHT = re.compile(r"[\w.\-]{0,60}")
_LINK = re.compile(
    r"(?P<close>\\?[\"'`\])?!]{0,4})[ \t]{0,20}(?:\?)?"
    r"(?::[ \t]{0,4}[\w\[\]<>., |?*&]{1,40}?[ \t]{0,4}(?==[^=]))?"
    r"(?P<sep>===|!==|==|!=|:=|=>|->|\?=|\|\|=|=|:|,|\(|>)[ \t]{0,20}(?:\[[ \t]{0,4})?"
    r"(?P<call>(?:new[ \t]+)?[A-Za-z_][\w.]{0,40}\([ \t]{0,4})?(?P<prefix>(?:[brfuLBRFU@$&]{0,2})(?=[\"'`\\]))?(?P<quote>\\?\"\"\"|\\?'''|\\?[\"'`])?"  # noqa: E501
)
_OPTION = re.compile(r"[ =][ \t]{0,4}(?P<quote>[\"'])?(?=[^\s\"'-])")
_BARE_END = re.compile(r"[^\s\"'`;,<>(){}\[\]|\\]{4,512}")
_BARE_CONFIG = re.compile(r"[^\s\"'`<>]{4,512}")
_TAG_TEXT = re.compile(r"[^<>\r\n]{4,512}")
_NEXT_PARAMETER = re.compile(r"&(?:amp;)?[\w.\-\[\]]{1,60}=")
"""In an address or a form, what follows is another value with a key of its own."""
_LOOK_UP = re.compile(
    r"(?i)(?:^|\.)(?:credentials|get_?env\w*|env|environ|getpass\w*|get_?(?:property|secret\w*|password\w*|parameter|setting)|lookup|vault)$"
    r"|(?:env|environ|config|conf|settings|options|params|request|args|session|cookies|headers|props|properties)\.(?:get\w*|fetch)$"
)
"""Calls whose argument is the name under which a value is kept: ``credentials('deploy')`` of Jenkins, ``getenv``."""
_PATTERN = re.compile(r"(?i)(?:^|\.)(?:compile|mustcompile|regexp?|pattern|r)$|^new[ \t]+regexp$")
"""Calls whose argument is a regular expression: it tells how something looks and is it not."""
_FALLBACK = re.compile(r"([A-Za-z_][\w.]{0,60})\([ \t]{0,4}[\"'`]$")
"""``getenv("NAME", "value")``: what is taken when the name is not set is assigned to it."""
_NAMED_GROUP = re.compile(r"\(\?P?<[\w]{1,60}$")
MAX_VALUE = 2048


class Candidate(Struct, frozen=True):
    """What stands where a credential could stand. Does not print its value."""

    key: str
    word: str
    """The key word inside the key, lower case."""
    separator: str
    quote: str
    call: str
    start: int
    end: int
    value: str
    line: str
    words_after: int = 0
    """Words that follow a bare value on its line: many of them make a sentence."""

    def __repr__(self) -> str:
        return f"Candidate(key={self.key!r}, start={self.start}, end={self.end})"


def candidates(line: str, group: str) -> Iterator[Candidate]:
    """Candidates of a line; `group` is ``code``, ``config`` or ``text`` and decides what a bare word may be."""
    seen = -1
    for found in KEY.finditer(line):
        left = _LEFT.search(line, max(0, found.start() - 60), found.start())
        key_start = left.start() if left else found.start()
        right = _RIGHT.match(line, found.end())
        key_end = right.end() if right else found.end()
        if key_end <= seen:
            continue
        seen = key_end
        key = line[key_start:key_end].lstrip("$@[]\"'.-")
        candidate = _option(line, key_start, key_end, found.group()) or _linked(line, key, key_end, found.group(), group)
        if candidate is not None and candidate.separator == "," and _is_fallback(line, key_start, key):
            candidate = replace(candidate, separator="=")
        if candidate is not None:
            yield candidate


def _option(line: str, key_start: int, key_end: int, word: str) -> Candidate | None:
    """``--password value`` on a command line."""
    if line[key_start : key_start + 2] != "--":
        return None
    link = _OPTION.match(line, key_end)
    if link is None:
        return None
    quote = link.group("quote") or ""
    end = _closing(line, link.end(), quote) if quote else _bare_end(line, link.end(), _BARE_CONFIG)
    if end <= link.end():
        return None
    value = line[link.end() : end]
    return Candidate(line[key_start + 2 : key_end], word.lower(), " ", quote, "", link.end(), end, value, line)


def _is_fallback(line: str, key_start: int, key: str) -> bool:
    called = _FALLBACK.search(line, max(0, key_start - 70), line.find(key, key_start))
    return called is not None and _LOOK_UP.search(called.group(1)) is not None


def _linked(line: str, key: str, key_end: int, word: str, group: str) -> Candidate | None:
    link = _LINK.match(line, key_end)
    if link is None:
        return None
    quote, start, separator = link.group("quote") or "", link.end(), link.group("sep")
    if separator == "(" and word.lower() == "key":
        return None  # PRIMARY KEY (`column`)
    if separator == ">" and _NAMED_GROUP.search(line, 0, key_end):
        return None  # (?P<secret>...) of a regular expression
    call = (link.group("call") or "").strip("( \t")
    if _LOOK_UP.search(call) or _PATTERN.search(call) or (separator == ":" and not quote and "?" in line[key_end : link.start("sep")]):
        return None  # ENV.fetch('NAME'); getenv('NAME') ?: throw
    if quote:
        end = _closing(line, start, quote)
    elif separator == ">":
        end = _bare_end(line, start, _TAG_TEXT) if link.group("close") == "" and "<" in line[:key_end] else -1
    elif group == "code" or separator in {",", "(", "->"} or link.group("call"):
        end = -1
    else:
        end = _bare_end(line, start, _BARE_CONFIG if group == "config" else _BARE_END)
    if end <= start:
        return None
    value = line[start:end].rstrip("\r")
    if not quote:
        value = _without_closers(_NEXT_PARAMETER.split(value, maxsplit=1)[0].rstrip(";,").rstrip())
    after = 0 if quote else len(line[start + len(value) : start + len(value) + 200].split())
    return Candidate(key, word.lower(), separator, quote[-1:], call, start, start + len(value), value, line, after)


def _without_closers(value: str) -> str:
    """``{token: abc}``: a bracket that closes what was opened before the value is none of it."""
    for opener, closer in ("{}", "[]", "()"):
        while value.endswith(closer) and value.count(closer) > value.count(opener):
            value = value[:-1].rstrip()
    return value


def _closing(line: str, start: int, quote: str) -> int:
    """Offset of the closing quote, escapes skipped; the end of the line for a text that goes on below it."""
    place = start
    limit = min(len(line), start + MAX_VALUE)
    while True:
        place = line.find(quote, place, limit)
        if place < 0:
            return limit if len(quote) >= 3 else -1
        if len(quote) > 1 or line[place - 1] != "\\" or line[place - 2 : place] == "\\\\":
            return place
        place += 1


def _bare_end(line: str, start: int, shape: re.Pattern[str]) -> int:
    found = shape.match(line, start)
    return found.end() if found else -1
