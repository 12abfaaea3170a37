"""A file of Kubernetes manifests as objects.

Guarantees
* whether a file holds any manifest is told by its first bytes of each document, before anything is parsed;
* documents are read one by one, and those of kinds that no rule asks about (definitions of custom resources) not at all;
* a document that should be read and cannot is an error with a line, never left out.

Positions are those of the document; `Manifest.offset` lifts them to the file.
Does not render templates (see `templates`), build overlays or know the cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec
from msgspec import Struct, structs

from assaymark.checks.infrastructure.workloads.lookups import entries, mapping, scalar
from assaymark.checks.infrastructure.workloads.templates import Plain, is_template, plain, shown
from assaymark.checks.reading.yaml_tree import LARGEST, Keyed, Node, Unreadable, documents, scalar_text
from assaymark.model.finding import Span

MOST_DOCUMENTS = 4_000
"""The largest public bundle seen has some six hundred."""
_BOUNDARY = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_FLOW = re.compile(rb"\A\s*\{\s*[\"']?(?:apiVersion|kind)[\"']?\s*:")
_FIRST = re.compile(rb"^([ ]{0,200})[^\s#%]", re.MULTILINE)
KINDS = frozenset(
    {
        *("Pod", "PodTemplate", "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"),
        *("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ServiceAccount", "List", "PersistentVolume", "Namespace"),
        *(
            "Service",
            "Ingress",
            "NetworkPolicy",
            "Template",
            "PodSecurityPolicy",
            "SecurityContextConstraints",
            "Kustomization",
            "Component",
        ),
        *("KubeletConfiguration", "KubeProxyConfiguration", "EncryptionConfiguration", "EncryptionConfig", "ClusterConfiguration"),
        *("InitConfiguration", "JoinConfiguration"),
    }
)
"""Kinds that rules ask about; a document of another kind is read when it speaks of containers."""
_NEVER = frozenset({"CustomResourceDefinition", "ConfigMap", "Secret"})
"""Kinds that may speak of containers and run none."""


class Manifest(Struct, frozen=True, eq=False):
    """One object."""

    kind: str
    group: str
    """Of its API, without version; empty for the core."""
    name: str
    namespace: str
    root: Keyed
    offset: int
    """Lines of the file before its document."""
    last: int
    """The document's last line, in the file."""
    template: Plain | None = None

    @property
    def address(self) -> str:
        """Kind, namespace where one is written, and name: what it is called in a cluster."""
        return "/".join(part for part in (shown(self.kind), self.namespace, self.name or "?") if part)

    @property
    def whole(self) -> Span:
        """Where it stands in the file, from its first key on."""
        return Span(self.root.span.start_line + self.offset, 1, self.last, 1)

    def at_file(self, span: Span) -> Span:
        """A position of the document as one of the file."""
        return Span(span.start_line + self.offset, span.start_column, span.end_line + self.offset, span.end_column)


class _Piece(Struct, frozen=True):
    content: bytes
    offset: int


class _Head(Struct):
    apiVersion: str = ""  # noqa: N815  their name
    kind: str = ""


def holds_manifests(content: bytes) -> bool:
    """The cheap question: could there be a manifest? Two searches for words that nearly no other file has both of."""
    return b"apiVersion" in content and b"kind" in content


def manifests(content: bytes, *, every_kind: bool = False, assumed: str = "") -> tuple[list[Manifest], str]:
    """The objects of the kinds that rules ask about, or of every kind, and why there are none.

    The words are ``other-format``, ``other-kind``, and ``template`` for what is not YAML without being rendered.

    Raises:
        Unreadable: when a document that looks like a manifest is no YAML or passes a limit.
    """
    found: list[Manifest] = []
    why = "other-format"
    for piece in _pieces(content):
        kind = _kind(piece.content)
        if kind is None and assumed and piece.content.strip():
            kind = assumed
        if kind is None:
            continue
        if not every_kind and (kind in _NEVER or (kind not in KINDS and b"ontainers" not in piece.content)):
            why = "other-kind" if why == "other-format" else why
            continue
        read = _read(piece, assumed)
        if read is None:
            why = "template"
        else:
            found += read
            if len(found) > MOST_DOCUMENTS:
                raise Unreadable("size", f"the file has more than {MOST_DOCUMENTS} objects; split it", piece.offset + 1)
    return found, "" if found else why


