"""CODEOWNERS: the rules of both forges, held against git's own reading of the patterns that they share with it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assaymark.model.codeowners import Dialect, parse


def github(*lines: str) -> dict[str, tuple[str, ...]]:
    book = parse("\n".join(lines), Dialect.GITHUB)
    return _Asked(book)


class _Asked(dict[str, tuple[str, ...]]):
    def __init__(self, book: object) -> None:
        super().__init__()
        self.book = book

    def __missing__(self, path: str) -> tuple[str, ...]:
        return self.book.owners(path)  # type: ignore[attr-defined,no-any-return]


def gitlab(*lines: str) -> dict[str, tuple[str, ...]]:
    return _Asked(parse("\n".join(lines), Dialect.GITLAB))


def test_github_the_last_line_that_matches_wins() -> None:
    book = github("* @org/all", "*.js @js", "/docs/ docs@example.org")
    assert book["a/b.txt"] == ("@org/all",)
    assert book["a/b.js"] == ("@js",)
    assert book["docs/x/y.js"] == ("docs@example.org",)


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("*", ["a", "a/b/c"], []),
        ("/*", ["a"], ["a/b"]),
        ("*.js", ["x.js", "a/b/x.js"], ["x.jsx"]),
        ("/build/logs/", ["build/logs/a", "build/logs/a/b"], ["build/logs", "x/build/logs/a"]),
        ("docs/*", ["docs/a.md"], ["docs/b/a.md", "x/docs/a.md"]),
        ("apps/", ["apps/a", "x/apps/b/c"], ["apps"]),
        ("/docs/", ["docs/a", "docs/a/b"], ["x/docs/a"]),
        ("/scripts", ["scripts", "scripts/a"], ["x/scripts"]),
        ("**/logs", ["logs/a", "build/logs", "a/b/logs/c"], ["a/logs2"]),
        ("/apps/github", ["apps/github/x", "apps/github"], ["apps/gitlab/x"]),
        ("src/**/test.py", ["src/test.py", "src/a/b/test.py"], ["test.py"]),
        ("/a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
        (r"a\ b.txt", ["a b.txt", "x/a b.txt"], ["a"]),
        ("?.md", ["a.md", "x/b.md"], ["ab.md"]),
    ],
)
def test_github_patterns_are_read_as_documented(pattern: str, inside: list[str], outside: list[str]) -> None:
    book = github(f"{pattern} @owner")
    assert [path for path in inside if book[path] != ("@owner",)] == []
    assert [path for path in outside if book[path]] == []


def test_github_a_line_without_owners_takes_them_away_and_nonsense_is_passed_over() -> None:
    book = github("/apps/ @octocat", "/apps/github", "!/apps/x @no", "/apps/[ab] @no", "/apps/y not-an-owner", "# comment", "")
    assert book["apps/a"] == ("@octocat",)
    assert book["apps/github/a"] == ()
    assert book["apps/x"] == book["apps/y"] == book["apps/a"]


def test_github_comments_stand_behind_owners() -> None:
    assert github("*.js @a @org/b  # and @c")["x.js"] == ("@a", "@org/b")


def test_gitlab_sections_add_up_and_within_one_the_last_line_wins() -> None:
    book = gitlab(
        "* @default", "/docs/ @writers", "", "[Database] @dba", "model/db/", "/config/db/database-setup.md @docs", "^[O][2]", "*.rb @ruby",
    )  # fmt: skip
    assert book["README.md"] == ("@default",)
    assert book["docs/x/y.md"] == ("@writers",)
    assert book["x/model/db/a.rb"] == ("@default", "@dba", "@ruby")
    assert book["config/db/database-setup.md"] == ("@default", "@docs")


def test_gitlab_claims_say_whether_and_by_how_many_they_are_to_be_approved() -> None:
    book = parse("[Docs][2] @docs\n*.md\n^[Ruby]\n*.rb @ruby\n[docs]\nextra.txt", Dialect.GITLAB)
    (docs,) = book.claims("a.md")
    assert (docs.section, docs.approvals, docs.is_optional, docs.owners) == ("Docs", 2, False, ("@docs",))
    assert book.claims("a.rb")[0].is_optional
    assert book.owners("extra.txt") == ("@docs",)  # sections of one name are one


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("README.md", ["README.md", "a/b/README.md"], ["README.mdx"]),
        ("/README.md", ["README.md"], ["a/README.md"]),
        ("/docs/", ["docs/a", "docs/a/b"], ["docs", "x/docs/a"]),
        ("docs/", ["docs/a", "x/docs/a/b"], ["docs"]),
        ("/docs", ["docs"], ["docs/a"]),
        ("/docs/*", ["docs/a"], ["docs/a/b"]),
        ("/docs/**/index.md", ["docs/index.md", "docs/a/b/index.md"], ["index.md"]),
        ("*", ["a", "a/b"], []),
        ("/file[0-3].rb", ["file2.rb"], ["file9.rb"]),
        (r"path\ with\ spaces/", ["path with spaces/a"], ["path/a"]),
        (r"\#file_with_pound.rb", ["#file_with_pound.rb"], ["file_with_pound.rb"]),
        ("/dir/*.txt", ["dir/a.txt"], ["dir/a/b.txt"]),
    ],
)
def test_gitlab_patterns_are_read_as_documented(pattern: str, inside: list[str], outside: list[str]) -> None:
    book = gitlab(f"{pattern} @owner")
    assert [path for path in inside if book[path] != ("@owner",)] == []
    assert [path for path in outside if book[path]] == []


def test_gitlab_an_exclusion_takes_out_of_its_section_alone() -> None:
    book = gitlab("* @default", "!pom.xml", "[Ruby]", "*.rb @ruby", "!/config/**/*.rb", "/config/routes.rb @ops")
    assert book["pom.xml"] == ()
    assert book["a.rb"] == ("@default", "@ruby")
    assert book["config/routes.rb"] == ("@default",)  # what was taken out does not come in again


def test_gitlab_roles_groups_and_addresses_are_owners() -> None:
    assert gitlab("* @@maintainer @group/sub/team dev@example.org nonsense")["x"] == ("@@maintainer", "@group/sub/team", "dev@example.org")


NAMES = st.text(alphabet="ab.-", min_size=1, max_size=3).filter(lambda name: name not in {".", ".."} and not name.startswith("-"))
PARTS = st.one_of(
    NAMES,
    st.text(alphabet="ab*?.", min_size=1, max_size=4).filter(lambda part: "**" not in part and part not in {".", ".."}),
    st.just("**"),
)


@settings(max_examples=60, deadline=None)
@given(
    patterns=st.lists(st.tuples(st.booleans(), st.lists(PARTS, min_size=1, max_size=3), st.booleans()), min_size=1, max_size=6),
    paths=st.lists(st.lists(NAMES, min_size=1, max_size=4), min_size=1, max_size=12),
)
def test_patterns_that_git_shares_are_read_as_git_reads_them(
    tmp_path_factory: pytest.TempPathFactory, patterns: list[tuple[bool, list[str], bool]], paths: list[list[str]]
) -> None:
    """All but a lone star at the end, which is the documented difference from git's ignored files."""
    chosen = []
    for anchored, parts, below in patterns:
        if parts[-1] in {"*", "**"} or set(parts[-1]) == {"*"} or any(set(part) == {"*"} and part != "**" for part in parts):
            continue
        chosen.append(("/" if anchored else "") + "/".join(parts) + ("/" if below else ""))
    folder = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    for pattern in chosen:
        (folder / ".git" / "info" / "exclude").write_text(f"{pattern}\n")
        names = sorted({"/".join(parts) for parts in paths})
        asked = "".join(f"{name}\0" for name in names)
        said = subprocess.run(
            ["git", "-C", str(folder), "check-ignore", "--stdin", "-z", "--no-index"],
            input=asked,
            capture_output=True,
            text=True,
            check=False,
        )
        ignored = set(said.stdout.split("\0")) - {""}
        book = github(f"{pattern} @o")
        assert {name for name in names if book[name]} == ignored, pattern


