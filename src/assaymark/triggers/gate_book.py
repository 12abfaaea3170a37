"""What a gate keeps beside its repository: its settings, what it answered, and for how long somebody opened it.

Guarantees: a file appears whole or not at all; the book of answers is bounded, its older half is kept as one file beside it; an opening
ends by itself, and says who made it and why.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from assaymark.endorsement.approval import stamp
from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.assessment import SECOND, Instant
from assaymark.triggers.gate import SETTINGS, Gate, Judged, Mode, settings_of

BOOK, OPENING = "assaymark-gate.jsonl", "assaymark-gate-open.json"
_MOST_BOOK = 8 << 20
LONGEST_HOURS = 72
"""For which a gate may be opened at once: who needs longer changes its mode, and that is seen."""


class Opening(Struct, frozen=True):
    """A gate that lets everything through for a while."""

    until: Instant
    by: str
    reason: str


class Line(Struct, frozen=True, omit_defaults=True):
    """One answer."""

    at: str
    mode: str
    ref: str
    commit: str
    ok: bool
    who: str = ""
    endorsement: str = ""
    reasons: tuple[str, ...] = ()
    opened_by: str = ""


def write_settings(git_dir: Path, gate: Gate) -> None:
    """Raises `UsageError` when they cannot be written."""
    text = "# How pushes are judged: docs/how-to/protect-a-branch.md\n"
    for name, value in msgspec.to_builtins(gate).items():
        text += f"{name} = {_toml(value)}\n"
    _put(git_dir / SETTINGS, text.encode())


def change_mode(git_dir: Path, mode: Mode) -> None:
    write_settings(git_dir, replace(settings_of(git_dir), mode=mode))


def open_gate(git_dir: Path, opening: Opening) -> None:
    """Raises `UsageError` when it cannot be written."""
    _put(git_dir / OPENING, msgspec.json.encode(opening))


def close_gate(git_dir: Path) -> bool:
    """Whether it stood open."""
    path = git_dir / OPENING
    is_there = path.exists()
    path.unlink(missing_ok=True)
    return is_there


def opening(git_dir: Path, now: Instant) -> Opening | None:
    """The one that holds now; what cannot be read, or lasts longer than an opening may, holds nothing open."""
    try:
        found = msgspec.json.decode((git_dir / OPENING).read_bytes(), type=Opening)
    except (OSError, *UNDECODABLE):
        return None
    return found if now < found.until <= now + LONGEST_HOURS * 3600 * SECOND else None


def write_down(git_dir: Path, judged: Sequence[Judged], mode: Mode, now: Instant, opened: Opening | None) -> None:
    """Every answer; a book that cannot be written stops nobody, for the disk may be full of what is to be pushed away."""
    who = next((os.environ[name] for name in ("REMOTE_USER", "GL_USERNAME", "USER", "LOGNAME") if os.environ.get(name)), "")[:200]
    path = git_dir / BOOK
    with suppress(OSError):
        if path.exists() and path.stat().st_size > _MOST_BOOK:
            path.replace(path.with_suffix(".before.jsonl"))
        with path.open("ab") as file:
            for each in judged:
                reasons = tuple(f"{one.reason}: {one.text}" for one in each.refused) + ((each.problem,) if each.problem else ())
                by = opened.by if opened is not None else ""
                line = Line(stamp(now), mode.value, each.ref, each.commit, each.ok, who, each.endorsement, reasons, by)
                file.write(msgspec.json.encode(line) + b"\n")


def last_lines(git_dir: Path, most: int) -> list[Line]:
    """The newest answers, the oldest of them first; a line that was cut off is left out."""
    try:
        lines = (git_dir / BOOK).read_bytes()[-(1 << 20) :].splitlines()[-most:]
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(*UNDECODABLE):
            found.append(msgspec.json.decode(line, type=Line))
    return found


def _toml(value: object) -> str:
    """Texts, numbers and lists of texts; as JSON writes them, TOML reads them too."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _put(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{path} cannot be written", why=why, advice="run it as the account of the git host") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
