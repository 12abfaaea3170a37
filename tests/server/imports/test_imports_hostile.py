"""Documents that are damaged, oversized or hostile give a clear error, whichever reader they are made for."""

from __future__ import annotations

import json
import time

import pytest
from tests.server.imports.import_samples import spoken
from tests.server.imports.test_imports_formats import BOM_XML, KINDS, ZAP_XML

from assaymark.errors import UsageError
from assaymark.server.imports.documents import MOST_FINDINGS

JSON = {
    name: document if isinstance(document, bytes) else json.dumps(document).encode()
    for name, (document, kind) in KINDS.items()
    if "xml" not in name and "table" not in name
}
ENTITIES = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize("name", JSON)
def test_a_cut_document_is_refused(name: str) -> None:
    data = JSON[name].rstrip()
    for cut in (data[: len(data) // 2], data[:-1], data + b"]", data + b"\x00"):
        with pytest.raises(UsageError):
            spoken(cut)


@pytest.mark.parametrize("name", JSON)
def test_a_thing_said_twice_is_refused(name: str) -> None:
    first, _, rest = JSON[name].lstrip().partition(b"{")
    key = rest.lstrip()[: rest.lstrip().index(b":")]
    with pytest.raises(UsageError, match="twice"):
        spoken(first + b"{" + key + b": null, " + rest)


@pytest.mark.parametrize("bad", [b"NaN", b"1" * 5000, b"[" * 100_000 + b"]" * 100_000, b"Infinity", b'"\xff"', b'"\\ud800'])
def test_numbers_depths_and_bytes_that_cannot_be_are_refused(bad: bytes) -> None:
    for name in ("trivy", "ocsf one", "grype"):
        data = JSON[name].rstrip()
        began = time.monotonic()
        with pytest.raises(UsageError):
            spoken(data[:-1] + b', "zzz": ' + bad + b"}")
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("document", [ZAP_XML, BOM_XML])
def test_xml_that_declares_entities_is_refused(document: bytes) -> None:
    head, _, body = document.partition(b"?>")
    for data in (
        head + b"?>" + ENTITIES + body,
        document[:-20],
        head + b"?>" + body.replace(b"<alerts>", b"<alerts>" * 100).replace(b"<components>", b"<components>" * 100),
    ):
        with pytest.raises(UsageError):
            spoken(data)


def test_other_encodings_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        spoken('{"results": [], "name": "ä"}'.encode("latin-1"))
    with pytest.raises(UsageError):
        spoken(b"\xff\xfe\x00")


@pytest.mark.parametrize("line", [2**31, 2**63, -5, 10**30])
def test_lines_that_no_file_has_do_not_reach_the_database(line: int) -> None:
    report = {
        "results": [{"check_id": "a", "path": "x", "start": {"line": line, "col": line}, "end": {"line": line}, "extra": {"message": "m"}}],
        "errors": [],
    }
    try:
        told = spoken(report)
    except UsageError:
        return
    assert all(each.sighting.span is None or each.sighting.span.end_line < 2**31 for each in told.seen)


def test_more_findings_than_can_be_taken_are_refused() -> None:
    rows = b",".join([b'{"test_id":"B1","filename":"a"}'] * (MOST_FINDINGS + 1))
    with pytest.raises(UsageError, match="more than"):
        spoken(b'{"results":[' + rows + b'],"metrics":{},"generated_at":"x"}')


def test_words_of_a_tool_cannot_drive_a_terminal() -> None:
    hostile = "\x1b]0;x\x07\u202e<script>alert(1)</script>\n" * 100
    report = {
        "matches": [
            {
                "vulnerability": {"id": hostile, "description": hostile},
                "artifact": {"name": hostile, "purl": "pkg:npm/a@1", "version": hostile},
            }
        ],
        "descriptor": {},
    }
    [seen] = spoken(report).seen
    assert seen.sighting.message.isprintable()
    assert len(seen.sighting.message) <= 300
    assert all(text.isprintable() for _, text in seen.sighting.notes)


def test_paths_cannot_leave_the_subject() -> None:
    report = {
        "results": [{"test_id": "B1", "filename": "../../../etc/passwd", "issue_text": "m", "line_number": 1}],
        "metrics": {},
        "generated_at": "x",
    }
    assert {each.path for each in spoken(report).seen} == {"etc/passwd"}
