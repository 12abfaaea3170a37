"""A Bitbucket pipeline as steps, each with the way it is started.

Steps in ``definitions`` that are used through an anchor are told under the first pipeline that uses them, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from assaymark.checks.infrastructure.pipelines.scripts import Script, script
from assaymark.checks.infrastructure.pipelines.walking import at, entries, merged, pairs, text_at
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, Unreadable, documents, scalar_text

_SINGLE: Final = "default"
_MANY: Final = ("branches", "tags", "bookmarks", "custom", "pull-requests")
_SCRIPTS: Final = ("script", "after-script")


class Pipe(Struct, frozen=True, eq=False):
    """A packaged step within a script."""

    name: Scalar
    node: Keyed


class Step(Struct, frozen=True, eq=False):
    """One step."""

    name: str
    """Its name, else the pipeline's."""
    started: str
    """``default``, ``branches``, ``tags``, ``bookmarks``, ``custom`` or ``pull-requests``."""
    pattern: str
    """Which branches, tags or requests, empty for ``default``."""
    node: Keyed
    stage: Keyed | None
    first: bool
    """Nothing but this step stands in its place of the pipeline before it: nobody was asked."""
    scripts: tuple[Script, ...]
    pipes: tuple[Pipe, ...]

    def get(self, name: str) -> Node | None:
        """A key of the step, of what is merged into it, or of its stage."""
        found = merged(self.node, name)
        return found if found is not None or self.stage is None else self.stage.get(name)


class Bitbucket(Struct, frozen=True, eq=False):
    """The whole file."""

    root: Keyed
    steps: tuple[Step, ...]
    lines: tuple[str, ...]

    @property
    def scripts(self) -> Iterator[Script]:
        return (each for step in self.steps for each in step.scripts)


def read(text: str) -> Bitbucket | None:
    """The file, or None when it holds nothing.

    Raises:
        Unreadable: when it is no YAML, passes a limit, or is no mapping with pipelines.
    """
    roots = documents(text)
    if not roots:
        return None
    root = roots[0]
    if not isinstance(root, Keyed) or (root.get("pipelines") is None and root.get("definitions") is None):
        line = root.span.start_line
        raise Unreadable("schema", f"line {line}: a Bitbucket pipeline has the key `pipelines`", line)
    walk = _Walk()
    steps = [each for started, pattern, node in _pipelines(root) for each in walk.pipeline(started, pattern, node)]
    steps += walk.defined(at(root, "definitions"))
    return Bitbucket(root, tuple(steps), tuple(text.split("\n")))


def _pipelines(root: Keyed) -> Iterator[tuple[str, str, Node]]:
    for key, node in pairs(root.get("pipelines")):
        if key.text == _SINGLE:
            yield _SINGLE, "", node
        elif key.text in _MANY:
            yield from ((key.text, pattern.text, each) for pattern, each in pairs(node))
    for key, node in pairs(at(root, "definitions", "pipelines")):
        yield "custom", key.text, node


class _Walk:
    """Goes through a file once; nothing is entered twice."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._scalars: set[int] = set()
        self._made: list[Node | None] = []
        """Nodes of our own; kept, because what is seen is known by `id`, and that of a freed one is given to another."""

    def pipeline(self, started: str, pattern: str, node: Node) -> Iterator[Step]:
        asked = False
        for stage, each in self._flat(node):
            step = self._step((started, pattern), each, stage, first=not asked)
            asked = asked or text_at(each, "trigger") == "manual" or text_at(stage, "trigger") == "manual"
            if step is not None:
                yield step

    def _flat(self, node: Node) -> Iterator[tuple[Keyed | None, Keyed]]:
        """Steps in order, with the stage that they stand in."""
        waiting: list[tuple[Keyed | None, Node]] = [(None, each) for each in reversed(entries(node))]
        while waiting:
            stage, current = waiting.pop()
            if id(current) in self._seen:
                continue
            self._seen.add(id(current))
            if isinstance(current, Items):
                waiting.extend((stage, each) for each in reversed(current.entries))
            for key, value in pairs(current):
                if key.text == "step" and isinstance(value, Keyed):
                    yield stage, value
                elif key.text in {"parallel", "steps"}:
                    waiting.extend((stage, each) for each in reversed(entries(value)))
                elif key.text == "stage" and isinstance(value, Keyed):
                    waiting.extend((value, each) for each in reversed(entries(value.get("steps"))))

    def defined(self, definitions: Node | None) -> Iterator[Step]:
        """Steps and scripts that no pipeline of the file uses."""
        for key, value in pairs(definitions):
            if key.text in {"services", "caches", "pipelines"}:
                continue
            for each in entries(value):
                inner = at(each, "step")
                node = inner if isinstance(inner, Keyed) else each
                step = self._step(("definitions", ""), node, None, first=False) if isinstance(node, Keyed) else None
                if step is not None:
                    yield step

    def _step(self, way: tuple[str, str], node: Keyed, stage: Keyed | None, *, first: bool) -> Step | None:
        if id(node) in self._seen:
            return None
        self._seen.add(id(node))
        started, pattern = way
        name = scalar_text(merged(node, "name")) or f"{started} {pattern}".strip()
        scripts, pipes = list[Script](), list[Pipe]()
        for key in _SCRIPTS:
            block = merged(node, key)
            self._made.append(_lines(block))
            scripts += script(name, key, self._made[-1], self._scalars)
            pipes += _pipes(block)
        return Step(name, started, pattern, node, stage, first, tuple(scripts), tuple(pipes))


def _lines(block: Node | None) -> Node | None:
    """The shell lines of a script without its pipes."""
    if not isinstance(block, Items):
        return block
    return Items([each for each in block.entries if not isinstance(each, Keyed)], block.tag, block.span)


def _pipes(block: Node | None) -> Iterator[Pipe]:
    for each in entries(block):
        name = at(each, "pipe")
        if isinstance(name, Scalar) and isinstance(each, Keyed):
            yield Pipe(name, each)
