"""What the index holds of an advisory: which versions of a package it speaks of, and what there is to know about it. Pure data.

Versions are keys (`versions.keys`), so a range is two byte strings. Whoever compiles the index writes these, the matcher reads them.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct

from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.model.severity import Severity


class Nature(StrEnum):
    """What an advisory is about."""

    VULNERABILITY = "vulnerability"
    MALICIOUS = "malicious"
    """The package itself is the attack (``MAL-``)."""
    NOTICE = "notice"
    """Unmaintained, unsound: a reason to look elsewhere, not a hole."""


class Span(Struct, frozen=True, array_like=True, gc=False):
    """Affected versions: from `low` on, up to `high`."""

    low: bytes
    high: bytes | None = None
    """None is no end."""
    closed: bool = False
    """True when `high` itself is affected."""
    fixed: str = ""
    """The version that ends it, as written; empty when there is no repaired one."""

    def holds(self, key: bytes) -> bool:
        """Whether a version of this key is affected."""
        return self.low <= key and (self.high is None or key < self.high or (self.closed and key == self.high))


class Affects(Struct, frozen=True, array_like=True, gc=False):
    """One record's word on one package."""

    advisory: str
    """Canonical id of the record's alias group."""
    record: str
    spans: tuple[Span, ...] = ()
    versions: tuple[str, ...] = ()
    """Versions that are listed and that no span holds, as written."""
    opaque: bool = False
    """True when some of its versions are said in a way that has no order here: what is not hit may still be affected."""
    imports: tuple[str, ...] = ()
    """The parts of the package that are vulnerable, with symbols behind a ``#``, where the record tells (Go)."""


class Exploited(Struct, frozen=True, array_like=True):
    """An entry of CISA's catalogue of known exploited vulnerabilities."""

    added: str
    due: str = ""
    ransomware: bool = False


class Advisory(Struct, frozen=True, array_like=True):
    """What is known of an alias group."""

    id: str
    aliases: tuple[str, ...] = ()
    """The other ids, sorted."""
    nature: Nature = Nature.VULNERABILITY
    severity: Severity = Severity.MEDIUM
    basis: str = ""
    """What the severity rests on: ``CVSS 3.1 base score 9.8``, ``rated high by its database``, ``not rated``."""
    vector: str = ""
    summary: str = ""
    exploited: Exploited | None = None
    epss: tuple[float, float] | None = None
    """Probability of exploitation within thirty days, and percentile."""
    url: str = ""


RELEASED = frozenset({Ecosystem.DEBIAN, Ecosystem.UBUNTU, Ecosystem.ALPINE, Ecosystem.ALMALINUX, Ecosystem.ROCKY, Ecosystem.REDHAT})
"""Ecosystems whose advisories are about one release of a distribution."""


def package_key(ecosystem: Ecosystem, name: str, release: str = "") -> str:
    """Under which name the index knows a package; ecosystems that do not tell case apart are folded."""
    folded = name.lower() if folds_case(ecosystem) else name
    return f"{ecosystem}:{release}/{folded}" if release else f"{ecosystem}/{folded}"


def folds_case(ecosystem: Ecosystem) -> bool:
    """Whether names that differ in case alone are one."""
    return ecosystem in _ANY_CASE


_ANY_CASE = frozenset({Ecosystem.NUGET, Ecosystem.PACKAGIST, Ecosystem.GITHUB_ACTIONS, Ecosystem.HEX, Ecosystem.SWIFT})

encode_affects = msgspec.msgpack.Encoder().encode
decode_affects = msgspec.msgpack.Decoder(tuple[Affects, ...]).decode
encode_advisory = msgspec.msgpack.Encoder().encode
decode_advisory = msgspec.msgpack.Decoder(Advisory).decode
encode_names = msgspec.msgpack.Encoder().encode
decode_names = msgspec.msgpack.Decoder(tuple[str, ...]).decode
