"""Each request to a forge is one that it publishes; the originals are compared in `acceptance`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.feedback.forge_facts import FACTS, Fact

from assaymark.feedback.forges.ask import Ask, Target
from assaymark.feedback.forges.send import FORGES
from assaymark.feedback.message import Status, StatusState
from assaymark.triggers.discovery.forges import LISTINGS

TARGET = Target("team/shop", "42", "a" * 40, 7)
CREDENTIALS = {"github": ("authorization", "Bearer t"), "gitlab": ("private-token", "t"), "gitea": ("authorization", "token t")}


def _fact(kind: str, method: str, path: str) -> Fact:
    found = [fact for fact in FACTS[kind] if fact.method == method and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", fact.path), path)]
    assert len(found) == 1, (method, path)
    return found[0]


def check(kind: str, ask: Ask) -> None:
    fact = _fact(kind, ask.method, ("/api/v4" if kind == "gitlab" else "") + ask.path)
    _check_query(fact, ask.query)
    body = ask.body or {}
    assert set(body) <= set(fact.fields)
    assert fact.required <= set(body)
    for name, value in body.items():
        assert type(value) is fact.fields[name]
        assert name not in fact.words or value in fact.words[name]


def _check_query(fact: Fact, query: Mapping[str, str]) -> None:
    assert set(query) <= set(fact.query)
    for name, value in query.items():
        assert value in fact.words.get(name, {value})
        if fact.query[name] is int:
            assert value.isdecimal()
        if fact.query[name] is bool:
            assert value in ("true", "false")


def _requests(kind: str) -> Sequence[Ask]:
    forge = FORGES[kind]
    marks = [forge.status(TARGET, Status(state, "said", "https://assay.example/changes/1")) for state in StatusState]
    return [*marks, forge.comments(TARGET, 1), forge.comments(TARGET, 2), forge.create(TARGET, "text"), forge.update(TARGET, "5", "text")]


@pytest.mark.parametrize("kind", FACTS)
def test_every_request_is_one_that_the_forge_publishes(kind: str) -> None:
    for ask in _requests(kind):
        check(kind, ask)


@pytest.mark.parametrize("kind", FACTS)
def test_every_list_of_repositories_is_one_that_the_forge_publishes(kind: str) -> None:
    base = "/api/v4" if kind == "gitlab" else ""
    starts = LISTINGS[kind].starts(f"https://forge.example{base}", "team")
    assert len(starts) == 2
    for start in starts:
        parts = urlsplit(start)
        _check_query(_fact(kind, "GET", parts.path), dict(parse_qsl(parts.query)))


@pytest.mark.parametrize("kind", FACTS)
def test_the_credential_is_shown_as_the_forge_wants_it(kind: str) -> None:
    name, value = CREDENTIALS[kind]
    assert {key.lower(): given for key, given in FORGES[kind].headers("t").items()}[name] == value


def test_only_what_belongs_to_a_group_is_asked_for_at_gitlab() -> None:
    start, _ = LISTINGS["gitlab"].starts("https://forge.example/api/v4", "team/sub")
    query = dict(parse_qsl(urlsplit(start).query))
    assert query["with_shared"] == "false"
    assert query["include_subgroups"] == "true"
