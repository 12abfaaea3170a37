"""Every call to GitHub, GitLab and Gitea/Forgejo is as the forge's published description says, and what it may answer is understood.

The descriptions are not ours and not in this repository: `ASSAYMARK_FORGE_DESCRIPTIONS` names folders with ``github.json``,
``gitlab.yaml`` and ``gitea.json`` (whole originals, or parts with the operations that are called).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acceptance.issue4.described import ORIGINALS, VARIABLE, Asked, Description, load
from acceptance.issue4.standing_in import StandIn, standing_in
from tests.feedback.forge_facts import FACTS

from assaymark.feedback.forges.ask import Target
from assaymark.feedback.forges.send import Place, say, set_status
from assaymark.feedback.message import Comment, Status, StatusState
from assaymark.server.outgoing import client
from assaymark.server.settings import load as settings
from assaymark.server.work import discover
from assaymark.triggers.discovery.forges import LISTINGS
from assaymark.triggers.discovery.walk import walk

pytestmark = pytest.mark.enable_socket
KINDS = ("github", "gitlab", "gitea")
TOKEN = "t0" + "ken" * 8
MARKER = "<!-- assaymark-1f -->"


@pytest.fixture(scope="module", params=KINDS)
def described(request: pytest.FixtureRequest) -> tuple[str, Description]:
    found = load(request.param)
    if found is None:
        pytest.skip(f"NOT PROVED: no folder of {VARIABLE} has {request.param}.json or .yaml; get it from {ORIGINALS[request.param]}")
    return request.param, found


@pytest.fixture
def forge(described: tuple[str, Description]) -> Iterator[StandIn]:
    with standing_in(*described) as made:
        yield made


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Any]:
    with client(settings({"HOME": str(tmp_path)}, private_networks="127.0.0.0/8")) as made:
        yield made


def place(forge: StandIn, forge_id: str = "42") -> Place:
    return Place(forge.kind, forge.api, TOKEN, Target("team/shop", forge_id, "a" * 40, 7))


@pytest.mark.parametrize("forge_id", ["42", ""], ids=["known by number", "known by path"])
def test_every_state_of_a_status_is_taken(forge: StandIn, web: Any, forge_id: str) -> None:
    for state in StatusState:
        set_status(web, place(forge, forge_id), Status(state, "2 new findings", "https://assay.example/changes/1"))
    assert forge.mistakes == []
    assert len(forge.statuses) == len(StatusState)
    assert all(each["target_url"] == "https://assay.example/changes/1" for each in forge.statuses)


def test_a_comment_is_written_then_updated(forge: StandIn, web: Any) -> None:
    number = say(web, place(forge), Comment(f"{MARKER}\none", MARKER), "")
    assert say(web, place(forge), Comment(f"{MARKER}\ntwo", MARKER), number) == number
    assert forge.mistakes == []
    assert forge.comments == {int(number): f"{MARKER}\ntwo"}


def test_a_comment_that_was_written_before_a_kill_is_found_behind_many_others(forge: StandIn, web: Any) -> None:
    forge.comments = {number: f"comment {number} {MARKER}" for number in range(1, 151)} | {151: f"{MARKER}\none"}
    assert say(web, place(forge), Comment(f"{MARKER}\ntwo", MARKER), "", search=True) == "151"
    assert forge.mistakes == []
    assert len(forge.comments) == 151


def test_a_comment_that_is_gone_is_written_again(forge: StandIn, web: Any) -> None:
    assert say(web, place(forge), Comment(f"{MARKER}\none", MARKER), "9") == "1"
    assert forge.mistakes == []


@pytest.mark.parametrize("is_group", [True, False], ids=["group", "user"])
def test_the_repositories_of_a_group_are_listed_page_by_page(forge: StandIn, web: Any, *, is_group: bool) -> None:
    forge.is_group = is_group
    lab = forge.kind == "gitlab"
    names = [f"team/r{number}" for number in range(130)]
    for number, name in enumerate(names, 1):
        address = {"http_url_to_repo": f"{forge.origin}/{name}.git"} if lab else {"html_url": f"{forge.origin}/{name}"}
        forge.repositories.append({"id": number, "path_with_namespace" if lab else "full_name": name} | address)
    found = list(walk(LISTINGS[forge.kind], forge.api, "team", token=TOKEN, ask=discover._asking(web)))  # noqa: SLF001 - what the server asks by
    assert forge.mistakes == []
    assert [each.remote.name for each in found] == names
    assert {each.remote.clone_url for each in found} == {f"{forge.origin}/{name}.git" for name in names}


def test_what_we_wrote_down_for_the_short_tests_is_published(described: tuple[str, Description]) -> None:
    kind, description = described
    for fact in FACTS[kind]:
        operation = description.operation(fact.method, f"{description.base}{fact.path}")
        assert operation is not None, fact
        assert operation.template == fact.path
        parameters = {each["name"]: each for each in description.parameters(operation) if each["in"] == "query"}
        assert set(fact.query) <= set(parameters), fact
        schema = description.resolved_body(operation)
        assert set(fact.fields) <= set(schema.get("properties", {})), fact
        assert fact.required == frozenset(schema.get("required", [])), fact
        for name, words in fact.words.items():
            part = schema.get("properties", {}).get(name) or parameters[name].get("schema", {})
            assert words <= frozenset(part["enum"]), (fact, name)


def test_what_is_not_described_would_be_seen(described: tuple[str, Description]) -> None:
    kind, description = described
    fact = next(each for each in FACTS[kind] if "/statuses/" in each.path)
    path = description.base + fact.path.replace("{owner}/{repo}", "team/shop").replace("{id}", "42").replace("{sha}", "a" * 40)
    headers = {"authorization": "token x" if kind == "gitea" else "Bearer x", "content-type": "application/json"}
    good = Asked("POST", path, "", headers, b'{"state": "success"}')
    assert description.mistakes(good) == []
    assert description.mistakes(good._replace(body=b'{"state": "splendid"}'))
    assert description.mistakes(good._replace(body=b'{"state": "success", "targetUrl": "x"}'))
    assert description.mistakes(good._replace(query="per_page=1"))
    assert description.mistakes(good._replace(headers={"content-type": "application/json"}))
    assert description.mistakes(good._replace(method="PUT"))
    assert description.mistakes(good._replace(path="/api/v9" + path))
