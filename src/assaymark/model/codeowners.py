"""CODEOWNERS, as GitHub and as GitLab read it. Pure, written from their documentation.

| | GitHub | GitLab |
|---|---|---|
| file | ``.github/``, then the root, then ``docs/`` | the root, then ``docs/``, then ``.gitlab/`` |
| a pattern without slash | that name anywhere, and all below | that name anywhere |
| a folder | ``/a`` and ``/a/`` are all below it | only with a slash at its end |
| ``/a/*`` | what lies in it, no deeper | the same |
| which line | the last that matches; without owners it is nobody's | the same in each section; without owners those of the section |
| sections | none | ``[Name]``, ``^[Optional]``, ``[Name][2]``, owners behind; sections of one name are one |
| ``!`` | no such line is read | takes out of its section |

Guarantees: reading and asking take time in proportion to their inputs, whatever the patterns (no expression with backtracking is made of
them); a line that makes no sense is passed over, as the forges do. A file beyond `MOST_BYTES` is not read at all, as GitHub says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

MOST_BYTES = 3 << 20
_MOST_LINES = 20_000
_OWNER = re.compile(r"@{1,2}[A-Za-z0-9_][A-Za-z0-9_./-]*\Z|[^@\s]+@[^@\s]+\.[^@\s]+\Z")
_SECTION = re.compile(r"(?P<optional>\^)?\[(?P<name>[^\]]+)\](?:\[(?P<count>[0-9]{1,4})\])?(?P<rest>(?:\s.*)?)\Z")


class Dialect(StrEnum):
    """Whose rules."""

    GITHUB = "github"
    GITLAB = "gitlab"


PLACES = {
    Dialect.GITHUB: (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"),
    Dialect.GITLAB: ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"),
}
"""Where the file may be; the first that is there counts."""


class Claim(Struct, frozen=True):
    """Who owns a path, by one section."""

    owners: tuple[str, ...]
    """``@login``, ``@group/team``, ``@@role`` or an e-mail address, in the file's order."""
    section: str = ""
    is_optional: bool = False
    approvals: int = 1
    """How many of them have to approve a change there."""


class Pattern(Struct, frozen=True):
    """What a line is about, in parts between slashes; ``**`` stands for any number of parts."""

    parts: tuple[str, ...]
    reaches_below: bool = False
    """Also everything below what it names."""
    needs_below: bool = False
    """Only what is below what it names."""

    def matches(self, path: Sequence[str]) -> bool:
        """Whether it is about this path, given in its parts."""
        if not self.reaches_below and not self.needs_below:
            return _parts_match(self.parts, path)
        deepest = len(path) - 1 if self.needs_below else len(path)
        return any(_parts_match(self.parts, path[:depth]) for depth in range(deepest, 0, -1))


class _Line(Struct, frozen=True):
    pattern: Pattern
    owners: tuple[str, ...]
    excludes: bool = False


class _Section(Struct):
    name: str
    is_optional: bool
    approvals: int
    owners: tuple[str, ...]
    lines: list[_Line]


class Codeowners:
    """The lines of one file."""

    def __init__(self, sections: Sequence[_Section]) -> None:
        self._sections = tuple(sections)

    def claims(self, path: str) -> tuple[Claim, ...]:
        """Who owns a path: a claim of each section that says something; none when nobody does."""
        parts = path.split("/")
        found = (self._claim(section, parts) for section in self._sections)
        return tuple(claim for claim in found if claim is not None and claim.owners)

    def owners(self, path: str) -> tuple[str, ...]:
        """Owners in the order of sections, those that must approve before those that may."""
        claims = sorted(self.claims(path), key=lambda claim: claim.is_optional)
        return tuple(dict.fromkeys(owner for claim in claims for owner in claim.owners))

    @staticmethod
    def _claim(section: _Section, parts: list[str]) -> Claim | None:
        last = None
        for line in section.lines:
            if line.excludes and line.pattern.matches(parts):
                return None
        for line in reversed(section.lines):
            if not line.excludes and line.pattern.matches(parts):
                last = line
                break
        if last is None:
            return None
        return Claim(last.owners or section.owners, section.name, section.is_optional, section.approvals)


def parse(text: str, dialect: Dialect) -> Codeowners:
    """Read a file's text."""
    lines = text.removeprefix("\ufeff").splitlines()[:_MOST_LINES]
    if dialect is Dialect.GITHUB:
        read = (_github_line(_words(line)) for line in lines)
        return Codeowners([_Section("", False, 1, (), [line for line in read if line is not None])])
    return Codeowners(_gitlab_sections(lines))


def _words(line: str) -> list[str]:
    r"""Pattern and owners of a line: ``\ `` is a space of the pattern, what begins with ``#`` is a comment."""
    words: list[str] = []
    word = ""
    signs = iter(line)
    for sign in signs:
        if sign == "\\":
            word += sign + next(signs, "")
        elif sign.isspace():
            words += [word] if word else []
            word = ""
        elif sign == "#" and not word:
            return words
        else:
            word += sign
    return [*words, word] if word else words


def _plain(pattern: str) -> str:
    """Without the backslash before a space or a number sign, which are no part of a pattern's language."""
    return pattern.replace("\\ ", " ").replace("\\#", "#")


def _owners(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for word in words if _OWNER.match(word))


# --- GitHub ------------------------------------------------------------------------------------------------------------


