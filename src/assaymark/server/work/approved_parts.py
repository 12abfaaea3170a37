"""What of a commit's tree others use again: modules of infrastructure code, pipeline templates, configuration profiles, the tree itself.

Guarantees: told from names and, for workflows, from what they say; everything is named by a digest (git tree, commit, SHA-256 of a file);
bounded in number. Pure but for `read`, which gives the content of a blob.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from assaymark.checks.reading import yaml_tree
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar
from assaymark.endorsement.components import ComponentKind
from assaymark.store.approved_index import NamedPart
from assaymark.verdict.globs import matches_any

MOST = 2_000
"""Parts of one commit."""
MOST_BYTES = 1 << 20
_CODE = (".tf", ".tf.json", ".tofu", ".bicep")
_WORKFLOW = re.compile(r"\.(?:github|gitea|forgejo)/workflows/[^/]+\.ya?ml\Z")
_ACTION = re.compile(r"(?:.*/)?action\.ya?ml\Z")
_INCLUDED = re.compile(r"(?:templates/(?:[^/]+|[^/]+/template)\.ya?ml|(?:\.gitlab/ci|ci/templates|\.gitlab-ci)/.+\.ya?ml)\Z")
PROFILES = (
    "**/sshd_config", "**/sshd_config.d/*.conf", "**/sysctl.conf", "**/sysctl.d/*.conf", "**/*hardening*.conf", "**/*hardening*.y*ml",
    "**/ssl*.conf", "**/tls*.conf", "**/tls*.y*ml", "**/openssl.cnf", "**/limits.d/*.conf", "**/*seccomp*.json", "**/apparmor.d/*",
)  # fmt: skip
"""Globs of files that are a profile of hardening or TLS settings."""


class TreeEntry(Struct, frozen=True):
    """A line of a listing of a commit."""

    mode: str
    kind: str
    oid: str
    path: str


class CommitTree(Struct, frozen=True):
    """A commit of a repository."""

    repository: str
    commit: str
    root: str
    """Id of its tree."""
    entries: tuple[TreeEntry, ...]


def listed(output: bytes) -> tuple[TreeEntry, ...]:
    """What ``git ls-tree -r -t -z --full-tree`` says."""
    found = []
    for line in output.split(b"\0"):
        about, tab, path = line.partition(b"\t")
        if tab:
            mode, kind, oid = about.decode().split(" ")
            found.append(TreeEntry(mode, kind, oid, path.decode("utf-8", "surrogateescape")))
    return tuple(found)


def parts_of(
    tree: CommitTree, read: Callable[[Sequence[str]], Sequence[bytes | None]], profiles: Iterable[str] = PROFILES
) -> list[NamedPart]:
    """Everything of use again in it, at most `MOST`."""
    found = [NamedPart(ComponentKind.SOURCE_MODULE, tree.repository, f"gitTree:{tree.root}", tree.commit)]
    found += _modules(tree)
    found += _templates(tree, read)
    found += _profiles(tree, read, tuple(profiles))
    return found[:MOST]


def _modules(tree: CommitTree) -> Iterator[NamedPart]:
    folders = {each.path.rpartition("/")[0] for each in tree.entries if each.kind == "blob" and _is_code(each.path)}
    oids = {each.path: each.oid for each in tree.entries if each.kind == "tree"} | {"": tree.root}
    for folder in sorted(folders):
        if folder in oids:
            yield NamedPart(ComponentKind.IAC_MODULE, f"{tree.repository}//{folder or '.'}", f"gitTree:{oids[folder]}", tree.commit)


def _is_code(path: str) -> bool:
    return path.endswith(_CODE) or path.rpartition("/")[2] == "Chart.yaml"


def _templates(tree: CommitTree, read: Callable[[Sequence[str]], Sequence[bytes | None]]) -> Iterator[NamedPart]:
    files = [each for each in tree.entries if each.kind == "blob" and each.mode != "120000"]
    workflows = [each for each in files if _WORKFLOW.match(each.path)][:MOST]
    chosen = {each.path for each in files if _ACTION.match(each.path) or _INCLUDED.match(each.path)}
    for each, content in zip(workflows, read([each.oid for each in workflows]), strict=True):
        if content is not None and is_reusable(content):
            chosen.add(each.path)
    oids = {each.path: each.oid for each in files}
    for path in sorted(chosen):
        yield NamedPart(ComponentKind.PIPELINE_TEMPLATE, f"{tree.repository}//{path}", f"gitCommit:{tree.commit}", f"git blob {oids[path]}")


def is_reusable(content: bytes) -> bool:
    """Whether a workflow says that others may call it."""
    try:
        roots = yaml_tree.documents(yaml_tree.decode(content))
    except yaml_tree.Unreadable:
        return False
    root = roots[0] if roots else None
    if not isinstance(root, Keyed):
        return False
    return any(isinstance(key, Scalar) and key.text == "on" and _names(value, "workflow_call") for key, value in root.entries)


def _names(node: Node, word: str) -> bool:
    match node:
        case Scalar():
            return node.text == word
        case Items():
            return any(isinstance(each, Scalar) and each.text == word for each in node.entries)
        case Keyed():
            return any(isinstance(key, Scalar) and key.text == word for key, _ in node.entries)


def _profiles(tree: CommitTree, read: Callable[[Sequence[str]], Sequence[bytes | None]], globs: tuple[str, ...]) -> Iterator[NamedPart]:
    files = [each for each in tree.entries if each.kind == "blob" and each.mode != "120000" and matches_any(each.path, globs)][:MOST]
    for each, content in zip(files, read([each.oid for each in files]), strict=True):
        if content is not None:
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            yield NamedPart(ComponentKind.CONFIGURATION, f"{tree.repository}//{each.path}", digest, tree.commit)
