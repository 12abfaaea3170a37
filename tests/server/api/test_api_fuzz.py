"""Schemathesis reads our own description and sends what it allows, and what it forbids, to every operation, as callers of several roles.

No answer is a 5xx, and every answer is one that the description tells. ``ASSAYMARK_FUZZ`` sets the number of examples per operation.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance
from starlette.requests import Request
from starlette.testclient import TestClient

from assaymark.model.access import GRANTS, Grant, Permission, PersonId, Principal, Role, TeamId
from assaymark.server import stream
from assaymark.server.api.openapi import Description
from assaymark.server.app import make_app, operations
from assaymark.server.service import Service
from assaymark.server.work import call as calling

from .conftest import seeded

LONG = "ASSAYMARK_FUZZ" in os.environ
EXAMPLES = int(os.environ.get("ASSAYMARK_FUZZ", "10"))
BASE = "http://127.0.0.1:8750"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]
DESCRIPTION = Description(operations())
SCHEMA = schemathesis.openapi.from_dict(json.loads(DESCRIPTION.data))
CALLERS = {
    "admin": Principal(PersonId(1), "admin", (Grant(Role.ADMIN),), session=1),
    "token": Principal(PersonId(1), "admin", (Grant(Role.ADMIN),), frozenset(GRANTS[Role.MAINTAINER]), token=1),
    "developer": Principal(PersonId(2), "ana", (Grant(Role.DEVELOPER, TeamId(1)),), session=2),
    "auditor": Principal(PersonId(2), "ana", (Grant(Role.AUDITOR),), session=2),
    "powerless": Principal(PersonId(2), "ana", (Grant(Role.VIEWER, TeamId(2)),), frozenset[Permission](), token=2),
    "nobody": None,
}


def identify(_service: Service, request: Request) -> Principal | None:
    return CALLERS[request.headers["x-caller"]]


def _no_such_name(*_arguments: Any, **_more: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
def client(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(stream, "LIFETIME", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", _no_such_name)
    wait_for = calling.wait_for
    monkeypatch.setattr(calling, "wait_for", lambda service, number, _seconds: wait_for(service, number, 0))
    with TestClient(make_app(seeded(service), identify=identify), base_url=BASE, raise_server_exceptions=True) as made:
        yield made


def _sent(client: TestClient, case: Any, caller: str) -> Any:
    """What the case says, byte for byte, through the application in this process."""
    prepared: Any = requests.Request(**case.as_transport_kwargs(base_url=f"{BASE}/api/v1")).prepare()
    headers = {name: value for name, value in prepared.headers.items() if name.lower() not in {"cookie", "authorization", "content-length"}}
    return client.request(prepared.method, prepared.url, content=prepared.body, headers=headers | {"x-caller": caller})


def _check_document(operation: Any, answer: Any) -> None:
    """Schemathesis's own check rewrites tuples of the description in place (4.32), so that it cannot read them afterwards."""
    if not answer.content or "json" not in answer.headers["content-type"]:
        return
    response = DESCRIPTION.document["paths"][operation.template][operation.method.lower()]["responses"][str(answer.status_code)]
    response = DESCRIPTION.document["components"]["responses"][response["$ref"].rpartition("/")[2]] if "$ref" in response else response
    schema = response["content"][answer.headers["content-type"].partition(";")[0]]["schema"]
    errors = jsonschema_rs.Draft202012Validator(schema | {"components": DESCRIPTION.document["components"]}).iter_errors(answer.json())
    assert [error.message for error in errors] == []


def _turns() -> Iterator[Any]:
    """Every operation on one of the two databases by turns, and on both in the long run."""
    for number, operation in enumerate(operations()):
        for database in ("sqlite", "postgresql") if LONG else (("sqlite", "postgresql")[number % 2],):
            yield pytest.param(database, operation, id=f"{operation.id}-{database}")


@pytest.mark.parametrize(("database_url", "operation"), list(_turns()), indirect=["database_url"])
def test_no_request_that_the_description_allows_or_forbids_breaks_the_server(client: TestClient, operation: Any) -> None:
    described = SCHEMA[operation.template][operation.method]
    cases = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]).flatmap(described.as_strategy)
    near = st.fixed_dictionaries({name: st.integers(0, 3) for name in operation.in_path})

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=EXAMPLES < 100, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases, st.none() | near, st.sampled_from(sorted(CALLERS)))
    def check(case: Any, known: dict[str, int] | None, caller: str) -> None:
        if known:
            case.path_parameters = known
        answer = _sent(client, case, caller)
        case.validate_response(answer, checks=CHECKS)
        _check_document(operation, answer)
        if CALLERS[caller] is None and not operation.public:
            assert answer.status_code in {400, 401, 413, 415}

    check()
