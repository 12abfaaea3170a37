"""What is endorsed, looked at once more: the names it has, what it was built from, what it holds. Reads the copy that was judged.

Guarantees: what is looked at has the digest that was judged, whatever its subject shows by now. Of an image with several platforms the one
that was judged is named beside the whole, and the others are said not to be.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from assaymark.checks.application.dependencies.packages import PackageSet
from assaymark.endorsement.approval import SOURCE_REFS
from assaymark.endorsement.statement import Named
from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.subject import Subject
from assaymark.model.trigger import SubjectKind
from assaymark.server.service import Service
from assaymark.server.work.beginnings import chains_of
from assaymark.server.work.cases import Case
from assaymark.server.work.images import Image, is_image, open_image, with_tag
from assaymark.server.work.remotes import mirror_of, remote_of
from assaymark.server.work.watch import Watch
from assaymark.server.work.whole import by_itself
from assaymark.stock import stock_of
from assaymark.subjects.image.subject import ImageSubject
from assaymark.subjects.mirror import Bound, Want
from assaymark.subjects.repository import Repository

_MOST_COMMITS = 200
"""So far back parents that were approved, and people who wrote something, are looked for."""
_MOST_INDEXES, _LONGEST = 3, 100
_FIELDS = "%T%x00%an%x00%ae%x00%cn%x00%ce"


class Looked(Struct, frozen=True):
    """What was seen of it."""

    name: str
    subjects: tuple[Named, ...]
    resource: str
    is_source: bool
    base: str
    """``<algorithm>:<hex>``; empty without one."""
    stock: tuple[tuple[str, PackageSet], ...]
    """(path, packages) of each list of packages that could be read."""
    ancestors: tuple[str, ...] = ()
    """Of a commit: ``gitCommit:…``, nearest first."""
    layers: tuple[str, ...] = ()
    """Of an image: a digest for each number of its lower layers, the fewest first."""
    authors: tuple[str, ...] = ()
    """Names and addresses of who wrote what is new in it."""
    platforms: tuple[str, ...] = ()
    """Of an image for several: those that were judged."""
    platforms_unjudged: tuple[str, ...] = ()


def look(service: Service, case: Case, watch: Watch) -> Looked:
    """At a commit or an image.

    Raises:
        UsageError: when trying again cannot help.
        SubjectUnreadable: when it can.
    """
    return _image(service, case, watch) if case.kind is SubjectKind.IMAGE else _commit(service, case, watch)


def _commit(service: Service, case: Case, watch: Watch) -> Looked:
    if case.repository is None:
        raise UsageError(f"{case.name} has no repository", why="a commit is one of a repository")
    mirror = mirror_of(service, case.repository.id)
    want = Want(case.head, case.ref if case.ref.startswith("refs/") else "")
    (head,) = mirror.known([want])
    if head != case.head:
        (head,) = mirror.fetch(remote_of(service, case.repository), [want], Bound(seconds=watch.left, should_stop=watch.should_stop))
    tree, authors = _written(mirror.repository, head, case.base)
    name = f"{case.repository.name}@{head[:12]}"
    return Looked(
        name=name,
        subjects=(Named(name, {"gitCommit": head, "gitTree": tree}, _at(case.ref)),),
        resource=f"git+{without_credentials(case.repository.clone_url)}",
        is_source=True,
        base=f"gitCommit:{case.base}" if case.base and case.base != head else "",
        stock=_stock(by_itself(mirror.repository, head).head),
        ancestors=_ancestors(mirror.repository, head),
        authors=authors,
    )


def _at(ref: str) -> dict[str, Any]:
    """Where it was judged, as its repository names that in full."""
    return {SOURCE_REFS: [ref]} if ref.startswith(("refs/heads/", "refs/tags/")) else {}


def _written(repository: Repository, head: str, base: str) -> tuple[str, tuple[str, ...]]:
    """Its tree; and by whom what it brings was written, as git says."""
    since = [f"^{base}"] if base and base != head else []
    options = ("--no-commit-header", f"--format={_FIELDS}", f"--max-count={_MOST_COMMITS}", "--topo-order")
    rows = repository.git.run("rev-list", *options, head, *since, "--").split(b"\n")[:-1]
    if not rows:  # it is older than its base
        rows = repository.git.run("rev-list", *options[:2], "--max-count=1", head, "--").split(b"\n")[:-1]
    parts = [row.decode("utf-8", "replace").split("\0") for row in rows]
    names = dict.fromkeys(name for each in parts for name in each[1:] if name)
    return parts[0][0], tuple(names)


def _ancestors(repository: Repository, head: str) -> tuple[str, ...]:
    rows = repository.git.run("rev-list", "--topo-order", f"--max-count={_MOST_COMMITS}", head, "--").split()
    return tuple(f"gitCommit:{row.decode('ascii')}" for row in rows if row.decode("ascii") != head)


def _image(service: Service, case: Case, watch: Watch) -> Looked:
    image = Image(with_tag((case.ref or case.name).partition("@")[0], case.trigger.details.get("tag", "")), case.team, case.head)
    digest, files = open_image(service, image, case.head, watch)
    if digest != case.head:
        raise SubjectUnreadable(f"{case.name} is another image by now", why=f"it is {digest}, and {case.head} was judged")
    name = image.reference
    parts = _parts(service.settings.data / "images" / digest.removeprefix("sha256:"), digest)
    return Looked(
        name=f"{name}@{digest[:19]}",
        subjects=tuple(Named(name + end, {"sha256": each.removeprefix("sha256:")}) for end, each in parts.digests),
        resource=resource_of_image(name),
        is_source=False,
        base=case.base if is_image(case.base) and case.base != digest else "",
        stock=_stock(files),
        layers=chains_of(files.layers) if isinstance(files, ImageSubject) else (),
        authors=(case.trigger.actor,) if case.trigger.actor else (),
        platforms=parts.platforms,
        platforms_unjudged=parts.others,
    )


class _Platform(Struct, frozen=True):
    os: str = ""
    architecture: str = ""
    variant: str = ""


class _Row(Struct, frozen=True):
    digest: str = ""
    platform: _Platform | None = None


class _Manifest(Struct, frozen=True):
    manifests: tuple[_Row, ...] = ()
    config: _Row | None = None


class _Parts(Struct, frozen=True):
    """Of an image."""

    digests: tuple[tuple[str, str], ...]
    """(what the name ends in, digest)."""
    platforms: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def _parts(folder: Path, digest: str) -> _Parts:
    """The whole; and, where it was pulled from a registry, the manifest of the platform that was judged, and its configuration."""
    try:
        rows = _document(folder, "index.json").manifests[:1]
        judged = rows[0].digest if rows else digest
        config = _document(folder, judged).config
        mine, others = _platforms(folder, digest, judged)
    except (OSError, *UNDECODABLE):
        return _Parts((("", digest),))
    end = f" ({', '.join(mine)})" if mine else " (platform)"
    named = {digest: "", **({judged: end} if judged != digest else {})}
    if config is not None and is_image(config.digest):
        named.setdefault(config.digest, "#config")
    return _Parts(tuple((end, each) for each, end in named.items() if is_image(each)), mine, others)


def _platforms(folder: Path, digest: str, judged: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Platforms that indexes name on the way from the whole to what was judged: that one, and all others. Nothing without an index."""
    mine: list[str] = []
    others: list[str] = []
    for _ in range(_MOST_INDEXES):
        rows = _document(folder, digest).manifests if digest != judged else ()
        here = [row for row in rows if row.platform is not None and row.platform.os not in ("", "unknown")]
        kept = [row for row in rows if row.digest == judged or (folder / _blob(row.digest)).exists()]
        mine += [_called(row) for row in here if row in kept]
        others += [_called(row) for row in here if row not in kept]
        if not kept:
            break
        digest = kept[0].digest
    return tuple(dict.fromkeys(mine)), tuple(dict.fromkeys(others))


