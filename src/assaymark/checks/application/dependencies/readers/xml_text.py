"""XML of manifests as a tree with lines.

Guarantees: bounded in bytes, depth and elements; a document that declares entities is refused, so nothing expands and nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from msgspec import Struct

from assaymark.checks.application.dependencies.readers.texts import bounded
from assaymark.checks.reading.yaml_tree import Unreadable

_DEEPEST = 60
_MOST_ELEMENTS = 200_000


class Element(Struct, eq=False):
    """An element with its text; namespaces are overlooked, as Maven does."""

    name: str
    line: int
    text: str = ""
    children: list[Element] = []
    attributes: dict[str, str] = {}

    def all(self, name: str) -> Iterator[Element]:
        """The children of this name."""
        return (child for child in self.children if child.name == name)

    def child(self, name: str) -> Element | None:
        """The first child of this name."""
        return next(self.all(name), None)

    def text_of(self, name: str) -> str:
        """The text of the first child of this name."""
        child = self.child(name)
        return child.text.strip() if child else ""


def elements(content: bytes) -> Element:
    """The tree of an XML file.

    Raises:
        Unreadable: when it is no XML, declares entities, or passes a limit.
    """
    builder = _Builder()
    parser = builder.parser
    try:
        parser.Parse(bounded(content), True)
    except expat.ExpatError as error:
        line = error.lineno
        raise Unreadable("syntax", f"line {line} is no valid XML: {expat.ErrorString(error.code)}", line) from error
    except (LookupError, ValueError) as error:
        raise Unreadable("encoding", "the file is in an encoding that is not known; save it as UTF-8") from error
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self.root = Element("", 0)
        self._open: list[Element] = [self.root]
        self._texts: list[list[str]] = [[]]
        self._count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.EntityDeclHandler = self._entity

    def _entity(self, *_: object) -> None:
        line = self.parser.CurrentLineNumber
        raise Unreadable("unsupported", f"line {line} declares an entity; write the text itself", line)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        line = self.parser.CurrentLineNumber
        if self._count > _MOST_ELEMENTS:
            raise Unreadable("size", f"the file has more than {_MOST_ELEMENTS} elements", line)
        if len(self._open) > _DEEPEST:
            raise Unreadable("nesting", f"line {line} is nested more than {_DEEPEST} levels deep", line)
        made = Element(name.rpartition(":")[2], line, "", [], attributes)
        self._open[-1].children.append(made)
        self._open.append(made)
        self._texts.append([])

    def _text(self, text: str) -> None:
        self._texts[-1].append(text)

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        element.text = "".join(self._texts.pop())
        if len(self._open) == 1:
            self.root = element
