"""Who wrote lines, as far as the history says: git's own blame, bounded and hardened as every git here.

Guarantees: no more than `MOST_FILES` files and the given time; a file that is gone, binary or takes too long has no answer, and says
nothing of the others. What comes back is content of strangers: anybody may have committed under any name, so that it is a hint of whose a
line is and never a proof.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from msgspec import Struct

from assaymark.errors import SubjectUnreadable
from assaymark.subjects.bounded import Bounds, run_bounded
from assaymark.subjects.mirror import Mirror

MOST_FILES = 40
MOST_LINES = 50
"""Of one file."""
_FILE_SECONDS = 20.0
_LONGEST = 300


class Author(Struct, frozen=True):
    """Of a line."""

    name: str
    email: str


def who_wrote(mirror: Mirror, commit: str, wanted: Mapping[str, Sequence[int]], seconds: float) -> dict[tuple[str, int], Author]:
    """Authors by path and line, as the commit has them; `wanted` are lines by path, the most important files first."""
    until = time.monotonic() + seconds
    found: dict[tuple[str, int], Author] = {}
    for path, lines in list(wanted.items())[:MOST_FILES]:
        left = until - time.monotonic()
        if left <= 0:
            break
        chosen = sorted({line for line in lines if line > 0})[:MOST_LINES]
        if chosen and not path.startswith("/"):
            found |= {(path, line): author for line, author in _file(mirror, commit, path, chosen, min(left, _FILE_SECONDS)).items()}
    return found


def _file(mirror: Mirror, commit: str, path: str, lines: Sequence[int], seconds: float) -> dict[int, Author]:
    ranges = [word for line in lines for word in ("-L", f"{line},{line}")]
    bounds = Bounds(time.monotonic() + seconds, mirror.folder, 1 << 62)
    try:
        said = run_bounded(mirror.repository.git, ["blame", "--line-porcelain", *ranges, commit, "--", path], bounds)
    except SubjectUnreadable:
        return {}
    return _read(said.output) if said.code == 0 else {}


def _read(output: bytes) -> dict[int, Author]:
    """Of git-blame's line-porcelain: a header whose third word is the line, facts, and the line behind a tab."""
    found: dict[int, Author] = {}
    line, name, email, is_head = 0, "", "", True
    for row in output.split(b"\n"):
        if is_head:
            words = row.split(b" ")
            line = int(words[2]) if len(words) > 2 and words[2].isdigit() else 0
            is_head = False
        elif row.startswith(b"\t"):
            if line:
                found[line] = Author(name, email)
            name, email, is_head = "", "", True
        elif row.startswith(b"author "):
            name = _text(row[7:])
        elif row.startswith(b"author-mail "):
            email = _text(row[12:]).strip("<> ")
    return found


def _text(raw: bytes) -> str:
    return "".join(sign for sign in raw.decode("utf-8", "replace") if sign.isprintable())[:_LONGEST]
