"""Write docs/reference/api.md anew from the operations of the server. A test compares; run this after a route was added or changed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from assaymark.server.api.openapi import Description
from assaymark.server.api.refusals import PROBLEMS
from assaymark.server.app import operations

FILE = Path(__file__).resolve().parents[1] / "docs/reference/api.md"
HEAD = """# API

Generated from the server's own operations by `python ci/renew_api_reference.py`; a running server gives the same as OpenAPI 3.1 at
`/api/v1/openapi.json`. Everything that the pages do can be done here.

## Rules for all operations

* **Address.** All paths stand below `/api/v1`. The server answers only requests for its own name (`ASSAYMARK_URL`) and loopback.
* **Who.** `Authorization: Bearer <token>`, or the cookie of a session. A change that is asked for with a session must come from the
  server's own pages (`Sec-Fetch-Site`, `Origin`). No other site may read answers: there is no CORS.
* **May he.** Each operation names a scope. A token needs it, and its owner a role that has it in at least one team; lists show what he
  may see, and what he may not see is answered with 404.
* **Documents** are JSON in UTF-8 with `Content-Type: application/json`. Numbers have at most 64 bits; text holds no U+0000. A parameter
  that an operation does not know is refused, as is one that is given twice where one is meant.
* **Pages.** `limit` (1 to 200) rows, then `next`, which goes into `after` unread; null at the end. There are no page numbers.
* **States.** Answers to `GET` have an `ETag`; `If-None-Match` gives 304. A change with `If-Match` is made only if the `GET` of the same
  path still answers that state (412 otherwise; `*` means that it is there). Two changes in the same moment both pass where an operation
  cannot look again inside its transaction.
* **Repetition.** A `POST` with `Idempotency-Key` is done once per person and key: sent again, it is answered again with
  `Idempotent-Replayed: true` for a day; with another document it is refused (422); while the first one runs, too (409). What failed may
  be tried again with the same key.
* **Limits.** `RateLimit-Policy` and `RateLimit` say how many requests are left; 429 comes with `Retry-After`. Counted are a token, a
  person's sessions together, or the address of whoever is nobody. The count is kept by each server process for itself.
* **Errors** are `application/problem+json`: `title`, `status`, `type` (its last part is stable), `detail`, `advice`, and `request`, the
  id that also stands in `X-Request-Id` and in the log.
* **Times** are microseconds since 1970 in UTC.

| status | `type` | when |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    described = Description(operations())
    document = json.loads(described.data)
    rows = [f"| {each.status} | `{each.code}` | {each.text} |" for each in PROBLEMS.values()]
    rows += [
        "| 405 | `method-not-allowed` | The path has other methods; `Allow` names them. |",
        "| 414 | `target-too-long` | Path and query have more than 16 KiB. |",
        "| 431 | `headers-too-large` | More than 100 header fields, or more than 32 KiB of them. |",
    ]
    parts = [HEAD + "\n".join(rows)]
    for tag in document["tags"]:
        parts.append(f"## {tag['name'].capitalize()}\n\n{tag['description']}")
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    parts.append(_operation(method, path, operation))
    parts.append("## Documents")
    parts += [_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return "\n\n".join(parts) + "\n"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    lines = [f"### `{method.upper()} {path}`", "", operation["summary"]]
    if "description" in operation:
        lines += ["", operation["description"]]
    lines += ["", f"{_who(operation)}{_answer(operation)}"]
    parameters = [each for each in operation.get("parameters", []) if each["in"] != "header"]
    if parameters:
        lines += ["", "| parameter | in | type | meaning |", "|---|---|---|---|"]
        lines += [_parameter(each) for each in parameters]
    body = operation.get("requestBody")
    if body and "application/json" in body["content"]:
        content = body["content"]["application/json"]
        shown = json.dumps(content["example"], indent=2, ensure_ascii=False)
        lines += ["", f"Document: {_type(content['schema'])}, e.g.", "", "```json", shown, "```"]
    elif body:
        lines += ["", f"Document: {body['description']}"]
    return "\n".join(lines)


def _parameter(each: dict[str, Any]) -> str:
    needed = " (needed)" if each["required"] else ""
    kind = _type(each["schema"]) + _default(each["schema"])
    return f"| `{each['name']}`{needed} | {each['in']} | {kind} | {each.get('description', '')} |"


def _who(operation: dict[str, Any]) -> str:
    security = operation["security"]
    if security == [{}]:
        return "For everybody."
    scopes = security[0]["token"]
    return f"Scope `{scopes[0]}`." if scopes else "For everybody who is known."


def _answer(operation: dict[str, Any]) -> str:
    status = next(each for each in operation["responses"] if each[0] in "23")
    content = operation["responses"][status].get("content", {})
    if not content:
        return f" Answers {status}."
    if len(content) > 1:
        return f" Answers {status}: {', '.join(f'`{kind}`' for kind in content)}."
    kind, media = next(iter(content.items()))
    told = _type(media["schema"]) if kind == "application/json" else f"`{kind}`"
    return f" Answers {status}: {told}."


def _schema(name: str, schema: dict[str, Any]) -> str:
    lines = [f"### {name}"]
    if schema.get("description"):
        lines += ["", schema["description"]]
    if "enum" in schema:
        return "\n".join([*lines, "", "One of " + ", ".join(f"`{each}`" for each in schema["enum"]) + "."])
    needed = schema.get("required", ())
    if schema.get("properties"):
        lines += ["", "| member | type | meaning |", "|---|---|---|"]
        lines += [
            f"| `{member}`{'' if member in needed else ' (may lack)'} | {_type(each)}{_default(each)} | {each.get('description', '')} |"
            for member, each in schema["properties"].items()
        ]
    return "\n".join(lines)


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    return _plain(schema, schema.get("type", "anything"))


def _plain(schema: dict[str, Any], kind: str) -> str:
    if kind == "array" and "prefixItems" in schema:
        return "(" + ", ".join(_type(each) for each in schema["prefixItems"]) + ")"
    if kind == "array" and isinstance(schema.get("items"), dict):
        return f"list of {_type(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    if kind == "integer" and schema.get("maximum", 1 << 63) < 1 << 62:
        return f"integer from {schema['minimum']} to {schema['maximum']}"
    return "list" if kind == "array" else str(kind)


def _default(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    return "" if value in (None, [], "") else f", `{json.dumps(value)}`"


if __name__ == "__main__":
    FILE.write_text(page(), "utf-8")
