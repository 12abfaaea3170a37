"""Policy documents of AWS (IAM, and those of buckets, queues, topics, keys, repositories) as statements.

Guarantees: a document is read alike whether written as text, with ``jsonencode`` or as ``aws_iam_policy_document``; parts that are not
known are in no statement's words.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from assaymark.checks.infrastructure.iac.modules import Module, Scope
from assaymark.checks.infrastructure.iac.resources import View
from assaymark.checks.infrastructure.iac.values import MISSING, UNKNOWN, Encoded, Missing, Unknown, Value, decoded

MOST_STATEMENTS = 500


class Statement(Struct, frozen=True):
    """One statement; what is not known is left out of the lists and said by `vague`."""

    allows: bool
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    """Of every kind; ``*`` for everybody."""
    federated: tuple[str, ...] = ()
    any_not_principal: bool = False
    conditions: tuple[str, ...] = ()
    """The condition keys, lower case."""
    vague: bool = False

    @property
    def conditional(self) -> bool:
        return bool(self.conditions)

    def may(self, action: str) -> bool:
        """Whether an action, e.g. ``iam:PassRole``, is among those named, wild cards included."""
        return any(_fits(each.lower(), action.lower()) for each in self.actions)


def _fits(pattern: str, action: str) -> bool:
    if "*" not in pattern:
        return pattern == action
    head, _, tail = pattern.partition("*")
    return action.startswith(head) and ("*" in tail or (action.endswith(tail) and len(action) >= len(head) + len(tail)))


def statements(document: Value) -> list[Statement]:
    """The statements of a document; none when it can't be read."""
    if type(document) in (str, Unknown, Encoded):
        document = decoded(document)
    if type(document) is not dict:
        return []
    rows = _key(document, "statement")
    return [_statement(row) for row in (rows if type(rows) is list else [rows])[:MOST_STATEMENTS] if type(row) is dict]


def _key(row: dict[str, Value], name: str) -> Value:
    return next((value for key, value in row.items() if key.lower() == name), MISSING)


def _statement(row: dict[str, Value]) -> Statement:
    lists = {name: _texts(_key(row, name)) for name in ("action", "notaction", "resource")}
    principals, federated, vague = _principals(_key(row, "principal"))
    condition = _key(row, "condition")
    return Statement(
        allows=_key(row, "effect") == "Allow",
        actions=lists["action"][0],
        not_actions=lists["notaction"][0],
        resources=lists["resource"][0],
        principals=principals,
        federated=federated,
        any_not_principal=not isinstance(_key(row, "notprincipal"), Missing),
        conditions=tuple(_condition_keys(condition)),
        vague=vague or any(found[1] for found in lists.values()),
    )


def _texts(value: Value) -> tuple[tuple[str, ...], bool]:
    items = value if type(value) is list else [] if isinstance(value, Missing) else [value]
    return tuple(item for item in items if type(item) is str), any(type(item) is Unknown for item in items)


def _principals(value: Value) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    if type(value) is str:
        return (value,), (), False
    if type(value) is not dict:
        return (), (), type(value) is Unknown
    names: list[str] = []
    federated: list[str] = []
    vague = False
    for kind, given in value.items():
        texts, unknown = _texts(given)
        vague = vague or unknown
        names += texts
        federated += texts if kind == "Federated" else ()
    return tuple(names), tuple(federated), vague


def _condition_keys(value: Value) -> Iterator[str]:
    if type(value) is dict:
        for row in value.values():
            yield from (key.lower() for key in row) if type(row) is dict else ("?",)
    elif not isinstance(value, Missing):
        yield "?"


def document_of(module: Module, name: str) -> Value:
    """What ``data.aws_iam_policy_document.<name>.json`` holds."""
    blocks = module.declared.resources.get(("data", "aws_iam_policy_document", name))
    if not blocks:
        return UNKNOWN
    view = View(blocks[0], Scope(module))
    return Encoded({"Statement": [_of_block(block) for block in view.blocks("statement")]})


def _of_block(view: View) -> dict[str, Value]:
    made: dict[str, Value] = {"Effect": view.get("effect") if view.attribute("effect") else "Allow"}
    for name, key in (("actions", "Action"), ("not_actions", "NotAction"), ("resources", "Resource"), ("not_resources", "NotResource")):
        value = view.get(name)
        if not isinstance(value, Missing):
            made[key] = value
    for name, key in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        rows = view.blocks(name)
        if rows:
            made[key] = _of_principals(rows)
    conditions = view.blocks("condition")
    if conditions:
        made["Condition"] = {
            str(number): {each.get("variable") if type(each.get("variable")) is str else "?": each.get("values")}
            for number, each in enumerate(conditions)
        }
    return made


def _of_principals(rows: list[View]) -> Value:
    made: dict[str, Value] = {}
    for row in rows:
        kind, names = row.get("type"), row.get("identifiers")
        if kind == "*":
            return "*"
        if type(kind) is str:
            made[kind] = [*made.get(kind, []), *(names if type(names) is list else [names])]
    return made
