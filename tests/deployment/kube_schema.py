"""Kubernetes' published description of its API, as a judge of what is sent and what is answered."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs
from msgspec import Struct

from assaymark.deployment.drivers.kubernetes.client import Answer, Call

DOCUMENT = json.loads((Path(__file__).parent / "kubernetes_api_schema.json").read_text("utf-8"))
_STATUS = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"
_DELETE = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"


class Operation(Struct, frozen=True):
    method: str
    pattern: str
    query: frozenset[str]
    bodies: frozenset[str]
    kind: str

    def finds(self, call: Call) -> bool:
        return call.method == self.method and re.fullmatch(self.pattern, urlsplit(call.path).path) is not None


OPERATIONS = tuple(
    Operation(
        each["method"],
        re.sub(r"\{\w+\}", "[a-z0-9][a-z0-9.-]*", each["path"]),
        frozenset(each["query"]),
        frozenset(each["bodies"]),
        each["object"],
    )
    for each in DOCUMENT["operations"]
)


@cache
def _judge(kind: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({"$defs": DOCUMENT["$defs"], "$ref": f"#/$defs/{kind}"})


def wrong_object(kind: str, document: Any) -> str:
    """What the description says against an object; a name that it does not know is an error."""
    return "; ".join(f"{kind}: {'/'.join(map(str, each.instance_path))}: {each.message}" for each in _judge(kind).iter_errors(document))[
        :600
    ]


def operation(call: Call) -> Operation:
    """The one that a call is; an assertion where the API has no such call."""
    found = [each for each in OPERATIONS if each.finds(call)]
    assert len(found) == 1, f"the API has no {call.method} {call.path}"
    return found[0]


def check_call(call: Call) -> Operation:
    found = operation(call)
    query = dict(parse_qsl(urlsplit(call.path).query, keep_blank_values=True, strict_parsing=bool(urlsplit(call.path).query)))
    assert query.keys() <= found.query, f"{call.method} {call.path}: the API knows no {set(query) - found.query}"
    if call.body:
        assert call.content_type in found.bodies, f"{call.method} {call.path}: {call.content_type} is no body of it"
    if call.method == "POST":
        assert (wrong := wrong_object(found.kind, json.loads(call.body))) == "", wrong
    if call.method == "DELETE" and call.body:
        assert (wrong := wrong_object(_DELETE, json.loads(call.body))) == "", wrong
    return found


def check_answer(found: Operation, answer: Answer) -> None:
    document = json.loads(answer.body)
    kind = found.kind if answer.status < 300 else _STATUS
    if found.method == "DELETE" and document.get("kind") == "Status":
        kind = _STATUS
    assert (wrong := wrong_object(kind, document)) == "", wrong
