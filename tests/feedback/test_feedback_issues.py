"""What issues say: a text that changes when something changes, and content of others that has no effect in any tracker's language."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from assaymark.feedback.forges.ask import Ask
from assaymark.feedback.issues.forges import GiteaIssues, GitHubIssues, GitLabIssues
from assaymark.feedback.issues.jira import Jira
from assaymark.feedback.issues.text import MOST_PLACES, Spot, Text, hidden, in_markdown, is_handle
from assaymark.feedback.issues.tracker import Home

URL = "https://assay.example/items/7"
EVIL = st.one_of(st.text(max_size=60), st.text(alphabet="@#!`*_[](){}<>|\\~^+-/&:%$ \nab1", max_size=60))


def text(**changed: Any) -> Text:
    made = Text("a title", "assaymark-1f", "high", True, 2, 1, "", "do it", URL, (Spot("shop", "a.py:1", "it is wrong"),))
    return msgspec.structs.replace(made, **changed)


@given(what=EVIL, where=EVIL, subject=EVIL, advice=EVIL, owner=EVIL)
def test_content_of_others_has_no_effect_in_markdown(what: str, where: str, subject: str, advice: str, owner: str) -> None:
    told = text(advice=advice, owner=owner, places=(Spot(subject, where, what),))
    body = in_markdown(told, mentions=False)
    assert body.startswith(hidden("assaymark-1f") + "\n")
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["strikethrough", "table"]).parse(body)
    flat = [child for token in tokens for child in (token.children or [token])]
    assert {token.attrGet("href") for token in flat if token.type == "link_open"} == {URL}
    assert [token for token in flat if token.type in {"image", "html_inline", "table_open", "heading_open"}] == []
    assert len([token for token in flat if token.type == "html_block"]) == 1  # the marker
    said = [token.content for token in flat if token.type == "text"]
    assert not any(re.search(r"(?<!\w)@[A-Za-z0-9]", each) for each in said)
    assert not any(line.lstrip().startswith("/") for line in body.splitlines())


@given(title=EVIL, what=EVIL, advice=EVIL, owner=EVIL)
def test_jiras_documents_hold_content_as_plain_texts(title: str, what: str, advice: str, owner: str) -> None:
    asked: list[Ask] = []

    def send(ask: Ask) -> Any:
        asked.append(ask)
        return {"key": "SEC-1"}

    told = text(title=title, advice=advice, owner=owner, places=(Spot("shop", "a.py", what),))
    Jira(cloud=True).make(send, Home(project="SEC"), told)
    assert asked[0].body is not None
    fields = asked[0].body["fields"]
    assert json.loads(json.dumps(fields))
    assert "\n" not in fields["summary"]
    assert len(fields["summary"]) <= 255
    found = list(_walk(fields["description"]))
    assert {each["type"] for each in found} <= {"doc", "paragraph", "text", "bulletList", "listItem"}
    assert [mark["attrs"]["href"] for each in found for mark in each.get("marks", [])] == [URL]
    assert all(each["text"] for each in found if each["type"] == "text")  # Jira refuses empty ones


def _walk(node: dict[str, Any]) -> Any:
    yield node
    for each in node.get("content", []):
        yield from _walk(each)


@given(what=EVIL, advice=EVIL, owner=EVIL)
def test_jiras_own_language_shows_content_as_it_is(what: str, advice: str, owner: str) -> None:
    made = Jira(cloud=False)._rendered(text(advice=advice, owner=owner, places=(Spot("shop", "a.py", what),)))
    plain = re.sub(r"\\.", "", made.removesuffix(f"[The item with all that stands in it|{URL}]"))
    assert not set("{}[]|!") & set(plain)
    assert "://" not in plain


@pytest.mark.parametrize("name", ["title", "severity", "findings", "subjects", "owner", "advice", "is_open", "places"])
def test_the_digest_changes_with_whatever_is_said(name: str) -> None:
    other: Any = {"findings": 3, "subjects": 2, "is_open": False, "places": ()}.get(name, "other")
    assert text(**{name: other}).digest != text().digest
    assert text().digest == text().digest


def test_a_closed_item_says_so_and_no_more() -> None:
    body = in_markdown(text(is_open=False, owner="@a"), mentions=True)
    assert "Nothing of this stands open any more" in body
    assert "a.py" not in body
    assert "@a" not in body


def test_many_places_are_counted() -> None:
    told = text(findings=500, places=tuple(Spot("s", f"{n}.py", "x") for n in range(MOST_PLACES + 9)))
    assert "and 480 more" in in_markdown(told, mentions=False)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("@ada", True),
        ("@org/web", True),
        ("@a/b/c", True),
        ("ada", False),
        ("@a b", False),
        ("@a\n/close", False),
        ("@@role", False),
        ("", False),
    ],
)
def test_only_handles_are_mentioned(name: str, is_one: bool) -> None:
    assert is_handle(name) is is_one
    assert (f"**Owner:** {name}\n" in in_markdown(text(owner=name), mentions=True)) is (is_one or name == "ada")


@pytest.mark.parametrize("tracker", [GitHubIssues(), GiteaIssues(), GitLabIssues()])
def test_an_issue_is_only_ours_when_the_marker_is_its_first_line(tracker: Any) -> None:
    """Somebody who quotes the marker in his own issue does not get ours."""
    name = "description" if isinstance(tracker, GitLabIssues) else "body"
    rows = [{"number": 1, "iid": 1, name: f"I saw {hidden('assaymark-1f')}"}, {"number": 2, "iid": 2, name: None}]
    pages = [rows, []]
    assert tracker.find(lambda _ask: pages.pop(0) if pages else [], Home("team/shop"), "assaymark-1f", "2026-01-01T00:00:00Z") is None


@pytest.mark.parametrize("repository", ["team/shop", "a b/../c", "team/shop?x=1", "ü/y"])
def test_names_of_repositories_cannot_leave_their_place_in_the_path(repository: str) -> None:
    asked: list[Ask] = []

    def send(ask: Ask) -> Any:
        asked.append(ask)
        return {"number": 1, "iid": 1}

    for tracker in (GitHubIssues(), GiteaIssues(), GitLabIssues()):
        tracker.make(send, Home(repository), text())
    assert all("?" not in ask.path and " " not in ask.path and ask.path.isascii() for ask in asked)