def _pieces(content: bytes) -> Iterator[_Piece]:
    """The documents of a stream: a line of three dashes always ends one, whatever is open."""
    start = line = 0
    for found in _BOUNDARY.finditer(content):
        if found.start() > start:
            yield _Piece(content[start : found.start()], line)
        line += content.count(b"\n", start, found.start())
        start = found.start()
    yield _Piece(content[start:], line)


def _kind(content: bytes) -> str | None:
    """The kind that a document gives itself, None when it is no manifest."""
    if not holds_manifests(content):
        return None
    opening = content.lstrip()[:2]
    if opening[:1] == b"{" and opening != b"{{":
        return _kind_of_flow(content)
    body = content[3:] if content.startswith(b"---") else content
    first = _FIRST.search(body)
    version, named = _keys(len(first[1]) if first else 0)
    kind = named.search(body) if version.search(body) else None
    return kind[1].decode("utf-8", "replace") if kind else None


@lru_cache(maxsize=32)
def _keys(indent: int) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """What finds the two keys of an object that is indented so far."""
    start = rb"^" + b" " * indent + rb"[\"']?"
    kind = start + rb"kind[\"']?[ \t]*:[ \t]*[\"']?([\w.{}$-]*)"
    return re.compile(start + rb"apiVersion[\"']?[ \t]*:", re.MULTILINE), re.compile(kind, re.MULTILINE)


def _kind_of_flow(content: bytes) -> str | None:
    try:
        head = msgspec.json.decode(content, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "" if _FLOW.match(content) else None
    return head.kind if head.apiVersion and head.kind else None


def _read(piece: _Piece, assumed: str) -> list[Manifest] | None:
    """The objects of one document; None for a template that is no YAML before it is rendered."""
    if len(piece.content) > LARGEST:
        line = piece.offset + 1
        raise Unreadable("size", f"the document at line {line} has {len(piece.content)} bytes, the limit is {LARGEST}; split it", line)
    try:
        text = piece.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = piece.offset + piece.content.count(b"\n", 0, error.start) + 1
        raise Unreadable("encoding", f"line {line} is not UTF-8; save the file as UTF-8", line) from error
    lead = len(text) - len(text.lstrip())
    if text[lead : lead + 1] == "{":
        text = text[:lead].replace("\t", " ") + text[lead:]  # YAML takes tabs inside of braces and nowhere before them
    template = plain(text) if is_template(piece.content) else None
    try:
        roots = documents(template.text if template else text)
    except Unreadable as error:
        if template is not None or "{{" in text:
            return None
        raise _lifted(error, piece.offset) from error
    last = piece.offset + piece.content.count(b"\n") + 1
    made = [_manifest(node, piece.offset, last, template) for root in roots for node in _objects(root)]
    return [structs.replace(each, kind=each.kind or assumed) for each in made] if assumed else made


def _lifted(error: Unreadable, offset: int) -> Unreadable:
    line = error.line + offset
    return Unreadable(error.reason_class, error.reason.replace(f"line {error.line} ", f"line {line} ", 1), line)


def _objects(root: Node) -> Iterator[Keyed]:
    """The object itself, or what a list or a template of OpenShift holds, each once."""
    seen: set[int] = set()
    waiting: list[Node] = [root]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Keyed) or id(node) in seen:
            continue
        seen.add(id(node))
        kind = scalar_text(node.get("kind"))
        items = entries(node, "items") if kind.endswith("List") else entries(node, "objects") if kind == "Template" else []
        if items:
            waiting.extend(reversed(items))
        else:
            yield node


def _manifest(node: Keyed, offset: int, last: int, template: Plain | None) -> Manifest:
    group, slash, _ = scalar_text(node.get("apiVersion")).rpartition("/")
    meta = mapping(node, "metadata")
    name = scalar(meta, "name") or scalar(meta, "generateName")
    return Manifest(
        kind=scalar_text(node.get("kind")),
        group=group if slash else "",
        name=shown(scalar_text(name)),
        namespace=shown(scalar_text(scalar(meta, "namespace"))),
        root=node,
        offset=offset,
        last=last,
        template=template,
    )
