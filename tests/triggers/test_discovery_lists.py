"""What forges may answer to the question for a group's repositories: the fields that they promise, and no others."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from assaymark.triggers.discovery.forges import LISTINGS
from assaymark.triggers.discovery.walk import Answer, Found


def _read(kind: str, *rows: Any) -> list[Found]:
    found, following = LISTINGS[kind].read("https://forge.example/api", Answer(200, {}, msgspec.json.encode(rows)))
    assert following == ""
    return found


@pytest.mark.parametrize("kind", ["github", "gitea"])
def test_a_repository_whose_list_does_not_say_where_it_is_cloned_from_is_cloned_from_its_page(kind: str) -> None:
    (found,) = _read(kind, {"id": 5, "full_name": "team/shop", "html_url": "https://forge.example/team/shop", "fork": False})
    assert found.remote.clone_url == "https://forge.example/team/shop.git"


@pytest.mark.parametrize("kind", ["github", "gitea"])
def test_what_the_list_says_of_cloning_is_taken(kind: str) -> None:
    row = {"id": 5, "full_name": "team/shop", "html_url": "https://forge.example/team/shop", "clone_url": "https://git.example/team/shop"}
    (found,) = _read(kind, row | {"default_branch": None})
    assert found.remote.clone_url == "https://git.example/team/shop"
    assert found.remote.default_branch == ""


def test_a_project_of_gitlab_needs_no_more_than_what_every_list_has() -> None:
    (found,) = _read("gitlab", {"id": 5, "path_with_namespace": "team/shop", "http_url_to_repo": "https://forge.example/team/shop.git"})
    assert found == Found(found.remote)
