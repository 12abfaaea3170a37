"""Rule files that the user adds, in the TOML format of gitleaks and Betterleaks.

Read: id, description, regex, secretGroup, entropy, keywords, tags, allowlists (global and per rule:
regexes, regexTarget, stopwords, condition).
Refused, with the rule's name: a regular expression that Python cannot read, `path` conditions (a check of content knows no path), `extend`,
and unknown fields, because a rule that silently means less than it says would be a gap.
"""

from __future__ import annotations

import re
import tomllib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from assaymark.checks.application.secrets.expressions import Expression
from assaymark.checks.application.secrets.hits import Hit, Kind
from assaymark.checks.application.secrets.validation import entropy
from assaymark.checks.settings import NamedFile, Secret
from assaymark.errors import PolicyInvalid
from assaymark.model.severity import Confidence, Severity

_RANK = 1
_RULE_FIELDS = frozenset(
    {"id", "description", "regex", "secretGroup", "entropy", "keywords", "tags", "allowlists", "allowlist", "path", "report", "skipReport"}
)
_ALLOW_FIELDS = frozenset({"description", "regexes", "regexTarget", "stopwords", "condition", "paths", "commits", "targetRules", "id"})
_CLASSES = {
    "[:alnum:]": "0-9A-Za-z",
    "[:alpha:]": "A-Za-z",
    "[:digit:]": "0-9",
    "[:lower:]": "a-z",
    "[:upper:]": "A-Z",
    "[:space:]": r"\s",
    "[:xdigit:]": "0-9A-Fa-f",
    "[:word:]": r"\w",
    "[:punct:]": r"!-/:-@\[-`{-~",
}
_NESTED_REPEAT = re.compile(r"\([^()]*[+*][^()]*\)[+*]|\([^()]*[+*][^()]*\)\{\d+,\}")


class Allowlist(Struct, frozen=True):
    """What is not to be reported."""

    regexes: tuple[re.Pattern[bytes], ...]
    target: str
    stopwords: tuple[bytes, ...]
    all_of: bool

    def covers(self, secret: bytes, match: bytes, line: bytes) -> bool:
        """True when the finding is to be overlooked."""
        text = {"match": match, "line": line}.get(self.target, secret)
        said = []
        if self.regexes:
            said.append(any(regex.search(text) for regex in self.regexes))
        if self.stopwords:
            lowered = secret.lower()
            said.append(any(word in lowered for word in self.stopwords))
        return bool(said) and (all(said) if self.all_of else any(said))


class ForeignRule(Struct, frozen=True):
    """One rule of a user's file."""

    name: str
    kind: Kind
    source: str
    regex: re.Pattern[bytes]
    group: int
    entropy: float
    keywords: tuple[bytes, ...]
    allowlists: tuple[Allowlist, ...]

    def find(self, data: bytes) -> Iterator[Hit]:
        """Matches that no allowlist covers."""
        if self.keywords:
            lowered = data.lower()
            if not any(word in lowered for word in self.keywords):
                return
        for match in self.regex.finditer(data):
            group = self._group_of(match)
            secret = match.group(group)
            if not secret or (self.entropy and entropy(secret) <= self.entropy):
                continue
            start = data.rfind(b"\n", 0, match.start()) + 1
            end = data.find(b"\n", match.end())
            line = data[start : len(data) if end < 0 else end]
            if not any(allowed.covers(secret, match.group(), line) for allowed in self.allowlists):
                yield Hit(
                    self.kind, match.start(group), match.end(group), Secret(secret), Confidence.MEDIUM, (("rule-file-id", self.name),)
                )

    def _group_of(self, match: re.Match[bytes]) -> int:
        """As gitleaks: the named group, else the first one that took part, else the whole match."""
        if self.group:
            return self.group
        return next((number for number, text in enumerate(match.groups(), 1) if text), 0)


def leads(rules: Sequence[ForeignRule]) -> list[Expression]:
    return [Expression(f"user:{rule.name}", rule.source) for rule in rules]


def read(files: Sequence[NamedFile]) -> tuple[ForeignRule, ...]:
    """All rules of all files.

    Raises:
        PolicyInvalid: naming file, rule and reason.
    """
    rules: dict[str, ForeignRule] = {}
    for file in files:
        for rule in _read_file(file):
            if rule.name in rules:
                raise _refused(file, rule.name, "two rules have this id")
            rules[rule.name] = rule
    return tuple(rules.values())


def _refused(file: NamedFile, rule: str, why: str) -> PolicyInvalid:
    return PolicyInvalid(
        f"rule {rule!r} in {file.name} cannot be used", why=why, advice="Correct the rule or leave it out of the rule file."
    )


