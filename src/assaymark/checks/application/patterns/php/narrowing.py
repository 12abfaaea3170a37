"""What a condition around or before a value proves about it: numbers, members of a list, text of letters only.

Inside of ``if (is_numeric($x)) { … }``, and after ``if (!ctype_digit($x)) { exit; }``, ``$x`` harms nobody.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

    from assaymark.checks.application.patterns.text import Text

_BOUNDS = frozenset({"function_definition", "method_declaration", "anonymous_function", "arrow_function", "program"})
_ARMS = frozenset({"if_statement", "else_if_clause", "conditional_expression", "while_statement"})
_CHECKS = re.compile(
    rb"is_numeric|is_int|is_float|is_bool|ctype_|in_array|array_key_exists|preg_match|isset|===?\s*['\"\d]|FILTER_VALIDATE|array_search|checkdate"
)
_PROOF = (
    r"(?:(?:is_numeric|is_int|is_integer|is_long|is_float|is_bool|ctype_(?:digit|alnum|alpha|xdigit|lower|upper)|in_array|array_key_exists)\s*\(\s*{t}\s*[,)]"
    r"|isset\s*\(\s*\$?(?:this->|self::\$|static::\$)?\w+\s*\[\s*{t}\s*\]\s*\)"
    r"|filter_var\s*\(\s*{t}\s*,\s*FILTER_VALIDATE_(?:INT|FLOAT|IP|BOOL\w*)"
    r"|preg_match\s*\(\s*(['\"])[/#~]\^(?:(?!\1|\\S|\\D|\\W|\[\^)[^.\n]|\\\.|\\/)*\$[/#~][a-zA-Z]*\1\s*,\s*{t}\s*[,)])"
)
_LONGEST = 80
_MOST_STEPS = 60
_MOST_SIBLINGS = 40


class Narrowing:
    """For one text."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._any = bool(_CHECKS.search(text.content))
        self._patterns: dict[str, tuple[re.Pattern[str], re.Pattern[str]]] = {}

    def holds(self, node: Node) -> bool:
        """True when a check that the program has passed leaves only harmless text here."""
        if not self._any or node.end_byte - node.start_byte > _LONGEST:
            return False
        proven, refused = self._patterns_of(self._text.of(node))
        child, current = node, node.parent
        for _ in range(_MOST_STEPS):
            if current is None or (current.type in _BOUNDS and current.type != "program"):
                return False
            if current.type in _ARMS and self._proves(current, child, proven):
                return True
            if current.type in ("compound_statement", "program", "case_statement", "colon_block") and self._refused(
                child, self._text.of(node), refused
            ):
                return True
            child, current = current, current.parent
        return False

    def _patterns_of(self, written: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
        found = self._patterns.get(written)
        if found is None:
            text = re.escape(written).replace(r"\ ", r"\s*")
            proof = _PROOF.replace("{t}", text)
            same = rf"(?<![\w$>\]]){text}\s*===?\s*(?:['\"][^'\"$]*['\"]|\d+)"
            other = rf"(?<![\w$>\]]){text}\s*!==?\s*(?:['\"][^'\"$]*['\"]|\d+)"
            found = (re.compile(rf"(?<![!\w])(?<!!\s)(?:{proof})|{same}"), re.compile(rf"!\s*(?:{proof})|{other}"))
            self._patterns[written] = found
        return found

    def _proves(self, branch: Node, child: Node, proven: re.Pattern[str]) -> bool:
        """The arm of a condition that holds only when the check has passed."""
        if branch.child_by_field_name("body") != child:
            return False
        condition = branch.child_by_field_name("condition")
        written = self._text.of(condition)[:2_000] if condition is not None else ""
        if "preg_match" in written:
            written = self._with_pattern(written)
        return bool(proven.search(written)) and not re.search(r"\|\||\bor\b", written)

    def _with_pattern(self, written: str) -> str:
        """The condition with the constant pattern that a variable holds put in."""
        found = re.search(r"preg_match\s*\(\s*(\$\w+)\s*,", written)
        if found is None:
            return written
        content = self._text.content.decode("utf-8", "replace")
        values = re.findall(rf"{re.escape(found[1])}\s*=\s*('[^'\n]{{1,200}}'|\"[^\"\n]{{1,200}}\")\s*;", content)
        return written.replace(found[1], values[0], 1) if len(values) == 1 else written

    def _refused(self, statement: Node, subject: str, refused: re.Pattern[str]) -> bool:
        """A statement before in the same row that leaves, or sets a constant, when the check fails."""
        same = re.escape(subject)
        before = statement.prev_named_sibling
        for _ in range(_MOST_SIBLINGS):
            if before is None:
                return False
            if before.type == "if_statement":
                condition, body = before.child_by_field_name("condition"), before.child_by_field_name("body")
                written = self._text.of(condition)[:2_000] if condition is not None else ""
                leaves = body is not None and re.search(
                    r"\b(?:exit|die|return|throw|continue|break|abort|wp_die)\b", self._text.of(body)[-400:]
                )
                replaced = body is not None and re.search(
                    rf"{same}\s*=\s*(?:'[^'\n]*'|\"[^\"$\n]*\"|\d+|null)\s*;", self._text.of(body)[:400]
                )
                if (leaves or replaced) and refused.search(written) and "&&" not in written:
                    return True
            before = before.prev_named_sibling
        return False
