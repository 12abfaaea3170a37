"""Endorsements beside files: ``<file>.sigstore.json`` (one bundle), ``<file>.intoto.jsonl`` (any number), ``<file>.tlog-proof``.

Guarantees: a file appears whole or not at all; what lay there and says something else is kept, among the lines. Lines can be deleted by
whoever may write there, and nothing tells (in-toto's bundles are not authenticated as a whole): the transparency log does.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from assaymark.endorsement import bundle
from assaymark.endorsement.places.gathered import MOST, gathered, is_about, one_line
from assaymark.errors import SubjectNotFound, SubjectUnreadable, UsageError

BUNDLE, LINES, PROOF = ".sigstore.json", ".intoto.jsonl", ".tlog-proof"
MOST_PROOF = 1 << 20
_PIECE = 1 << 20


class Beside(Struct, frozen=True):
    """What lies beside a file."""

    digest: str
    """Of the file itself."""
    endorsements: tuple[bytes, ...]
    """That are about it."""
    proof: bytes = b""
    """Of the transparency log; empty without one."""


def write(file: Path, data: bytes, proof: bytes = b"") -> tuple[Path, ...]:
    """Lay an endorsement beside the file that it is about; gives what was written.

    Raises:
        SignatureInvalid: when it is none.
        UsageError: when it is not about this file, or cannot be written.
    """
    digest = digest_of(file)
    lines = one_line(data)
    if not is_about(lines[0], digest):
        raise UsageError(
            f"this endorsement is not about {file}", why=f"the file is {digest}", advice="it was changed after it was endorsed"
        )
    one, many = beside(file, BUNDLE), beside(file, LINES)
    lying = [*_read(one, bundle.MOST_BYTES).splitlines(), *_read(many, bundle.MOST_BYTES * MOST).splitlines()]
    others = [line for line in lying if line.strip() and line not in lines]
    written = []
    try:
        if len(lines) == 1 and not others:
            written.append(_put(one, lines[0] + b"\n"))
        else:
            written.append(_put(many, b"".join(line + b"\n" for line in dict.fromkeys([*others, *lines]))))
        if proof:
            written.append(_put(beside(file, PROOF), proof))
    except OSError as error:
        raise UsageError(f"nothing can be written beside {file}", why=error.strerror or str(error)) from error
    return tuple(written)


def read(file: Path) -> Beside:
    """What lies beside a file and is about it.

    Raises:
        SubjectNotFound: when there is no such file.
    """
    digest = digest_of(file)
    return Beside(digest, *_found(file, digest))


def in_folder(folder: Path, digest: str) -> tuple[bytes, ...]:
    """From a folder in which endorsements are named by the digest: ``<hex>.sigstore.json``, ``<hex>.intoto.jsonl``."""
    value = digest.partition(":")[2]
    return _found(folder / value, digest)[0] if value.isalnum() else ()


def proof_in_folder(folder: Path, digest: str) -> bytes:
    """Likewise the log's proof, ``<hex>.tlog-proof``; empty without one."""
    value = digest.partition(":")[2]
    return _read(folder / f"{value}{PROOF}", MOST_PROOF) if value.isalnum() else b""


def digest_of(file: Path) -> str:
    """``sha256:<hex>`` of a file's bytes.

    Raises:
        SubjectNotFound: when there is no such file.
        SubjectUnreadable: when it cannot be read.
    """
    made = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while piece := stream.read(_PIECE):
                made.update(piece)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise SubjectNotFound(f"there is no file {file}", advice="name the file that was endorsed") from error
    except OSError as error:
        raise SubjectUnreadable(f"{file} cannot be read", why=error.strerror or str(error)) from error
    return f"sha256:{made.hexdigest()}"


def beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


def _found(file: Path, digest: str) -> tuple[tuple[bytes, ...], bytes]:
    texts = [_read(beside(file, BUNDLE), bundle.MOST_BYTES), _read(beside(file, LINES), bundle.MOST_BYTES * MOST)]
    return gathered(texts, digest), _read(beside(file, PROOF), MOST_PROOF)


def _read(path: Path, most: int) -> bytes:
    """Empty for what is not there, is no file, or is longer than anything honest."""
    with suppress(OSError), path.open("rb") as stream:
        data = stream.read(most + 1)
        return data if len(data) <= most else b""
    return b""


def _put(path: Path, data: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path
