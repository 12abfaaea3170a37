"""Kubernetes manifests, Dockerfiles and compose files: a bad change is stopped with its fix, a good one is not, and both quickly."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from acceptance.harness import Shell, gaps, prove, weaknesses

from assaymark.checks.plugins import load
from assaymark.checks.registry import BUILT_IN
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.digest import sha256

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  template:
    spec:
      serviceAccountName: shop
      containers:
        - name: app
          image: registry.example/shop:1.4.2@sha256:{digest}
          resources: {{limits: {{memory: 1Gi, cpu: "1"}}}}
          securityContext:
            runAsNonRoot: true
            runAsUser: 10001
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {{drop: [ALL]}}
            seccompProfile: {{type: RuntimeDefault}}
""".format(digest="0" * 64)
DOCKERFILE = "FROM registry.example/python:3.13@sha256:" + "0" * 64 + '\nCOPY shop /shop\nUSER 10001\nCMD ["python", "-m", "shop"]\n'
COMPOSE = """services:
  shop:
    image: registry.example/shop:1.4.2@sha256:{digest}
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    mem_limit: 1g
    pids_limit: 100
""".format(digest="0" * 64)
FILES = {"deploy/shop.yaml": DEPLOYMENT, "Dockerfile": DOCKERFILE, "compose.yaml": COMPOSE}
WORSE = {
    "deploy/shop.yaml": ("runAsUser: 10001", "runAsUser: 0", "kubernetes/root-user"),
    "Dockerfile": ("USER 10001", "USER root", "dockerfile/root-user"),
    "compose.yaml": ("    mem_limit: 1g\n", "    mem_limit: 1g\n    privileged: true\n", "compose/privileged"),
}


def test_hardened_files_are_clean_and_nothing_is_left_unchecked(shell: Shell, tmp_path: Path) -> None:
    report = shell.check("--all", folder=shell.repository(tmp_path / "good", FILES))
    assert (weaknesses(report), gaps(report)) == ([], [])


@pytest.mark.parametrize("name", WORSE)
def test_a_root_or_privileged_container_stops_the_change_and_says_the_fix(shell: Shell, tmp_path: Path, name: str) -> None:
    old, new, rule = WORSE[name]
    folder = shell.repository(tmp_path / "change", FILES)
    (folder / name).write_text(FILES[name].replace(old, new), "utf-8")
    report = shell.check(folder=folder)
    assert report["verdict"]["outcome"] == "fail"
    (finding,) = weaknesses(report)
    assert finding["witnesses"][0]["rule"] == rule
    assert finding["fix"]["advice"]


def test_a_manifest_that_moves_brings_nothing_new(shell: Shell, tmp_path: Path) -> None:
    bad = DEPLOYMENT.replace("runAsUser: 10001", "runAsUser: 0")
    folder = shell.repository(tmp_path / "move", {"deploy/shop.yaml": bad})
    (folder / "deploy/shop.yaml").unlink()
    (folder / "all.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: web}\n---\n" + bad, "utf-8")
    report = shell.check(folder=folder)
    assert report["verdict"]["outcome"] == "pass"


def test_all_samples_and_laws_hold() -> None:
    said = prove("tests/workloads", "-m", "not soak")
    assert " passed" in said
    assert "failed" not in said


def test_one_changed_directory_takes_less_than_50_ms_of_processor_time() -> None:
    inputs = [_input("kubernetes", DEPLOYMENT.replace("shop", f"shop-{n}") + "---\n" + DEPLOYMENT) for n in range(10)]
    assert _seconds("kubernetes", inputs) < 0.05
    assert _seconds("dockerfile", [_input("dockerfile", DOCKERFILE + "#" * n) for n in range(10)]) < 0.05
    assert _seconds("compose", [_input("compose", COMPOSE + "#" * n) for n in range(10)]) < 0.05


def test_a_yaml_file_that_is_no_manifest_costs_microseconds() -> None:
    text = "a: b\nkind: of\nlist: [1, 2]\n" * 400
    inputs = [_input("kubernetes", text + f"n: {n}\n") for n in range(2_000)]
    assert _seconds("kubernetes", inputs) / len(inputs) < 20e-6


def _input(dialect: str, text: str) -> Input:
    content = text.encode()
    return Input(sha256(content), Dialect(dialect), (Part("", content),))


def _seconds(name: str, inputs: list[Input]) -> float:
    """Processor time of a warm run, the best of five."""
    check = load(BUILT_IN[name])(CheckSettings(cache_dir="", installation_key=Secret(b"k")))
    found = []
    for _ in range(6):
        began = time.process_time()
        outcomes = [outcome for _, outcome in check.run(inputs)]
        found.append(time.process_time() - began)
        assert all(isinstance(outcome, Checked) for outcome in outcomes)
    return min(found)
