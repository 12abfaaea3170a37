"""Projects without a lock file are gaps that are known again wherever they move, and those with one are not."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import pytest
from tests.lockfiles.manifest_samples import ASKING

from assaymark.checks.application.dependencies.manifests.check import Manifests
from assaymark.checks.application.dependencies.manifests.declared import declared
from assaymark.checks.application.dependencies.manifests.kinds import KINDS
from assaymark.checks.application.dependencies.readers import Unreadable
from assaymark.model.check import Checked, Dialect, Input, Part, UnitKind
from assaymark.model.digest import sha256
from assaymark.model.finding import Sighting, UncheckedSite

CHECK = Manifests()
QUIET: dict[str, str] = {
    "package.json": '{"name": "web", "private": true, "dependencies": {}}',
    "pyproject.toml": "[tool.ruff]\nline-length = 100\n",
    "setup.cfg": "[flake8]\nmax-line-length = 100\n",
    "setup.py": "from setuptools import setup\nsetup()\n",
    "Cargo.toml": '[workspace]\nmembers = ["a"]\n',
    "composer.json": '{"require": {"php": ">=8"}}',
    "Gemfile": "# nothing\n",
    "build.gradle": "plugins { id 'java' }\n",
    "pubspec.yaml": "name: web\nenvironment:\n  sdk: '>=3.0.0'\n",
    "mix.exs": "def project, do: [app: :web, deps: []]\n",
    "web.csproj": "<Project></Project>",
    "Package.swift": 'let package = Package(name: "web")',
}


def looked(files: Mapping[str, str | bytes]) -> list[Sighting]:
    """All sightings over a tree."""
    found: list[Sighting] = []
    groups: dict[Dialect, list[Part]] = {}
    for path, text in sorted(files.items()):
        dialect = CHECK.select(path)
        if dialect is not None:
            groups.setdefault(dialect, []).append(Part(path, text if isinstance(text, bytes) else text.encode()))
    for dialect, parts in groups.items():
        ((_, outcome),) = CHECK.run([Input(sha256(b"tree"), dialect, tuple(parts))])
        assert isinstance(outcome, Checked), dialect
        found += outcome.sightings
    return found


def units(files: Mapping[str, str | bytes]) -> list[str]:
    return [one.site.unit for one in looked(files) if isinstance(one.site, UncheckedSite)]


@pytest.mark.parametrize("name", ASKING)
def test_a_project_that_asks_and_has_no_lock_file_is_a_gap(name: str) -> None:
    text, asked = ASKING[name]
    (one,) = looked({f"app/{name}": text})
    assert isinstance(one.site, UncheckedSite)
    assert (one.site.check, one.site.reason_class) == ("manifests", "unresolved")
    assert one.site.unit not in set(UnitKind)
    assert one.member == f"app/{name}"
    assert f"of {asked} " in one.message


@pytest.mark.parametrize("name", QUIET)
def test_a_project_that_asks_for_nothing_needs_no_lock_file(name: str) -> None:
    assert looked({name: QUIET[name]}) == []


@pytest.mark.parametrize("name", ASKING)
def test_a_lock_file_beside_it_settles_it(name: str) -> None:
    kind = KINDS[CHECK.select(name) or ""]
    for lock in kind.locks:
        assert looked({f"app/{name}": ASKING[name][0], f"app/{lock}": ""}) == []


@pytest.mark.parametrize("name", ASKING)
def test_moving_it_gives_nothing_new_and_copying_gives_the_copy(name: str) -> None:
    text, _ = ASKING[name]
    assert units({f"a/{name}": text}) == units({f"somewhere/else/{name}": text})
    assert len(units({f"a/{name}": text, f"b/{name}": text})) == 2


@pytest.mark.parametrize("name", sorted({name for kind in KINDS.values() for name in kind.manifests}))
def test_every_manifest_can_be_read(name: str) -> None:
    assert declared(name, ASKING[name][0].encode()).asked


def test_installed_packages_are_left_alone() -> None:
    for path in ("node_modules/a/package.json", "web/node_modules/a/package.json", "lib/site-packages/a/setup.cfg"):
        assert CHECK.select(path) is None


# --- whose lock file it is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workspaces", "folder", "settled"),
    [
        ('["packages/*"]', "packages/a", True),
        ('["packages/*"]', "packages/a/b", False),
        ('["packages/**"]', "packages/a/b", True),
        ('{"packages": ["./apps/web"]}', "apps/web", True),
        ('["packages/*", "!packages/a"]', "packages/a", False),
        ('["pack*s/a*c"]', "packages/abc", True),
        ("[]", "packages/a", False),
    ],
)
def test_npm_workspaces_share_the_lock_file_above(workspaces: str, folder: str, *, settled: bool) -> None:
    files = {
        "package.json": f'{{"workspaces": {workspaces}}}',
        "package-lock.json": "{}",
        f"{folder}/package.json": ASKING["package.json"][0],
    }
    assert (looked(files) == []) is settled


def test_pnpm_workspaces_share_the_lock_file_above() -> None:
    files = {"pnpm-workspace.yaml": "packages:\n  - 'apps/*'\n", "pnpm-lock.yaml": "", "apps/a/package.json": ASKING["package.json"][0]}
    assert looked(files) == []
    assert units({**files, "tools/package.json": ASKING["package.json"][0]}) == ["npm web"]


@pytest.mark.parametrize(("manifest", "lock"), [("pyproject.toml", "uv.lock"), ("Cargo.toml", "Cargo.lock")])
def test_members_are_settled_where_the_lock_file_above_names_them(manifest: str, lock: str) -> None:
    named = '[[package]]\nname = "web"\nversion = "1"\n'
    assert looked({f"crates/web/{manifest}": ASKING[manifest][0], lock: named}) == []
    assert len(looked({f"crates/web/{manifest}": ASKING[manifest][0], lock: named.replace("web", "other")})) == 1


def test_requirements_settle_their_own_folder_and_no_other() -> None:
    text, _ = ASKING["pyproject.toml"]
    assert looked({"app/pyproject.toml": text, "app/requirements.txt": ""}) == []
    assert looked({"app/pyproject.toml": text, "app/requirements/base.txt": ""}) == []
    assert len(looked({"app/pyproject.toml": text, "requirements.txt": ""})) == 1


def test_gradle_and_nuget_lock_each_project_by_itself() -> None:
    assert len(looked({"app/build.gradle": ASKING["build.gradle"][0], "gradle.lockfile": ""})) == 1
    assert len(looked({"app/web.csproj": ASKING["web.csproj"][0], "packages.lock.json": ""})) == 1
    assert looked({"app/build.gradle": ASKING["build.gradle"][0], "app/gradle/dependency-locks/compile.lockfile": ""}) == []


def test_the_lock_file_that_xcode_keeps_settles_the_package() -> None:
    path = "App.xcworkspace/xcshareddata/swiftpm/Package.resolved"
    assert looked({"Package.swift": ASKING["Package.swift"][0], path: ""}) == []


def test_a_binary_lock_file_of_bun_is_said_to_be_unread() -> None:
    (one,) = looked({"package.json": ASKING["package.json"][0], "bun.lockb": b"\0\1"})
    assert "bun.lockb is binary" in one.message


# --- what cannot be read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["package.json", "pyproject.toml", "Cargo.toml", "composer.json", "pubspec.yaml", "Pipfile"])
def test_a_manifest_that_cannot_be_read_is_a_gap_of_its_own_and_hides_no_other(name: str) -> None:
    broken, whole = f"a/{name}", f"b/{name}"
    found = looked({broken: b"{ [ \xff", whole: ASKING[name][0]})
    assert [(one.member, one.site.reason_class) for one in found if isinstance(one.site, UncheckedSite)] == [
        (broken, "encoding" if name == "pubspec.yaml" or name.endswith("toml") or name == "Pipfile" else "syntax"),
        (whole, "unresolved"),
    ]


@pytest.mark.parametrize("name", ASKING)
def test_hostile_manifests_end_soon(name: str) -> None:
    for text in (".package(" * 60_000, "<PackageReference " * 30_000, "requires " * 60_000, "a/" + " " * 300_000 + "!", "[" * 200_000):
        with contextlib.suppress(Unreadable):
            declared(name, text.encode())