def _read_file(file: NamedFile) -> Iterator[ForeignRule]:
    try:
        document = tomllib.loads(file.content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PolicyInvalid(
            f"{file.name} is no TOML rule file", why=str(error), advice="Give a rule file of gitleaks or Betterleaks."
        ) from error
    if "extend" in document:
        raise PolicyInvalid(
            f"{file.name} extends another rule file", why="only what the file itself holds is known", advice="List both files."
        )
    shared = [_allowlist(file, "(global)", row) for row in _rows(document, "allowlist", "allowlists") if not row.get("targetRules")]
    for row in document.get("rules", []):
        yield _rule(file, row, tuple(shared))


def _rows(table: dict[str, Any], one: str, many: str) -> list[dict[str, Any]]:
    found = table.get(many, [])
    single = table.get(one, [])
    return [*found, *([single] if isinstance(single, dict) else single)]


def _rule(file: NamedFile, row: dict[str, Any], shared: tuple[Allowlist | None, ...]) -> ForeignRule:
    name = str(row.get("id") or "(without id)")
    unknown = sorted(set(row) - _RULE_FIELDS)
    if unknown:
        raise _refused(file, name, f"unknown field {unknown[0]!r}")
    if row.get("path"):
        raise _refused(file, name, "it depends on a path; what is said of content must hold wherever the content lies")
    if not row.get("regex"):
        raise _refused(file, name, "it has no regex")
    source = str(row["regex"])
    regex = _compile(file, name, source)
    group = int(row.get("secretGroup", 0))
    if group > regex.groups:
        raise _refused(file, name, f"secretGroup {group}, but the regex has {regex.groups} groups")
    own = [_allowlist(file, name, entry) for entry in _rows(row, "allowlist", "allowlists")]
    message = str(row.get("description") or f"Content that the rule {name} looks for.")
    return ForeignRule(
        name=name,
        kind=Kind(f"user.{name}", f"secrets/user.{name}", message[:200], Severity.HIGH, _RANK),
        source=_translated(source),
        regex=regex,
        group=group,
        entropy=float(row.get("entropy", 0.0)),
        keywords=tuple(str(word).lower().encode() for word in row.get("keywords", ())),
        allowlists=tuple(entry for entry in (*own, *shared) if entry is not None),
    )


def _allowlist(file: NamedFile, rule: str, row: dict[str, Any]) -> Allowlist | None:
    unknown = sorted(set(row) - _ALLOW_FIELDS)
    if unknown:
        raise _refused(file, rule, f"unknown allowlist field {unknown[0]!r}")
    by_place = bool(row.get("paths") or row.get("commits"))
    all_of = str(row.get("condition", "OR")).upper() == "AND"
    if by_place and all_of:
        raise _refused(file, rule, "an allowlist joins a path or commit with AND; exclude paths in assay.toml instead")
    regexes = tuple(_compile(file, rule, str(source)) for source in row.get("regexes", ()))
    words = tuple(str(word).lower().encode() for word in row.get("stopwords", ()))
    return Allowlist(regexes, str(row.get("regexTarget", "secret")), words, all_of) if regexes or words else None


def _compile(file: NamedFile, rule: str, source: str) -> re.Pattern[bytes]:
    if _NESTED_REPEAT.search(source):
        raise _refused(file, rule, "a repetition inside an unbounded repetition can take exponential time")
    try:
        with warnings.catch_warnings():  # about what a later Python may read differently: the user's rule means what RE2 says
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(_translated(source).encode("utf-8"))
    except (re.error, RecursionError, OverflowError) as error:
        raise _refused(file, rule, f"the regular expression cannot be read: {error}") from error


def _translated(source: str) -> str:
    r"""RE2 syntax as Python has it: POSIX classes, ``\z``, and flags in the middle, which become a scoped group to the end of theirs."""
    for name, members in _CLASSES.items():
        source = source.replace(name, members)
    return _scoped_flags(source.replace(r"\z", r"\Z"))


def _scoped_flags(source: str) -> str:
    """``a(?i)b`` means “from here to the end of the group” in RE2 and is an error in Python: ``a(?i:b)``."""
    out: list[str] = []
    owed = [0]
    place, in_class = 0, False
    while place < len(source):
        flags = None if in_class else re.compile(r"\(\?([ims]+)\)").match(source, place)
        if flags:
            out.append(f"(?{flags.group(1)}:")
            owed[-1] += 1
            place = flags.end()
            continue
        char = source[place]
        if char == "\\":
            out.append(source[place : place + 2])
            place += 2
            continue
        if in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            skip = 2 if source[place + 1 : place + 2] == "^" else 1
            if source[place + skip : place + skip + 1] == "]":
                out.append(source[place : place + skip + 1].replace("]", r"\]"))
                place += skip + 1
                continue
        elif char == "(":
            owed.append(0)
        elif char == ")" and len(owed) > 1:
            out.append(")" * owed.pop())
        out.append(char)
        place += 1
    return "".join(out) + ")" * sum(owed)
