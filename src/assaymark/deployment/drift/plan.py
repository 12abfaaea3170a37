"""Infrastructure as code: what ``terraform show -json`` says there is, compared with the last desired state that was endorsed.

Desired is a plan (its planned values) or a state; observed is a state, or a plan (the state that it found when it refreshed). A plan alone
tells what was changed behind its back (``resource_drift``). Formats: JSON output of Terraform and OpenTofu, major version 1.

Guarantees: what the plan did not know yet is not compared (and null is as good as absent), everything else is, also a resource that nobody
asked for; a value that is marked as sensitive on either side is never told, only that it differs; perimeter and identity weigh most, then
storage, and an opening to everybody weighs most everywhere. What the provider itself does not read back is not seen, nor is a resource that
no state knows of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from msgspec import Struct

from assaymark.deployment.drift.drifted import Drift, Weight
from assaymark.deployment.drift.lines import NOTHING
from assaymark.deployment.drift.stance import Found
from assaymark.errors import UsageError

SECRET = "(sensitive)"  # noqa: S105 - stands for one
_DEEPEST = 40
_HOW = "write it by: terraform show -json PLAN-OR-NOTHING > FILE"
_CRITICAL = re.compile(
    r"security_?group|firewall|network_acl|_nacl|_nsg|route|gateway|subnet|vpc|vnet|virtual_network|public_ip|_eip\b|_lb\b|_lb_|_alb|_elb"
    r"|load_?balancer|listener|_waf|cloudfront|_cdn|front_?door|dns|_zone|peering|vpn|ingress|network_policy|endpoint"
    r"|iam|_role|_policy|_user|_group_|service_account|access_key|kms|key_vault|secret|identity|cognito|azuread|oauth|certificate|_acm|_key\b"
)
_HIGH = re.compile(
    r"s3|bucket|storage|_db|rds|dynamo|sql|redshift|elasticache|redis|_ebs|_efs|volume|disk|snapshot|backup|cosmos|bigquery|spanner"
)
_WORDS = re.compile(r"(tags|tags_all|labels|description|comment)\b")
_EVERYBODY = ("0.0.0.0/0", "::/0", "allUsers", "allAuthenticatedUsers", '"*"', "public-read")


class Resource(Struct, frozen=True):
    """One that is managed."""

    address: str
    type: str
    values: Mapping[str, Any]
    sensitive: Any = None
    """Of the shape of the values, True where one must not be told."""
    unknown: Any = None
    """Likewise, where the plan did not know yet."""


class Snapshot(Struct, frozen=True):
    """All of them, by address."""

    resources: Mapping[str, Resource]
    planned: bool = False
    """What is not there was not known yet."""


def desired(data: bytes, name: str) -> Snapshot:
    """What there should be.

    Raises:
        UsageError: when it is neither a plan nor a state.
    """
    found = _read(data, name)
    if "planned_values" not in found:
        return Snapshot(_listed(found.get("values"), name))
    changes = {each["address"]: each["change"] for each in _rows(found, "resource_changes") if isinstance(each.get("change"), dict)}
    listed = _listed(found["planned_values"], name)
    return Snapshot({address: _planned(each, changes.get(address, {})) for address, each in listed.items()}, planned=True)


def observed(data: bytes, name: str) -> Snapshot:
    """What there is.

    Raises:
        UsageError: when it is neither a state nor a plan that looked.
    """
    found = _read(data, name)
    if "planned_values" in found:
        prior = found.get("prior_state")
        if not isinstance(prior, dict):
            raise UsageError(f"{name} does not say what there is", why="the plan holds no prior state", advice="plan with refreshing")
        return Snapshot(_listed(prior.get("values"), name))
    return Snapshot(_listed(found.get("values"), name))


def behind(data: bytes, name: str) -> tuple[Snapshot, Snapshot]:
    """What a plan says was changed outside of it: before and after.

    Raises:
        UsageError: when it is no plan.
    """
    found = _read(data, name)
    if "planned_values" not in found and "resource_drift" not in found:
        raise UsageError(
            f"{name} is no plan", why="it does not say what was changed behind it", advice="name the desired state too: --desired"
        )
    sides: tuple[dict[str, Resource], dict[str, Resource]] = ({}, {})
    for each in _rows(found, "resource_drift"):
        change, address = each.get("change"), each["address"]
        for side, which in zip(sides, ("before", "after"), strict=True):
            values = change.get(which) if isinstance(change, dict) else None
            if isinstance(values, dict) and each.get("mode", "managed") == "managed":
                side[address] = Resource(
                    address, str(each.get("type", "")), values, cast("dict[str, Any]", change).get(f"{which}_sensitive")
                )
    return Snapshot(sides[0]), Snapshot(sides[1])


def drifts(expected: Snapshot, seen: Snapshot, drift: Callable[[Found], Drift]) -> tuple[Drift, ...]:
    """Every difference, heaviest first."""
    found = []
    for address in sorted(expected.resources.keys() | seen.resources.keys()):
        wanted, there = expected.resources.get(address), seen.resources.get(address)
        found += [drift(each) for each in _compared(address, wanted, there, planned=expected.planned)]
    order = list(Weight)
    return tuple(sorted(found, key=lambda each: (order.index(each.weight), each.what)))


# --- comparing -------------------------------------------------------------------------------------------------------


def _compared(address: str, wanted: Resource | None, there: Resource | None, *, planned: bool) -> Iterator[Found]:
    if wanted is None and there is not None:
        yield Found(address, "added", NOTHING, there.type, _weight(there.type, ""))
    elif there is None and wanted is not None:
        yield Found(address, "removed", wanted.type, NOTHING, _weight(wanted.type, ""))
    elif wanted is not None and there is not None:
        marks = (wanted.sensitive, there.sensitive, wanted.unknown)
        for path, before, after in _values(wanted.values, there.values, marks, planned=planned):
            weight = Weight.CRITICAL if _opens(before, after) else _weight(wanted.type, path)
            yield Found(f"{address}{path}", "resource", before, after, weight)


Marks = tuple[Any, Any, Any]


def _values(one: Any, other: Any, marks: Marks, path: str = "", *, planned: bool) -> Iterator[tuple[str, str, str]]:
    if marks[2] is True or _text(one) == _text(other):  # Python takes 1 for true
        return
    if marks[0] is True or marks[1] is True:
        yield path, SECRET, SECRET
    elif isinstance(one, dict) and isinstance(other, dict) and path.count(".") < _DEEPEST:
        for name in sorted(one.keys() | other.keys()):
            if name not in one and planned:
                continue  # not known when it was planned
            yield from _values(one.get(name), other.get(name), _inner(marks, name), f"{path}.{name}", planned=planned)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other) and any(isinstance(each, dict) for each in one):
        for number, (before, after) in enumerate(zip(one, other, strict=True)):
            yield from _values(before, after, _inner(marks, number), f"{path}[{number}]", planned=planned)
    elif any(map(_holds_mark, marks)):
        yield path, SECRET, SECRET
    else:
        yield path, _text(one), _text(other)


def _inner(marks: Marks, name: str | int) -> Marks:
    one, two, three = (_at(mark, name) for mark in marks)
    return one, two, three


def _at(mark: Any, name: str | int) -> Any:
    if isinstance(mark, dict) and isinstance(name, str):
        return mark.get(name)
    if isinstance(mark, list) and isinstance(name, int) and name < len(mark):
        return mark[name]
    return None


def _holds_mark(mark: Any) -> bool:
    if isinstance(mark, dict):
        return any(map(_holds_mark, mark.values()))
    return any(map(_holds_mark, mark)) if isinstance(mark, list) else mark is True


def _text(value: Any) -> str:
    return NOTHING if value is None else json.dumps(_set(value), sort_keys=True)


def _set(value: Any) -> Any:
    """Without what is null, which is as good as not there."""
    if isinstance(value, dict):
        return {name: _set(each) for name, each in value.items() if each is not None}
    return [_set(each) for each in value] if isinstance(value, list) else value


def _weight(kind: str, path: str) -> Weight:
    words = bool(_WORDS.match(path.lstrip(".")))
    if _CRITICAL.search(kind):
        return Weight.MEDIUM if words else Weight.CRITICAL
    if words:
        return Weight.LOW
    return Weight.HIGH if _HIGH.search(kind) else Weight.MEDIUM


def _opens(before: str, after: str) -> bool:
    return any(each in after and each not in before for each in _EVERYBODY)


# --- reading ---------------------------------------------------------------------------------------------------------


def _read(data: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(data, object_pairs_hook=_object, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is no JSON", why=str(error), advice=_HOW) from error
    if isinstance(found, dict) and isinstance(found.get("resources"), list) and "version" in found:
        raise UsageError(f"{name} is a state file", why="its format is Terraform's own and changes", advice=_HOW)
    if not isinstance(found, dict) or not str(found.get("format_version", "")).startswith("1."):
        raise UsageError(f"{name} is neither a plan nor a state of format 1", advice=_HOW)
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _number(text: str) -> float | int:
    """A whole number is one, however it is written."""
    found = float(text)
    return int(found) if found.is_integer() else found


def _listed(values: Any, name: str) -> dict[str, Resource]:
    """Of all modules; an empty state has none."""
    found: dict[str, Resource] = {}
    modules = [values.get("root_module", {})] if isinstance(values, dict) else []
    while modules:
        module = modules.pop()
        if not isinstance(module, dict):
            raise UsageError(f"{name} is no plan or state", why="a module of it is no object", advice=_HOW)
        inner = module.get("child_modules", [])
        modules += inner if isinstance(inner, list) else [inner]
        for each in _rows(module, "resources"):
            if each.get("mode", "managed") == "managed" and isinstance(each.get("values"), dict):
                found[each["address"]] = Resource(each["address"], str(each.get("type", "")), each["values"], each.get("sensitive_values"))
    return found


def _rows(found: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = found.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(each, dict) and isinstance(each.get("address"), str) for each in rows):
        raise UsageError("this is no plan or state", why=f"{name} is no list of resources with addresses", advice=_HOW)
    return rows


def _planned(resource: Resource, change: Mapping[str, Any]) -> Resource:
    return Resource(resource.address, resource.type, resource.values, resource.sensitive, change.get("after_unknown"))
