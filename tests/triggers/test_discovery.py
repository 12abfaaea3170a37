from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

import pytest

from assaymark.errors import SubjectUnreadable
from assaymark.triggers.discovery import walk as walking
from assaymark.triggers.discovery.forges import LISTINGS
from assaymark.triggers.discovery.walk import Answer, Found, walk

TOKEN = secrets.token_hex(12)


def hub(number: int, **more: Any) -> dict[str, Any]:
    name = f"orchard/r{number}"
    base = {"id": number, "full_name": name, "clone_url": f"https://forge.example/{name}.git", "html_url": f"https://forge.example/{name}"}
    return base | {"default_branch": "main", "archived": False, "fork": False, "private": True} | more


def lab(number: int, **more: Any) -> dict[str, Any]:
    name = f"orchard/r{number}"
    base = {"id": number, "path_with_namespace": name, "http_url_to_repo": f"https://forge.example/{name}.git", "default_branch": "main"}
    return base | more


def cloud(number: int, **more: Any) -> dict[str, Any]:
    name = f"orchard/r{number}"
    clone = [{"name": "https", "href": f"https://ann@forge.example/{name}.git"}, {"name": "ssh", "href": "git@forge.example:x"}]
    links = {"clone": clone, "html": {"href": f"https://forge.example/{name}"}, "self": {"href": "https://forge.example/api"}}
    return {"uuid": f"{{{number}}}", "full_name": name, "links": links, "mainbranch": {"name": "main"}} | more


def server(number: int, **more: Any) -> dict[str, Any]:
    links = {
        "clone": [{"name": "ssh", "href": "ssh://git@forge.example:7999/orc/r.git"}, {"name": "http", "href": f"https://forge.example/scm/orc/r{number}.git"}],
        "self": [{"href": f"https://forge.example/projects/ORC/repos/r{number}/browse"}],
    }  # fmt: skip
    return {"id": number, "slug": f"r{number}", "project": {"key": "ORC"}, "links": links} | more


class Forge:
    """Pages by address."""

    def __init__(self, pages: Mapping[str, tuple[int, dict[str, str], Any]]) -> None:
        self.pages, self.asked = pages, list[tuple[str, Mapping[str, str]]]()

    def __call__(self, url: str, headers: Mapping[str, str]) -> Answer:
        self.asked.append((url, headers))
        status, more, body = self.pages.get(url, (404, {}, {}))
        return Answer(status, more, body if isinstance(body, bytes) else json.dumps(body).encode())


def found(kind: str, api: str, forge: Forge, group: str = "orchard") -> list[Found]:
    return list(walk(LISTINGS[kind], api, group, token=TOKEN, ask=forge))


def link(url: str) -> dict[str, str]:
    return {"link": f'<https://x.example/first>; rel="first", <{url}>; rel="next"'}


@pytest.mark.parametrize(
    ("kind", "api", "first", "second", "make"),
    [
        ("github", "https://api.github.com", "/orgs/orchard/repos?per_page=100", "/organizations/9/repos?page=2", hub),
        ("gitea", "https://forge.example/api/v1", "/orgs/orchard/repos?limit=50", "/orgs/orchard/repos?page=2", hub),
        (
            "gitlab",
            "https://forge.example/api/v4",
            "/groups/orchard/projects?include_subgroups=true&with_shared=false&per_page=100&order_by=id&sort=asc&simple=false",
            "/groups/orchard/projects?page=2",
            lab,
        ),
    ],
)
def test_lists_are_read_page_by_page_along_their_links(kind: str, api: str, first: str, second: str, make: Any) -> None:
    forge = Forge({api + first: (200, link(api + second), [make(1), make(2)]), api + second: (200, {}, [make(3)])})
    names = [(each.remote.name, each.remote.forge_id, each.remote.default_branch) for each in found(kind, api, forge)]
    assert names == [(f"orchard/r{number}", str(number), "main") for number in (1, 2, 3)]
    assert all(TOKEN in headers["authorization"] for _, headers in forge.asked)


def test_a_persons_repositories_are_listed_where_there_is_no_such_organisation() -> None:
    forge = Forge({"https://api.github.com/users/ann/repos?per_page=100": (200, {}, [hub(1)])})
    assert len(found("github", "https://api.github.com", forge, "ann")) == 1


