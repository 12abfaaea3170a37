"""Checkpoints kept where this installation cannot change them: a folder, a branch of a git repository, an object storage.

Guarantees: before another checkpoint is put somewhere, all that lies there is looked at: each must be signed by a key of this log and go on
into it, otherwise nothing is written and it is said that the log differs (`PinRow.outcome`). A folder's files are made once and never
opened for writing again; a branch is only moved forward; objects are named by their digest (S3, where the bucket's lock keeps them).
Places are named by the administrator (``ASSAYMARK_LOG_PINS``), not in the database, which whoever rewrites the log could change too.
A place that its keeper can rewrite proves as much as its keeper can be believed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import structlog

from assaymark.endorsement.log import audit, checkpoint, merkle
from assaymark.endorsement.log.audit import Head
from assaymark.endorsement.log.checkpoint import Checkpoint
from assaymark.endorsement.log.inclusion import LogKeys
from assaymark.errors import AssayError, SignatureInvalid, SubjectUnreadable, UsageError
from assaymark.model.assessment import Instant
from assaymark.server import outgoing
from assaymark.server.logbook import heads
from assaymark.server.service import Service
from assaymark.server.work.remotes import remote_of
from assaymark.store import log, log_heads, repositories
from assaymark.store.log_heads import PinRow
from assaymark.store.s3 import S3Blobs
from assaymark.subjects.remote import Remote, local, reaching

_MOST_HELD = 10_000
_MOST_BYTES = 1 << 20
_BRANCH = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)))[A-Za-z0-9_][A-Za-z0-9_./-]{0,99}(?<![./])")
_WHO = ("user.name=assaymark", "user.email=assaymark@localhost")
_log = structlog.get_logger("assaymark.log")


class Place(Protocol):
    """Where checkpoints are kept."""

    def held(self) -> Iterator[bytes]:
        """All that lies there.

        Raises:
            AssayError: when it cannot be reached.
        """
        ...

    def put(self, data: bytes, head: Checkpoint) -> None:
        """One more.

        Raises:
            AssayError: when it cannot be reached, or refuses.
        """
        ...


class FolderPlace:
    """``file:///folder``: a file per checkpoint."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def held(self) -> Iterator[bytes]:
        for path in sorted(self._folder.glob("*.checkpoint"))[-_MOST_HELD:]:
            try:
                with path.open("rb") as file:
                    yield file.read(_MOST_BYTES)
            except OSError as error:
                raise SubjectUnreadable(f"{path} cannot be read", why=error.strerror or str(error)) from error

    def put(self, data: bytes, head: Checkpoint) -> None:
        path = self._folder / f"{head.size:019d}-{sha256(data).hexdigest()[:16]}.checkpoint"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            return
        except OSError as error:
            raise SubjectUnreadable(f"{path} cannot be written", why=error.strerror or str(error)) from error


class ObjectPlace:
    """``s3://bucket/prefix``: an object per checkpoint, by its digest."""

    def __init__(self, place: str, endpoint: str) -> None:
        self._blobs = S3Blobs(place, endpoint)

    def held(self) -> Iterator[bytes]:
        for number, digest in enumerate(self._blobs.every()):
            if number == _MOST_HELD:
                raise SubjectUnreadable(
                    "there are too many objects", why=f"at most {_MOST_HELD} are read", advice="pin to a prefix of its own"
                )
            yield self._blobs.get(digest)

    def put(self, data: bytes, _head: Checkpoint) -> None:
        self._blobs.put(data)


class GitPlace:
    """``git+<address>#<branch>``: a commit per checkpoint."""

    def __init__(self, remote: Remote, branch: str, folder: Path) -> None:
        self._remote, self._ref, self._folder = remote, f"refs/heads/{branch}", folder

    def held(self) -> Iterator[bytes]:
        with reaching(self._remote, self._prepared()) as git:
            if not git.run("ls-remote", self._remote.url, self._ref).strip():
                return
            git.run("fetch", "--quiet", "--no-tags", self._remote.url, f"+{self._ref}:{self._ref}")
            commits = git.run("rev-list", f"--max-count={_MOST_HELD}", self._ref, "--").decode("ascii").split()
            for commit in commits:
                yield git.run("cat-file", "blob", f"{commit}:checkpoint")[:_MOST_BYTES]

    def put(self, data: bytes, head: Checkpoint) -> None:
        with reaching(self._remote, self._prepared()) as git:
            parent = git.ask("rev-parse", "--verify", "--quiet", self._ref).output.decode("ascii").strip()
            blob = git.run("hash-object", "-w", "--stdin", stdin=data).decode("ascii").strip()
            tree = git.run("mktree", stdin=f"100644 blob {blob}\tcheckpoint\n".encode()).decode("ascii").strip()
            words = ["commit-tree", tree, *(["-p", parent] if parent else []), "-m", f"{head.origin}: {head.size} entries"]
            commit = git.configured(*_WHO).run(*words).decode("ascii").strip()
            git.run("push", "--quiet", self._remote.url, f"{commit}:{self._ref}")
            git.run("update-ref", self._ref, commit)

    def _prepared(self) -> Path:
        if not (self._folder / "HEAD").exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            local(self._folder).run("init", "--bare", "--quiet", "--template=", str(self._folder))
        return self._folder


