"""Requests held against a forge's published description (OpenAPI 3.0 or Swagger 2), and answers made from it.

Stricter than the description where it is silent: a query parameter or a field of a body that it does not name is a mistake, whatever
`additionalProperties` would allow. An answer has what the description requires and nothing else, so that a reader may rely on no more.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import jsonschema_rs
import yaml

VARIABLE = "ASSAYMARK_FORGE_DESCRIPTIONS"
ORIGINALS = {
    "github": "https://github.com/github/rest-api-description (also in the package @octokit/openapi: generated/api.github.com.json)",
    "gitlab": "doc/api/openapi/openapi_v3.yaml of https://gitlab.com/gitlab-org/gitlab",
    "gitea": "https://gitea.com/swagger.v1.json, or /swagger.v1.json of any Gitea or Forgejo",
    "jira": "https://developer.atlassian.com/cloud/jira/platform/swagger-v3.v3.json",
}
_JSON = "application/json"


class Asked(NamedTuple):
    """A request as it came; names of headers in small letters."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Operation(NamedTuple):
    template: str
    said: Mapping[str, Any]
    values: Mapping[str, str]
    """Of the path's parameters."""


def load(kind: str) -> Description | None:
    """From the first folder of the variable that has it, as ``<kind>.json`` or ``<kind>.yaml``: a whole original or a part of it."""
    for folder in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        for file in (Path(folder) / f"{kind}.json", Path(folder) / f"{kind}.yaml"):
            if file.is_file():
                text = file.read_text("utf-8")
                return Description(json.loads(text) if file.suffix == ".json" else yaml.load(text, Loader=yaml.CSafeLoader))
    return None


