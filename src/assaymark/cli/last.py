"""The last verdict of each repository, kept so that `explain` and `waive` know what an id means.

Holds what was printed anyway (findings with masked secrets); may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.finding import Finding
from assaymark.model.verdict import Verdict
from assaymark.views.sanitise import visible

_MOST = 20_000


class Kept(Struct, frozen=True):
    """Findings by the time they were shown last; later runs come first."""

    findings: tuple[Finding, ...]


def _file(cache: str, root: str) -> Path:
    return Path(cache) / "last" / (hashlib.sha256(os.fsencode(root)).hexdigest()[:24] + ".msgpack")


def keep(cache: str, root: str, verdict: Verdict) -> None:
    """Remember the findings of a verdict, before those of earlier ones. Losing it costs a run of `assay check --all`."""
    path = _file(cache, root)
    rows = {judged.finding.fingerprint: judged.finding for judged in verdict.findings}
    for earlier in _read(path):
        rows.setdefault(earlier.fingerprint, earlier)
    if not rows:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_bytes(msgspec.msgpack.encode(Kept(tuple(_writable(finding) for finding in list(rows.values())[:_MOST]))))
    draft.replace(path)


def _writable(finding: Finding) -> Finding:
    """A name that is no UTF-8 is kept as it is shown: it can't be written as it is."""
    shown = visible(finding.place.path)
    if shown == finding.place.path:
        return finding
    return msgspec.structs.replace(finding, place=msgspec.structs.replace(finding.place, path=shown))


def _read(path: Path) -> tuple[Finding, ...]:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Kept).findings
    except (*UNDECODABLE, OSError):
        return ()


def find(cache: str, root: str, text: str) -> Finding:
    """The finding whose id begins with `text`.

    Raises:
        UsageError: when none or several do.
    """
    digits = text.rpartition(":")[2]
    found = [f for f in _read(_file(cache, root)) if f.fingerprint.rpartition(":")[2].startswith(digits)] if digits else []
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{text!r} begins {len(found)} findings", advice="give more digits: " + _names(found))
    raise UsageError(
        f"no finding {text!r} was shown here", advice="run `assay check --all` and take an id from it; a rule or family works too"
    )


def _names(found: Sequence[Finding]) -> str:
    return ", ".join(f.short_id for f in found[:5])
