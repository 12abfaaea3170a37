"""What PHP's own functions make of their arguments, where that depends on the arguments: formats, filters, replacements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from assaymark.checks.application.patterns.shapes import Called
from assaymark.checks.application.patterns.values import EVERYTHING, HARMLESS, Value, joined, made_safe

if TYPE_CHECKING:
    from assaymark.checks.application.patterns.flow import Flow
    from assaymark.checks.application.patterns.php.speech import Php

_NUMBER_FILTER = re.compile(
    r"FILTER_(?:VALIDATE_(?:INT|FLOAT|BOOLEAN|BOOL|IP|MAC|REGEXP|DOMAIN)|SANITIZE_NUMBER_(?:INT|FLOAT))|513|517|519", re.IGNORECASE
)
_PAGE_FILTER = re.compile(r"FILTER_SANITIZE_(?:(?:FULL_)?SPECIAL_CHARS|STRING|STRIPPED|ENCODED|EMAIL)|FILTER_VALIDATE_EMAIL", re.IGNORECASE)
_QUOTE_FILTER = re.compile(r"FILTER_SANITIZE_(?:MAGIC_QUOTES|ADD_SLASHES)", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"%(?:(\d+)\$)?[-+ 0]?(?:'.)?-?\d*(?:\.\d+)?([bcdeEfFgGosuxX%])")
_ALLOWED = re.compile(r"(.)\[\^(?P<kept>[^\]]{1,80})\][+*]?\1[a-z]*", re.IGNORECASE | re.DOTALL)
_REPLACES = frozenset({"preg_replace", "preg_replace_callback", "ereg_replace", "str_replace", "str_ireplace"})
_ONLY_LETTERS = re.compile(r"(.)\[?(?:\\[WD])+\]?\+?\1[a-z]*", re.IGNORECASE)
_HARMLESS_KEPT = re.compile(r"(?:a-z|A-Z|0-9|\\w|\\d|\\s|_|-|\\-|\\ |[A-Za-z0-9 ])+")
_HARMLESS_FILE = re.compile(r"(?:a-z|A-Z|0-9|\\w|\\d|\\s|_|-|\\-|\.|\\\.|[A-Za-z0-9 ])+")


def input_filter(speech: Php, call: Called) -> frozenset[str] | None:
    """What the filter of ``filter_input`` or ``filter_var`` makes text safe for."""
    at = 2 if call.name == "filter_input" else 1
    written = " ".join(speech.text.of(arg) for arg in call.args[at:])
    if _NUMBER_FILTER.search(written):
        return EVERYTHING
    if _PAGE_FILTER.search(written):
        return frozenset({"html", "header"})
    return frozenset({"sql"}) if _QUOTE_FILTER.search(written) else None


def result_of(speech: Php, call: Called, flow: Flow, depth: int) -> Value | None:  # noqa: PLR0911 - one return per function
    """The result of a call, or None when the general rule knows as much."""
    name = call.name
    if name == "filter_input":
        return Value(foreign="filter_input", safe=input_filter(speech, call) or frozenset())
    if not call.args:
        return None
    if name == "prepare" and re.search(r"wpdb", call.path, re.IGNORECASE):
        return flow.value(call.args[0], depth)
    if call.receiver is not None:
        return None
    if name == "filter_var":
        safe = input_filter(speech, call)
        value = flow.value(call.args[0], depth)
        return value if safe is None else HARMLESS if safe == EVERYTHING else made_safe(value, safe)
    if name in ("sprintf", "vsprintf"):
        return _formatted(call, flow, depth)
    if name in _REPLACES and len(call.args) > 2:
        return _replaced(call, flow, depth)
    if name == "array_map" and len(call.args) > 1:
        return _mapped(speech, call, flow, depth)
    if name == "pathinfo" and len(call.args) > 1:
        return made_safe(flow.value(call.args[0], depth), frozenset({"path"}))
    return None


def _formatted(call: Called, flow: Flow, depth: int) -> Value | None:
    """``sprintf``: numbers harm nobody."""
    text = flow.value(call.args[0], depth).text
    if text is None or call.name != "sprintf":
        return None
    parts: list[Value] = []
    at = last = 0
    for found in _PLACEHOLDER.finditer(text):
        before = text[last : found.start()]
        parts.append(Value(text=before, prefix=before))
        last = found.end()
        if found[2] == "%":
            continue
        at = int(found[1]) if found[1] else at + 1
        if found[2] == "s" and at < len(call.args):
            parts.append(flow.value(call.args[at], depth))
        else:
            parts.append(HARMLESS)
    parts.append(Value(text=text[last:], prefix=text[last:]))
    return joined(parts)


def _replaced(call: Called, flow: Flow, depth: int) -> Value | None:
    """``preg_replace`` that keeps only letters and digits cleans; ``str_replace`` of line ends cleans headers."""
    pattern = flow.value(call.args[0], depth).text
    subject = flow.value(call.args[2], depth)
    replacement = flow.value(call.args[1], depth)
    found = replace(joined([subject, replacement]), text=None, prefix="", built=subject.built)
    if call.name in ("str_replace", "str_ireplace"):
        written = (call.args[0].text or b"").decode("utf-8", "replace")
        if replacement.constant and re.search(r"\\n|\\r|PHP_EOL", written):
            return made_safe(found, frozenset({"header"}))
        return found
    if replacement.constant and _ONLY_LETTERS.fullmatch(pattern or ""):
        return HARMLESS
    kept = _ALLOWED.fullmatch(pattern or "")
    if kept is None or not replacement.constant:
        return found
    if _HARMLESS_KEPT.fullmatch(kept["kept"]):
        return HARMLESS
    return made_safe(subject, frozenset({"path", "html", "shell", "sql"})) if _HARMLESS_FILE.fullmatch(kept["kept"]) else found


def _mapped(speech: Php, call: Called, flow: Flow, depth: int) -> Value | None:
    """``array_map("intval", $rows)``: as the named function makes it."""
    name = flow.value(call.args[0], depth).text
    if not name or not re.fullmatch(r"\w+", name):
        return None
    safe = speech.cleans(Called(call.node, name, name, None, call.args[1:]))
    values = joined([flow.value(arg, depth) for arg in call.args[1:]])
    return None if safe is None else HARMLESS if safe == EVERYTHING else made_safe(values, safe)