class Description:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.is_swagger = document.get("swagger") == "2.0"
        self.base = "/api/v1" if self.is_swagger else ""
        """Gitea's own is a template."""

    def operation(self, method: str, path: str) -> Operation | None:
        """The most literal path that fits."""
        found: list[tuple[int, Operation]] = []
        inner = path.removeprefix(self.base)
        for template, item in self.document["paths"].items():
            names = re.findall(r"\{([^}]+)\}", template)
            fits = re.fullmatch(re.sub(r"\\\{[^}]+\\\}", "([^/]+)", re.escape(template)), inner)
            if fits and method.lower() in item and path.startswith(self.base):
                values = {name: unquote(value) for name, value in zip(names, fits.groups(), strict=True)}
                found.append((len(names), Operation(template, item | item[method.lower()], values)))
        return min(found, key=lambda each: each[0])[1] if found else None

    def mistakes(self, asked: Asked) -> list[str]:
        """What the description does not allow."""
        where = f"{asked.method} {asked.path}"
        operation = self.operation(asked.method, asked.path)
        if operation is None:
            return [f"{where}: there is no such operation"]
        found = [*self._parameters(operation, asked), *self._credential(asked), *self._body(operation, asked)]
        return [f"{where}: {each}" for each in found]

    def answer(self, operation: Operation, rows: list[dict[str, Any]] | dict[str, Any]) -> tuple[int, Any]:
        """The first good answer, with the given values in it; it is held against the description as well."""
        code = next(code for code in sorted(operation.said["responses"]) if code.startswith("2") and code != "204")
        schema = self._good(self._resolved(operation.said["responses"][code]))
        if schema is None:
            return int(code), rows
        if isinstance(rows, list) and self._resolved(schema).get("type") == "array":
            schema = self._resolved(schema)["items"]
        # GitLab describes some lists by what is in them.
        made = [self._filled(schema, row) for row in rows] if isinstance(rows, list) else self._filled(schema, rows)
        for each in made if isinstance(made, list) else [made]:
            wrong = [f"{error.instance_path}: {error.message}" for error in self._validator(schema).iter_errors(each)]
            assert not wrong, f"the stand-in's own answer to {operation.template}: {wrong}"
        return int(code), made

    # --- parts ---------------------------------------------------------------------------------------------------------

    def parameters(self, operation: Operation) -> list[Mapping[str, Any]]:
        return [self._resolved(each) for each in operation.said.get("parameters", [])]

    def body_schema(self, operation: Operation) -> Mapping[str, Any] | None:
        if self.is_swagger:
            return next((each["schema"] for each in self.parameters(operation) if each["in"] == "body"), None)
        content = self._resolved(operation.said.get("requestBody", {})).get("content", {})
        return content[_JSON]["schema"] if _JSON in content else None

    def resolved_body(self, operation: Operation) -> Mapping[str, Any]:
        return self._resolved(self.body_schema(operation) or {})

    def _parameters(self, operation: Operation, asked: Asked) -> Iterator[str]:
        query = dict(parse_qsl(asked.query, keep_blank_values=True, strict_parsing=bool(asked.query)))
        parameters = self.parameters(operation)
        for name in set(query) - {each["name"] for each in parameters if each["in"] == "query"}:
            yield f"the query has {name!r}, which is not described"
        for each in parameters:
            given = {"path": operation.values, "query": query}.get(each["in"], {})
            if each["in"] not in ("path", "query"):
                continue
            if each["name"] not in given:
                if each.get("required"):
                    yield f"{each['in']} lacks {each['name']!r}"
                continue
            schema = each.get("schema", {key: each[key] for key in ("type", "enum", "format") if key in each})
            value = _typed(given[each["name"]], self._resolved(schema).get("type"))
            for error in self._validator(schema).iter_errors(value):
                yield f"{each['name']}: {error.message}"

    def _credential(self, asked: Asked) -> Iterator[str]:
        schemes = self.document.get("securityDefinitions") or self.document.get("components", {}).get("securitySchemes") or {}
        given = asked.headers.get("authorization", "")
        for scheme in schemes.values():
            if scheme["type"] == "http" and given.lower().startswith(f"{scheme.get('scheme', 'bearer').lower()} "):
                return
            is_there = scheme["type"] == "apiKey" and scheme["in"] == "header" and asked.headers.get(scheme["name"].lower())
            if is_there and ('prepended with "token"' not in scheme.get("description", "") or given.startswith("token ")):
                return
        if not schemes and given.startswith("Bearer "):  # GitHub describes its credentials in prose only
            return
        yield "it shows no credential in a described way"

    def _body(self, operation: Operation, asked: Asked) -> Iterator[str]:
        schema = self.body_schema(operation)
        if not asked.body:
            needed = self._resolved(operation.said.get("requestBody", {})).get("required", False)
            if needed:
                yield "it has no body"
            return
        if schema is None:
            yield "it has a body, which is not described"
            return
        if asked.headers.get("content-type", "").partition(";")[0] != _JSON:
            yield "its body is not declared as JSON"
        body = json.loads(asked.body)
        for error in self._validator(schema).iter_errors(body):
            yield f"body{error.instance_path}: {error.message}"
        known = self._resolved(schema).get("properties", {})
        for name in set(body) - set(known):
            yield f"its body has {name!r}, which is not described"

    def _good(self, response: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return response.get("schema") if self.is_swagger else response.get("content", {}).get(_JSON, {}).get("schema")

    def _resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in node:
            target: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def _filled(self, schema: Mapping[str, Any], values: Any) -> Any:
        """The least value that a schema allows, with the given ones."""
        schema = self._resolved(schema)
        if schema.get("nullable") and values is None:
            return None
        if "properties" in schema or schema.get("type") == "object":
            given = values if isinstance(values, dict) else {}
            names = [*schema.get("required", []), *(name for name in given if name not in schema.get("required", []))]
            parts = schema.get("properties", {})
            return {name: self._filled(parts[name], given.get(name)) if name in parts else given[name] for name in names}
        if values is not None:
            return values
        for several in ("oneOf", "anyOf", "allOf"):
            if several in schema:
                return self._filled(schema[several][0], None)
        if "enum" in schema:
            return schema["enum"][0]
        texts = {"date-time": "2026-01-01T00:00:00Z", "uri": "https://forge.example/x", "email": "ada@example.org"}
        return {"integer": 1, "number": 1.0, "boolean": False, "array": []}.get(
            schema.get("type", ""), texts.get(schema.get("format", ""), "x")
        )

    def _validator(self, schema: Mapping[str, Any]) -> jsonschema_rs.Draft4Validator:
        known: dict[str, Any] = {}
        return jsonschema_rs.Draft4Validator({"allOf": [self._plain(schema, known)], "definitions": known}, validate_formats=True)

    def _plain(self, node: Any, known: dict[str, Any]) -> Any:
        """As JSON Schema: its references gathered, `nullable` spelt out."""
        if isinstance(node, list):
            return [self._plain(each, known) for each in node]
        if not isinstance(node, Mapping):
            return node
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            if name not in known:
                known[name] = {}
                known[name] = self._plain(self._resolved(node), known)
            return {"$ref": f"#/definitions/{name}"}
        made = {
            key: {name: self._plain(each, known) for name, each in value.items()} if key == "properties" else self._plain(value, known)
            for key, value in node.items()
            if key not in ("example", "examples", "default", "nullable", "discriminator")
        }
        return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") else made


def _typed(text: str, kind: Any) -> Any:
    if kind == "array":
        return text.split(",")
    if kind == "integer" and re.fullmatch(r"-?[0-9]+", text):
        return int(text)
    return {"true": True, "false": False}.get(text, text) if kind == "boolean" else text
