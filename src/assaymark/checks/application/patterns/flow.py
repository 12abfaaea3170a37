"""Where a value comes from, as far as one text tells.

From the argument of a dangerous call backwards: through variables of the function and of those around it, concatenation, conditions that
are constant, calls of functions in the same text. What cannot be followed is `unknown`, which is neither foreign nor harmless.

Bounded: depth, and steps for one text; the rules decide what unknown and built text is worth.
Not done: other files, fields of objects that outlive the function, aliasing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from assaymark.checks.application.patterns.constants import fold, truth
from assaymark.checks.application.patterns.shapes import (
    Called,
    Computed,
    Definition,
    Either,
    Gathered,
    Joined,
    Literal,
    Member,
    Name,
    Opaque,
    Shape,
    Speech,
    Through,
)
from assaymark.checks.application.patterns.values import (
    EVERYTHING,
    HARMLESS,
    LONGEST_TEXT,
    SETTING,
    UNKNOWN,
    Value,
    either,
    joined,
    made_safe,
)

if TYPE_CHECKING:
    from tree_sitter import Node

DEEPEST = 40
MOST_STEPS = 40_000
_MOST_SITES = 12
_MOST_DEFINITIONS = 40
"""Of one variable in one function that are looked at; a variable with more is a register of a compiler."""
_CONSTANT_NAME = re.compile(r"[A-Z][A-Z0-9_]+")
_MOST_INLINED = 3
_LONGEST_INLINED = 6_000
"""Bytes of a function whose result is looked at."""
_NOT_TEXT = frozenset({"length", "size", "byteLength"})


class TooComplex(Exception):  # noqa: N818 - says what the text is
    """The text asks for more steps than are given to one."""


class Flow:
    """Answers for one text."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self._steps = 0
        self._known: dict[int, Value] = {}
        self._given: dict[tuple[int, str], Value] = {}
        self._open: set[int] = set()
        self._sites: dict[str, list[Called]] = {}

    def value(self, node: Node, depth: int = 0) -> Value:
        """The value of an expression.

        Raises:
            TooComplex: see the class.
        """
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TooComplex
        if node.id in self._known:
            return self._known[node.id]
        if depth > DEEPEST or node.id in self._open:
            return UNKNOWN
        self._open.add(node.id)
        try:
            found = self._judge(node, self._speech.shape(node), depth + 1)
        finally:
            self._open.discard(node.id)
        self._known[node.id] = found
        return found

    def _judge(self, node: Node, shape: Shape, depth: int) -> Value:  # noqa: C901, PLR0911 - one return per shape
        source = self._speech.source(node, shape)
        if source:
            return Value(foreign=source)
        match shape:
            case Literal(text=text):
                return Value(text=text[:LONGEST_TEXT], prefix=text[:LONGEST_TEXT])
            case Joined(parts=parts):
                return joined([self._part(part, depth) for part in parts])
            case Gathered(parts=parts):
                return replace(either([self.value(part, depth) for part in parts]), text=None, prefix="")
            case Name(name=name):
                return self._variable(name, node, depth)
            case Either(arms=arms, test=test):
                return self._choice(arms, test, depth)
            case Through(inner=inner):
                return self.value(inner, depth)
            case Member(of=of, name=name):
                return self._member(of, name, depth)
            case Called():
                return self._call(shape, depth)
            case Computed(operator=operator, operands=operands):
                folded = fold(operator, [self.value(each, depth).text for each in operands]) if operator else None
                return Value(text=folded, prefix=folded or "")
            case Opaque():
                return UNKNOWN

    def _part(self, part: Node | str, depth: int) -> Value:
        return Value(text=part, prefix=part) if isinstance(part, str) else self.value(part, depth)

    def _choice(self, arms: tuple[Node, ...], test: Node | None, depth: int) -> Value:
        if test is not None and len(arms) == 2:
            decided = truth(self.value(test, depth).text)
            if decided is not None:
                return self.value(arms[0 if decided else 1], depth)
        return either([self.value(arm, depth) for arm in arms])

    def _member(self, of: Node, name: str, depth: int) -> Value:
        if name in _NOT_TEXT:
            return HARMLESS
        shape = self.resolved(of)
        if isinstance(shape, Gathered) and name in shape.keys:
            return self.value(shape.parts[shape.keys.index(name)], depth)
        found = self.value(of, depth)
        if found.foreign:
            return replace(found, text=None, prefix="", built=False)
        return SETTING if _CONSTANT_NAME.fullmatch(name) else UNKNOWN

    def resolved(self, node: Node) -> Shape:
        """The shape of a node, or of what its variable was last set to as a whole."""
        shape = self._speech.shape(node)
        for _ in range(4):
            if isinstance(shape, Through):
                shape = self._speech.shape(shape.inner)
            elif isinstance(shape, Name):
                reaching = self._reaching(shape.name, node)
                if len(reaching) != 1 or reaching[0].value is None or reaching[0].member or reaching[0].how != "set":
                    break
                node = reaching[0].value
                shape = self._speech.shape(node)
            else:
                break
        return shape

    # --- variables ---------------------------------------------------------------------------------------------------

    def _variable(self, name: str, node: Node, depth: int) -> Value:
        reaching = self._reaching(name, node)
        if not reaching:
            return SETTING if _CONSTANT_NAME.fullmatch(name) else UNKNOWN
        return self._set_by(reaching, len(reaching) - 1, depth)

    def _set_by(self, reaching: list[Definition], at: int, depth: int) -> Value:
        """The value after the definitions up to `at`, of which later ones may hide earlier ones."""
        values: list[Value] = []
        while at >= 0:
            each = reaching[at]
            if each.how == "add":
                before = self._set_by(reaching, at - 1, depth + 1) if at else UNKNOWN
                added = self.value(each.value, depth) if each.value is not None else UNKNOWN
                values.append(joined([before, added]))
                break
            values.append(self._given_by(each, depth))
            at -= 1
        return either(values)

    def _given_by(self, each: Definition, depth: int) -> Value:
        """The value that one definition gives."""
        if each.how == "parameter":
            found = Value(foreign=each.source) if each.source else self._parameter(each, depth)
        elif each.value is None:
            found = HARMLESS if each.how == "declared" else Value(text="") if each.how == "empty" else UNKNOWN
        elif each.member:
            found = self._member(each.value, each.member, depth)
        else:
            found = self.value(each.value, depth)
        return Value(text=found.text, prefix=found.prefix) if each.kind in self._speech.harmless else found

    def _reaching(self, name: str, use: Node) -> list[Definition]:
        """The definitions that may have set a variable where it is used, in order of the text."""
        homes = self._speech.homes(name)
        if not homes:
            return []
        places = [*(function.start for function in self._speech.functions_around(use.start_byte)), -1]
        for place in places:
            if place in homes:
                return self._visible(homes[place], use, inside=place == places[0])
        return []

    def _home(self, at: int) -> int:
        """Start of the innermost function around a byte, -1 for none."""
        around = self._speech.functions_around(at)
        return around[0].start if around else -1

    def _visible(self, rows: list[Definition], use: Node, *, inside: bool) -> list[Definition]:
        if not inside or len(rows) > _MOST_DEFINITIONS:
            return rows[-_MOST_DEFINITIONS:]
        before = [row for row in rows if row.node.start_byte < use.start_byte and not _within(use, row.value)]
        found: list[Definition] = []
        covered: dict[int, set[int]] = {}
        for row in reversed(before or rows):
            reach = self._reach(row, use)
            if reach != "never":
                found.append(row)
            if row.how != "add" and (reach == "always" or (reach == "maybe" and self._closes(row, use, covered))):
                break
        return list(reversed(found))

    def _closes(self, row: Definition, use: Node, covered: dict[int, set[int]]) -> bool:
        """True when with this definition every arm of an ``if … else`` before the use has set the variable."""
        levels: list[tuple[Node, Node]] = []
        node, at = row.node, use.start_byte
        for _ in range(200):
            parent = node.parent
            if parent is None or parent.type in self._speech.bounds:
                break
            if parent.type in self._speech.branches and not parent.start_byte <= at < parent.end_byte:
                levels += [(parent, node)] if any(arm == node for arm in self._speech.arms(parent)) else []
            node = parent
        if len(levels) != 1 or levels[0][0].type not in self._speech.rivals:
            return False
        branch, arm = levels[0]
        arms = self._speech.arms(branch)
        covered.setdefault(branch.id, set()).add(arm.id)
        return len(arms) > 1 and arms[-1].type != "else_if_clause" and len(covered[branch.id]) == len(arms)

    def _reach(self, row: Definition, use: Node) -> str:
        """Whether a definition holds at a use: ``always``, ``maybe`` or ``never``."""
        node, at = row.node, use.start_byte
        answer = "always"
        for _ in range(200):
            parent = node.parent
            if parent is None or parent.type in self._speech.bounds:
                break
            if parent.type in self._speech.branches and not node.start_byte <= at < node.end_byte:
                if self._is_dead(parent, node):
                    return "never"
                arms = self._speech.arms(parent)
                if any(arm == node for arm in arms):
                    inside = parent.start_byte <= at < parent.end_byte
                    if inside and parent.type in self._speech.rivals and any(arm.start_byte <= at < arm.end_byte for arm in arms):
                        return "never"
                    if not self._is_certain(parent, node):
                        answer = "maybe"
            node = parent
        return answer

    def _is_dead(self, parent: Node, arm: Node) -> bool:
        return self._decided(parent, arm) is False

    def _is_certain(self, parent: Node, arm: Node) -> bool:
        return self._decided(parent, arm) is True

    def _decided(self, parent: Node, arm: Node) -> bool | None:
        test = self._speech.test_of(parent, arm)
        if test is None:
            return None
        condition, wanted = test
        if isinstance(wanted, bool):
            decided = truth(self.value(condition, DEEPEST // 2).text)
            return None if decided is None else decided is wanted
        subject = self.value(condition, DEEPEST // 2).text
        return None if subject is None else subject in wanted

    def _parameter(self, definition: Definition, depth: int) -> Value:
        home = self._home(definition.at)
        if (home, definition.name) in self._given:
            return self._given[home, definition.name]
        function = next((each for each in self._speech.functions_around(definition.at) if each.start == home), None)
        if function is None or not function.name or definition.name not in function.parameters or self._given:
            return UNKNOWN
        position = function.parameters.index(definition.name)
        calls = [call for call in self._calls(function.name) if len(call.args) > position]
        values = [self.value(call.args[position], depth + 4) for call in calls]
        return either([UNKNOWN, *values]) if values else UNKNOWN

    def _calls(self, name: str) -> list[Called]:
        """Calls in this text that may be of a function of the text; none when there are too many to tell anything."""
        if name not in self._sites:
            self._steps += 20
            found: list[Called] = []
            for _, leaf in self._speech.text.leaves([name]):
                call = self._speech.call_at(leaf)
                if call is not None and not call.makes and self._speech.is_local(call):
                    found.append(call)
                if len(found) > _MOST_SITES:
                    break
            self._sites[name] = found if len(found) <= _MOST_SITES else []
        return self._sites[name]

    # --- calls -------------------------------------------------------------------------------------------------------

    def _call(self, call: Called, depth: int) -> Value:  # noqa: PLR0911 - from what is known best to what is not known
        safe = self._speech.cleans(call)
        if safe == EVERYTHING:
            return HARMLESS
        special = self._speech.result(call, self, depth)
        if special is not None:
            return special
        args = [self.value(arg, depth) for arg in call.args]
        named = call.receiver is None or self._is_named(call.receiver)
        receiver = HARMLESS if named or call.receiver is None else self.value(call.receiver, depth)
        parts = args if named else [receiver, *args]
        if safe is not None:
            return made_safe(joined(parts), safe)
        if self._speech.carries(call):
            return joined(parts)
        inlined = self._inlined(call, args, depth)
        if inlined is not None:
            return inlined
        if receiver.foreign:
            return replace(receiver, text=None, prefix="", built=False)
        foreign = next((part for part in parts if part.foreign), None)
        if foreign is None and receiver.constant | receiver.mild and all(part.constant or part.mild for part in parts):
            return SETTING
        if foreign is None or self._speech.filters(call):
            return UNKNOWN
        return replace(foreign, text=None, prefix="", weak=True, unknown=True)

    def _is_named(self, node: Node) -> bool:
        """True for a receiver that stands for a module or class and is no value."""
        shape = self._speech.shape(node)
        for _ in range(10):
            if not isinstance(shape, Member):
                break
            shape = self._speech.shape(shape.of)
        return isinstance(shape, Name) and shape.name not in self._speech.definitions()

    def _inlined(self, call: Called, args: list[Value], depth: int) -> Value | None:
        """The result of a function of this text, with the arguments put in."""
        if not self._speech.is_local(call) or len(self._given) > _MOST_INLINED * 8:
            return None
        found = self._speech.named_functions(call.name)
        if len(found) != 1 or found[0].node.id in self._open or found[0].end - found[0].start > _LONGEST_INLINED:
            return None
        (function,) = found
        before, known = self._given, self._known
        self._known = {}
        self._given = {**before, **{(function.start, name): value for name, value in zip(function.parameters, args, strict=False)}}
        self._given.setdefault((function.start, ""), HARMLESS)
        self._open.add(function.node.id)
        try:
            returned = self._speech.returns(function)
            return either([self.value(node, depth + 2) for node in returned]) if returned else None
        finally:
            self._open.discard(function.node.id)
            self._given, self._known = before, known


def _within(node: Node, around: Node | None) -> bool:
    return around is not None and around.start_byte <= node.start_byte < around.end_byte