# --- from an address -------------------------------------------------------------------------------------------------


def place_at(service: Service, text: str) -> Place:
    """The place that this address names.

    Raises:
        UsageError: when it names none, or the server may not go there.
    """
    if text.startswith("s3://"):
        return ObjectPlace(text, service.settings.s3_endpoint)
    if text.startswith("file:///"):
        return FolderPlace(Path(text.removeprefix("file://")))
    if text.startswith("git+"):
        address, _, branch = text.removeprefix("git+").partition("#")
        if not _BRANCH.fullmatch(branch):
            raise UsageError(f"{branch[:100]!r} is no branch", advice="write git+https://host/repository.git#branch")
        name = sha256(text.encode()).hexdigest()[:16]
        return GitPlace(_remote(service, address), branch, service.settings.data / "log-pins" / f"{name}.git")
    raise UsageError(
        f"{outgoing.without_credentials(text)[:200]!r} is no place for checkpoints",
        advice="write file:///folder, s3://bucket/prefix or git+https://host/repository.git#branch",
    )


def _remote(service: Service, address: str) -> Remote:
    """With the credential of the connection that the repository belongs to, if it is registered."""
    with service.database.read() as link:
        row = repositories.at_address(link, address)
    if row is not None:
        return remote_of(service, row)
    found = outgoing.destination(address, service.settings)
    url = f"file://{found.path}" if found.scheme == "file" else found.url
    return Remote(url, found.scheme, found.host, found.port, found.addresses, authorities=os.environ.get("SSL_CERT_FILE", ""))


# --- pinning ---------------------------------------------------------------------------------------------------------


def pin(service: Service, text: str) -> PinRow:
    """Put the present checkpoint there, if all that lies there goes on into it; what came of it is kept."""
    with service.database.write() as link:
        row = heads.current(service, link)
        known = heads.known(link)
    assert known is not None  # noqa: S101 - it was signed above
    head = checkpoint.read(row.note.encode())[0]
    outcome, detail = "pinned", ""
    try:
        place = place_at(service, text)
        against = differing(service, head, pinned(place, text, known))
        if against:
            outcome, detail = "differs", against[0]
        else:
            place.put(row.note.encode(), head)
    except SignatureInvalid as error:
        outcome, detail = "differs", f"{error.what}: {error.why}"
    except AssayError as error:
        outcome, detail = "failed", f"{error.what}: {error.why}" if error.why else error.what
    shown = outgoing.without_credentials(text)
    made = PinRow(0, Instant(service.now()), shown[:500], head.size, outcome, detail[:1000])
    with service.database.write() as link:
        log_heads.add_pin(link, made)
    say = _log.info if outcome == "pinned" else _log.error
    say("checkpoint pinned", place=shown, size=head.size, outcome=outcome, detail=detail)
    return made


def pin_all(service: Service) -> list[PinRow]:
    """At every place that the administrator named; one that was pinned at this size already is left alone."""
    return [pin(service, text) for text in service.settings.log_pins]


def pinned(place: Place, name: str, known: LogKeys) -> list[Head]:
    """What lies there.

    Raises:
        SignatureInvalid: when something there is not a checkpoint of this log.
        AssayError: when it cannot be reached.
    """
    shown = outgoing.without_credentials(name)
    found = []
    for data in place.held():
        try:
            found.append(Head(checkpoint.opened(data, known.origin, known.keys).checkpoint, shown))
        except SignatureInvalid as error:
            why = f"{error.what}: {error.why}"
            raise SignatureInvalid(f"{shown} holds something else than checkpoints of this log", why=why) from error
    return found


def differing(service: Service, head: Checkpoint, found: list[Head]) -> list[str]:
    """What speaks against it that the log goes on from all of these."""
    with service.database.read() as link:
        root = merkle.root(head.size, log.subtree(link, head.size))
        own = [] if root == head.root else ["the log is not what its newest checkpoint says"]
        return own + audit.against(found, head, log.subtree(link, head.size))
