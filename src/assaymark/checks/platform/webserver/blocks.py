"""What the settings of nginx and Apache have in common: blocks inside blocks that inherit what surrounds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, Self, TypeVar

from msgspec import Struct

from assaymark.checks.platform.webserver.directives import Directive, Gap


class Block(Struct, eq=False):
    """A block with its includes resolved."""

    kind: str
    """The name that opens it, or what stands for one: ``main``; ``fragment`` for a file that nobody includes."""
    args: tuple[str, ...]
    opened: Directive | None
    parent: Self | None
    address: str
    entries: list[Directive]
    """Directives without a block, in the order in which the server reads them."""
    children: list[Self]
    whole: bool = True
    """False when something inside could not be read."""
    above: bool = True
    """False when what surrounds it is not known."""
    index: dict[str, list[Directive]] = {}
    """Entries by name, made when the block is complete."""

    def own(self, name: str) -> list[Directive]:
        """Directives of this name in this very block."""
        if not self.index:
            for each in self.entries:
                self.index.setdefault(each.name, []).append(each)
        return self.index.get(name, [])

    def effective(self, name: str) -> list[Directive]:
        """The directives of this name that hold here: the nearest block that has any."""
        return next((found for block in self.around() if (found := block.own(name))), [])

    def around(self) -> Iterator[Self]:
        """The block and all that it stands in, from the inside."""
        block: Self | None = self
        while block is not None:
            yield block
            block = block.parent

    def below(self) -> Iterator[Self]:
        """The block and all inside it."""
        stack = [self]
        while stack:
            block = stack.pop()
            yield block
            stack.extend(reversed(block.children))

    def up(self, *kinds: str) -> Self | None:
        """The nearest enclosing block of these kinds, this one included."""
        return next((block for block in self.around() if block.kind in kinds), None)

    def sure(self) -> bool:
        """Whether this block and all above it are known whole, so that something can be called missing."""
        return all(block.whole and block.above for block in self.around())


Part = TypeVar("Part", bound=Block)


class Configuration(Struct, Generic[Part], eq=False):
    """Everything that was given."""

    roots: list[Part]
    gaps: list[Gap]
    texts: Mapping[str, str]
    """Of every member, for files that are named and not included."""

    def blocks(self, *kinds: str) -> Iterator[Part]:
        """All blocks of these kinds, or of every kind."""
        return (block for root in self.roots for block in root.below() if not kinds or block.kind in kinds)

    def every(self, *names: str) -> Iterator[tuple[Part, Directive]]:
        """All directives of these names with the block they hold in."""
        return ((block, entry) for block in self.blocks() for entry in block.entries if entry.name in names)
