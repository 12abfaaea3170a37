"""What a pattern rule is, and the common ways to make one.

A rule is a handful of *words* and a *look*. The words are what prefilters: a rule is only asked where one of its words stands in the text,
with the leaf of the tree that the word is, so a file without a rule's words costs it nothing. The look climbs from the leaf to the call,
pair or assignment around it and answers with hits.

Severity, confidence, class and title of a rule are data (``model/rule_data/<check>.toml``); what is found and what to do is here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from assaymark.checks.application.patterns.flow import Flow
from assaymark.checks.application.patterns.shapes import Called, Either, Gathered, Literal, Name, Speech
from assaymark.checks.application.patterns.values import Value

if TYPE_CHECKING:
    from tree_sitter import Node

Steps = int
"""How many steps of confidence a hit loses against its rule."""
SURE: Steps = 0
LESS: Steps = 1
LEAST: Steps = 2
_IDENTIFIER = re.compile(r"[\w$]{2,60}")


class Hit(Struct, frozen=True, omit_defaults=True):
    """One place that breaks a rule."""

    node: Node
    less: Steps = SURE
    source: str = ""
    """Where foreign text comes from, in the words of the source."""
    message: str = ""
    """When this case has a better sentence than the rule."""


class Place(Struct, frozen=True):
    """What a look is given."""

    speech: Speech
    flow: Flow
    leaf: Node
    call: Called | None
    """The call whose name the leaf is."""


Look = Callable[[Place], Iterator[Hit]]


class Rule(Struct, frozen=True, dict=True):
    """See the module."""

    id: str
    words: frozenset[str]
    look: Look
    message: str
    """One sentence: what is wrong here."""
    advice: str


class Pack(Struct, frozen=True, dict=True):
    """The rules of one language and how it is read."""

    check: str
    rules: tuple[Rule, ...]
    speech: Callable[..., Speech]
    """Made with a `Text` and the digest of nothing else."""
    grammars: Mapping[str, tuple[str, ...]]
    """Dialect -> grammars to try, the first that reads the text without errors wins."""

    keywords: frozenset[str] = frozenset()
    """Words of rules that are words of the language as well: their standing in what could not be read says nothing."""

    @cached_property
    def by_word(self) -> dict[str, tuple[Rule, ...]]:
        words = {word for rule in self.rules for word in rule.words}
        return {word: tuple(rule for rule in self.rules if word in rule.words) for word in words}

    @cached_property
    def words(self) -> frozenset[bytes]:
        return frozenset(word.encode() for word in self.by_word)


class Targets:
    """Patterns of what is called, such as ``child_process.exec``, ``*.query``, ``new Function``; ``*`` stands for anything but the end.

    A pattern with ``new`` matches only the making of an object, one without only a call; ``new?`` matches both.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._rows: list[tuple[re.Pattern[str], bool | None]] = []
        words: set[str] = set()
        for pattern in patterns:
            makes, bare = _kind(pattern)
            self._rows.append((re.compile(re.escape(bare).replace(r"\*", ".*")), makes))
            if bare.endswith("*"):
                raise ValueError(f"{pattern}: the last part must be a word, or nothing would lead to the rule")
            words.add(_IDENTIFIER.findall(bare.replace("*", " "))[-1])
        self.words = frozenset(words)

    def match(self, call: Called) -> bool:
        return any((makes is None or makes == call.makes) and row.fullmatch(call.path) for row, makes in self._rows)


def _kind(pattern: str) -> tuple[bool | None, str]:
    if pattern.startswith("new? "):
        return None, pattern[5:]
    return (True, pattern[4:]) if pattern.startswith("new ") else (False, pattern)


class Worth(Struct, frozen=True):
    """What kinds of values are worth a hit; None is worth nothing."""

    foreign: Steps | None = SURE
    built: Steps | None = None
    """Put together of constants and what nobody knows."""
    unknown: Steps | None = None
    """Nothing is known of it."""


FOREIGN = Worth()
BUILT = Worth(built=LESS)


def judged(value: Value, kind: str, worth: Worth) -> tuple[Steps, str] | None:
    """How much a value is worth as a hit, and its source."""
    if value.is_safe(kind) or value.constant:
        return None
    if value.foreign and worth.foreign is not None:
        return worth.foreign + (1 if value.weak else 0), value.foreign
    if value.built and worth.built is not None:
        return worth.built + (1 if value.mild else 0), ""
    return (worth.unknown, "") if worth.unknown is not None else None


Judge = Callable[[Place, Value], tuple[Steps, str] | None]


