"""What fuzzing found once, by name."""

from __future__ import annotations

import pytest

from assaymark.checks.application.secrets.anchors import basic_password
from assaymark.errors import UsageError
from assaymark.subjects.touched import in_patches
from assaymark.verdict.baseline import load


def test_a_baseline_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(UsageError, match="no baseline"):
        load(b'{"format": "assaymark\xbe-baseline/1"}', "known.json")


def test_basic_credentials_of_other_letters_are_none() -> None:
    assert basic_password("d\x8f\u00e9\u4e2d") is None


def test_a_hunk_without_numbers_writes_no_line() -> None:
    assert in_patches(b"diff --git a/a b/a\n@@ @@\n+x\n", [("a", 1)]) == {"a": []}
