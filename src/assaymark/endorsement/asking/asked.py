"""From a word of the user to the digests of what it means, in in-toto's names.

What there is as a path wins over a commit of the same name, as for `assay check`. Nothing is asked of a network: an image is named by its
digest, and a tag is refused, because it may point elsewhere a moment later.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from assaymark.errors import SubjectNotFound, SubjectUnreadable, UsageError
from assaymark.subjects.commits import resolve
from assaymark.subjects.listing import printable_name, raw
from assaymark.subjects.manifest import Form, manifest_of
from assaymark.subjects.repository import Repository, discover

_PIECE = 1 << 20
_DIGEST = re.compile(r"(?:sha(?:256|384|512)|git(?:Commit|Tree|Tag|Blob)):[0-9A-Fa-f]{40,128}", re.ASCII)
_IMAGE = re.compile(r"[^@\s]+@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})", re.ASCII)
_TAGGED = re.compile(r"[^\s:]+(?::\d+)?/\S+:[\w.-]+", re.ASCII)


class Kind(StrEnum):
    """What was named."""

    FILE = "file"
    DIRECTORY = "directory"
    COMMIT = "commit"
    IMAGE = "image"
    DIGEST = "digest"


class Asked(Struct, frozen=True):
    """Something that is to be approved."""

    name: str
    """As the user wrote it."""
    kind: Kind
    digests: tuple[str, ...]
    """Any of them names it: an endorsement of one is an endorsement of it."""
    path: str = ""
    """Of a file or folder, absolute."""
    commit: str = ""
    manifest: bytes = b""
    """Of a folder."""


def asked(word: str, form: Form = Form.PORTABLE) -> Asked:
    """What a word means.

    Raises:
        SubjectNotFound: when it means nothing here.
        SubjectUnreadable: when it cannot be read.
    """
    if os.path.lexists(word):
        return _path(word, form)
    if _DIGEST.fullmatch(word):
        kind, _, value = word.partition(":")
        return Asked(word, Kind.DIGEST, (f"{kind}:{value.lower()}",))
    image = _IMAGE.fullmatch(word)
    if image:
        return Asked(word, Kind.IMAGE, (image[1],))
    return _commit(word)


def _path(word: str, form: Form) -> Asked:
    path = os.path.realpath(word)
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise _unreadable(word, error) from error
    if stat.S_ISDIR(mode):
        made = manifest_of(path, form)
        return Asked(word, Kind.DIRECTORY, (made.digest,), path, manifest=made.text)
    if not stat.S_ISREG(mode):
        raise SubjectUnreadable(f"{printable_name(word)} is neither a file nor a folder", advice="name what was endorsed")
    return Asked(word, Kind.FILE, ("sha256:" + _sealed(path, word),), path)


def _sealed(path: str, word: str) -> str:
    seal = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while piece := file.read(_PIECE):
                seal.update(piece)
    except OSError as error:
        raise _unreadable(word, error) from error
    return seal.hexdigest()


def _unreadable(word: str, error: OSError) -> SubjectUnreadable:
    return SubjectUnreadable(f"{printable_name(word)} cannot be read", why=error.strerror or str(error))


def _commit(word: str) -> Asked:
    """Its tree names it too: what is in a commit is its tree, and a source module is endorsed as one."""
    try:
        repository = discover(".")
        found = resolve(repository, word)
    except SubjectNotFound as error:
        tagged = _TAGGED.fullmatch(word) is not None
        raise SubjectNotFound(
            f"{printable_name(word)!r} names nothing that could be verified",
            why="a tag of an image may point elsewhere in a moment" if tagged else f"no path, digest or image by its digest; {error.what}",
            advice="name the image by its digest: repository@sha256:…" if tagged else "see `assay verify --help` for what can be named",
        ) from error
    return Asked(word, Kind.COMMIT, (f"gitCommit:{found.oid}", f"gitTree:{_tree(repository, found.oid)}"), commit=found.oid)


def _tree(repository: Repository, oid: str) -> str:
    said = repository.git.run("rev-parse", "--verify", f"{oid}^{{tree}}")
    return said.decode("ascii", "replace").strip()


def write_manifest(asked: Asked, target: str) -> None:
    """Keep a folder's manifest, whose digest is what an endorsement of the folder is about.

    Raises:
        UsageError: when it is no folder or the file cannot be written.
    """
    if asked.kind is not Kind.DIRECTORY:
        raise UsageError(f"{printable_name(asked.name)} has no manifest", why=f"it is a {asked.kind}", advice="name a folder")
    try:
        Path(target).write_bytes(asked.manifest)
    except OSError as error:
        raise UsageError(f"{target} cannot be written", why=error.strerror or str(error)) from error


def shown(word: str) -> str:
    """A word as it can be kept in a document: bytes that are no text stand there visibly."""
    return raw(word).decode("utf-8", "backslashreplace")
