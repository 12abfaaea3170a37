"""What an expression is, in words that every language shares; a language's `speech` says it of its own nodes.

A shape describes one node and is cheap: it never follows a variable. Following is the work of `flow`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from tree_sitter import Node

    from assaymark.checks.application.patterns.flow import Flow
    from assaymark.checks.application.patterns.text import Text
    from assaymark.checks.application.patterns.values import Value


class Literal(Struct, frozen=True):
    """A constant; numbers, booleans and null by their text."""

    text: str


class Joined(Struct, frozen=True):
    """Text put together of pieces: concatenation, interpolation, formatting."""

    parts: tuple[Node | str, ...]


class Gathered(Struct, frozen=True):
    """A list, map or object of values; keys by name where they are constant."""

    parts: tuple[Node, ...]
    keys: tuple[str, ...] = ()


class Name(Struct, frozen=True):
    """A variable."""

    name: str


class Either(Struct, frozen=True):
    """One of several values; `test` decides between exactly two when it is constant."""

    arms: tuple[Node, ...]
    test: Node | None = None


class Through(Struct, frozen=True):
    """Parentheses, casts, await: the value of the node inside."""

    inner: Node


class Member(Struct, frozen=True):
    """A property or an element of something."""

    of: Node
    name: str


class Called(Struct, frozen=True):
    """A call, or the making of an object."""

    node: Node
    name: str
    """Last part of what is called."""
    path: str
    """What is called, with imports resolved, as in ``child_process.exec`` or ``express().get``; ``?`` for what has no name."""
    receiver: Node | None
    args: tuple[Node, ...]
    makes: bool = False
    """True for ``new``."""


class Computed(Struct, frozen=True):
    """Arithmetic or comparison: never text of others. Foldable when `operator` is set."""

    operator: str = ""
    operands: tuple[Node, ...] = ()


class Opaque(Struct, frozen=True):
    """Nothing is known."""


Shape = Literal | Joined | Gathered | Name | Either | Through | Member | Called | Computed | Opaque


class Definition(Struct, frozen=True):
    """A place where a variable gets a value."""

    name: str
    at: int
    """Byte where the name stands."""
    value: Node | None
    """None for a parameter."""
    node: Node
    """The name's node."""
    member: str = ""
    """When only this property of the value is taken (destructuring)."""
    how: str = "set"
    """``set``, ``add`` (joined to what was there), ``each`` (an element of the value), ``parameter``, ``declared`` (nothing yet),
    ``empty`` (the empty text) or ``given`` (by the call in `value`, which got the variable's address)."""
    kind: str = ""
    """The declared type, last word only."""
    source: str = ""
    """For a parameter that a framework fills from the request: the words of the source."""


class Function(Struct, frozen=True):
    """A function of the text."""

    start: int
    end: int
    name: str
    parameters: tuple[str, ...]
    node: Node


class Speech(Protocol):
    """How one language says things. One instance reads one text."""

    text: Text
    branches: frozenset[str]
    """Kinds of nodes whose parts run only sometimes."""
    rivals: frozenset[str]
    """Those of them of whose parts at most one runs."""
    harmless: frozenset[str]
    """Declared types that hold no text of others: numbers, truth values, dates."""
    bounds: frozenset[str]
    """Kinds of nodes that are functions: control flow is not looked at across them."""

    def arms(self, branch: Node) -> list[Node]:
        """The parts of a branch that run only sometimes; its condition is none of them."""
        ...

    def test_of(self, branch: Node, arm: Node) -> tuple[Node, bool | frozenset[str]] | None:
        """What decides whether an arm runs: a condition and the truth it must have, or a subject and the constants it must equal."""
        ...

    def call_at(self, leaf: Node) -> Called | None:
        """The call whose name this leaf is."""
        ...

    def shape(self, node: Node) -> Shape: ...

    def source(self, node: Node, shape: Shape) -> str:
        """The words of a source of foreign text (``req.query``), or nothing."""
        ...

    def cleans(self, call: Called) -> frozenset[str] | None:
        """What the result of a call is safe for (``*`` is everything), or None when the call cleans nothing."""
        ...

    def carries(self, call: Called) -> bool:
        """True when the result of the call is made of its arguments."""
        ...

    def filters(self, call: Called) -> bool:
        """True when the name of an unknown call says that it checks or escapes."""
        ...

    def result(self, call: Called, flow: Flow, depth: int) -> Value | None:
        """What the language knows better than the general rule about the result of a call; usually None."""
        ...

    def definitions(self) -> Mapping[str, list[Definition]]: ...

    def functions(self) -> list[Function]: ...

    def functions_around(self, offset: int) -> list[Function]:
        """The functions around a byte, innermost first."""
        ...

    def homes(self, name: str) -> Mapping[int, list[Definition]]:
        """The definitions of a variable by the start of the function they stand in, -1 for none."""
        ...

    def named_functions(self, name: str) -> list[Function]: ...

    def returns(self, function: Function) -> list[Node]: ...

    def is_local(self, call: Called) -> bool:
        """True when the call may be one of a function of this text."""
        ...

    def aliases(self) -> Mapping[str, str]:
        """Names of this text for what it imports: ``e`` -> ``child_process.exec``."""
        ...

    def comments(self) -> list[Node]: ...
