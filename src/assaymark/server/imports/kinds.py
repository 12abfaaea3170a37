"""What kind of document it is, by its own words and never by its name."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.errors import UsageError

_KNOWN = "SARIF 2.1.0, CycloneDX or SPDX in JSON, JUnit XML, or a verdict of `assay check --format json`"


class DocumentKind(StrEnum):
    SARIF = "sarif"
    CYCLONEDX = "cyclonedx"
    SPDX = "spdx"
    JUNIT = "junit"
    VERDICT = "verdict"


class _Probe(Struct, rename="camel"):
    runs: msgspec.Raw = msgspec.Raw()
    version: Any = None
    bom_format: Any = None
    spdx_version: Any = None
    verdict: msgspec.Raw = msgspec.Raw()
    outcome: Any = None


_decode = msgspec.json.Decoder(_Probe).decode


def kind_of(data: bytes) -> DocumentKind:
    """The kind.

    Raises:
        UsageError: when it is none that is read here, with what it looks like instead.
    """
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:64]
    if start.startswith(b"<"):
        return DocumentKind.JUNIT
    if start[:3] == b"SPD":
        raise UsageError("this is an SPDX document as text", advice="export it as SPDX 2.3 JSON")
    try:
        probe = _decode(data.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError as error:
        raise UsageError("the document is nested too deeply", advice="no tool writes such a report: check where it comes from") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError("the document is neither JSON nor XML that is read here", why=str(error)[:200], advice=f"send {_KNOWN}") from error
    if bytes(probe.runs):
        return DocumentKind.SARIF
    if probe.bom_format is not None:
        return DocumentKind.CYCLONEDX
    if probe.spdx_version is not None:
        return DocumentKind.SPDX
    if bytes(probe.verdict) or probe.outcome is not None:
        return DocumentKind.VERDICT
    raise UsageError("the document is JSON of a kind that is not read here", advice=f"send {_KNOWN}")