def _called(row: _Row) -> str:
    found = row.platform or _Platform()
    return "/".join(each for each in (found.os, found.architecture, found.variant) if each)[:_LONGEST]


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}" if is_image(digest) else "blobs"


def _document(folder: Path, name: str) -> _Manifest:
    return msgspec.json.decode((folder / (_blob(name) if is_image(name) else name)).read_bytes(), type=_Manifest)


def _stock(subject: Subject) -> tuple[tuple[str, PackageSet], ...]:
    return tuple((each.path, each.packages) for each in stock_of(subject) if each.is_read)


def resource_of_image(reference: str) -> str:
    """Without tag: the digest says which."""
    if reference.startswith("file://"):
        return reference
    head, slash, last = reference.rpartition("/")
    return f"oci://{head}{slash}{last.partition(':')[0]}"


def without_credentials(url: str) -> str:
    """An address that may be shown to everybody."""
    parts = urlsplit(url)
    if not parts.hostname:
        return url.rpartition("@")[2] if "://" not in url else url
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return urlunsplit((parts.scheme, host + (f":{parts.port}" if parts.port else ""), parts.path, "", ""))


def head_digest(kind: SubjectKind, head: str) -> str:
    """The head of an assessment in in-toto's names."""
    if kind is SubjectKind.IMAGE or is_image(head):
        return head
    return f"gitCommit:{head.rpartition(':')[2]}"
