"""Lock files, manifests and bills of materials: equal to other scanners' expectations, valid, whole after a round trip, and quick.

``LOCK_TRUTH`` names a folder with a checkout of osv-scalibr, whose tests hold the expected packages; ``PURL_TRUTH`` one of purl-spec.
``PUBLIC_LOCKS`` may name a folder with further public lock files. What is not there is skipped and said.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from acceptance.harness import ROOT, Shell

sys.path.insert(0, str(ROOT))

from benchmarks.bench_lock_readers import figures, npm

from assaymark.checks.application.dependencies.bom.bill import Bill, joined
from assaymark.checks.application.dependencies.bom.cyclonedx import cyclonedx
from assaymark.checks.application.dependencies.bom.purl import PurlInvalid, make, parse
from assaymark.checks.application.dependencies.bom.spdx import spdx
from assaymark.checks.application.dependencies.packages import PackageSet
from assaymark.checks.application.dependencies.readers import Unreadable, dialect_of, read
from assaymark.model.check import Dialect

SCHEMAS = ROOT / "tests" / "lockfiles" / "schemas"
READERS = {
    "javascript/packagelockjson": "package-lock",
    "javascript/yarnlock": "yarn-lock",
    "javascript/pnpmlock": "pnpm-lock",
    "javascript/bunlock": "bun-lock",
    "python/poetrylock": "poetry-lock",
    "python/uvlock": "uv-lock",
    "python/pdmlock": "pdm-lock",
    "python/pylock": "pylock",
    "python/pipfilelock": "pipfile-lock",
    "golang/gomod": "go-mod",
    "rust/cargolock": "cargo-lock",
    "java/gradlelockfile": "gradle-lock",
    "java/pomxml": "pom",
    "ruby/gemfilelock": "gemfile-lock",
    "php/composerlock": "composer-lock",
    "erlang/mixlock": "mix-lock",
    "dart/pubspec": "pubspec-lock",
    "swift/packageresolved": "swift-resolved",
    "swift/podfilelock": "podfile-lock",
    "cpp/conanlock": "conan-lock",
}
EXPLAINED = {
    "stdlib": "a go line is a lower bound and no version",
    "0.0.0-use.local": "the project itself",
    "local-rust-pkg": "the project itself",
    "backbone-on-rails": "the project itself (PATH)",
    "flutter_web_plugins": "comes with the SDK",
    "etag": "a folder of the project",
    "other_package": "a folder of the project",
    "ranged-package": "a range, which we do not resolve",
    "org.dave:dave": "from the parent's file",
    "./fork/net": "a folder of the project",
    "go-spew": "go.sum is not read",
    "go-difflib": "go.sum is not read",
}
"""What the other scanner lists and we leave out on purpose: part of name or version -> why."""


def truth(variable: str) -> Path:
    folder = os.environ.get(variable, "")
    if not folder:
        pytest.skip(f"NOT PROVED: {variable} names no folder")
    return Path(folder)


def expectations(folder: Path, kind: str) -> Iterator[tuple[Path, set[tuple[str, str]]]]:
    """(lock file, expected packages) of the tests of one reader; a version is empty where the test knows only a commit."""
    place = folder / "extractor" / "filesystem" / "language" / kind
    for test in sorted(place.glob("*_test.go")):
        for case in re.split(r"(?=\bPath:\s*\"testdata)", test.read_text("utf-8"))[1:]:
            path = re.match(r'Path:\s*"([^"]+)"', case)
            _, wanted, body = case.partition("WantPackages")
            if path is None or not wanted:
                continue
            body = body.split("\n\t\t},\n", 1)[0]
            rows = set(re.findall(r'pkg\(t, "([^"]+)", "([^"]*)"', body))
            rows |= {
                (m[1], m[2]) for m in re.finditer(r'\bName:\s*"([^"]*)",\s*(?:(?:\w+:\s*[^\n]*,\s*\n\s*)*?)Version:\s*"([^"]*)"', body)
            }
            yield place / path[1], rows


def plain(name: str, version: str) -> tuple[str, str]:
    return re.sub(r"[-_.]+", "-", name.lower()), re.sub(r"^v(?=\d)", "", version)


@pytest.mark.parametrize("kind", READERS)
def test_the_packages_are_those_that_another_scanner_expects(kind: str) -> None:
    same, other = 0, []
    for path, rows in expectations(truth("LOCK_TRUTH"), kind):
        if not path.is_file() or path.name == "package-lock.json" or path.suffix == ".sum":
            continue
        try:
            packages = read(Dialect(READERS[kind]), path.read_bytes())
        except Unreadable:
            packages = PackageSet(())
        found = {plain(p.name, p.version) for p in packages.packages}
        commits = {name for name, version in found if re.fullmatch(r"[0-9a-f]{7,64}", version)}
        told = {sentence for _, sentence in packages.problems}
        missing = [
            (name, version)
            for name, version in rows
            if plain(name, version) not in found
            and not any(word in name or word in version for word in EXPLAINED)
            and not (not version and (plain(name, version)[0] in commits or any(name in sentence for sentence in told)))
        ]
        if missing:
            other.append(f"{path.name}: {missing}")
        else:
            same += 1
    print(f"{kind}: {same} of {same + len(other)} lock files")
    assert other == []
    assert same


def test_package_urls_follow_the_specifications_own_tests() -> None:
    ours = {"apk", "cargo", "cocoapods", "composer", "conan", "deb", "gem", "generic", "github", "golang", "hex"}
    ours |= {"maven", "npm", "nuget", "pub", "pypi", "rpm", "swift"}
    wrong = []
    count = 0
    for file in sorted((truth("PURL_TRUTH") / "tests").rglob("*.json")):
        if file.name.removesuffix("-test.json") not in ours and file.parent.name != "spec":
            continue
        for test in json.loads(file.read_text("utf-8"))["tests"]:
            count += 1
            if said(test) != (None if test["expected_failure"] else test["expected_output"]):
                wrong.append((file.name, test["input"]))
    print(f"{count - len(wrong)} of {count}")
    # The suite wants capital letters in names of qualifiers refused for gem and rpm, and accepted for maven.
    assert [name for name, given in wrong if "?Platform=" not in str(given) and "?Arch=" not in str(given)] == []


def said(test: dict[str, Any]) -> Any:
    given = test["input"]
    try:
        if test["test_type"] == "build":
            rows = {key: given[key] or "" for key in ("namespace", "name", "version", "subpath")}
            return str(make(given["type"] or "", rows["namespace"], rows["name"], rows["version"], given["qualifiers"], rows["subpath"]))
        purl = parse(given)
    except PurlInvalid:
        return None
    if test["test_type"] != "parse":
        return str(purl)
    parts = {"type": purl.type, "namespace": purl.namespace, "name": purl.name, "version": purl.version, "subpath": purl.subpath}
    return {key: value or None for key, value in parts.items()} | {"qualifiers": dict(purl.qualifiers) or None}


def validators() -> dict[str, Any]:
    def local(uri: str) -> Any:
        name = "cyclonedx-spdx-ids" if uri.endswith("/spdx.schema.json") else "jsf-0.82"
        return json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))

    return {
        "cyclonedx": jsonschema_rs.validator_for(json.loads((SCHEMAS / "cyclonedx-1.6.schema.json").read_text("utf-8")), retriever=local),
        "spdx": jsonschema_rs.validator_for(json.loads((SCHEMAS / "spdx-2.3.schema.json").read_text("utf-8"))),
    }


def test_bills_of_public_lock_files_are_valid_and_come_back_whole() -> None:
    sets = []
    for path in sorted(truth("PUBLIC_LOCKS").rglob("*")):
        dialect = dialect_of(path.as_posix())
        if dialect is None or not path.is_file():
            continue
        try:
            sets.append((path.name, read(dialect, path.read_bytes())))
        except Unreadable:
            continue
    assert sets
    known = validators()
    for name, packages in [*sets, ("all", joined(sets)[0])]:
        for form, write in (("cyclonedx", cyclonedx), ("spdx", spdx)):
            document = write(Bill("project", packages))
            assert list(known[form].iter_errors(json.loads(document))) == [], name
            assert read(Dialect(form), document) == packages, name
    print(f"{len(sets)} lock files, two formats each")


@pytest.mark.parametrize("form", ["cyclonedx", "spdx"])
def test_the_command_writes_a_valid_bill(shell: Shell, tmp_path: Path, form: str) -> None:
    lock = {"lockfileVersion": 3, "packages": {"": {"dependencies": {"a": "1"}}, "node_modules/a": {"version": "1.0.0"}}}
    repository = shell.repository(tmp_path / "shop", {"package-lock.json": json.dumps(lock), "requirements.txt": "b==2.0\nc\n"})
    once, again = (shell.run("sbom", "HEAD", "--format", form, folder=repository) for _ in range(2))
    assert once.code == 0, once.err
    assert once.out == again.out
    assert list(validators()[form].iter_errors(json.loads(once.out))) == []
    packages = read(Dialect(form), once.out.encode())
    assert [(p.name, p.version) for p in packages.packages] == [("b", "2.0"), ("a", "1.0.0")]
    assert "c names no exact version" in once.err


def test_a_project_without_a_lock_file_is_a_gap_once(shell: Shell, tmp_path: Path) -> None:
    asks = '{"name": "web", "dependencies": {"alpha": "^%s"}}'
    repository = shell.repository(tmp_path / "web", {"package.json": asks % 1, "a.txt": "a\n"})
    (repository / "package.json").write_text(asks % 2, "utf-8")
    assert shell.run("check", folder=repository).code == 0, "an edited range is the old gap"
    (repository / "old").mkdir()
    (repository / "package.json").rename(repository / "old" / "package.json")
    assert shell.run("check", folder=repository).code == 0, "so is a moved project"
    (repository / "new").mkdir()
    (repository / "new" / "package.json").write_text(asks.replace("web", "tool") % 1, "utf-8")
    said = shell.run("check", folder=repository)
    assert said.code == 5
    assert "No lock file says which versions of alpha" in " ".join(said.out.split())


def test_a_lock_file_of_a_thousand_packages_takes_little_more_than_its_json() -> None:
    import random  # noqa: PLC0415

    row = figures(Dialect("package-lock"), npm(1_157, random.Random(1)), 60)
    print(row)
    assert row["read_ms"] < 3 * row["json_loads_ms"]
