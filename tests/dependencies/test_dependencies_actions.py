"""Actions of workflows as packages, and what advisories say of them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from assaymark.checks.application.dependencies.matching.matcher import match
from assaymark.checks.application.dependencies.matching.records import Advisory, Affects, Span, package_key
from assaymark.checks.application.dependencies.matching.wording import sightings
from assaymark.checks.application.dependencies.packages import Ecosystem, PackageSet
from assaymark.checks.application.dependencies.readers.github_actions import read_github_actions
from assaymark.checks.application.dependencies.readers.registry import Unreadable, dialect_of
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.model.finding import ComponentSite

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def steps(*uses: str) -> bytes:
    return ("jobs:\n  a:\n    steps:\n" + "".join(f"    - uses: {each}\n" for each in uses)).encode()


def named(content: bytes) -> list[tuple[str, str, int]]:
    return [(package.name, package.version, package.line) for package in read_github_actions(content).packages]


@pytest.mark.parametrize(
    ("uses", "package"),
    [
        ("actions/checkout@v4.2.2", ("actions/checkout", "4.2.2")),
        ("actions/checkout@4.2.2", ("actions/checkout", "4.2.2")),
        ("actions/checkout@v4", ("actions/checkout", "4")),
        ("a/b@v1.0.0-rc.1", ("a/b", "1.0.0-rc.1")),
        (f"actions/checkout@{COMMIT} # v4.2.2", ("actions/checkout", "4.2.2")),
        (f"actions/checkout@{COMMIT} # tag=4.2.2", ("actions/checkout", "4.2.2")),
        (f"'actions/checkout@{COMMIT}' # pinned to v4.2.2 by a bot", ("actions/checkout", "4.2.2")),
        ("github/codeql-action/init@v3.1.0", ("github/codeql-action", "3.1.0")),
    ],
)
def test_an_action_is_a_package_at_its_release(uses: str, package: tuple[str, str]) -> None:
    assert named(steps(uses)) == [(*package, 4)]


@pytest.mark.parametrize("uses", ["./local", "../up", "docker://alpine:3", "''"])
def test_local_actions_and_images_are_no_packages(uses: str) -> None:
    assert read_github_actions(steps(uses)) == PackageSet((), knows_direct=True)


@pytest.mark.parametrize(
    "uses",
    [
        *("a/b@main", "a/b@release/v1", "a/b", "nothing"),
        *(f"a/b@{COMMIT}", f"a/b@{COMMIT} # main", f"a/b@{COMMIT} # v4", f"a/b@{COMMIT} # see v1.2.3.4"),
    ],
)
def test_what_names_no_release_is_a_problem_whose_sentence_holds_no_version(uses: str) -> None:
    found = read_github_actions(steps(uses))
    assert found.packages == ()
    ((line, sentence),) = found.problems
    assert line == 4
    assert COMMIT not in sentence


def test_reusable_workflows_composite_actions_and_shared_steps_are_read() -> None:
    called = b"jobs:\n  a:\n    uses: o/r/.github/workflows/w.yml@v1.2.3\n"
    assert named(called) == [("o/r", "1.2.3", 3)]
    composite = b"runs:\n  using: composite\n  steps:\n  - uses: a/b@v2.0.1\n  - run: x\n"
    assert named(composite) == [("a/b", "2.0.1", 4)]
    shared = b"jobs:\n  a: &a\n    steps: &s\n    - uses: a/b@v2.0.1\n  b: *a\n  c: {steps: *s}\n"
    assert named(shared) == [("a/b", "2.0.1", 4)]


@pytest.mark.parametrize("content", [b"", b"jobs: 1\n", b"jobs:\n  a: [1]\nruns: x\n", b"name: x\n"])
def test_what_uses_nothing_is_an_empty_set(content: bytes) -> None:
    assert named(content) == []


@pytest.mark.parametrize(
    ("content", "reason"), [(b"jobs: [", "syntax"), (b"jobs: \xff", "encoding"), (b"[" * 1000, "size"), (b"- a\n", "schema")]
)
def test_what_is_no_yaml_is_unreadable(content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_github_actions(content)
    assert caught.value.reason_class == reason


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        (".github/workflows/ci.yml", "github-workflow"),
        ("sub/.github/workflows/ci.yaml", "github-workflow"),
        ("action.yml", "github-workflow"),
        ("a/action.yaml", "github-workflow"),
        (".github/dependabot.yml", None),
        ("faction.yml", None),
        (".github/workflows/deep/ci.yml", None),
    ],
)
def test_workflows_and_actions_are_selected_by_name(path: str, dialect: str | None) -> None:
    assert dialect_of(path) == dialect


class _One:
    """One advisory: everything of the action before a version."""

    def __init__(self, action: str, fixed: str) -> None:
        low, high = key_of(Ecosystem.GITHUB_ACTIONS, "0"), key_of(Ecosystem.GITHUB_ACTIONS, fixed)
        assert low is not None
        self._record = {package_key(Ecosystem.GITHUB_ACTIONS, action): (Affects("CVE-1", "GHSA-1", (Span(low, high, fixed=fixed),)),)}

    def affecting(self, packages: Iterable[str]) -> dict[str, tuple[Affects, ...]]:
        return {key: self._record[key] for key in packages if key in self._record}

    def about(self, ids: Iterable[str]) -> dict[str, Advisory]:
        return {each: Advisory(each) for each in ids}

    def covers(self, prefix: str) -> bool:
        return any(key.startswith(prefix) for key in self._record)


@pytest.mark.parametrize(
    ("uses", "hit"),
    [
        ("Own/Files@v45.0.7", True),
        ("own/files@v46.0.1", False),
        ("own/files@v45", True),
        ("own/files@v46", False),
        ("own/files@v46.0", False),
        (f"own/files@{COMMIT} # v46.0.0", True),
        ("other/files@v1.0.0", False),
    ],
)
def test_a_tag_that_moves_is_hit_only_when_all_of_its_line_is(uses: str, hit: bool) -> None:
    packages = read_github_actions(steps(uses))
    assert bool(match(packages, _One("own/files", "46.0.1")).hits) is hit


def test_a_vulnerable_action_is_told_with_its_repair_and_an_address_without_version() -> None:
    index = _One("own/files", "46.0.1")
    packages = read_github_actions(steps("own/files@v45.0.7"))
    (found,) = sightings(packages, "github-workflow", match(packages, index), index)
    assert isinstance(found.site, ComponentSite)
    assert found.site.package == "pkg:github/own/files"
    assert found.fix is not None
    assert "46.0.1" in found.fix.advice
    assert found.span is not None
    assert found.span.start_line == 4
