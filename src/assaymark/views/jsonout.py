r"""The verdict as JSON: everything in it, under a format name and version.

The version is ``major.minor``: a field may be added in a minor version, nothing is renamed or removed outside a major one. `schema`
gives the JSON Schema; the packaged copy ``schema/verdict-1.schema.json`` is the same text, kept so by a test.

A path whose bytes are no UTF-8 is written visibly (``caf\xe9.py``); `undecodable_paths` then gives its bytes in base64.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.model.verdict import Verdict
from assaymark.views.causes import Counts, count
from assaymark.views.encoding import json_text, well_formed
from assaymark.views.options import Options
from assaymark.views.sanitise import raw_path

FORMAT, VERSION = "assaymark/verdict", "1.0"


class VerdictDocument(Struct, frozen=True):
    """The document's root."""

    verdict: Verdict
    counts: Counts
    undecodable_paths: dict[str, str] = {}
    format: str = FORMAT
    version: str = VERSION


def document(verdict: Verdict) -> VerdictDocument:
    """The verdict with its counts and the bytes behind paths that text cannot hold."""
    paths = {p.path for j in verdict.findings for p in (j.finding.place, *([j.previous.place] if j.previous else []))}
    paths |= {reason.path for reason in verdict.reasons}
    odd = {well_formed(path): base64.b64encode(raw_path(path)).decode() for path in sorted(paths) if well_formed(path) != path}
    return VerdictDocument(verdict=verdict, counts=count(verdict), undecodable_paths=odd)


def render(verdict: Verdict, options: Options | None = None) -> str:
    """The document, indented."""
    del options
    return json_text(document(verdict))


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the document."""
    made = msgspec.json.schema(VerdictDocument)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:assaymark:verdict:{VERSION}",
        "title": "Assaymark verdict",
        **made,
    }
    # The generator leaves tuples in it; a schema is JSON and nothing else.
    return msgspec.json.decode(msgspec.json.encode(whole), type=dict[str, Any])
