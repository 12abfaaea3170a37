"""What a proof shows about an endorsement: that the log holds the line by which it was endorsed. For `endorsement.verify`.

Guarantees: raises for nothing that a stranger wrote; the line is believed only when it is the leaf that the path proves, says the number
that the path proves, and is of the kind ``endorse``: a line that revokes an endorsement does not show that it was logged.
"""

from __future__ import annotations

from msgspec import Struct

from assaymark.endorsement import strict_json
from assaymark.endorsement.log import entry, inclusion
from assaymark.endorsement.log.checkpoint import Opened
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.log.inclusion import Inclusion, LogKeys
from assaymark.endorsement.trust import LogTrust
from assaymark.endorsement.verify import Logged
from assaymark.errors import AssayError, SignatureInvalid

SUFFIX = ".tlog-proof"


class Proved(Struct, frozen=True):
    """An entry, with the checkpoint that it was proved by."""

    seq: int
    entry: Entry
    line: bytes
    opened: Opened


def written(line: bytes, seq: int, path: tuple[bytes, ...], checkpoint: bytes) -> bytes:
    """The file; the line goes with it, so that nothing else is needed."""
    return inclusion.written(Inclusion(seq, path, checkpoint, line))


def proved(data: bytes, trusted: LogKeys) -> Proved:
    """The entry that this file proves.

    Raises:
        SignatureInvalid: when it proves nothing.
    """
    found = inclusion.read(data)
    if not found.extra:
        raise SignatureInvalid("the proof does not hold its entry", why="it has no line `extra`", advice="get it with `assay log proof`")
    opened = inclusion.verified(found, found.extra, trusted)
    try:
        placed = entry.read(found.extra)
    except strict_json.NotStrictError as error:
        raise SignatureInvalid("what is proved is no entry of this log", why=str(error)[:300]) from error
    if placed.seq != found.index:
        raise SignatureInvalid("the entry says another number than its place", why=f"{placed.seq}, not {found.index}")
    return Proved(placed.seq, placed.entry, found.extra, opened)


def trusted_of(log: LogTrust) -> LogKeys:
    """Of a trust document.

    Raises:
        UsageError: when its key is none.
    """
    return inclusion.keys_of(log.origin, (log.key,))


def logged(data: bytes, log: LogTrust) -> Logged:
    """For `verify`: whether this file shows that an endorsement stands in the log."""

    def ask(endorsement: str) -> str:
        try:
            found = proved(data, trusted_of(log))
        except AssayError as error:
            return f"{error.what}: {error.why}" if error.why else error.what
        if found.entry.type is not EntryType.ENDORSE:
            return f"the proof is of an entry {found.entry.type.value}, not of an endorsement"
        if found.entry.endorsement != endorsement:
            return f"the proof is of {found.entry.endorsement[:100]}, not of {endorsement[:100]}"
        return ""

    return ask
