"""Where endorsements lie: in files that are named, in folders of them, beside what they are about, and in the notes of a repository.

Whoever puts a bundle there decides nothing: it is only tried. So a folder may hold what is about other things, and is looked through for
what names one of the digests. Bounded: `MOST_BYTES` of a file, `MOST_FILES` of a folder, `MOST_LINES` of a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from assaymark.endorsement import bundle, dsse, statement
from assaymark.endorsement.asking.asked import Asked, Kind
from assaymark.errors import AssayError, SignatureInvalid, UsageError
from assaymark.subjects.given import read_given, unreadable
from assaymark.subjects.listing import printable_name
from assaymark.subjects.repository import discover

MOST_BYTES = 32 << 20
MOST_FILES = 1_000
MOST_LINES = 2_000
ENDINGS = (".sigstore.json", ".intoto.jsonl", ".dsse.json")
NOTES = "endorsements"
"""Ref of git's notes: ``refs/notes/endorsements``."""


class Found(Struct, frozen=True):
    """One endorsement that may be about it."""

    place: str
    data: bytes
    proof: bytes | None = None
    """Of the log, where one lies beside it."""


def gathered(asked: Asked, places: Sequence[str]) -> list[Found]:
    """What the named files and folders hold; where none is named, what lies beside it.

    Raises:
        UsageError: when a named place cannot be read.
    """
    if not places:
        return list(_beside(asked))
    found: list[Found] = []
    for place in places:
        if Path(place).is_dir():
            found += [each for each in _folder(Path(place)) if names(each.data, asked.digests)]
        else:
            found += _file(Path(place))
    return found


def names(data: bytes, digests: Iterable[str]) -> bool:
    """Whether it speaks of one of these digests, as it says itself; nothing of it is believed."""
    try:
        said = statement.parsed(dsse.payload_of(bundle.read(data)))
    except (SignatureInvalid, ValueError):
        return False
    wanted = {tuple(each.split(":", 1)) for each in digests}
    return any(pair in wanted for subject in said.subject for pair in subject.digest.items())


def split(data: bytes) -> list[bytes]:
    """One piece per endorsement: lines that hold the same payload are one with several signatures, others are endorsements of their own."""
    lines = [line.strip() for line in data.splitlines() if line.strip()]
    if len(lines) < 2 or len(lines) > MOST_LINES or not all(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        return [data]
    groups: dict[str, list[bytes]] = {}
    for number, line in enumerate(lines):
        try:
            key = bundle.read(line).payload
        except (SignatureInvalid, ValueError):
            key = f"\0{number}"  # told as what it is when it is tried
        groups.setdefault(key, []).append(line)
    return [b"\n".join(group) for group in groups.values()]


def _beside(asked: Asked) -> Iterator[Found]:
    if asked.path:
        for ending in ENDINGS:
            path = Path(asked.path + ending)
            if path.is_file():
                yield from _file(path)
    if asked.kind is Kind.COMMIT:
        yield from _notes(asked)


def _notes(asked: Asked) -> Iterator[Found]:
    try:
        said = discover(".").git.ask("notes", f"--ref={NOTES}", "show", asked.commit)
    except AssayError:
        return
    if said.code == 0 and said.output:
        place = f"refs/notes/{NOTES} of {asked.commit[:12]}"
        yield from (Found(place, piece) for piece in split(said.output))


def _folder(folder: Path) -> Iterator[Found]:
    try:
        files = sorted(path for path in folder.iterdir() if path.name.endswith(ENDINGS) and path.is_file())
    except OSError as error:
        raise unreadable(folder, error) from error
    if len(files) > MOST_FILES:
        raise UsageError(f"{printable_name(str(folder))} holds {len(files)} bundles", why=f"at most {MOST_FILES} are tried")
    for path in files:
        yield from _file(path)


def _file(path: Path) -> list[Found]:
    data = read_file(path)
    beside = Path(_stem(str(path)) + ".tlog-proof")
    proof = read_file(beside) if beside.is_file() else None
    return [Found(os.fspath(path), piece, proof) for piece in split(data)]


def _stem(name: str) -> str:
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


def read_file(path: Path) -> bytes:
    """A file of bounded size.

    Raises:
        UsageError: when it cannot be read.
    """
    return read_given(path, MOST_BYTES)