def _github_line(words: list[str]) -> _Line | None:
    if not words:
        return None
    raw, *rest = words
    if raw.startswith(("!", "\\#")) or "[" in raw or "]" in raw or len(_owners(rest)) < len(rest):
        return None
    pattern = _github_pattern(_plain(raw))
    return None if pattern is None else _Line(pattern, _owners(rest))


def _github_pattern(text: str) -> Pattern | None:
    below = text.endswith("/")
    body = text.rstrip("/") if below else text
    anchored = "/" in body
    parts = [part for part in body.split("/") if part]
    if not parts:
        return None
    if not anchored:
        parts = ["**", *parts]
    last = parts[-1]
    if last == "**" and len(parts) > 1:
        return Pattern(_joined(parts[:-1]), needs_below=True)
    # A star at the end is what lies in the folder and no deeper; any other name may be a folder, whose content it is then about.
    return Pattern(_joined(parts), reaches_below=not below and (last != "*" or not anchored), needs_below=below)


# --- GitLab ------------------------------------------------------------------------------------------------------------


def _gitlab_sections(lines: Sequence[str]) -> list[_Section]:
    sections = {"": _Section("", False, 1, (), [])}
    present = sections[""]
    for text in lines:
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        head = _SECTION.match(line)
        if head is not None:
            present = _opened(sections, head)
        elif (read := _gitlab_line(line)) is not None:
            present.lines.append(read)
    return list(sections.values())


def _opened(sections: dict[str, _Section], head: re.Match[str]) -> _Section:
    """The section of this name; where it stands again, the owners given there hold for the lines below it."""
    name = " ".join(head["name"].split())
    owners = _owners(_words(head["rest"]))
    made = sections.setdefault(name.lower(), _Section(name, head["optional"] is not None, max(1, int(head["count"] or 1)), owners, []))
    if owners and not made.owners:
        made.owners = owners
    return made


def _gitlab_line(line: str) -> _Line | None:
    excludes = line.startswith("!")
    raw, *rest = _words(line[1:] if excludes else line) or [""]
    text = _plain(raw)
    parts = [part for part in text.split("/") if part]
    if not parts:
        return _Line(Pattern(("**", "*")), _owners(rest), excludes) if text == "/" else None
    if not text.startswith("/"):
        parts = ["**", *parts]
    if text.endswith("/"):
        parts += ["**", "*"]
    return _Line(Pattern(_joined(parts)), _owners(rest), excludes)


# --- matching ------------------------------------------------------------------------------------------------------------


def _joined(parts: Sequence[str]) -> tuple[str, ...]:
    """Several ``**`` in a row are one."""
    return tuple(part for at, part in enumerate(parts) if part != "**" or at == 0 or parts[at - 1] != "**")


def _parts_match(pattern: Sequence[str], path: Sequence[str]) -> bool:
    """Part by part; where it fails, only the last ``**`` before it takes one more part, so that this is never more than their product."""
    at = here = 0
    star, resume = -1, 0
    while here < len(path):
        if at < len(pattern) and pattern[at] == "**":
            star, resume = at, here
            at += 1
        elif at < len(pattern) and _name_matches(pattern[at], path[here]):
            at += 1
            here += 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return all(part == "**" for part in pattern[at:])


def _name_matches(pattern: str, name: str) -> bool:
    """One part: ``*`` any signs, ``?`` one, ``[…]`` one of a set, a backslash makes the next sign plain."""
    if pattern == name and not _is_special(pattern):
        return True
    tokens = _tokens(pattern)
    at = here = 0
    star, resume = -1, 0
    while here < len(name):
        if at < len(tokens) and tokens[at] is None:
            star, resume = at, here
            at += 1
        elif at < len(tokens) and _one_of(tokens[at], name[here]):
            at += 1
            here += 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return all(token is None for token in tokens[at:])


class _Set(Struct, frozen=True):
    """Signs of which one stands there."""

    signs: frozenset[str]
    ranges: tuple[tuple[str, str], ...] = ()
    is_other: bool = False
    is_any: bool = False


def _is_special(pattern: str) -> bool:
    return any(sign in pattern for sign in "*?[\\")


def _one_of(token: _Set | None, sign: str) -> bool:
    if token is None or token.is_any:
        return token is not None
    inside = sign in token.signs or any(low <= sign <= high for low, high in token.ranges)
    return inside != token.is_other


@lru_cache(maxsize=20_000)
def _tokens(pattern: str) -> tuple[_Set | None, ...]:
    return tuple(_read(pattern))


def _read(pattern: str) -> Iterator[_Set | None]:
    """None for a star."""
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        if sign == "*":
            yield None
        elif sign == "?":
            yield _Set(frozenset(), is_any=True)
        elif sign == "\\" and at + 1 < len(pattern):
            at += 1
            yield _Set(frozenset(pattern[at]))
        elif sign == "[" and (end := pattern.find("]", at + 2)) > 0:
            yield _set_of(pattern[at + 1 : end])
            at = end
        else:
            yield _Set(frozenset(sign))
        at += 1


def _set_of(body: str) -> _Set:
    is_other = body[:1] in {"!", "^"}
    body = body[1:] if is_other else body
    signs: set[str] = set()
    ranges: list[tuple[str, str]] = []
    at = 0
    while at < len(body):
        if at + 2 < len(body) and body[at + 1] == "-":
            ranges.append((body[at], body[at + 2]))
            at += 3
        else:
            signs.add(body[at])
            at += 1
    return _Set(frozenset(signs), tuple(ranges), is_other)
