"""What somebody is told who asks for what is not there, or for what makes no sense."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from assaymark.model.access import Grant, PersonId, Principal, Role
from assaymark.server.app import make_app
from assaymark.server.service import Service


def identify(_service: Service, _request: Request) -> Principal | None:
    return Principal(PersonId(1), "ada", (Grant(Role.ADMIN),))


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(make_app(service, identify=identify), base_url=service.settings.url) as made:
        yield made


def page(client: TestClient, path: str) -> tuple[int, str]:
    answer = client.get(path, headers={"accept": "text/html"})
    return answer.status_code, answer.text


def test_a_browser_at_an_address_that_is_none_gets_a_page_with_the_way_back(client: TestClient) -> None:
    status, text = page(client, "/nothere")
    assert status == 404
    assert "There is nothing at this address" in text
    assert 'href="/"' in text


@pytest.mark.parametrize("path", ["/api/v1/nothere", "/hooks/nothere", "/static/nothere.css"])
def test_a_program_gets_a_problem(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert "text/html" not in answer.headers.get("content-type", "")


@pytest.mark.parametrize("path", ["/posture", "/findings"])
def test_a_day_that_is_yet_to_come_is_refused(client: TestClient, path: str) -> None:
    status, text = page(client, f"{path}?as_of=2999-01-01")
    assert status == 400
    assert "lies ahead" in text


@pytest.mark.parametrize(("name", "known"), [("severity", "critical"), ("kind", "secret"), ("layer", "platform"), ("state", "open")])
def test_a_choice_that_is_unknown_is_answered_with_those_that_are(client: TestClient, name: str, known: str) -> None:
    status, text = page(client, f"/findings?{name}=terrible")
    assert status == 400
    assert name in text
    assert known in text
