"""What "Quality Approved" says: a SLSA Verification Summary (VSA v1) with an extension of ours. Field names are those of the two.

Guarantees: only a passing verdict can be written (`PASSED` is the one result there is); times are in UTC to the second; the same input
gives the same bytes. What is read is only a form: whether it is true is for `verify`.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.endorsement import statement, strict_json
from assaymark.endorsement.statement import Named, Statement
from assaymark.model.assessment import SECOND, Instant

PREDICATE = "https://slsa.dev/verification_summary/v1"
PASSED = "PASSED"
SLSA_VERSION = "1.2"
APPROVED = "ORG_QUALITY_APPROVED"
APPROVED_SOURCE = "ORG_SOURCE_QUALITY_APPROVED"
"""Of a commit: levels of organisations about source have this prefix (SLSA 1.2, source requirements)."""
SOURCE_REFS = "sourceRefs"
"""Annotation of a commit: the references, in full, at which it was judged (SLSA 1.2, source VSA)."""
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_STEPS = re.compile(r"(SLSA_[A-Z]+_LEVEL_)([0-9])")


class Source(Struct, frozen=True, omit_defaults=True):
    """Something that is named by its digest (in-toto ResourceDescriptor)."""

    uri: str
    digest: dict[str, str] = {}


class Verifier(Struct, frozen=True):
    """Who judged."""

    id: str
    version: dict[str, str] = {}
    """``assaymark`` to its release, ``rules`` to the digest of all rules, checks and mappings."""


class WaiverNote(Struct, frozen=True, omit_defaults=True):
    """What was let through, and until when."""

    id: str
    until: str = ""


class Extension(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Of ours, under `EXTENSION`."""

    expires: str
    environments: tuple[str, ...] = ()
    """Where it may run; empty: wherever the trust root says."""
    lineage: tuple[str, ...] = ()
    """Digests of what it was built from, nearest first: base images, parent commits that were approved."""
    baseline: str = ""
    """Digest of the base that it was compared with."""
    waivers: tuple[WaiverNote, ...] = ()
    advisories: str = ""
    """Snapshot of the advisories that it was judged by."""
    approved_by: tuple[str, ...] = ()
    """Logins of people, where policy asks for them."""
    packages: tuple[str, ...] = ()
    """Digests of the sets of packages in it."""
    platforms: tuple[str, ...] = ()
    """Of an image that is one of several: the platforms that were judged, as ``linux/amd64``."""
    platforms_unjudged: tuple[str, ...] = ()
    """The others that its index names: nothing is known of them, though the index is endorsed."""


EXTENSION = "https://assaymark.dev/ext/endorsement/v1"


class Approval(Struct, frozen=True, rename="camel"):
    """The predicate."""

    verifier: Verifier
    time_verified: str
    resource_uri: str
    policy: Source
    verification_result: str
    verified_levels: tuple[str, ...]
    extension: Extension = msgspec.field(name=EXTENSION)
    input_attestations: tuple[Source, ...] = ()
    slsa_version: str = SLSA_VERSION

    @property
    def verified_at(self) -> Instant:
        return instant(self.time_verified)

    @property
    def expires_at(self) -> Instant:
        return instant(self.extension.expires)


def write(subjects: tuple[Named, ...], approval: Approval) -> bytes:
    """The statement, to be signed.

    Raises:
        ValueError: when it says anything but that it passed, or ends before it begins.
    """
    if approval.verification_result != PASSED or approval.expires_at <= approval.verified_at or not subjects:
        raise ValueError("only what passed, for a time, and of something, is endorsed")
    return statement.written(Statement(subjects, PREDICATE, approval))


def read(said: Statement) -> Approval:
    """The predicate of a statement whose `predicate_type` was looked at.

    Raises:
        NotStrictError: when it has another form or its times are none.
    """
    try:
        found = msgspec.convert(said.predicate, Approval)
        instant(found.time_verified), instant(found.extension.expires)
    except (msgspec.ValidationError, ValueError) as error:
        raise strict_json.NotStrictError(str(error)) from error
    return found


def implied(levels: tuple[str, ...]) -> frozenset[str]:
    """With every lower level of the same SLSA track (VSA v1: a higher level includes the lower ones)."""
    found = set(levels)
    for level in levels:
        stepped = _STEPS.fullmatch(level)
        if stepped:
            found |= {f"{stepped[1]}{step}" for step in range(int(stepped[2]))}
    return frozenset(found)


def stamp(at: Instant) -> str:
    """An instant as RFC 3339 writes it, in UTC, to the second."""
    return dt.datetime.fromtimestamp(at // SECOND, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(text: str) -> Instant:
    """What RFC 3339 says, to the microsecond. Other forms of ISO 8601 and leap seconds are none: which are read depends on the reader.

    Raises:
        ValueError: when it is none, or leaves its zone open.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no time with its zone (RFC 3339)")
    return Instant((dt.datetime.fromisoformat(text.upper()) - _EPOCH) // _MICROSECOND)


def as_json(approval: Approval) -> Any:
    """As plain values, for answers."""
    return msgspec.to_builtins(approval)
