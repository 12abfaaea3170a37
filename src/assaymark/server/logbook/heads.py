"""Checkpoints of the server's log: signed by a key of its own, which is made when it is first needed and sealed by the vault.

Guarantees: the private key is never written in the open and signs nothing else; the log's name is that of the first key for ever, wherever
the server moves; nothing is signed that does not go on from what was signed last (C2SP tlog-checkpoint, "Signatures"): a log that was cut
off or rewritten in the database gets no new checkpoint, and says so.
"""

from __future__ import annotations

import sqlalchemy as sa

from assaymark.endorsement import keys
from assaymark.endorsement.log import audit, checkpoint, inclusion, merkle, note, proof
from assaymark.endorsement.log.audit import Head
from assaymark.endorsement.log.checkpoint import Checkpoint
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.log.inclusion import LogKeys
from assaymark.endorsement.trust import LogTrust
from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.model.assessment import Instant
from assaymark.server.service import Service
from assaymark.store import log, log_heads, trail
from assaymark.store.log_heads import CheckpointRow, LogKeyRow
from assaymark.store.trail import Action

_SERVER = "server"
PATH = "/api/v1/log"
"""Below the server's address; what C2SP calls the prefix."""


def key(service: Service, connection: sa.Connection) -> LogKeyRow:
    """The present key's public part; needs a connection that writes."""
    return _present(service, connection)[0]


def identity(service: Service) -> list[LogKeyRow]:
    """Public parts of all keys, the newest first; one is made if there is none."""
    with service.database.read() as connection:
        found = log_heads.keys(connection)
    if not found:
        with service.database.write() as connection:
            found = [key(service, connection)]
    return found


def trust_in(service: Service, connection: sa.Connection, *, required: bool = False) -> LogTrust:
    """For a trust document: this log, by its present key; needs a connection that writes."""
    row = key(service, connection)
    return LogTrust(row.name, row.verifier, required)


def known(connection: sa.Connection) -> LogKeys | None:
    """Every key that ever signed for this log; None when there is none yet."""
    rows = log_heads.keys(connection)
    return inclusion.keys_of(rows[-1].name, [row.verifier for row in rows]) if rows else None


def renew_key(service: Service, connection: sa.Connection) -> LogKeyRow:
    """Sign with another key from now on, and say so in the log and the trail; checkpoints by the old one stay and are known."""
    before = key(service, connection)
    made = _make(service, connection, before.name)
    facts = {"key": made.verifier, "before": before.verifier, "of": "log"}
    log.append(connection, [Entry(EntryType.KEY, made.created_at, _SERVER, details=facts)])
    trail.record(connection, Action(made.created_at, _SERVER, "log.key_renewed", "success", object_kind="log", details=facts))
    current(service, connection)
    return made


def standing(connection: sa.Connection) -> CheckpointRow | None:
    """The newest checkpoint if the log has not grown since; without the lock, for those who only look."""
    last = log_heads.newest(connection)
    return last if last is not None and last.size == log.size(connection) else None


def current(service: Service, connection: sa.Connection) -> CheckpointRow:
    """The checkpoint over everything that is there, signed now if the log has grown; needs a connection that writes.

    Raises:
        SubjectUnreadable: when the log does not go on from its last checkpoint.
    """
    trail.lock(connection)
    size, last = log.size(connection), log_heads.newest(connection)
    row, sealed = _present(service, connection)
    if last is not None and last.size == size and _is_by(last, row):
        _need_same(connection, last, Checkpoint(row.name, size, merkle.root(size, log.subtree(connection, size))))
        return last
    head = Checkpoint(row.name, size, merkle.root(size, log.subtree(connection, size)))
    if last is not None:
        _need_same(connection, last, head)
    signer = keys.private_key(service.vault.open(_name(row.verifier), sealed).value)
    made = CheckpointRow(0, size, head.root, Instant(service.now()), checkpoint.signed(head, signer).decode())
    log_heads.add(connection, made)
    return made


def _need_same(connection: sa.Connection, last: CheckpointRow, head: Checkpoint) -> None:
    old = Head(Checkpoint(head.origin, last.size, last.root), "its last checkpoint")
    against = audit.against([old], head, log.subtree(connection, head.size))
    if against:
        raise SubjectUnreadable(
            "the transparency log is not what was signed",
            why=against[0],
            advice="run `assay log verify` and restore a backup of the database",
        )


def proof_of(service: Service, connection: sa.Connection, seq: int) -> bytes:
    """The file that proves an entry; needs a connection that writes.

    Raises:
        SubjectNotFound: when there is no such entry.
    """
    row = log.get(connection, seq)
    if row is None:
        raise SubjectNotFound(f"the log has no entry {seq}")
    head = current(service, connection)
    path = merkle.inclusion(seq, head.size, log.subtree(connection, head.size))
    return proof.written(row.line.encode(), seq, path, head.note.encode())


def proof_of_endorsement(service: Service, connection: sa.Connection, endorsement: str) -> bytes:
    """The file that proves that this endorsement was logged, for `endorsement.log.proof.logged`; needs a connection that writes.

    Raises:
        SubjectNotFound: when it was not.
    """
    row = log.endorsed(connection, endorsement)
    if row is None:
        raise SubjectNotFound(f"the log has no endorsement {endorsement[:100]}")
    return proof_of(service, connection, row.seq)


# --- the key ---------------------------------------------------------------------------------------------------------


def _present(service: Service, connection: sa.Connection) -> tuple[LogKeyRow, bytes]:
    trail.lock(connection)
    found = log_heads.present_key(connection)
    if found is None:
        _make(service, connection, service.settings.url.partition("://")[2] + PATH)
        found = log_heads.present_key(connection)
    assert found is not None  # noqa: S101 - it was added above
    return found


def _make(service: Service, connection: sa.Connection, name: str) -> LogKeyRow:
    private, public = keys.new_key("ed25519")
    line = note.verifier_of(name, public).line
    row = LogKeyRow(0, name, line, Instant(service.now()), None)
    log_heads.add_key(connection, row, service.vault.seal(_name(line), private.decode("ascii")))
    return row


def _name(verifier: str) -> str:
    return f"log-key:{verifier}"


def _is_by(row: CheckpointRow, by: LogKeyRow) -> bool:
    """Whether the present key signed it."""
    held = note.verifier(by.verifier)
    return any(each.name == held.name and each.id == held.id for each in note.read(row.note.encode()).signatures)
