"""The description of the API: valid, whole, of the same words as the source, and the page that is made of it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import msgspec
import openapi_spec_validator
import pytest
from msgspec import Meta, Struct

from assaymark.model.access import Permission
from assaymark.server.api.arguments import without_none
from assaymark.server.api.openapi import Description
from assaymark.server.api.route import Call, Nothing, Page, Router, Upload
from assaymark.server.app import operations

from .conftest import Make

ROOT = Path(__file__).parents[3]
DESCRIBED = Description(operations())
ALL = operations()


def _page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("renew_api_reference", ROOT / "ci/renew_api_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_description_is_valid_openapi() -> None:
    openapi_spec_validator.validate(json.loads(DESCRIBED.data))


def test_a_running_server_gives_it_to_anybody_and_not_twice(make: Make) -> None:
    client = make().client
    answer = client.get("/api/v1/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads(DESCRIBED.data)
    assert client.get("/api/v1/openapi.json", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_the_reference_page_is_fresh() -> None:
    assert (ROOT / "docs/reference/api.md").read_text("utf-8") == _page().page(), "run: python ci/renew_api_reference.py"


@pytest.mark.parametrize("operation", ALL, ids=lambda each: each.id)
def test_an_operation_says_what_it_does_and_each_parameter_what_it_means(operation: Any) -> None:
    told = DESCRIBED.document["paths"][operation.template][operation.method.lower()]
    assert told["summary"].endswith("."), f"the first line of {operation.id}'s docstring is no sentence"
    assert [each["name"] for each in told.get("parameters", ()) if not each.get("description")] == []
    assert {each["name"] for each in told.get("parameters", ()) if each["in"] == "path"} == operation.in_path


@pytest.mark.parametrize("operation", [each for each in ALL if each.body not in (None, Upload)], ids=lambda each: each.id)
def test_the_example_of_a_document_is_one(operation: Any) -> None:
    told = DESCRIBED.document["paths"][operation.template][operation.method.lower()]
    msgspec.convert(told["requestBody"]["content"]["application/json"]["example"], without_none(operation.body), strict=True)


def test_what_needs_a_scope_names_it_and_nothing_is_public_by_accident() -> None:
    for operation in ALL:
        told = DESCRIBED.document["paths"][operation.template][operation.method.lower()]["security"]
        scopes = [] if operation.permission is None else [operation.permission.value]
        assert told == ([{}] if operation.public else [{"token": scopes}, {"session": scopes}])


# --- how types are told ----------------------------------------------------------------------------------------------


class Ship(Struct, frozen=True, forbid_unknown_fields=True):
    """What swims."""

    name: str
    """Painted
    on it."""
    length: Annotated[int, Meta(ge=1, le=400)] = 10
    tags: tuple[str, ...] = ()


class Boat(Ship, frozen=True, forbid_unknown_fields=True):
    oars: int = 2
    """How many."""


router = Router("ships")


@router.add("GET", "/ships", Permission.SUBJECTS_READ)
def list_ships(call: Call, size: Annotated[int | None, Meta(description="How big.")] = None, limit: int = 50) -> Page[Boat]:
    """Ships.

    In the order of their launch.
    """
    raise NotImplementedError


@router.add("GET", "/words", None, public=True)
def list_words(call: Call) -> Page[str]:
    """Words."""
    raise NotImplementedError


@router.add("POST", "/ships/{id}/files", None, status=202)
def add_file(call: Call, id: int, body: Upload) -> Nothing:  # noqa: A002
    """Add a file."""
    raise NotImplementedError


@router.add("PUT", "/ships/{id}", None)
def put_ship(call: Call, id: int, body: Boat | None) -> Boat:  # noqa: A002
    """Put a ship."""
    raise NotImplementedError


TOLD = Description(router.operations).document


def test_generics_members_and_bounds_read_well() -> None:
    openapi_spec_validator.validate(json.loads(msgspec.json.encode(TOLD)))
    schemas = TOLD["components"]["schemas"]
    assert set(schemas) == {"Boat", "BoatPage", "StrPage", "Problem"}
    boat = schemas["Boat"]["properties"]
    assert boat["name"]["description"] == "Painted on it."
    assert boat["oars"]["description"] == "How many."
    assert (boat["length"]["minimum"], boat["length"]["maximum"]) == (1, 400)
    assert (boat["oars"]["minimum"], boat["oars"]["maximum"]) == (-(2**63), 2**63 - 1)
    assert schemas["BoatPage"]["properties"]["items"]["items"] == {"$ref": "#/components/schemas/Boat"}


def test_parameters_have_types_defaults_and_meanings() -> None:
    size, limit = TOLD["paths"]["/ships"]["get"]["parameters"]
    assert size["description"] == "How big."
    assert size["required"] is False
    assert size["schema"]["type"] == "integer"
    assert limit["schema"] == {"type": "integer", "default": 50, "minimum": 1, "maximum": 200}
    assert TOLD["paths"]["/ships/{id}"]["put"]["parameters"][0]["required"] is True


def test_answers_and_documents_are_told() -> None:
    post, put = TOLD["paths"]["/ships/{id}/files"]["post"], TOLD["paths"]["/ships/{id}"]["put"]
    assert "content" not in post["responses"]["202"]
    assert [each["name"] for each in post["parameters"]] == ["id", "Idempotency-Key"]
    assert list(post["requestBody"]["content"]) == ["*/*"]
    assert put["requestBody"]["required"] is False
    assert "415" in put["responses"]
    assert "304" in TOLD["paths"]["/ships"]["get"]["responses"]
    assert TOLD["paths"]["/ships"]["get"]["description"] == "In the order of their launch."