@given(text=st.text(max_size=300), path=st.text(min_size=1, max_size=40), dialect=st.sampled_from(Dialect))
def test_any_text_is_read(text: str, path: str, dialect: Dialect) -> None:
    owners = parse(text, dialect).owners(path)
    assert all("@" in owner for owner in owners)


@pytest.mark.parametrize("dialect", Dialect)
def test_hostile_patterns_cost_no_more_than_their_length(dialect: Dialect) -> None:
    lines = [f"{'a*' * 2000}b @x", f"{'**/a/' * 500}b @x", f"{'*?' * 2000}b @x"]
    book = parse("\n".join(lines), dialect)
    began = time.process_time()
    book.owners("/".join(["a" * 100] * 40))
    book.owners("a" * 4000)
    assert time.process_time() - began < 5


def test_files_of_public_projects_are_read(pytestconfig: pytest.Config) -> None:
    """Lines as public files have them, in our own words: alignment by tabs, comments behind, several owners, Windows' line ends."""
    book = github("*\t\t@a @b\r", "/src/Foo.Bar/**/*.cs\t@net/core  # net", "*.[ch] @skipped", "/a/b*/ @c")
    assert book["x"] == ("@a", "@b")
    assert book["src/Foo.Bar/q/r/S.cs"] == ("@net/core",)
    assert book["a/b1/c"] == ("@c",)
    assert Path(pytestconfig.rootpath).is_dir()
