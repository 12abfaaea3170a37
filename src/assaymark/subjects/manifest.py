r"""What a tree of files is, as one digest: a line of JSON per entry, sorted by the bytes of its path; the digest is that of the whole text.

Guarantees
* the same tree gives the same bytes on every machine, whatever order a folder is listed in; no time is in it;
* no link is followed, in no part of a name; nothing but regular files is opened for reading, so that no fifo blocks and no device acts;
* what cannot be read, or changes while it is read, makes no manifest: one with holes would approve what lies in them.

Two forms, which give different digests and say so in their first line:

* `OWNED`, for what runs: type, permissions, owner, group, size, SHA-256 or link's target, device numbers, all ``security.*`` attributes;
* `PORTABLE`, for a checkout or an unpacked release on another machine, by another user: of permissions only whether its owner may execute
  it, no owner, of attributes only ``security.capability``; version control's own folder at the top is left out, and nothing else.

Members of a line: ``p`` path (``pb64`` where its bytes are no UTF-8), ``t`` type (``f`` file, ``d`` folder, ``l`` link, ``c`` and ``b``
devices, ``p`` fifo, ``s`` socket), ``m`` permissions in octal (portable: ``x``), ``u`` and ``g`` numbers of owner and group, ``s`` size,
``h`` SHA-256 in hex, ``l`` target (``lb64``), ``r`` device numbers, ``x`` attributes with their values in base64; of a file with several
names in an owned tree ``n``, the first of them (``nb64``), because what is written by one name is read by all. The tree itself is ``.``.

Not here: names of a file outside of the tree, hard links of a portable tree, sparse files, ACLs in ``system.*``. Other file systems
mounted below are entered like any folder. One thread: two are slower with small files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from assaymark.errors import SubjectUnreadable
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.digest import Digest, sha256
from assaymark.subjects.confined import open_root
from assaymark.subjects.listing import printable_name
from assaymark.subjects.manifest_lines import VERSION, Form, Head, Line, encode
from assaymark.subjects.manifest_reading import Reading, UnreadableError

__all__ = ["VERSION", "Difference", "Form", "Line", "Manifest", "differences", "manifest_of", "read", "written"]


class Manifest(Struct, frozen=True):
    """A tree, written down."""

    text: bytes
    digest: Digest
    """The root: SHA-256 of the text."""
    entries: int


class Difference(Struct, frozen=True):
    """One path at which two manifests differ; None: it is not there."""

    path: bytes
    expected: Line | None
    observed: Line | None


def manifest_of(path: str, form: Form = Form.PORTABLE) -> Manifest:
    """The manifest of the tree at `path`, which may be a link to a folder.

    Raises:
        SubjectUnreadable: when something in it cannot be read or changes meanwhile.
    """
    root = open_root(path)
    try:
        return written(form, Reading(root, form).lines())
    except UnreadableError as error:
        where = printable_name(os.fsdecode(error.path or b"."))
        raise SubjectUnreadable(f"{where} in {printable_name(path)} cannot be read", why=error.why, advice="nothing is left out") from error
    finally:
        os.close(root)


def written(form: Form, lines: Iterator[tuple[bytes, bytes]]) -> Manifest:
    """The manifest that these lines make."""
    ordered = [line for _, line in sorted(lines)]
    text = b"\n".join((encode(Head(form, VERSION)), *ordered, b""))
    return Manifest(text, sha256(text), len(ordered))


def differences(expected: bytes, observed: bytes) -> Iterator[Difference]:
    """Where two manifests of one form differ, by path.

    Raises:
        ValueError: when one is no manifest, or they are of different forms.
    """
    (form, one), (other_form, other) = read(expected), read(observed)
    if form is not other_form:
        raise ValueError(f"one manifest is {form}, the other {other_form}")
    for path in sorted(one.keys() | other.keys()):
        if one.get(path) != other.get(path):
            yield Difference(path, one.get(path), other.get(path))


def read(text: bytes) -> tuple[Form, dict[bytes, Line]]:
    """What a manifest says, by path.

    Raises:
        ValueError: when it is none.
    """
    head, *lines = text.split(b"\n")
    try:
        first = msgspec.json.decode(head, type=Head)
        decode = msgspec.json.Decoder(Line).decode
        found = {line.path: line for line in map(decode, lines[:-1])}
    except (*UNDECODABLE, ValueError) as error:
        raise ValueError(f"this is no manifest: {error}") from error
    if first.manifest != VERSION or len(found) != len(lines) - 1 or lines[-1:] != [b""]:
        raise ValueError(f"this is no manifest of version {VERSION}")
    return first.form, found