def test_bitbuckets_pages_name_the_next_one() -> None:
    api = "https://api.bitbucket.org/2.0"
    first, second = f"{api}/repositories/orchard?pagelen=100", f"{api}/repositories/orchard?page=2"
    empty = cloud(3, mainbranch=None, parent={"full_name": "x/y"})
    forge = Forge({first: (200, {}, {"values": [cloud(1)], "next": second}), second: (200, {}, {"values": [cloud(2), empty]})})
    made = found("bitbucket", api, forge)
    assert [each.remote.clone_url for each in made] == [f"https://forge.example/orchard/r{number}.git" for number in (1, 2, 3)]
    assert [(each.fork, each.empty) for each in made] == [(False, False), (False, False), (True, True)]


def test_data_center_counts_rows() -> None:
    api = "https://forge.example/rest/api/1.0"
    first = f"{api}/projects/ORC/repos?limit=100"
    second = f"{api}/projects/ORC/repos?limit=100&start=100"
    pages: dict[str, tuple[int, dict[str, str], Any]] = {
        first: (200, {}, {"values": [server(1)], "isLastPage": False, "nextPageStart": 100}),
        second: (200, {}, {"values": [server(2, archived=True, origin={"id": 1})], "isLastPage": True, "nextPageStart": None}),
    }
    made = found("bitbucket", api, Forge(pages), "ORC")
    assert [(each.remote.name, each.remote.clone_url, each.archived, each.fork) for each in made] == [
        ("ORC/r1", "https://forge.example/scm/orc/r1.git", False, False),
        ("ORC/r2", "https://forge.example/scm/orc/r2.git", True, True),
    ]
    assert made[0].remote.web_url == "https://forge.example/projects/ORC/repos/r1"


def test_marks_of_repositories_are_read() -> None:
    api = "https://forge.example/api/v4"
    rows = [lab(1, archived=True), lab(2, empty_repo=True, default_branch=None), lab(3, forked_from_project={"id": 9})]
    forge = Forge({api + "/users/orchard/projects?per_page=100&order_by=id&sort=asc&simple=false": (200, {}, rows)})
    assert [(each.archived, each.empty, each.fork) for each in found("gitlab", api, forge)] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


API = "https://api.github.com"
FIRST = f"{API}/orgs/orchard/repos?per_page=100"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/repos", "http://api.github.com/x", "https://api.github.com:444/x", "//evil.example/x"]
)
def test_a_list_that_goes_on_elsewhere_does_not_get_the_token(elsewhere: str) -> None:
    forge = Forge({FIRST: (200, link(elsewhere), [hub(1)])})
    with pytest.raises(SubjectUnreadable, match="elsewhere"):
        found("github", API, forge)
    assert len(forge.asked) == 1


@pytest.mark.parametrize("status", [301, 401, 403, 429, 500])
def test_what_is_not_listed_is_an_error_and_no_empty_list(status: int) -> None:
    with pytest.raises(SubjectUnreadable, match="does not list"):
        found("github", API, Forge({FIRST: (status, {}, {})}))


def test_a_list_that_breaks_off_is_an_error() -> None:
    with pytest.raises(SubjectUnreadable):
        found("github", API, Forge({FIRST: (200, link(f"{API}/x?page=2"), [hub(1)])}))


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'[{"id":"x"}]', b"[" * 200_000, b"[null]"])
def test_what_is_no_list_is_an_error(body: bytes) -> None:
    with pytest.raises(SubjectUnreadable, match="cannot be read"):
        found("github", API, Forge({FIRST: (200, {}, body)}))


def test_a_list_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MOST_PAGES", 10)
    forge = Forge({FIRST: (200, link(FIRST), [hub(1)])})
    with pytest.raises(SubjectUnreadable, match="more than 10 pages"):
        found("github", API, forge)
    assert len(forge.asked) <= 11


@pytest.mark.parametrize("group", ["a/../../user", "a?x=1", "a#b", "a b", "é"])
def test_a_groups_name_stays_one_part_of_the_address(group: str) -> None:
    for kind, api in (
        ("github", API),
        ("gitlab", "https://f.example/api/v4"),
        ("gitea", "https://f.example/api/v1"),
        ("bitbucket", "https://f.example/2.0"),
    ):
        for url in LISTINGS[kind].starts(api, group):
            assert url.startswith(api)
            assert not {"#", " "} & set(url)
            assert "/../" not in url
            assert url.count("?") == 1
