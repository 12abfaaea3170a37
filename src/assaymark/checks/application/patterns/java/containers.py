"""Lists and maps of one method, followed element by element while keys and positions are constant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.shapes import Called, Name
from assaymark.checks.application.patterns.values import Value, either

if TYPE_CHECKING:
    from tree_sitter import Node

    from assaymark.checks.application.patterns.flow import Flow
    from assaymark.checks.application.patterns.java.speech import Java

_MOST_CALLS = 60
_LIST = re.compile(r"\w*(?:List|Vector|Deque|Queue)\.get")
_MAP = re.compile(r"\w*(?:Map|Hashtable|Properties)\.(?:get|getOrDefault)")


def from_container(speech: Java, call: Called, flow: Flow, depth: int) -> Value | None:
    """The element that a call takes out, or the character of a constant text; None for anything else."""
    if call.receiver is None or not call.args:
        return None
    if call.name == "charAt":
        return _character(call, flow, depth)
    shape = speech.shape(call.receiver)
    if call.name not in ("get", "getOrDefault") or not isinstance(shape, Name):
        return None
    calls = _calls(speech, shape.name, call.node)
    if calls is None:
        return None
    if _LIST.fullmatch(call.path):
        return _from_list(call, calls, flow, depth)
    return _from_map(call, calls, flow, depth) if _MAP.fullmatch(call.path) else None


def _character(call: Called, flow: Flow, depth: int) -> Value | None:
    text = flow.value(call.receiver, depth).text if call.receiver is not None else None
    at = flow.value(call.args[0], depth).text
    if text is None or at is None or not at.isdigit() or int(at) >= len(text):
        return None
    return Value(text=text[int(at)], prefix=text[int(at)])


def _calls(speech: Java, name: str, use: Node) -> list[Called] | None:
    """What was called on a variable before, in order; None when that is not all in one row of statements."""
    functions = speech.functions_around(use.start_byte)
    if not functions:
        return None
    query = "(method_invocation object: (identifier) @object) @call"
    found: list[Called] = []
    for _, captured in speech.text.matches(query, functions[0].node):
        node = captured["call"][0]
        if speech.text.of(captured["object"][0]) == name and node.start_byte < use.start_byte:
            found.append(speech.called(node))
    return found if len(found) <= _MOST_CALLS else None


def _from_list(call: Called, calls: list[Called], flow: Flow, depth: int) -> Value | None:
    rows: list[Value] = []
    for each in calls:
        values = [flow.value(arg, depth) for arg in each.args]
        position = values[0].text if values else None
        if each.name == "add" and len(values) == 1:
            rows.append(values[0])
        elif each.name == "remove" and position is not None and position.isdigit() and int(position) < len(rows):
            rows.pop(int(position))
        elif each.name not in ("get", "size", "isEmpty"):
            return None
    at = flow.value(call.args[0], depth).text
    if at is not None and at.isdigit() and int(at) < len(rows):
        return rows[int(at)]
    return either(rows) if rows else None


def _from_map(call: Called, calls: list[Called], flow: Flow, depth: int) -> Value | None:
    rows: dict[str | None, Value] = {}
    for each in calls:
        if each.name == "put" and len(each.args) == 2:
            rows[flow.value(each.args[0], depth).text] = flow.value(each.args[1], depth)
        elif each.name in ("putAll", "replaceAll", "computeIfAbsent", "merge"):
            return None
    key = flow.value(call.args[0], depth).text
    if key is None or None in rows:
        return either(rows.values()) if rows else None
    return rows.get(key)
