"""Pipelines of Azure, Bitbucket, CircleCI and Tekton: seen through the command, against a peer's expectations, and on public files.

Truth: the expectations of poutine's own tests, read from a checkout named by ``ASSAYMARK_POUTINE``. Noise: a folder of public repositories'
pipelines, named by ``ASSAYMARK_PIPELINES``. Where a folder is not given, the comparison is NOT PROVED and says so.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from acceptance.harness import Shell, gaps, has_reason, weaknesses

CHECKS = ("azure-pipelines", "bitbucket-pipelines", "circleci", "github-scripts", "tekton")
GOOD = {
    "azure-pipelines.yml": 'pr: [main]\npool: {vmImage: ubuntu-24.04}\nsteps:\n- bash: notify "$BUILD_SOURCEVERSIONMESSAGE"\n',
    "bitbucket-pipelines.yml": "image: node:22.1\npipelines:\n  default:\n  - step:\n      name: b\n      script: ['curl https://a.example.org']\n",
    ".circleci/config.yml": "jobs:\n  b:\n    docker: [{image: 'cimg/node:22.1'}]\n    steps: [{run: trivy fs .}]\n",
    ".tekton/pull.yaml": (
        "apiVersion: tekton.dev/v1\nkind: PipelineRun\nmetadata:\n  name: p\n  annotations:\n"
        "    pipelinesascode.tekton.dev/on-event: '[pull_request]'\nspec:\n  pipelineSpec:\n    tasks:\n    - name: t\n      taskSpec:\n"
        "        steps:\n        - name: s\n          image: a:1\n          env: [{name: TITLE, value: '{{ body.pull_request.title }}'}]\n"
        '          script: notify "$TITLE"\n'
    ),
}
WEAKER = {
    "azure-pipelines.yml": ('notify "$BUILD_SOURCEVERSIONMESSAGE"', 'notify "$(Build.SourceVersionMessage)"'),
    "bitbucket-pipelines.yml": ("curl https://a.example.org", "curl -k https://a.example.org"),
    ".circleci/config.yml": ("trivy fs .", "trivy fs . || true"),
    ".tekton/pull.yaml": ('notify "$TITLE"', 'notify "{{ body.pull_request.title }}"'),
}
EXPECTED = {
    ("azure-pipelines/expression-injection", "azure-pipelines.yml"),
    ("bitbucket-pipelines/verification-off", "bitbucket-pipelines.yml"),
    ("circleci/scanner-cannot-fail", ".circleci/config.yml"),
    ("tekton/expression-injection", ".tekton/pull.yaml"),
}


def rows(report: dict[str, Any]) -> set[tuple[str, str]]:
    return {(str(row["witnesses"][0]["rule"]), str(row["place"]["path"])) for row in weaknesses(report)}


def test_a_change_that_weakens_pipelines_stops_and_neither_its_move_nor_its_repair_does(shell: Shell, tmp_path: Path) -> None:
    folder = shell.repository(tmp_path / "work", GOOD)
    for path, (old, new) in WEAKER.items():
        text = (folder / path).read_text("utf-8")
        assert old in text
        (folder / path).write_text(text.replace(old, new), "utf-8")
    shell.git("commit", "-qam", "weaken", folder=folder)
    report = shell.check("HEAD~1..HEAD", folder=folder)
    assert report["verdict"]["outcome"] == "fail"
    assert rows(report) == EXPECTED
    assert {row["layer"] for row in weaknesses(report)} == {"infrastructure"}
    shell.git("mv", ".tekton/pull.yaml", ".tekton/renamed.yaml", folder=folder)
    shell.git("commit", "-qam", "move", folder=folder)
    assert shell.check("HEAD~1..HEAD", folder=folder)["verdict"]["outcome"] == "pass"
    assert shell.check("HEAD..HEAD~2", folder=folder)["verdict"]["outcome"] == "pass"


ADVISORY = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "summary": "Prints secrets",
    "database_specific": {"severity": "HIGH"},
    "affected": [
        {
            "package": {"ecosystem": "GitHub Actions", "name": "own/files"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "46.0.1"}]}],
        }
    ],
}
WORKFLOW = "on: push\npermissions: {{}}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n    - uses: own/files@{ref}\n"


def test_a_workflow_that_uses_a_vulnerable_action_stops_and_a_tag_past_its_repair_does_not(shell: Shell, tmp_path: Path) -> None:
    data = tmp_path / "advisories"
    data.mkdir()
    (data / "GHSA-aaaa-bbbb-cccc.json").write_text(json.dumps(ADVISORY), "utf-8")
    said = shell.run("advisories", "update", "--from", str(data), folder=tmp_path)
    assert said.code == 0, said.err
    commit = "0123456789abcdef" * 2 + "01234567"
    for ref, hit in {f"{commit} # v45.0.7": True, "v45": True, f"{commit} # v46.0.1": False, "v46": False}.items():
        folder = tmp_path / ("hit" if hit else "clean") / ref[:3]
        (folder / ".github/workflows").mkdir(parents=True)
        (folder / ".github/workflows/ci.yml").write_text(WORKFLOW.format(ref=ref), "utf-8")
        report = shell.check(str(folder), folder=tmp_path)
        assert (("dependencies/known-vulnerability", ".github/workflows/ci.yml") in rows(report)) is hit, ref


PEER = re.compile(r'RuleId: "(?P<rule>\w+)",.*?Path:\s+"(?P<path>[^"]+)",(?P<rest>.*?)\n\t\t\t\},', re.DOTALL)
NEAR = 4
"""Lines: the peer names a step's first line where we name the flaw's."""
FAMILIES = {
    "injection": ("injection", "input-expanded"),
    "debug_enabled": ("debug",),
    "untrusted_checkout_exec": ("strangers-code", "untrusted-checkout", "dangerous-triggers"),
    "unverified_script_exec": ("remote-script", "unverified-program"),
    "default_permissions_on_risky_events": ("excessive-permissions",),
    "pr_runs_on_self_hosted": ("self-hosted-runner", "own-runner"),
    "job_all_secrets": ("overprovisioned-secrets", "secrets-"),
    "if_always_true": ("unsound-condition",),
    "unpinnable_action": ("unpinned",),
    "github_action_from_unverified_creator_used": ("unpinned-uses",),
    "known_vulnerability_in_build_component": ("known-vulnerab",),
}


def expectations(folder: Path) -> list[tuple[str, str, int]]:
    text = (folder / "scanner" / "inventory_test.go").read_text("utf-8")
    made = []
    for found in PEER.finditer(text):
        line = re.search(r"\bLine:\s+(\d+)", found["rest"])
        made.append((found["rule"], found["path"], int(line[1]) if line else 0))
    return made


def test_a_peers_expectations_outside_of_github_are_met(shell: Shell, tmp_path: Path) -> None:
    given = os.environ.get("ASSAYMARK_POUTINE", "")
    if not given:
        pytest.skip("NOT PROVED: ASSAYMARK_POUTINE names no checkout of boostsecurityio/poutine")
    data = Path(given) / "scanner" / "testdata"
    report = shell.check(str(data), folder=tmp_path)
    found = [
        (str(each["rule"]), str(row["place"]["path"]), row["place"]["line"]) for row in weaknesses(report) for each in row["witnesses"]
    ]
    missed, met = [], Counter[str]()
    for rule, path, line in expectations(Path(given)):
        system = "GitHub" if path.startswith(".github") or "action" in path else "other"
        words = FAMILIES.get(rule, ())
        hit = any(
            any(word in name for word in words) and path == at and (not line or abs(line - where) <= NEAR) for name, at, where in found
        )
        met[f"{system} {'met' if hit else 'missed'}"] += 1
        if not hit:
            missed.append((system, rule, path, line))
    print(dict(met), *missed, sep="\n")
    assert [each for each in missed if each[0] == "other"] == []
    assert met["other met"] >= 11
    # The rest stands in files that break GitHub's schema, where zizmor says so and stops, or needs advisories, which are not given here.
    assert met["GitHub met"] >= 22


def test_public_pipelines_are_read_without_error_and_with_few_gates(shell: Shell) -> None:
    given = os.environ.get("ASSAYMARK_PIPELINES", "")
    if not given:
        pytest.skip("NOT PROVED: ASSAYMARK_PIPELINES names no folder of public pipelines")
    report = shell.check(given, folder=Path(given))
    assert all(has_reason(gap) for gap in gaps(report))
    ours = [row for row in weaknesses(report) if str(row["witnesses"][0]["rule"]).partition("/")[0] in CHECKS]
    print(Counter(row["severity"] for row in ours))
    assert ours
