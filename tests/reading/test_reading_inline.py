"""Comments of other tools that ask to overlook something: how far each reaches, and for which rules."""

from __future__ import annotations

import pytest

from assaymark.checks.reading.inline import Comments, requested
from assaymark.model.finding import Span

ALIASES = ("CKV_AWS_20", "AVD-AWS-0092", "aws-s3-no-public-access-with-acl", "38c5ee0d-7f22-4260-ab72-5073048df100")
TEXT = """\
{top}
# about the bucket
{above}
resource "aws_s3_bucket" "b" {{ {first}
  bucket = "b"
  {inside}
  acl = "public-read" {same}
  # end
}}
"""
BLOCK = Span(4, 1, 9, 2)
ACL = Span(7, 3, 7, 22)


def lines_with(**comments: str) -> list[str]:
    places = dict.fromkeys(("top", "above", "first", "inside", "same"), "") | comments
    return [line if line.strip() else "" for line in TEXT.format(**places).split("\n")]


def cover(aliases: tuple[str, ...] | None = ALIASES, /, **comments: str) -> int:
    """Line of the comment that covers the bucket's acl, 0 for none."""
    found = Comments(lines_with(**comments)).cover(ACL, "s3-acl-public", aliases, BLOCK)
    return found.line if found else 0


@pytest.mark.parametrize(
    ("place", "comment", "line"),
    [
        ("same", "# assay:allow", 7),
        ("same", "# assay:allow[s3-acl-public] a web site", 7),
        ("inside", "# assay:allow[terraform/s3-acl-public]", 6),
        ("inside", "# checkov:skip=CKV_AWS_20:a web site", 6),
        ("first", "# checkov:skip=CKV_AWS_1,CKV_AWS_20:a web site", 4),
        ("same", "#bridgecrew:skip=CKV_AWS_20", 7),
        ("above", "#trivy:ignore:AVD-AWS-0092", 3),
        ("above", "# trivy:ignore:AWS-0092", 3),
        ("above", "#trivy:ignore:aws-s3-no-public-access-with-acl:exp:2030-01-31", 3),
        ("same", "//trivy:ignore:avd-aws-0001 trivy:ignore:avd-aws-0092", 7),
        ("above", "#tfsec:ignore:aws-s3-no-public-access-with-acl", 3),
        ("inside", "#tfsec:ignore:*", 6),
        ("first", "#tfsec:ignore:*", 4),
        ("inside", "# kics-scan ignore-line", 6),
        ("above", "# kics-scan ignore-block", 3),
        ("top", "# kics-scan ignore", 1),
        ("top", "# kics-scan disable=aaaa,38c5ee0d-7f22-4260-ab72-5073048df100", 1),
    ],
)
def test_a_comment_reaches_as_far_as_in_the_tool_that_it_was_written_for(place: str, comment: str, line: int) -> None:
    assert cover(**{place: comment}) == line


@pytest.mark.parametrize(
    ("place", "comment"),
    [
        ("above", "# checkov:skip=CKV_AWS_20:checkov looks only inside of the block"),
        ("inside", "# checkov:skip=CKV_AWS_21:another rule"),
        ("inside", "# checkov:skip=:names nothing"),
        ("above", "#trivy:ignore:AVD-AWS-0093"),
        ("inside", "# assay:allow[other-rule]"),
        ("same", "# kics-scan ignore-line"),
        ("inside", "# kics-scan ignore"),
        ("inside", "# kics-scan disable=38c5ee0d-7f22-4260-ab72-5073048df100"),
        ("inside", 'name = "checkov:skip=CKV_AWS_20"'),
        ("same", "# see what nosec means"),
        ("same", 'url = "https://example.org/nosec"'),
        ("same", "# no trivy:ignore:AVD-AWS-0092 here"),
    ],
)
def test_a_comment_reaches_no_further_and_covers_no_other_rule(place: str, comment: str) -> None:
    assert cover(**{place: comment}) == 0


def test_several_comments_above_one_another_all_count() -> None:
    lines = ["# trivy:ignore:AVD-AWS-0001", "# trivy:ignore:AVD-AWS-0092", 'resource "x" "y" {']
    for alias, line in (("AVD-AWS-0001", 1), ("AVD-AWS-0092", 2)):
        found = Comments(lines).cover(Span(3, 1, 3, 5), "r", (alias,), Span(3, 1, 3, 5))
        assert found is not None
        assert found.line == line


def test_our_own_comment_stands_directly_above() -> None:
    lines = ["# assay:allow", "# a remark", "x = 1"]
    assert requested(lines, Span(3, 1, 3, 2), "r") is None
    assert requested(lines[:1] + lines[2:], Span(2, 1, 2, 2), "r") is not None


def test_a_rule_without_known_aliases_is_covered_by_any_id() -> None:
    assert cover(None, same="# checkov:skip=CKV_XYZ_1") == 7
    assert cover((), same="# checkov:skip=CKV_XYZ_1") == 0
    found = requested(["run: x  # nosec B602"], Span(1, 1, 1, 4), "r")
    assert found is not None
    assert found.marker == "# nosec B602"
