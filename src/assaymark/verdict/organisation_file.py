"""Reads policies of an organisation from YAML, strictly: what is not understood is refused with its line. Pure.

Guarantees: no alias is expanded more than once and nothing is nested deeper than `_DEEPEST`; a key that stands twice, an unknown setting, a
value of the wrong type, a condition that is no CEL, could run for long, names a variable that does not exist or fails over the specimen,
and an id that stands twice are errors with file and line; what is read without error can be evaluated (`verdict.ruling`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, Unreadable, decode, documents
from assaymark.errors import PolicyInvalid
from assaymark.formats.expression import Broken, World, costs_too_much, unknown_names
from assaymark.verdict.organisation import MOST_EXAMPLES, MOST_RULES, OrganisationPolicy, RuleText
from assaymark.verdict.rules import Action, Over
from assaymark.verdict.seen_by_rules import VARIABLES
from assaymark.verdict.specimen import SPECIMEN, laid_over

MOST_BYTES = 256 << 10
MOST_DOCUMENTS = 50
_DEEPEST = 12
_MOST_VALUES = 20_000
RESERVED = frozenset({"check", "new", "simulations", "sources"})
"""Names that are places of their own on the server."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}\Z")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,79}\Z")
_WHOLE = re.compile(r"[-+]?\d{1,15}\Z")
_PLACE = re.compile(r" - at `\$(.*)`\Z")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_TEXT = "tag:yaml.org,2002:str"
_TAGS = frozenset({"", "!", _TEXT, "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_ADVICE = "see docs/reference/organisation-policy.md"

Path = tuple[str | int, ...]


class Result(Struct, frozen=True):
    """What came of one example."""

    rule: str
    example: str
    passed: bool
    said: str
    """What went otherwise; empty when it passed."""


def parse(data: bytes, name: str) -> tuple[OrganisationPolicy, ...]:
    """Every policy of a file.

    Raises:
        PolicyInvalid: with file and line.
    """
    if len(data) > MOST_BYTES:
        raise PolicyInvalid(f"{name} has {len(data)} bytes", why=f"a file of policies has at most {MOST_BYTES}", advice="split it")
    try:
        roots = documents(decode(data))
    except Unreadable as error:
        raise PolicyInvalid(f"{name} is no YAML", why=error.reason, advice="correct the line") from error
    if not roots or len(roots) > MOST_DOCUMENTS:
        raise PolicyInvalid(
            f"{name} holds {len(roots)} documents", advice=f"write one to {MOST_DOCUMENTS}, each beginning with `kind: Policy`"
        )
    found = tuple(_policy(root, name) for root in roots)
    names = [each.metadata.name for each in found]
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice is not None:
        raise PolicyInvalid(f"{name}: policy {twice} exists twice", advice="give each policy a name of its own")
    return found


def parse_one(data: bytes, name: str) -> OrganisationPolicy:
    """The policy of a file that holds one.

    Raises:
        PolicyInvalid: with file and line.
    """
    found = parse(data, name)
    if len(found) != 1:
        raise PolicyInvalid(f"{name} holds {len(found)} policies", advice="give them one at a time")
    return found[0]


def tried(policy: OrganisationPolicy) -> list[Result]:
    """Each rule's examples, evaluated."""
    results = []
    for rule in policy.rules:
        for number, example in enumerate(rule.examples, 1):
            world = World(laid_over(example))
            try:
                holds = world.holds(rule.when)
                said = "" if holds is example.holds else f"the condition is {_word(holds)} and should be {_word(example.holds)}"
            except Broken as error:
                said = f"the condition fails: {error}"
            results.append(Result(rule.id, example.name or f"example {number}", not said, said))
    return results


def _word(value: bool) -> str:
    return str(value).lower()


# --- from nodes to values --------------------------------------------------------------------------------------------


class _Reader:
    """Plain values of a tree, and on which line each stands."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Path, int] = {}
        self._left = _MOST_VALUES

    def refuse(self, line: int, what: str, why: str = "", advice: str = _ADVICE) -> PolicyInvalid:
        return PolicyInvalid(f"{self.name}, line {line}: {what}", why=why, advice=advice)

    def value(self, node: Node, path: Path) -> Any:
        line = node.span.start_line
        self.lines.setdefault(path, line)
        self._left -= 1
        if self._left < 0 or len(path) > _DEEPEST:
            raise self.refuse(line, "the document is too large or too deep")
        if node.tag not in _TAGS:
            raise self.refuse(line, f"tag {node.tag[:40]} is not known")
        if isinstance(node, Scalar):
            return _plain(node)
        if isinstance(node, Items):
            return [self.value(each, (*path, at)) for at, each in enumerate(node.entries)]
        return self._keyed(node, path)

    def _keyed(self, node: Keyed, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.entries:
            if not isinstance(key, Scalar):
                raise self.refuse(key.span.start_line, "a key is a list or a table")
            if key.text in found:
                raise self.refuse(key.span.start_line, f"`{key.text[:60]}` stands twice")
            self.lines[(*path, key.text)] = key.span.start_line
            found[key.text] = self.value(value, (*path, key.text))
        return found

    def line(self, path: Path) -> int:
        """Of the value, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def _plain(node: Scalar) -> Any:
    if node.style or node.tag == _TEXT:
        return node.text
    text = node.text
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    return int(text) if _WHOLE.match(text) else text


def _policy(root: Node, name: str) -> OrganisationPolicy:
    reader = _Reader(name)
    tree = reader.value(root, ())
    try:
        policy = msgspec.convert(_without_nothing(tree), OrganisationPolicy)
    except msgspec.ValidationError as error:
        raise _located(reader, str(error)) from error
    _check(policy, reader)
    return policy


def _without_nothing(tree: Any) -> Any:
    """A key without a value (`floor:`) is as if it were not written, as in every editor's outline."""
    if isinstance(tree, dict):
        return {key: _without_nothing(value) for key, value in tree.items() if value is not None}
    return tree


def _located(reader: _Reader, text: str) -> PolicyInvalid:
    found = _PLACE.search(text)
    path: list[str | int] = []
    for name, number in _STEP.findall(found.group(1)) if found else ():
        if number == "...":
            break
        path.append(int(number) if number else name)
    unknown = _UNKNOWN.search(text)
    if unknown:
        path.append(unknown.group(1))
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
    return reader.refuse(reader.line(tuple(path)), f"{where or 'the document'} is not understood", text[: found.start()] if found else text)


# --- what types do not say -------------------------------------------------------------------------------------------


def _check(policy: OrganisationPolicy, reader: _Reader) -> None:
    meta = policy.metadata
    if not _NAME.match(meta.name):
        raise reader.refuse(reader.line(("metadata", "name")), "metadata.name is no name", "small letters, digits, hyphens; at most 80")
    if meta.name in RESERVED:
        raise reader.refuse(
            reader.line(("metadata", "name")), f"metadata.name is {meta.name}, which is taken", advice="choose another name"
        )
    if not _VERSION.match(meta.version):
        raise reader.refuse(
            reader.line(("metadata", "version")), "metadata.version is no version", "letters, digits and `.+_-`; at most 80"
        )
    days = policy.floor.max_waiver_days
    if days is not None and not 1 <= days <= 3650:
        raise reader.refuse(reader.line(("floor", "max_waiver_days")), f"max_waiver_days is {days}", "it is from 1 to 3650")
    if len(policy.rules) > MOST_RULES:
        raise reader.refuse(reader.line(("rules",)), f"there are {len(policy.rules)} rules", f"a policy has at most {MOST_RULES}")
    seen: set[str] = set()
    for number, rule in enumerate(policy.rules):
        _check_rule(rule, reader, ("rules", number))
        if rule.id in seen:
            raise reader.refuse(reader.line(("rules", number, "id")), f"rule {rule.id} exists twice", advice="give it an id of its own")
        seen.add(rule.id)


def _check_rule(rule: RuleText, reader: _Reader, path: Path) -> None:
    if not _NAME.match(rule.id):
        raise reader.refuse(reader.line((*path, "id")), "the rule's id is none", "small letters, digits, hyphens; at most 80")
    for field in ("message", "advice"):
        said = getattr(rule, field)
        if not said.strip() or len(said) > 1000:
            raise reader.refuse(reader.line((*path, field)), f"{field} is empty or longer than 1000 characters", advice="say it to people")
    if rule.action is Action.ALLOW and rule.over is not Over.FINDING:
        raise reader.refuse(
            reader.line((*path, "action")),
            f"a rule over the {rule.over} cannot allow",
            "only findings can be let through",
            "write over: finding",
        )
    if not rule.states:
        raise reader.refuse(
            reader.line((*path, "states")), "states is empty", "the rule would be asked of nothing", "name some, e.g. [new]"
        )
    if len(rule.examples) > MOST_EXAMPLES:
        raise reader.refuse(reader.line((*path, "examples")), f"there are {len(rule.examples)} examples", f"at most {MOST_EXAMPLES}")
    _check_condition(rule, reader, (*path, "when"))
    for number, example in enumerate(rule.examples):
        for variable in ("finding", "component", "change", "subject", "verdict"):
            _check_example(getattr(example, variable), SPECIMEN[variable], reader, (*path, "examples", number, variable))


def _check_condition(rule: RuleText, reader: _Reader, path: Path) -> None:
    line = reader.line(path)
    reason = costs_too_much(rule.when)
    if reason:
        raise reader.refuse(line, f"rule {rule.id}: `when` is refused", reason, "split it into several rules")
    known = [name for name in VARIABLES if name not in set(Over) - {Over.CHANGE} or name == rule.over]
    try:
        unknown = unknown_names(rule.when, known)
        if unknown:
            raise reader.refuse(
                line, f"rule {rule.id}: `when` names {', '.join(unknown)[:100]}, which is not known", f"known are {', '.join(known)}"
            )
        world = World({name: value for name, value in SPECIMEN.items() if name in known})
        world.holds(rule.when)
        world.put("decisions", [])
        world.holds(rule.when)
    except Broken as error:
        raise reader.refuse(line, f"rule {rule.id}: `when` is no usable condition", str(error)) from error


def _check_example(given: Mapping[str, Any], known: Mapping[str, Any], reader: _Reader, path: Path) -> None:
    for name, value in given.items():
        if name not in known:
            raise reader.refuse(reader.line((*path, name)), f"{path[-1]} has no {name[:60]!r}", f"it has {', '.join(sorted(known))}")
        if type(value) is not type(known[name]):
            raise reader.refuse(reader.line((*path, name)), f"{path[-1]}.{name} has another type", f"it is like {known[name]!r}"[:200])
