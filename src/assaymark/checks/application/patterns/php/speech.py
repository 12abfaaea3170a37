"""How PHP says things: calls, types of variables, values.

A variable keeps its ``$``; in paths of what is called it stands without, or as its declared type. An element or a property that is set
under a constant name is a variable of its own (``$row[id]``, ``$this->name``).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.flow import Flow
from assaymark.checks.application.patterns.php.definitions import Definitions, fields, keyed, last_word, named
from assaymark.checks.application.patterns.php.names import (
    CARRIERS,
    CLEANERS,
    FILTERS,
    NO_FIELDS,
    REQUEST_ARRAYS,
    SERVER,
    SOURCES,
    SUPERGLOBALS,
    UPLOAD,
)
from assaymark.checks.application.patterns.php.narrowing import Narrowing
from assaymark.checks.application.patterns.php.results import input_filter, result_of
from assaymark.checks.application.patterns.shapes import (
    Called,
    Computed,
    Either,
    Gathered,
    Joined,
    Literal,
    Member,
    Name,
    Opaque,
    Shape,
    Through,
)
from assaymark.checks.application.patterns.text import Text
from assaymark.checks.application.patterns.values import EVERYTHING, Value

if TYPE_CHECKING:
    from tree_sitter import Node

_CALLS = frozenset({
    "function_call_expression", "member_call_expression", "nullsafe_member_call_expression", "scoped_call_expression",
    "object_creation_expression"
})  # fmt: skip
_INNER = {"parenthesized_expression": 0, "error_suppression_expression": 0, "clone_expression": 0, "reference_modifier": 0, "argument": -1,
          "print_intrinsic": 0, "by_ref": 0, "variadic_unpacking": 0}  # fmt: skip
_NUMBERS = frozenset({"integer", "float", "boolean", "null"})
_HARMLESS_CASTS = frozenset({"int", "integer", "float", "double", "real", "bool", "boolean", "unset"})
_LOGIC = frozenset({"or", "and", "xor", "&&", "||", "instanceof", "<=>"})
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_DEEPEST_PATH = 16
_MOST_PARTS = 200


class Php(Definitions):
    """See `shapes.Speech`."""

    branches = frozenset({
        "if_statement", "switch_block", "for_statement", "foreach_statement", "while_statement", "catch_clause", "conditional_expression"
    })  # fmt: skip
    rivals = frozenset({"if_statement", "conditional_expression"})

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self._narrowing = Narrowing(text)
        self.scanned: set[str] = set()
        """Rules that looked at the whole text already."""

    # --- calls and paths ---------------------------------------------------------------------------------------------

    def call_at(self, leaf: Node) -> Called | None:
        node = leaf.parent
        if node is not None and node.type == "qualified_name" and node.named_children[-1] == leaf:
            leaf, node = node, node.parent
        if node is None or node.type not in _CALLS or leaf.type not in ("name", "qualified_name"):
            return None
        made = node.type == "object_creation_expression"
        what = self._made(node) if made else node.child_by_field_name("function") or node.child_by_field_name("name")
        return self.called(node) if what == leaf else None

    def _made(self, node: Node) -> Node | None:
        return next((child for child in node.named_children if child.type in ("name", "qualified_name", "variable_name")), None)

    def called(self, node: Node) -> Called:
        listed = node.child_by_field_name("arguments") or next((child for child in node.named_children if child.type == "arguments"), None)
        args = tuple(self._argument(each) for each in named(listed)) if listed is not None else ()
        if node.type == "object_creation_expression":
            name = self._class(self._made(node))
            return Called(node, name, name, None, args, makes=True)
        if node.type == "function_call_expression":
            what = node.child_by_field_name("function")
            name = last_word(self.text.of(what)) if what is not None and what.type in ("name", "qualified_name") else "?"
            return Called(node, name, name, None, args)
        receiver = node.child_by_field_name("scope" if node.type == "scoped_call_expression" else "object")
        what = node.child_by_field_name("name")
        name = self.text.of(what) if what is not None and what.type == "name" else "?"
        return Called(node, name, f"{self.path(receiver)}.{name}", receiver, args)

    def _argument(self, node: Node) -> Node:
        return node.named_children[-1] if node.type == "argument" and node.named_child_count else node

    def path(self, node: Node | None, depth: int = 0) -> str:  # noqa: PLR0911 - one return per kind of node
        """What an expression is called; a variable stands as its type."""
        if node is None or depth > _DEEPEST_PATH:
            return "?"
        kind = node.type
        if kind == "variable_name":
            return self._type_of(self.text.of(node), node.start_byte) or self.text.of(node)[1:]
        if kind in ("name", "qualified_name"):
            return self._class(node)
        if kind == "relative_scope":
            return self.text.of(node)
        if kind in ("member_access_expression", "nullsafe_member_access_expression"):
            of, name = node.child_by_field_name("object"), node.child_by_field_name("name")
            written = self.text.of(name) if name is not None else "?"
            return (
                self._type_of(keyed(self.text.of(of), "->" + written) if of else "", node.start_byte)
                or f"{self.path(of, depth + 1)}.{written}"
            )
        if kind == "scoped_property_access_expression":
            return self.text.of(node.child_by_field_name("name") or node).lstrip("$")
        if kind in _CALLS:
            return self._called_path(node, depth)
        if kind == "assignment_expression":
            return self.path(node.child_by_field_name("right"), depth + 1)
        if kind in _INNER and node.named_child_count:
            return self.path(node.named_children[_INNER[kind]], depth + 1)
        return "?"

    def _called_path(self, node: Node, depth: int) -> str:
        if node.type == "object_creation_expression":
            return self._class(self._made(node))
        if node.type == "function_call_expression":
            what = node.child_by_field_name("function")
            return f"{last_word(self.text.of(what)) if what is not None and what.type != 'variable_name' else '?'}()"
        of = node.child_by_field_name("scope" if node.type == "scoped_call_expression" else "object")
        return f"{self.path(of, depth + 1)}.{self.text.of(node.child_by_field_name('name') or node)[:60]}()"

    def _type_of(self, name: str, at: int) -> str:
        kind = self.type_of(name, at)
        return last_word(self.aliases().get(kind, kind).replace(".", "\\"))

    def _class(self, node: Node | None) -> str:
        """The last word of a class, after its import under another name."""
        word = last_word(self.text.of(node)) if node is not None else "?"
        return last_word(self.aliases().get(word, word).replace(".", "\\"))

    def aliases(self) -> dict[str, str]:
        r"""``use A\\B as C``."""
        return self._aliases

    @cached_property
    def _aliases(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for _, captured in self.text.matches("(namespace_use_clause alias: (name) @alias) @clause"):
            clause, alias = captured["clause"][0], captured["alias"][0]
            found[self.text.of(alias)] = self.text.of(clause.named_children[0]).replace("\\", ".")
        return found

    # --- values ------------------------------------------------------------------------------------------------------

    def shape(self, node: Node) -> Shape:  # noqa: C901, PLR0911, PLR0912 - one return per kind of node
        kind = node.type
        if kind in _NUMBERS:
            return Literal(self.text.of(node).lower())
        if kind == "variable_name":
            return Computed() if self._narrowing.holds(node) else Name(self.text.of(node))
        if kind in ("string", "nowdoc_body", "nowdoc_string"):
            return Literal("".join(self._piece(child) for child in node.named_children))
        if kind in ("encapsed_string", "heredoc_body", "shell_command_expression"):
            return self._interpolated(node)
        if kind in ("heredoc", "nowdoc"):
            value = node.child_by_field_name("value")
            return Through(value) if value is not None else Literal("")
        if kind in _CALLS:
            return self.called(node)
        if kind in ("name", "qualified_name"):
            return Name(last_word(self.text.of(node)))
        if kind == "class_constant_access_expression":
            name = self.text.of(node.named_children[-1])
            return Literal(self.text.of(node.named_children[0])) if name == "class" else Name(name)
        if kind == "cast_expression":
            cast = self.text.of(node.child_by_field_name("type") or node).lower()
            value = node.child_by_field_name("value")
            return Computed() if cast in _HARMLESS_CASTS or value is None else Through(value)
        if kind in _INNER and node.named_child_count:
            return Through(node.named_children[_INNER[kind]])
        if kind in ("binary_expression", "unary_op_expression"):
            return self._operation(node)
        if kind == "conditional_expression":
            arms = fields(node, "body", "alternative")
            return (
                Either(arms, node.child_by_field_name("condition")) if len(arms) == 2 else Either(fields(node, "condition", "alternative"))
            )
        if kind == "match_expression":
            return Either(tuple(self.text.captures("(_ return_expression: (_) @r)", node).get("r", [])[:40]))
        if kind in ("subscript_expression", "member_access_expression", "nullsafe_member_access_expression"):
            return self._element(node)
        if kind == "scoped_property_access_expression":
            return Name(self.text.of(node))
        if kind == "array_creation_expression":
            return self._array(node)
        if kind == "dynamic_variable_name":
            return Opaque()
        if kind == "augmented_assignment_expression" and self.text.of(node.child_by_field_name("operator") or node) not in (".=", "??="):
            return Computed()
        if kind in ("assignment_expression", "reference_assignment_expression", "augmented_assignment_expression"):
            return Through(node.child_by_field_name("right") or node)
        if kind in ("update_expression", "anonymous_function", "arrow_function"):
            return Computed()
        return Opaque()

    def _piece(self, node: Node) -> str:
        written = self.text.of(node)
        return _ESCAPES.get(written[1:2], written[1:]) if node.type == "escape_sequence" else written

    def _interpolated(self, node: Node) -> Shape:
        parts = tuple(
            self._piece(child) if child.type in ("string_content", "escape_sequence") else child
            for child in node.named_children[:_MOST_PARTS]
        )
        if all(isinstance(part, str) for part in parts):
            return Literal("".join(part for part in parts if isinstance(part, str)))
        return Joined(parts)

    def _operation(self, node: Node) -> Shape:
        operator = self.text.of(node.child_by_field_name("operator") or node.children[0]).lower()
        operands = fields(node, "left", "right") or fields(node, "argument")
        if operator == "." and len(operands) == 2:
            return Joined(self._pieces(node))
        if operator == "??":
            return Either(operands)
        return Computed() if operator in _LOGIC - {"&&", "||"} else Computed(operator, operands)

    def _pieces(self, node: Node) -> tuple[Node, ...]:
        """The pieces of ``a . b . c``, which nest to the left, so that a long row is not deep."""
        found: list[Node] = []
        current = node
        for _ in range(_MOST_PARTS):
            left, right, operator = (current.child_by_field_name(name) for name in ("left", "right", "operator"))
            if current.type != "binary_expression" or left is None or right is None or operator is None or operator.type != ".":
                break
            found.append(right)
            current = left
        return (current, *reversed(found))

    def _element(self, node: Node) -> Shape:
        of, key = self.parts_of(node)
        if of is None:
            return Opaque()
        if self.text.of(of) in ("$wpdb", "$this->wpdb") or self._narrowing.holds(node):
            return Computed()
        name = keyed(self.text.of(of), key)
        if name and self._is_set_here(name, node):
            return Name(name)
        if self.text.of(of) == "$_SESSION":
            return Name("SESSION")  # a setting: the program wrote it, perhaps from a request that nobody sees here
        return Member(of, self.bare(key))

    def _is_set_here(self, name: str, node: Node) -> bool:
        homes = self.homes(name)
        around = self.functions_around(node.start_byte)
        return bool(homes) and (-1 in homes or (around[0].start if around else -1) in homes)

    def _array(self, node: Node) -> Shape:
        parts: list[Node] = []
        keys: list[str] = []
        for each in node.named_children[:_MOST_PARTS]:
            if each.type == "array_element_initializer" and each.named_child_count:
                parts.append(each.named_children[-1])
                keys.append(self.bare(self.key_of(each.named_children[0])) if each.named_child_count == 2 else str(len(keys)))
        return Gathered(tuple(parts), tuple(keys))

    # --- sources and sanitisers --------------------------------------------------------------------------------------

    def source(self, node: Node, shape: Shape) -> str:  # noqa: PLR0911 - one return per kind of source
        if isinstance(shape, Name):
            return shape.name if shape.name in SUPERGLOBALS else ""
        if isinstance(shape, Member):
            return self._member_source(node, shape)
        if not isinstance(shape, Called) or shape.makes:
            return ""
        if SOURCES.fullmatch(shape.path):
            if shape.name == "filter_input":
                return "" if input_filter(self, shape) else "filter_input"
            return shape.name if shape.args or shape.name not in ("request", "route") else ""
        if shape.name in ("file_get_contents", "fopen", "file") and shape.args and b"php://input" in (shape.args[0].text or b""):
            return "php://input"
        if shape.name == "getenv" and shape.args and SERVER.fullmatch(self.text.of(shape.args[0]).strip("'\"")):
            return "getenv"
        return ""

    def _member_source(self, node: Node, shape: Member) -> str:
        base: Node | None = shape.of
        for _ in range(6):
            if base is None or base.type != "subscript_expression":
                break
            base = base.named_children[0]
        if base is None or base.type != "variable_name":
            held = base is not None and node.type == "subscript_expression" and REQUEST_ARRAYS.fullmatch(self.path(base))
            return self.text.of(base).lstrip("$") if base is not None and held else self._field(shape)
        written = self.text.of(base)
        if written in SUPERGLOBALS:
            return self.text.of(node)[:60] if "\n" not in self.text.of(node) else written
        if written == "$_SERVER":
            return f"$_SERVER[{shape.name}]" if SERVER.fullmatch(shape.name) else ""
        if shape.name in UPLOAD and (written == "$_FILES" or self._holds_upload(written)):
            return f"$_FILES[{shape.name}]"
        return self._field(shape)

    def _holds_upload(self, name: str) -> bool:
        rows = self.definitions().get(name, ())
        return any(row.value is not None and (row.value.text or b"").startswith(b"$_FILES") for row in rows)

    def _field(self, shape: Member) -> str:
        """``$request->name`` of Laravel."""
        if shape.name in NO_FIELDS or not shape.name or b"Illuminate\\Http\\Request" not in self.text.content:
            return ""
        if shape.of.type != "variable_name" or self.path(shape.of) != "Request" or shape.of.parent is None:
            return ""
        return f"$request->{shape.name}" if "member_access" in shape.of.parent.type else ""

    def cleans(self, call: Called) -> frozenset[str] | None:
        if call.name == "filter_input":
            return input_filter(self, call)
        if call.makes:
            return EVERYTHING if call.name.startswith("DateTime") else None
        return next((safe for pattern, safe in CLEANERS if pattern.fullmatch(call.path)), None)

    def carries(self, call: Called) -> bool:
        return bool(CARRIERS.fullmatch(call.path))

    def filters(self, call: Called) -> bool:
        return bool(FILTERS.search(call.name))

    def is_local(self, call: Called) -> bool:
        head = call.path.rpartition(".")[0]
        return not call.makes and (call.receiver is None or head in ("this", "self", "static", "parent", *self.classes))

    def result(self, call: Called, flow: Flow, depth: int) -> Value | None:
        return result_of(self, call, flow, depth)

    # --- control flow ------------------------------------------------------------------------------------------------

    def arms(self, branch: Node) -> list[Node]:
        if branch.type == "switch_block":
            return [child for child in branch.named_children if child.type in ("case_statement", "default_statement")]
        return [*fields(branch, "body"), *branch.children_by_field_name("alternative")]

    def test_of(self, branch: Node, arm: Node) -> tuple[Node, bool | frozenset[str]] | None:
        if branch.type == "switch_block":
            return self._case(branch, arm)
        if branch.type not in ("if_statement", "conditional_expression"):
            return None
        condition = branch.child_by_field_name("condition")
        if condition is None:
            return None
        if branch.child_by_field_name("body") == arm:
            return condition, True
        others = branch.children_by_field_name("alternative")
        return (condition, False) if len(others) == 1 and others[0].type != "else_if_clause" else None

    def _case(self, block: Node, arm: Node) -> tuple[Node, frozenset[str]] | None:
        """The label of a case, together with those of the empty cases that fall into it; nothing for a default."""
        labels: list[str] = []
        for group in self.arms(block):
            value = group.child_by_field_name("value")
            shape = self.shape(value) if value is not None else None
            if not isinstance(shape, Literal):
                return None
            labels.append(shape.text)
            if group == arm:
                break
            if group.named_child_count > 1:
                labels = []
        switch = block.parent
        subject = switch.child_by_field_name("condition") if switch is not None else None
        return (subject, frozenset(labels)) if subject is not None and labels else None
