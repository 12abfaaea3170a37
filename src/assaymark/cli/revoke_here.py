"""Appends to a list of revocations in a file.

Guarantees: what stands in the list stays, in its order; its number rises; the same is there once; the file is whole at any moment.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
from msgspec.structs import replace

from assaymark.endorsement import strict_json
from assaymark.endorsement.approval import instant, stamp
from assaymark.endorsement.revocation import Revocation, Revocations, Target, opened
from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND, Instant

_MOST_BYTES = 64 << 20


def append(path: Path, what: tuple[str, str, str], ends: tuple[str, str]) -> str:
    """Write one more (target, name, reason) with its window; what became of it, in words.

    Raises:
        UsageError: when the file is no such list or cannot be written, or a time is none.
    """
    target, name, reason = what
    try:
        since, until = (stamp(instant(end)) if end else "" for end in ends)
    except (ValueError, OverflowError) as error:
        raise UsageError("an end of the window is no time", why=str(error), advice="write it as 2026-11-28T09:00:00Z") from error
    if since and until and since > until:
        raise UsageError("the window ends before it begins", advice="exchange its ends")
    there = _read(path)
    fresh = Revocation(Target(target), name, reason, stamp(Instant(int(time.time()) * SECOND)), since, until)
    if any((each.target, each.name, each.since, each.until) == (fresh.target, name, since, until) for each in there.entries):
        return f"{path}: {target} {name} was revoked already"
    number = there.number + 1
    _write(path, Revocations(number, (*there.entries, replace(fresh, number=number))))
    return f"{path}: entry {number}"


def _read(path: Path) -> Revocations:
    if not path.exists():
        return Revocations()
    try:
        data = path.read_bytes()
        if len(data) > _MOST_BYTES:
            raise UsageError(f"{path} is too large", why=f"at most {_MOST_BYTES} bytes are read")
        found = strict_json.read(data, Revocations)
    except (OSError, strict_json.NotStrictError) as error:
        raise UsageError(f"{path} is no list of revocations", why=str(error), advice="give another file; a new one is made") from error
    opened(found.entries)
    return found


def _write(path: Path, made: Revocations) -> None:
    draft = path.with_name(path.name + ".draft")
    try:
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
        draft.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written", why=error.strerror or str(error)) from error
