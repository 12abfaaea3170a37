"""What fuzzing found once, by name."""

from __future__ import annotations

import pytest

from assaymark.checks.application.secrets.anchors import basic_password
from assaymark.checks.plugins import load as load_check
from assaymark.checks.registry import BUILT_IN, EXTERNAL
from assaymark.checks.settings import CheckSettings, NamedFile, Secret
from assaymark.errors import PolicyInvalid, UsageError
from assaymark.subjects.touched import in_patches
from assaymark.verdict.baseline import load


def test_a_baseline_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(UsageError, match="no baseline"):
        load(b'{"format": "assaymark\xbe-baseline/1"}', "known.json")


def test_basic_credentials_of_other_letters_are_none() -> None:
    assert basic_password("d\x8f\u00e9\u4e2d") is None


def test_a_hunk_without_numbers_writes_no_line() -> None:
    assert in_patches(b"diff --git a/a b/a\n@@ @@\n+x\n", [("a", 1)]) == {"a": []}


def test_a_rule_file_nested_without_end_is_refused() -> None:
    deep = NamedFile("rules.toml", b"[[rules]]\nid='a'\nkeywords=" + b"[" * 5_000)
    check = load_check(BUILT_IN["secrets"])(CheckSettings("", Secret(b"k"), secret_rules=(deep,)))
    with pytest.raises(PolicyInvalid, match="no TOML rule file"):
        check.knowledge()


def test_a_manifest_of_a_tool_nested_without_end_is_refused() -> None:
    deep = NamedFile("tool.toml", b"id = 'a'\ncommand = " + b"[" * 5_000)
    with pytest.raises(PolicyInvalid, match="no manifest"):
        load_check(EXTERNAL)(CheckSettings("", Secret(b"k")), deep)  # type: ignore[call-arg]
