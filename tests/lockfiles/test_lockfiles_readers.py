"""Every format is read as it is written, and what is wrong is said with its place."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from tests.lockfiles.lock_form import SRI, Sample
from tests.lockfiles.lock_samples import SAMPLES

from assaymark.checks.application.dependencies.packages import PackageSet, Source
from assaymark.checks.application.dependencies.readers import Unreadable, dialect_of, read
from assaymark.checks.application.dependencies.readers.registry import DIALECTS
from assaymark.model.check import Dialect

NAMES = [f"{each.dialect} {each.path}" for each in SAMPLES]


def read_sample(sample: Sample) -> PackageSet:
    return read(Dialect(sample.dialect), sample.text.encode())


def shown(packages: PackageSet) -> tuple[str, ...]:
    return tuple(f"{'>' * p.direct}{'~' * p.development}{p.name} {p.version}" for p in packages.packages)


def edges(packages: PackageSet) -> tuple[tuple[int, int], ...]:
    return tuple((at, part) for at, parts in enumerate(packages.needs) for part in parts)


def text_of(dialect: str, text: str) -> PackageSet:
    return read(Dialect(dialect), text.encode())


def refused(dialect: str, content: bytes) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read(Dialect(dialect), content)
    return caught.value


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_a_sample_is_read_as_it_is_written(sample: Sample) -> None:
    packages = read_sample(sample)
    assert shown(packages) == sample.names
    assert edges(packages) == sample.edges
    assert [p.name for p in packages.packages if not p.line] == []
    expected = ["pom"] if sample.dialect == "pom" else []
    assert [sample.dialect for _ in packages.problems] == expected


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_a_line_is_that_of_the_name(sample: Sample) -> None:
    lines = sample.text.splitlines()
    for package in read_sample(sample).packages:
        near = "\n".join(lines[package.line - 1 : package.line + 5]).lower()
        words = package.name.lower().replace("stdlib", "toolchain").replace("/fork", "/gamma").replace("al-pha", "alpha")
        tail = words.rpartition("/")[2].rpartition(":")[2].replace("-", "_")
        assert tail in near.replace("-", "_").replace("be.ta", "be_ta") or words in near, (package, near)


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_a_sample_is_known_by_its_name(sample: Sample) -> None:
    assert dialect_of(sample.path) == sample.dialect


def test_every_dialect_has_a_sample() -> None:
    assert {each.dialect for each in SAMPLES} == set(DIALECTS)


@pytest.mark.parametrize(
    "path",
    ["package.json", "src/go.sum", "requirements.md", "docs/system_requirementsx.txt", "a.json", "lock", "Cargo.toml", "x/requirements"],
)
def test_other_files_are_left_alone(path: str) -> None:
    assert dialect_of(path) is None


# --- what is no lock file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"a:\n- b\n c: [",
        b"\xff\xfe\x00",
        b"<a>" * 100_000,
        b"<<<<<<< HEAD\n{}\n=======\n",
        b"\0" * 50,
    ],
    ids=["open brace", "nested arrays", "nested objects", "broken yaml", "no text", "nested elements", "left by a merge", "zeros"],
)
def test_what_is_no_lock_file_is_refused_and_never_empty(dialect: str, content: bytes) -> None:
    why, packages = None, PackageSet(())
    try:
        packages = read(Dialect(dialect), content)
    except Unreadable as error:
        why = error
    if why is None:
        assert packages.problems or not content.strip(b"\0\xff\xfe \n")
    else:
        assert why.reason_class in {"syntax", "schema", "encoding", "nesting", "unsupported", "size"}


@pytest.mark.parametrize(
    ("dialect", "content", "line"),
    [
        ("package-lock", b'{"lockfileVersion": 3,\n"packages": {\n"node_modules/a": {"version": 1}}}', 3),
        ("package-lock", b'{"lockfileVersion": 3,\n"packages": {,}}', 2),
        ("poetry-lock", b'[[package]]\nname = "a"\nversion = 1.0.0\n', 3),
        ("go-mod", b"module a\n\nrequire (\nb\n)\n", 4),
        ("yarn-lock", b'# yarn lockfile v1\n\na@1:\n  version "1"\n     x\n', 5),
        ("pnpm-lock", b"lockfileVersion: '9.0'\npackages:\n  a@1: {}\n  a@1: {}\n", 4),
        ("gemfile-lock", b"GEM\n  specs:\n    a (1)\nOTHER\n", 4),
        ("pom", b"<project>\n<a></b>\n</project>", 2),
    ],
)
def test_an_error_names_its_line(dialect: str, content: bytes, line: int) -> None:
    why = refused(dialect, content)
    assert why.line == line
    assert f"line {line}" in why.reason


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("package-lock", '{"lockfileVersion": 9, "packages": {}}'),
        ("pnpm-lock", "lockfileVersion: '99.0'\n"),
        ("bun-lock", '{"lockfileVersion": 77}'),
        ("uv-lock", "version = 5\n"),
        ("pylock", 'lock-version = "3.0"\n'),
        ("nuget-lock", '{"version": 9, "dependencies": {}}'),
        ("swift-resolved", '{"version": 9, "pins": []}'),
    ],
)
def test_a_version_that_is_not_known_is_not_guessed_at(dialect: str, text: str) -> None:
    assert refused(dialect, text.encode()).reason_class == "unsupported"


def test_entities_of_xml_are_never_expanded() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><project>&b;</project>'
    assert refused("pom", bomb).reason_class == "unsupported"


def test_aliases_of_yaml_cost_what_they_weigh() -> None:
    levels = "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}, *a{n}, *a{n}]\n" for n in range(60))
    assert text_of("pnpm-lock", f"lockfileVersion: '9.0'\na0: &a0 [x]\n{levels}").packages == ()


def test_a_document_that_holds_itself_is_refused() -> None:
    assert refused("pnpm-lock", b"lockfileVersion: '9.0'\npackages: &a {b: *a}\n").reason_class == "schema"


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("package-lock", '{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1"}, "node_modules/a": {"version": "2"}}}'),
        ("pipfile-lock", '{"default": {"a": {"version": "==1"}, "a": {"version": "==2"}}}'),
        ("composer-lock", '{"packages": [{"name": "a/b", "version": "1", "version": "2"}]}'),
        ("bun-lock", '{"packages": {"a": ["a@1.0.0"], "a": ["a@2.0.0"]}}'),
        ("pnpm-lock", "lockfileVersion: '9.0'\npackages:\n  a@1.0.0: {}\n  a@1.0.0: {}\n"),
        ("yarn-lock", 'a@1:\n  version "1"\na@1:\n  version "2"\n'),
        ("poetry-lock", '[[package]]\nname = "a"\nname = "b"\n'),
    ],
)
def test_a_key_that_stands_twice_is_refused_because_tools_disagree(dialect: str, text: str) -> None:
    assert refused(dialect, text.encode()).reason_class in {"schema", "syntax"}


# --- what has no exact version ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("requests", "requests"),
        ("requests>=2.0,<3", "requests"),
        ("requests==2.*", "requests"),
        ("requests~=2.1 ; python_version < '3.9'", "requests"),
        ("requests @ git+https://example.org/r.git@main", "requests"),
        ("-e git+https://example.org/r.git#egg=requests", "requests"),
        ("https://example.org/download", "https://example.org/download"),
        ("-r base.in", "base.in"),
        ("requests==2.0#comment", "`requests==2.0#comment`"),
        ("{% if x %}", "`{% if x %}`"),
    ],
)
def test_a_requirement_without_an_exact_version_is_a_problem(line: str, name: str) -> None:
    packages = text_of("requirements", f"# first\n{line}\n")
    ((number, sentence),) = packages.problems
    assert number == 2
    assert sentence.startswith(name)
    assert packages.packages == ()


@pytest.mark.parametrize(
    ("line", "version", "source"),
    [
        ("requests===2.0.1", "2.0.1", Source.REGISTRY),
        ("requests (==2.0.1)", "2.0.1", Source.REGISTRY),
        ("requests >=2, ==2.0.1", "2.0.1", Source.REGISTRY),
        ("requests==2.0.1 --hash=sha256:00", "2.0.1", Source.REGISTRY),
        ("requests==1!2.0.post1+local.1  # why", "1!2.0.post1+local.1", Source.REGISTRY),
        ("./wheels/requests-2.0.1-py3-none-any.whl", "2.0.1", Source.PATH),
        ("requests @ https://example.org/requests-2.0.1.tar.gz", "2.0.1", Source.URL),
        (f"requests @ git+https://example.org/r.git@{'a1' * 20}", "a1" * 20, Source.GIT),
    ],
)
def test_a_requirement_with_an_exact_version_is_a_package(line: str, version: str, source: Source) -> None:
    packages = text_of("requirements", line)
    assert [(p.name, p.version, p.source) for p in packages.packages] == [("requests", version, source)]
    assert packages.problems == ()


@pytest.mark.parametrize(
    "line", ["-e .", ".", "./own", "-r requirements/base.txt", "-c constraints.txt", "--index-url https://x", "# only"]
)
def test_lines_that_ask_for_nothing_foreign_are_no_problem(line: str) -> None:
    assert text_of("requirements", line) == PackageSet(())


def test_requirements_of_windows_are_read() -> None:
    assert shown(read(Dialect("requirements"), "alpha==1.0\r\n".encode("utf-16"))) == ("alpha 1.0",)


@pytest.mark.parametrize(
    ("dialect", "text", "line"),
    [
        ("package-lock", '{"lockfileVersion": 3, "packages": {\n"node_modules/a": {"resolved": "https://x/a"}}}', 2),
        ("package-lock", '{"dependencies": {\n"a": {"version": "https://example.org/a.tgz"}}}', 2),
        ("yarn-lock", "a@^1:\n  resolved x\n", 1),
        ("bun-lock", '{"packages": {\n"a": ["a"]}}', 2),
        ("poetry-lock", '[[package]]\nname = "a"\n', 2),
        ("pipfile-lock", '{"default": {\n"a": {"version": "*", "git": "x"}}}', 2),
        ("go-mod", "module a\ngo 1.22\nrequire b latest\n", 3),
        (
            "pom",
            "<project><dependencies>\n<dependency><groupId>a</groupId><artifactId>b</artifactId></dependency></dependencies></project>",
            2,
        ),
        ("conan-lock", '{"version": "0.5",\n"requires": ["a/[>=1]"]}', 2),
        ("podfile-lock", "PODS:\n  - Alpha\n", 2),
        ("gradle-lock", "empty=\na:b\n", 2),
        ("mix-lock", '%{\n"a": {:path, "x"},\n}', 2),
        ("cyclonedx", '{"bomFormat": "CycloneDX", "components": [\n{"type": "library", "bom-ref": "a", "name": "a"}]}', 2),
        ("spdx", '{"spdxVersion": "SPDX-2.3", "packages": [\n{"name": "a", "SPDXID": "SPDXRef-a"}]}', 2),
    ],
)
def test_an_entry_without_an_exact_version_is_a_problem_and_not_dropped(dialect: str, text: str, line: int) -> None:
    packages = text_of(dialect, text)
    assert packages.packages == ()
    assert {number for number, _ in packages.problems} == {line}


def test_a_problem_is_known_by_its_entry_and_not_by_a_version() -> None:
    one, other = (text_of("go-mod", f"module a\ngo 1.22\nrequire b {version}\n").problems for version in ("latest", "master"))
    assert one == other


def test_an_old_go_mod_says_that_it_does_not_name_all() -> None:
    ((line, sentence),) = text_of("go-mod", "module a\ngo 1.16\nrequire b v1.0.0\n").problems
    assert line == 2
    assert "go mod tidy" in sentence


# --- details that are easy to get wrong ------------------------------------------------------------------------------


def test_npm_takes_the_nearest_folder() -> None:
    text = """{"lockfileVersion": 3, "packages": {
      "": {"dependencies": {"a": "*"}, "workspaces": ["packages/*"]},
      "packages/own": {"name": "own", "version": "1.0.0", "dependencies": {"b": "*"}},
      "node_modules/own": {"resolved": "packages/own", "link": true},
      "packages/own/node_modules/b": {"version": "2.0.0"},
      "node_modules/a": {"version": "1.0.0", "dependencies": {"b": "*", "own": "*"}},
      "node_modules/b": {"version": "1.0.0"},
      "node_modules/alias": {"name": "real", "version": "5.0.0"}}}"""
    packages = text_of("package-lock", text)
    assert shown(packages) == (">a 1.0.0", "b 1.0.0", ">b 2.0.0", "real 5.0.0")
    assert edges(packages) == ((0, 1),)


def test_one_package_in_several_folders_is_one_and_for_production_if_one_is() -> None:
    rows = ", ".join(
        f'"node_modules/{n}/node_modules/a": {{"version": "1.0.0", "integrity": "{SRI}", "dev": {dev}}}'
        for n, dev in (("x", "true"), ("y", "false"))
    )
    (package,) = text_of("package-lock", f'{{"lockfileVersion": 3, "packages": {{{rows}}}}}').packages
    assert not package.development
    assert package.hashes == (SRI,)


@pytest.mark.parametrize(
    ("address", "version"),
    [
        ("https://registry.example.org/a/-/a-1.2.3.tgz", "1.2.3"),
        ("https://registry.example.org/a/-/a-1.2.3-beta.1.tgz", "1.2.3-beta.1"),
        ("https://registry.example.org/b/-/b-1.2.3.tgz", ""),
        ("https://example.org/a-1.2.3.tgz", ""),
    ],
)
def test_only_a_registrys_own_address_tells_a_version(address: str, version: str) -> None:
    packages = text_of("package-lock", f'{{"dependencies": {{"a": {{"version": "{address}"}}}}}}')
    assert [p.version for p in packages.packages] == ([version] if version else [])
    assert len(packages.problems) == (not version)


def test_cycles_are_edges_like_others() -> None:
    text = 'a@1:\n  version "1.0.0"\n  dependencies:\n    b "1"\n\nb@1:\n  version "1.0.0"\n  dependencies:\n    a "1"\n'
    assert edges(text_of("yarn-lock", text)) == ((0, 1), (1, 0))


@pytest.mark.parametrize(
    "text", ['a@npm:b@^1:\n  version "1.0.0"\n', '__metadata:\n  version: 6\n"b@npm:^1":\n  version: 1.0.0\n  resolution: "b@npm:1.0.0"\n']
)
def test_an_alias_of_yarn_is_the_package_itself(text: str) -> None:
    assert [p.name for p in text_of("yarn-lock", text).packages] == ["b"]


def test_both_ways_through_yaml_give_the_same() -> None:
    sample = next(each for each in SAMPLES if each.path == "pnpm-lock.yaml")
    plain = read_sample(sample)
    marked = text_of("pnpm-lock", "---\n" + sample.text.replace("{}", "&anchor {}", 1))
    assert shown(marked) == shown(plain)
    assert marked.needs == plain.needs


@pytest.mark.parametrize("space", ["\u2028", "\u2029", "\x85", "\x0c", "\t"])
def test_other_spaces_do_not_make_a_line_of_yaml_empty(space: str) -> None:
    for text in (f"packages:\n  a: {space}\n", f"packages:\n  {space}\n", f"packages:\n  - {space} \n", f"{space}a:\n"):
        with contextlib.suppress(Unreadable):
            text_of("pubspec-lock", text)


def test_a_lock_file_of_two_documents_is_read_whole() -> None:
    text = "---\nlockfileVersion: '9.0'\npackages:\n  a@1.0.0: {}\n---\nlockfileVersion: '9.0'\npackages:\n  b@2.0.0: {}\n"
    assert [p.name for p in text_of("pnpm-lock", text).packages] == ["a", "b"]


@pytest.mark.parametrize(("many", "reason"), [(100_001, "size"), (2, "")])
def test_the_number_of_packages_is_bounded(many: int, reason: str) -> None:
    text = "".join(f"g:a{number}:1=x\n" for number in range(many))
    if reason:
        assert refused("gradle-lock", text.encode()).reason_class == reason
    else:
        assert len(text_of("gradle-lock", text).packages) == many


@pytest.mark.parametrize("dialect", ["cargo-lock", "uv-lock", "poetry-lock", "gemfile-lock"])
def test_a_name_that_stands_often_does_not_multiply_without_end(dialect: str) -> None:
    rows = range(3_000)
    if dialect == "gemfile-lock":
        text = "GEM\n  specs:\n" + "".join(f"    a ({n})\n      a\n" for n in rows)
    else:
        needs = {
            "cargo-lock": 'dependencies = ["a"]',
            "uv-lock": 'dependencies = [{name = "a"}]',
            "poetry-lock": '[package.dependencies]\na = "*"',
        }
        head = "version = 1\n" if dialect == "uv-lock" else ""
        source = {"cargo-lock": 'source = "registry+https://x"', "uv-lock": 'source = {registry = "https://x"}'}.get(dialect, "")
        text = head + "".join(f'[[package]]\nname = "a"\nversion = "{n}.0.0"\n{source}\n{needs[dialect]}\n' for n in rows)
    assert refused(dialect, text.encode()).reason_class == "size"


def test_sorted_as_promised() -> None:
    for sample in SAMPLES:
        keys = [(p.ecosystem, p.name, p.version) for p in read_sample(sample).packages]
        assert all(one <= other for one, other in itertools.pairwise(keys))
