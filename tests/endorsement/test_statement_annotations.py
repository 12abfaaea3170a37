"""What is said of a subject beside its digest: kept as it was signed, and nothing is decided by it."""

from __future__ import annotations

import pytest
from tests.endorsement.approvals import DIGEST, HEX, KEY, NOW, claims, signed_raw, statement_of, trusting

from assaymark.endorsement import approval, revocation, statement
from assaymark.endorsement.approval import SOURCE_REFS
from assaymark.endorsement.statement import Named
from assaymark.endorsement.verify import Expected, verify

NAMED = Named("web", {"sha256": HEX}, {SOURCE_REFS: ["refs/heads/main", "refs/tags/v1"]})


def test_a_subject_without_annotations_is_written_as_before() -> None:
    assert b"annotations" not in statement_of()
    assert b'"subject":[{"digest":{"sha256":"' in statement_of().replace(b'"name":"web",', b"")


def test_annotations_are_signed_and_read_again() -> None:
    payload = approval.write((NAMED,), claims())
    assert b'"annotations":{"sourceRefs":["refs/heads/main","refs/tags/v1"]}' in payload
    assert statement.read(payload).subject == (NAMED,)
    answer = verify(signed_raw(payload, KEY), DIGEST, Expected(), trusting(), revocation.opened(()), now=NOW)
    assert (answer.ok, answer.subjects) == (True, (NAMED,))


@pytest.mark.parametrize("said", [b'{"sourceRefs":["refs/heads/\\u202egnp"]}', b"{}", b'{"x":{"y":[null,1,true]}}'])
def test_what_others_say_there_decides_nothing(said: bytes) -> None:
    payload = statement_of().replace(b'"subject":[{', b'"subject":[{"annotations":' + said + b",", 1)
    assert verify(signed_raw(payload), DIGEST, Expected(), trusting(), revocation.opened(()), now=NOW).ok


@pytest.mark.parametrize("said", [b'"refs/heads/main"', b"[]", b'{"a":1,"a":2}'])
def test_what_is_no_object_or_says_a_name_twice_is_no_statement(said: bytes) -> None:
    payload = statement_of().replace(b'"subject":[{', b'"subject":[{"annotations":' + said + b",", 1)
    assert not verify(signed_raw(payload), DIGEST, Expected(), trusting(), revocation.opened(()), now=NOW).ok
