"""A compose file as services.

Every piece of the text belongs to one owner: what stands in an ``x-`` block or is inherited by an anchor is told there, once, and not in
each service that uses it.
Does not read other files: what an override or a file named by ``include`` and ``extends`` adds is judged there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from assaymark.checks.infrastructure.workloads.lookups import at, child, entries, mapping, pairs, scalar
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, Unreadable, documents, scalar_text
from assaymark.model.finding import Span

_EXTENDS_AT_MOST = 8
_MOST_NODES = 100_000


class Setting(Struct, frozen=True):
    """A name with a value, however it is written."""

    name: str
    value: str
    node: Scalar


class Volume(Struct, frozen=True):
    """A mount of a service."""

    source: str
    """A path, a name of a volume, or empty."""
    read_only: bool
    options: str
    node: Scalar


class Port(Struct, frozen=True):
    """A port that a service publishes on the machine."""

    address: str
    """Of the machine; empty for all."""
    published: str
    target: str
    node: Scalar


class Service(Struct, frozen=True, eq=False):
    """One service."""

    name: str
    key: Span
    node: Keyed
    last: int
    """The last line before the next service."""
    file: Compose

    def get(self, *path: str) -> Node | None:
        """A value of the service, or of the service in this file that it extends."""
        current: Keyed | None = self.node
        for _ in range(_EXTENDS_AT_MOST):
            found = at(current, *path)
            if found is not None:
                return found
            current = self.file.extended(current)
            if current is None:
                return None
        return None

    @property
    def partial(self) -> bool:
        """True when the rest is written in another file, so what is missing says nothing."""
        return self.get("image") is None and self.get("build") is None

    def owner(self, node: Node) -> str:
        """Who wrote a value: this service, another one that it is merged from, or an ``x-`` block."""
        return self.file.homes.get(id(node), self.name)


class Compose(Struct, frozen=True, eq=False):
    """The whole file."""

    root: Keyed
    homes: dict[int, str]
    """Which service or ``x-`` block a value stands in."""
    named: dict[str, Keyed]
    """The services by their names."""
    lines: tuple[str, ...]

    def services(self) -> Iterator[Service]:
        """In the order of the text."""
        found = mapping(self.root, "services")
        if found is None and self.root.get("version") is None:
            found = self.root if _is_first_format(self.root) else None
        rows = [(key, value) for key, value in pairs(found) if isinstance(value, Keyed)]
        for at_, (key, value) in enumerate(rows):
            last = rows[at_ + 1][0].span.start_line - 1 if at_ + 1 < len(rows) else len(self.lines)
            yield Service(key.text, key.span, value, max(last, key.span.start_line), self)

    def extended(self, node: Keyed | None) -> Keyed | None:
        """The service of this file that a service extends."""
        wanted = child(node, "extends")
        if isinstance(wanted, Keyed) and wanted.get("file") is not None:
            return None
        name = wanted.text if isinstance(wanted, Scalar) else scalar_text(child(wanted, "service"))
        found = self.named.get(name)
        return found if found is not node else None


def _is_first_format(root: Keyed) -> bool:
    """Compose files of 2014 hold services at the top."""
    return bool(root.entries) and all(
        isinstance(value, Keyed) and (value.get("image") is not None or value.get("build") is not None) for _, value in root.named()
    )


def read(text: str) -> Compose | None:
    """The file, or None when it holds nothing or no services.

    Raises:
        Unreadable: when it is no YAML, passes a limit, or is no mapping.
    """
    roots = documents(text)
    if not roots:
        return None
    root = roots[0]
    if not isinstance(root, Keyed):
        line = root.span.start_line
        raise Unreadable("schema", f"line {line}: a compose file is a mapping with `services`", line)
    named = {key.text: value for key, value in pairs(mapping(root, "services")) if isinstance(value, Keyed)}
    return Compose(root, _homes(root), named, tuple(text.split("\n")))


def _homes(root: Keyed) -> dict[int, str]:
    """For every node the block in which it is written: the first that leads to it in the order of the text."""
    homes: dict[int, str] = {}
    for key, value in root.named():
        rows = value.named() if key.text == "services" and isinstance(value, Keyed) else [(key, value)]
        for name, block in rows:
            _settle(block, name.text, homes)
    return homes


def _settle(node: Node, home: str, homes: dict[int, str]) -> None:
    waiting = [node]
    while waiting and len(homes) < _MOST_NODES:
        current = waiting.pop()
        if id(current) in homes:
            continue
        homes[id(current)] = home
        if isinstance(current, Items):
            waiting.extend(current.entries)
        elif isinstance(current, Keyed):
            waiting.extend(value for _, value in current.entries)


def variables(node: Node | None) -> Iterator[Setting]:
    """``NAME=value`` entries of a list, or those of a mapping."""
    if isinstance(node, Items):
        for entry in node.entries:
            if isinstance(entry, Scalar):
                name, equals, text = entry.text.partition("=")
                if equals:
                    yield Setting(name.strip(), text.strip("\"'"), entry)
    else:
        for key, value in pairs(node):
            if isinstance(value, Scalar):
                yield Setting(key.text, value.text, value)


_WINDOWS = re.compile(r"(?<!\A[A-Za-z]):")
_MODES = re.compile(r"(?:ro|rw|z|Z|cached|delegated|consistent|nocopy|[rs]?(?:shared|slave|private))(?:,\w+)*\Z")


def volumes(node: Node | None) -> Iterator[Volume]:
    """The mounts of a service, in the short and the long form."""
    for entry in entries(node):
        if isinstance(entry, Scalar):
            parts = _WINDOWS.split(entry.text) if re.match(r"[A-Za-z]:[\\/]", entry.text) else entry.text.split(":")
            options = parts[-1] if len(parts) > 1 and _MODES.match(parts[-1]) else ""
            source = parts[0] if len(parts) > 1 else ""
            yield Volume(source, "ro" in options.split(","), options, entry)
        elif isinstance(entry, Keyed):
            source_node = scalar(entry, "source") or scalar(entry, "src")
            if source_node is not None and scalar_text(child(entry, "type")) in {"", "bind"}:
                options = scalar_text(at(entry, "bind", "propagation"))
                yield Volume(source_node.text, scalar_text(child(entry, "read_only")) == "true", options, source_node)


def ports(node: Node | None) -> Iterator[Port]:
    """The ports that a service publishes, in the short and the long form."""
    for entry in entries(node):
        if isinstance(entry, Scalar):
            text = entry.text.partition("/")[0]
            address, _, rest = text.rpartition("]:") if text.startswith("[") else ("", "", text)
            parts = rest.split(":")
            if not address and len(parts) == 3:
                address, parts = parts[0], parts[1:]
            yield Port(address.strip("[]"), parts[0] if len(parts) > 1 else "", parts[-1], entry)
        elif isinstance(entry, Keyed):
            target = scalar(entry, "target")
            if target is not None:
                published = scalar_text(child(entry, "published"))
                yield Port(scalar_text(child(entry, "host_ip")), published, target.text, target)
