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
    r"|isset\s*\(\s*\$?(?!_[A-Z])(?:this->|self::\$|static::\$)?\w+\s*\[\s*{t}\s*\]\s*\)"
    r"|filter_var\s*\(\s*{t}\s*,\s*FILTER_VALIDATE_(?:INT|FLOAT|IP|BOOL\w*)"
    r"|preg_match\s*\(\s*(['\"])[/#~]\^(?:(?!\1|\\S|\\D|\\W|\[\^)[^.\n]|\\\.|\\/)*\$[/#~][a-zA-Z]*\1\s*,\s*{t}\s*[,)])"
)
_LEAVES = re.compile(r"\b(?:exit|die|return|throw|continue|break|abort|wp_die)\b")
_ROWS = frozenset({"compound_statement", "program", "case_statement", "colon_block"})
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
        subject = self._text.of(node)
        start = -1
        child, current = node, node.parent
        for _ in range(_MOST_STEPS):
            if current is None or (current.type in _BOUNDS and current.type != "program"):
                return False
            if start < 0 and current.type.endswith("_statement"):
                start = current.start_byte
            passed = -1
            if current.type in _ARMS:
                passed = self._proves(current, child, subject)
            elif current.type in _ROWS:
                passed = self._refused(child, subject)
            if passed >= 0:
                return not self._is_set(subject, passed, start if start >= 0 else node.start_byte)
            child, current = current, current.parent
        return False

    def _is_set(self, subject: str, start: int, end: int) -> bool:
        """True when the value is set anew between the check and the statement that uses it."""
        between = self._text.content[start:end].decode("utf-8", "replace")
        return bool(re.search(rf"{re.escape(subject)}\s*(?:\.|\?\?)?=(?![=>])", between)) if subject in between else False

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

    def _condition(self, branch: Node, subject: str) -> str:
        """The condition as it is written when it speaks of the subject at all: most do not, and patterns are dear to make."""
        condition = branch.child_by_field_name("condition")
        written = self._text.of(condition)[:2_000] if condition is not None else ""
        if "".join(subject.split()) not in "".join(written.split()):
            return ""
        return self._with_pattern(written) if "preg_match" in written else written

    def _with_pattern(self, written: str) -> str:
        """The condition with the constant pattern that a variable holds put in."""
        found = re.search(r"preg_match\s*\(\s*(\$\w+)\s*,", written)
        if found is None:
            return written
        content = self._text.content.decode("utf-8", "replace")
        values = re.findall(rf"{re.escape(found[1])}\s*=\s*('[^'\n]{{1,200}}'|\"[^\"\n]{{1,200}}\")\s*;", content)
        return written.replace(found[1], values[0], 1) if len(values) == 1 else written

    def _proves(self, branch: Node, child: Node, subject: str) -> int:
        """Where the arm begins that is reached only when the check has passed; -1 for another arm."""
        if branch.child_by_field_name("body") != child:
            return -1
        written = self._condition(branch, subject)
        if not written or re.search(r"\|\||\bor\b", written):
            return -1
        return child.start_byte if self._patterns_of(subject)[0].search(written) else -1

    def _refused(self, statement: Node, subject: str) -> int:
        """Where a statement ends that leaves, or sets a constant, when the check fails, before in the same row; -1 for none."""
        before = statement.prev_named_sibling
        for _ in range(_MOST_SIBLINGS):
            if before is None:
                return -1
            written = self._condition(before, subject) if before.type == "if_statement" else ""
            if written and "&&" not in written and self._patterns_of(subject)[1].search(written) and self._ends(before, subject):
                return before.end_byte
            before = before.prev_named_sibling
        return -1

    def _ends(self, branch: Node, subject: str) -> bool:
        body = branch.child_by_field_name("body")
        written = self._text.of(body) if body is not None else ""
        constant = rf"{re.escape(subject)}\s*=\s*(?:'[^'\n]*'|\"[^\"$\n]*\"|\d+|null)\s*;"
        return bool(_LEAVES.search(written[-400:]) or re.search(constant, written[:400]))
