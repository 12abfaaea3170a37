"""The description of the API in OpenAPI 3.1, made of the same operations that the router serves.

Guarantees: every operation, parameter, document and answer of the running server is in it, with the scope that it needs; the same release
describes itself in the same bytes. It says nothing of an installation, so anybody may read it.
"""

from __future__ import annotations

import inspect
import sys
from functools import cached_property
from typing import Any

import msgspec
from starlette.responses import Response

import assaymark
from assaymark.server.api.arguments import LIMIT, MOST_ITEMS, Parameter, parameters_of, without_none
from assaymark.server.api.examples import example_of
from assaymark.server.api.meanings import meaning_of
from assaymark.server.api.refusals import PROBLEMS, Told, told_of
from assaymark.server.api.route import Nothing, Operation, Upload
from assaymark.server.api.schemas import Schemas
from assaymark.server.people.cookies import Cookie
from assaymark.server.problem import KIND, Problem

PREFIX = "/api/v1"
JSON = "application/json"
EVENTS = "text/event-stream"


class Description:
    """The description of some operations."""

    def __init__(self, operations: list[Operation]) -> None:
        self.operations = operations
        self._parameters = {each.id: parameters_of(each) for each in operations}
        self._place: dict[tuple[str, str], int] = {}

    @cached_property
    def _schemas(self) -> Schemas:
        """Made when somebody asks: reading the source costs more than a server's first request may wait for."""
        kinds: list[Any] = [Problem]
        for operation in self.operations:
            for name, kind in self._kinds_of(operation):
                self._place[operation.id, name] = len(kinds)
                kinds.append(kind)
        return Schemas(kinds)

    def _kinds_of(self, operation: Operation) -> list[tuple[str, Any]]:
        found = [(f"?{each.name}", each.kind) for each in self._parameters[operation.id]]
        if operation.body not in (None, Upload):
            found.append(("body", without_none(operation.body)))
        if _has_document(operation):
            found.append(("result", operation.result))
        return found

    def _schema(self, operation: Operation, name: str) -> dict[str, Any]:
        schemas = self._schemas
        return dict(schemas[self._place[operation.id, name]])

    @cached_property
    def data(self) -> bytes:
        """As JSON."""
        return msgspec.json.encode(self.document)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The whole description."""
        paths: dict[str, Any] = {}
        for operation in sorted(self.operations, key=lambda each: each.template):
            paths.setdefault(operation.template, {})[operation.method.lower()] = self.operation(operation)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Assaymark",
                "version": assaymark.__version__,
                "summary": "Everything that the pages of an Assaymark server do.",
                "description": _ABOUT,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": PREFIX, "description": "of the same host"}],
            "tags": self.tags(),
            "paths": paths,
            "components": {
                "securitySchemes": _security_schemes(),
                "schemas": self._schemas.components,
                "responses": {each.name: _problem(each) for each in PROBLEMS.values()},
            },
        }

    def tags(self) -> list[dict[str, str]]:
        """One per subject matter, with the first line of its module."""
        tags: dict[str, str] = {}
        for each in self.operations:
            about = inspect.getdoc(sys.modules[each.run.__module__]) or ""
            tags.setdefault(each.tag, about.partition("\n\n")[0].replace("\n", " "))
        return [{"name": name, "description": said} for name, said in sorted(tags.items())]

    def operation(self, operation: Operation) -> dict[str, Any]:
        """One operation."""
        made: dict[str, Any] = {"operationId": operation.id, "tags": [operation.tag], "summary": operation.summary}
        if operation.description:
            made["description"] = operation.description
        parameters = [self.parameter(operation, each) for each in self._parameters[operation.id]]
        if operation.idempotent:
            parameters.append(_IDEMPOTENCY)
        if parameters:
            made["parameters"] = parameters
        body = self.body(operation)
        if body is not None:
            made["requestBody"] = body
        made["responses"] = {str(operation.status): self.answer(operation)}
        made["responses"] |= {str(each.status): {"$ref": f"#/components/responses/{each.name}"} for each in told_of(operation)}
        if operation.method == "GET" and operation.produces == JSON:
            made["responses"]["304"] = {"description": "The caller has it already (`If-None-Match`)."}
        if operation.produces == EVENTS:
            made["responses"]["204"] = {"description": "The client has seen the end (`Last-Event-ID`)."}
        made["responses"] = dict(sorted(made["responses"].items()))
        scopes = [] if operation.permission is None else [operation.permission.value]
        made["security"] = [{}] if operation.public else [{"token": scopes}, {"session": scopes}]
        return made

    def parameter(self, operation: Operation, parameter: Parameter) -> dict[str, Any]:
        """A parameter of the path or the query."""
        schema = self._schema(operation, f"?{parameter.name}")
        said = meaning_of(parameter, schema.pop("description", ""))
        if parameter.name == LIMIT:
            schema |= {"minimum": 1, "maximum": MOST_ITEMS}
        if parameter.plain is int:
            schema.pop("format", None)
        if not parameter.is_required and parameter.default not in (None, (), ""):
            schema["default"] = msgspec.to_builtins(parameter.default, order="sorted")
        place = "path" if parameter.is_path else "query"
        return {"name": parameter.name, "in": place, "required": parameter.is_required, "description": said, "schema": schema}

    def body(self, operation: Operation) -> dict[str, Any] | None:
        """The document of a request."""
        if operation.body is None:
            return None
        if operation.body is Upload:
            said = f"A document of at most {operation.most_bytes} bytes."
            return {"required": True, "description": said, "content": {"*/*": {"schema": {}}}}
        schema = self._schema(operation, "body")
        example = example_of(schema, self._schemas.components)
        is_required = without_none(operation.body) == operation.body
        return {"required": is_required, "content": {JSON: {"schema": schema, "example": example}}}

    def answer(self, operation: Operation) -> dict[str, Any]:
        """What comes when it could be done."""
        headers = {"X-Request-Id": {"description": "Id of the request, as in the server's log.", "schema": {"type": "string"}}}
        if not _has_document(operation):
            if operation.result in (None, Nothing, type(None)):
                return {"description": "Done.", "headers": headers}
            return {"description": "Done.", "headers": headers, "content": _written(operation.produces)}
        if operation.method == "GET":
            headers["ETag"] = {
                "description": "The state that was answered, for `If-None-Match` and `If-Match`.",
                "schema": {"type": "string"},
            }
        return {"description": "Done.", "headers": headers, "content": {JSON: {"schema": self._schema(operation, "result")}}}


def _has_document(operation: Operation) -> bool:
    result = operation.result
    if result in (None, Nothing, type(None)):
        return False
    return not (isinstance(result, type) and issubclass(result, Response))


def _problem(told: Told) -> dict[str, Any]:
    example = Problem(
        title=told.title, status=told.status, type=f"https://assay.example.org/problems/{told.code}", request="4f1d2c3b5a697887"
    )
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": msgspec.to_builtins(example)}
    return {"description": told.text, "content": {KIND: content}}


def _security_schemes() -> dict[str, Any]:
    return {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of a person, cut down to its scopes, until it expires."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": Cookie.SESSION.value,
            "description": "Set by signing in; named `__Host-` and this by HTTPS. Changes need to come from the server's own pages.",
        },
    }


_TEXT = {"type": "string"}


def _written(produces: str) -> dict[str, Any]:
    """What a handler writes itself: text, or one of several kinds, of which those in JSON have a schema of their own elsewhere."""
    kinds = produces.split(", ")
    return {kind: {"schema": {} if len(kinds) > 1 and kind.endswith("json") else _TEXT} for kind in kinds}


_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A random text: the same request with the same key is done once and answered again, for a day.",
    "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
}
_ABOUT = (
    "Errors are `application/problem+json` (RFC 9457). Lists are pages: give `next` as `after` until it is null. Answers to GET have an "
    "entity tag. Limits of requests are told by `RateLimit` and `RateLimit-Policy`. Instants are microseconds since 1970 in UTC. The "
    "scopes that stand at each operation are what a token, and a role in at least one team, must have."
)
