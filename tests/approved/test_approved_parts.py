"""What of an endorsed commit others use again, from its listing and from a real repository."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest

from assaymark.endorsement.components import ComponentKind
from assaymark.server.work.approved_parts import CommitTree, TreeEntry, is_reusable, listed, parts_of

CALLED = b"on:\n  workflow_call:\n    inputs: {}\njobs: {}\n"
CONTENT = {"b1": CALLED, "b2": b"on: push\njobs: {}\n", "b3": b"PermitRootLogin no\n"}
TREE = CommitTree(
    "shop/web", "c" * 40, "r" * 40,
    tuple(
        TreeEntry("040000" if kind == "tree" else mode, kind, oid, path)
        for mode, kind, oid, path in (
            ("", "tree", "t1", "infra"), ("", "tree", "t2", "infra/net"), ("100644", "blob", "x1", "infra/net/main.tf"),
            ("100644", "blob", "x2", "chart/Chart.yaml"), ("", "tree", "t3", "chart"),
            ("100644", "blob", "b1", ".github/workflows/build.yml"),
            ("100644", "blob", "b2", ".github/workflows/own.yml"), ("100644", "blob", "x3", "setup/action.yml"),
            ("100644", "blob", "x4", "templates/scan.yml"), ("100644", "blob", "b3", "etc/ssh/sshd_config"),
            ("120000", "blob", "x5", "etc/tls-old.conf"), ("100644", "blob", "x6", "README.md"),
        )
    ),
)  # fmt: skip


def read(oids: Sequence[str]) -> list[bytes | None]:
    return [CONTENT.get(oid) for oid in oids]


def test_modules_templates_profiles_and_the_tree_itself_are_named_by_their_digests() -> None:
    found = {(each.kind, each.name): each.digest for each in parts_of(TREE, read)}
    commit = f"gitCommit:{'c' * 40}"
    assert found == {
        (ComponentKind.SOURCE_MODULE, "shop/web"): f"gitTree:{'r' * 40}",
        (ComponentKind.IAC_MODULE, "shop/web//infra/net"): "gitTree:t2",
        (ComponentKind.IAC_MODULE, "shop/web//chart"): "gitTree:t3",
        (ComponentKind.PIPELINE_TEMPLATE, "shop/web//.github/workflows/build.yml"): commit,
        (ComponentKind.PIPELINE_TEMPLATE, "shop/web//setup/action.yml"): commit,
        (ComponentKind.PIPELINE_TEMPLATE, "shop/web//templates/scan.yml"): commit,
        (ComponentKind.CONFIGURATION, "shop/web//etc/ssh/sshd_config"): f"sha256:{hashlib.sha256(CONTENT['b3']).hexdigest()}",
    }


@pytest.mark.parametrize(
    ("content", "yes"),
    [(CALLED, True), (b"on: workflow_call\n", True), (b"on: [push, workflow_call]\n", True), (b"on: push\n", False),
     (b"name: workflow_call\n", False), (b"on: {push: {branches: [workflow_call]}}\n", False), (b"[", False), (b"", False),
     (b"\xff\xfe", False)],
)  # fmt: skip
def test_a_workflow_is_a_template_when_it_says_that_others_may_call_it(content: bytes, *, yes: bool) -> None:
    assert is_reusable(content) is yes


def test_a_listing_is_read_with_whatever_names_stand_in_it() -> None:
    output = b"100644 blob " + b"a" * 40 + b"\tcaf\xe9 a.tf\x00040000 tree " + b"b" * 40 + b"\tinfra\x00"
    first, second = listed(output)
    assert (first.path, second.kind) == ("caf\udce9 a.tf", "tree")
    assert not listed(b"")
