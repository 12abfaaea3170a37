"""What is known of exploitation: CISA's catalogue (KEV, JSON) and FIRST's predictions (EPSS, CSV). Both are facts beside the severity."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from assaymark.checks.application.dependencies.matching.records import Exploited
from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE

_LARGEST = 512 << 20
"""Bytes of an unpacked EPSS file; in 2026 they have about 10 MB."""
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]+\Z", re.ASCII)


class _Row(Struct, frozen=True, rename="camel"):
    cve: str = msgspec.field(name="cveID")
    date_added: str = ""
    due_date: str = ""
    known_ransomware_campaign_use: str = ""


class _Catalogue(Struct, frozen=True):
    vulnerabilities: tuple[_Row, ...]


def read_kev(data: bytes, name: str) -> dict[str, Exploited]:
    """CVE -> entry.

    Raises:
        UsageError: when it is no such catalogue.
    """
    try:
        rows = msgspec.json.decode(data, type=_Catalogue).vulnerabilities
    except UNDECODABLE as error:
        raise UsageError(f"{name} is no catalogue of known exploited vulnerabilities", why=str(error), advice="fetch it again") from error
    return {row.cve: Exploited(row.date_added, row.due_date, row.known_ransomware_campaign_use == "Known") for row in rows}


def read_epss(data: bytes, name: str) -> dict[str, tuple[float, float]]:
    """CVE -> probability and percentile; from CSV, also packed by gzip.

    Raises:
        UsageError: when it is no such table.
    """
    found: dict[str, tuple[float, float]] = {}
    try:
        for line in _lines(data, name):
            if line.startswith(("#", "cve,")) or not line.strip():
                continue
            cve, score, percentile, *_ = line.rstrip("\r\n").split(",")
            found[_cve(cve)] = _share(score), _share(percentile)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{name} is no table of EPSS", why=str(error), advice="fetch it again") from error
    return found


def _cve(text: str) -> str:
    if not _CVE.match(text):
        raise ValueError(f"{text[:40]!r} is no CVE")
    return text


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(f"{text[:40]!r} is no share")
    return value


def _lines(data: bytes, name: str) -> Iterator[str]:
    packed = data.startswith(b"\x1f\x8b")
    with gzip.open(io.BytesIO(data)) if packed else io.BytesIO(data) as stream:
        text = stream.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise UsageError(f"{name} unpacks to more than {_LARGEST >> 20} MiB", advice="fetch it again")
    yield from io.StringIO(text.decode("utf-8"))