def into(  # noqa: PLR0913 - all but three are named where it is called
    id_: str,
    kind: str,
    sinks: Mapping[str, tuple[int | str, ...]],
    *,
    worth: Worth = BUILT,
    message: str,
    advice: str,
    unless: Callable[[Place, Value], bool] | None = None,
) -> Rule:
    """Foreign or built text reaches an argument of a call.

    `sinks` maps a pattern of `Targets` to its dangerous arguments: a position, -1 for all, or a property of an argument as ``0.url``.
    `kind` is what text can be made safe for.
    """
    rows = [(Targets([pattern]), args) for pattern, args in sinks.items()]

    def look(place: Place) -> Iterator[Hit]:
        call = place.call
        if call is None:
            return
        wanted = next((args for targets, args in rows if targets.match(call)), None)
        for node in arguments(place, call, wanted or ()):
            value = place.flow.value(node)
            found = judged(value, kind, worth)
            if found is None or (unless is not None and unless(place, value)):
                continue
            less, source = found
            yield Hit(call.node, less + (LEAST if guarded(place, node) else SURE), source)
            return

    return Rule(id_, frozenset(word for targets, _ in rows for word in targets.words), look, message, advice)


def called(
    id_: str,
    targets: Iterable[str],
    when: Callable[[Place, Called], bool | Steps | None],
    *,
    message: str,
    advice: str,
) -> Rule:
    """A call that is wrong by its arguments or by itself; `when` answers with a claim, or with the steps of confidence it lacks."""
    patterns = Targets(targets)

    def look(place: Place) -> Iterator[Hit]:
        if place.call is None or not patterns.match(place.call):
            return
        answer = when(place, place.call)
        if answer is None or answer is False:
            return
        yield Hit(place.call.node, SURE if answer is True else answer)

    return Rule(id_, patterns.words, look, message, advice)


def looked(id_: str, words: Iterable[str], look: Look, *, message: str, advice: str) -> Rule:
    """Anything else: the words, and a function that looks around them."""
    return Rule(id_, frozenset(words), look, message, advice)


def arguments(place: Place, call: Called, wanted: tuple[int | str, ...]) -> Iterator[Node]:
    """The nodes that `into` names."""
    for each in wanted:
        if isinstance(each, str):
            position, _, key = each.partition(".")
            node = option(place, call, int(position), key)
            if node is not None:
                yield node
        elif each < 0:
            yield from call.args
        elif each < len(call.args):
            yield call.args[each]


def option(place: Place, call: Called, position: int, key: str) -> Node | None:
    """The value of a property of an argument that is an object, also when a variable holds the object."""
    if position < 0:
        position += len(call.args)
    if not 0 <= position < len(call.args):
        return None
    shape = place.flow.resolved(call.args[position])
    if isinstance(shape, Gathered) and key in shape.keys:
        return shape.parts[shape.keys.index(key)]
    return None


def text_of(place: Place, node: Node | None) -> str | None:
    """The constant text of an expression."""
    return None if node is None else place.flow.value(node).text


def argument(place: Place, position: int) -> str | None:
    """The constant text of the call's argument."""
    if place.call is None or not 0 <= position < len(place.call.args):
        return None
    return text_of(place, place.call.args[position])


_GUARD = (
    r"(?:includes|has|test|matches|match|indexOf|contains|containsKey|startsWith|in_array|equals|\w*(?:[vV]alid|[aA]llow|[sS]afe)\w*"
    r"|preg_match|ctype_\w+|is_numeric|filter_var|str_starts_with|strncmp)"
)


_CONDITION = re.compile(r"\b(?:if|while|unless)\b")


def guarded(place: Place, node: Node) -> bool:
    """True when a name of the expression was asked about before, in a condition of the same function: perhaps a list of what is allowed."""
    functions = place.speech.functions_around(node.start_byte)
    start = max(functions[0].start if functions else 0, node.start_byte - 4_000)
    before = place.speech.text.content[start : node.start_byte].decode("utf-8", "replace")
    if not _CONDITION.search(before):
        return False
    for name in _names(place, node, 3):
        word = re.escape(name)
        if re.search(rf"\b(?:if|while|unless)\b[^;\n]{{0,120}}\b{_GUARD}\s*\(\s*[^()\n]{{0,60}}(?<![\w$]){word}(?![\w$])", before):
            return True
        if re.search(rf"\bif\b[^;\n]{{0,120}}(?<![\w$]){word}\.(?:match|matches|startsWith|equals|includes|endsWith)\s*\(", before):
            return True
    return False


def _names(place: Place, node: Node, depth: int) -> Iterator[str]:
    """Names that stand in an expression, one step of definitions included."""
    shape = place.speech.shape(node)
    if isinstance(shape, Name):
        yield shape.name
    elif isinstance(shape, Literal):
        return
    elif depth and isinstance(shape, Either):
        for arm in shape.arms:
            yield from _names(place, arm, depth - 1)
    else:
        yield from dict.fromkeys(re.findall(r"(?<![\w$.\"'])[A-Za-z_$][\w$]*", place.speech.text.of(node)[:400])[:8])
