"""Checks that a change cannot concern are not loaded, and nobody can tell."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assaymark import compose, config
from assaymark.checks.application.dependencies.manifests.kinds import KINDS
from assaymark.checks.application.dependencies.readers import registry as lock_files
from assaymark.checks.reading.inventory import registry as inventories
from assaymark.checks.registry import _WORDS, BUILT_IN, concerned
from assaymark.checks.settings import CheckSettings, NamedFile, Secret
from assaymark.errors import PolicyInvalid
from assaymark.flow import Request, assay
from assaymark.model.check import Check
from assaymark.model.verdict import Verdict
from assaymark.subjects.resolve import StagedRequest, open_comparison
from assaymark.verdict.policy import Policy

SETTINGS = CheckSettings(cache_dir="/nowhere", installation_key=Secret(b"a key for this test only"), advisories="/nowhere")


@cache
def checks() -> list[Check]:
    return compose.make_checks(Policy(), SETTINGS)


NAMES = [
    *(name for kind in KINDS.values() for name in (*kind.manifests, *kind.locks, *kind.helpers, *(f"a{end}" for end in kind.endings))),
    *lock_files._BY_NAME,
    *("requirements.txt", "dev-requirements.lock", "requirements/dev.txt", "pylock.dev.toml", "gradle/dependency-locks/a.lockfile"),
    *(
        "a.deps.json",
        "a.cdx.json",
        "a.spdx.json",
        "pnpm-lock.next.yaml",
        ".github/workflows/ci.yml",
        "action.yaml",
        ".github/dependabot.yml",
    ),
    *inventories._OFFERED,
    *("var/lib/dpkg/status", "lib/apk/db/installed", "usr/lib/sysimage/rpm/rpmdb.sqlite", "a.dist-info/METADATA", "a.egg-info/PKG-INFO"),
    *("site-packages/a.egg-info", "node_modules/@a/b/package.json", "a.jar", "a.war", "a.ear", "bin//go-buildinfo"),
    *("a.js", "a.mjs", "a.cjs", "a.jsx", "a.ts", "a.mts", "a.cts", "a.tsx", "a.java", "a.go", "a.php", "a.phtml", "a.php3", "a.phps"),
    *("a.inc", "a.ctp", ".gitlab-ci.yml", ".gitlab/ci/a.yaml", "templates/a.yml", "Jenkinsfile", "Jenkinsfile.dev", "a.jenkinsfile"),
    *(
        "vars/a.groovy",
        "azure-pipelines.yml",
        "eng/a.yaml",
        ".vsts-ci.yml",
        "bitbucket-pipelines.yml",
        ".circleci/config.yml",
        "tekton.yaml",
    ),
    *(
        "a.tf",
        "a.tofu",
        "a.tf.json",
        "a.tfvars",
        "a.tfvars.json",
        "a.yaml",
        "a.json",
        "kustomization.yaml",
        "Dockerfile",
        "a.Containerfile",
    ),
    *("dockerfile-dev", "compose.yaml", "docker-compose.dev.yml", "docker-stack.yml", "image//config.json", "image//files.json"),
    *(
        "nginx.conf",
        "a.conf.template",
        "a.nginx",
        "a.vhost",
        "dhparam.pem",
        "nginx.conf.default",
        "nginx/a",
        "openresty/a.inc",
        "sites-enabled/a",
    ),
    *(".htaccess", "httpd.conf.example", "apache2/mods-enabled/a.load", "httpd/a.inc", "a.py", "SConstruct", "script"),
]
FRAGMENTS = st.sampled_from(
    [*NAMES, *(word for words in _WORDS.values() for word in words), "a", "/", ".", "-", "ſ", "\N{KELVIN SIGN}", "ı", "\n", " "]
)


def selecting(path: str) -> set[str]:
    return {str(check.id) for check in checks() if check.select(path) is not None}


@pytest.mark.parametrize("path", NAMES)
def test_every_check_that_selects_a_known_name_is_concerned(path: str) -> None:
    for variant in (path, path.upper(), path.title(), f"a/b/{path}"):
        assert selecting(variant) <= set(concerned([variant])), variant


def test_every_built_in_check_but_those_for_policies_selects_one_of_these_names() -> None:
    assert set().union(*map(selecting, NAMES)) == {name for name in BUILT_IN if not name.endswith("-policies")}
    assert set(_WORDS) <= set(BUILT_IN)


@given(st.lists(st.lists(FRAGMENTS, min_size=1, max_size=4).map("".join) | st.text(max_size=12), max_size=4))
@example(["doc\N{KELVIN SIGN}erfile"])
@settings(max_examples=1500, deadline=None)
def test_every_check_that_selects_any_name_is_concerned(paths: list[str]) -> None:
    assert set().union(*map(selecting, paths)) <= set(concerned(paths))


def test_a_change_of_python_loads_the_checks_of_python_alone() -> None:
    assert [check.id for check in compose.make_checks(Policy(), SETTINGS, paths=["src/app/main.py"])] == ["secrets", "ruff"]


def test_files_of_policies_are_read_whatever_has_changed() -> None:
    wrong = msgspec.structs.replace(SETTINGS, policies=(NamedFile("policies.toml", b"= nothing"),))
    with pytest.raises(PolicyInvalid):
        compose.make_checks(Policy(), wrong, paths=["src/app/main.py"])


def test_a_name_that_no_check_has_is_refused_and_one_that_is_not_loaded_is_not() -> None:
    off = msgspec.convert({"checks": {"disable": ["nginx"]}}, Policy)
    assert compose.make_checks(off, SETTINGS, paths=["a.py"])
    unknown = msgspec.convert({"checks": {"disable": ["nothing"]}}, Policy)
    with pytest.raises(PolicyInvalid):
        compose.make_checks(unknown, SETTINGS, paths=["a.py"])


@pytest.mark.parametrize("disable", ["[]", '["zizmor", "secrets"]'])
def test_a_verdict_tells_of_all_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disable: str) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)

    git("init", "--quiet")
    (tmp_path / "assay.toml").write_text(f"[checks]\ndisable = {disable}\n")
    (tmp_path / "a.py").write_text("import subprocess\n\n\ndef run(text):\n    return subprocess.call(text, shell=True)\n")
    git("add", "a.py")
    monkeypatch.setenv("ASSAYMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ASSAYMARK_KEY", "a key for this test only")
    monkeypatch.chdir(tmp_path)
    chosen = config.load()
    surroundings = compose.context(chosen, remember=False)
    comparison = open_comparison(StagedRequest())
    whole = assay(Request(comparison), surroundings)
    narrowed = compose.Narrowed(["a.py"])
    some = assay(Request(comparison), narrowed.of(surroundings))
    assert len(some.checks) < len(whole.checks)
    assert some.knowledge != whole.knowledge
    told = narrowed.whole(some)

    def timeless(verdict: Verdict) -> Verdict:
        runs = tuple(msgspec.structs.replace(run, seconds=0.0) for run in verdict.checks)
        return msgspec.structs.replace(verdict, seconds=0.0, checks=runs)

    assert whole.reasons
    assert timeless(told) == timeless(whole)
