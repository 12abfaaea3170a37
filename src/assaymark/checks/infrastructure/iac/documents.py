"""A resource as a document for the user's policies.

Attributes are values, nested blocks are lists of objects (``resource.versioning[0].enabled``), JSON texts are what they hold. What is not
known stands as `UNSETTLED`; what is ``null`` is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from assaymark.checks.infrastructure.iac.resources import Found, Resource, View, resources_of
from assaymark.checks.infrastructure.iac.values import Encoded, Missing, Unknown, Value
from assaymark.checks.infrastructure.iac.world import Hit, World, missing
from assaymark.checks.policies.evaluation import UNSETTLED, judge
from assaymark.checks.policies.files import UserPolicy

DEEPEST = 20


def broken(world: World, policies: Sequence[UserPolicy]) -> Iterator[Hit | None]:
    """A hit per policy and resource that breaks it; None where that is not known.

    Raises:
        Unreadable: when a policy can't be evaluated.
    """
    for kind, names in world.module.declared.by_type.items():
        for mode in sorted({mode for mode, _ in names}):
            about = [policy for policy in policies if policy.is_about("terraform", f"data.{kind}" if mode == "data" else kind)]
            for resource in resources_of(world.module, kind, mode) if about else ():
                for answer in judge(about, document_of(resource)):
                    if answer.holds is None:
                        yield None
                    elif not answer.holds:
                        yield Hit(answer.policy.id, resource, "", _place(resource, answer.policy.attribute), message=answer.policy.message)


def _place(resource: Resource, attribute: str) -> Found:
    return resource.find(attribute)[0] if attribute else missing(resource.view)


def document_of(resource: Resource) -> dict[str, Any]:
    """The variables of an expression."""
    return {
        "resource": _of_view(resource.view, 0),
        "type": resource.kind,
        "name": resource.name,
        "address": resource.address,
    }


def _of_view(view: View, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name in view.block.body.attributes:
        value = view.get(name)
        if not isinstance(value, Missing):
            made[name] = _plain(value, depth + 1)
    if depth < DEEPEST:
        for kind in view.kinds():
            made[kind] = [_of_view(inner, depth + 1) for inner in view.blocks(kind)]
    return made


def _plain(value: Value, depth: int) -> Any:
    if type(value) is Unknown or depth > DEEPEST:
        return UNSETTLED
    if type(value) is Encoded:
        return _plain(value.value, depth + 1)
    if type(value) is list:
        return [_plain(each, depth + 1) for each in value]
    if type(value) is dict:
        return {key: _plain(each, depth + 1) for key, each in value.items() if each is not None}
    return value
