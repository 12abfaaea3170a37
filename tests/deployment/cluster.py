"""As much of an API server as evaluates a ValidatingAdmissionPolicy, over the same library of CEL that the product has.

What Kubernetes has beyond that library (`substring`, `split`, `join`) is given here as its documentation describes it. Rules, selectors,
conditions, parameters that are missing, failure policies and actions are followed as `k8s.io/apiserver` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cel
from msgspec import Struct


class Answer(Struct, frozen=True):
    allowed: bool
    matched: bool
    messages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def _context(**variables: Any) -> Any:
    made = cel.Context()
    made.add_function("substring", lambda text, start, end=None: text[start:end])
    made.add_function("split", lambda text, separator: text.split(separator))
    made.add_function("join", lambda texts, separator: separator.join(texts))
    for name, value in variables.items():
        made.add_variable(name, value)
    return made


class Cluster:
    """With a policy, its bindings and ConfigMaps."""

    def __init__(self, policy: Mapping[str, Any], bindings: Sequence[Mapping[str, Any]], maps: Sequence[Mapping[str, Any]]) -> None:
        self.policy, self.bindings = policy["spec"], bindings
        self.maps = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in maps}
        self.variables = [(each["name"], cel.compile(each["expression"])) for each in self.policy["variables"]]
        self.validations = [(cel.compile(each["expression"]), each) for each in self.policy["validations"]]

    def admit(self, request: Mapping[str, Any]) -> Answer:
        """What becomes of an AdmissionReview's request."""
        if not self._matches(request):
            return Answer(allowed=True, matched=False)
        denied: list[str] = []
        warned: list[str] = []
        for binding in self.bindings:
            spec = binding["spec"]
            if not _selected(spec["matchResources"]["namespaceSelector"], request["namespace"]):
                continue
            reference = spec["paramRef"]
            params = self.maps.get((reference["namespace"], reference["name"]))
            if params is None:
                assert reference["parameterNotFoundAction"] == "Deny"
                if self.policy["failurePolicy"] == "Fail":  # whatever the binding's actions say
                    denied.append("failed to configure binding: no params found")
                continue
            for told in self._told(request, params):
                if "Deny" in spec["validationActions"]:
                    denied.append(told)
                if "Warn" in spec["validationActions"]:
                    warned.append(told)
        return Answer(not denied, True, tuple(denied), tuple(warned))

    def _matches(self, request: Mapping[str, Any]) -> bool:
        resource, sub = request["resource"], request.get("subResource", "")
        name = f"{resource['resource']}/{sub}" if sub else resource["resource"]
        constraints = self.policy["matchConstraints"]
        rules = any(
            resource["group"] in rule["apiGroups"]
            and resource["version"] in rule["apiVersions"]
            and name in rule["resources"]
            and request["operation"] in rule["operations"]
            for rule in constraints["resourceRules"]
        )
        if not rules or not _selected(constraints["namespaceSelector"], request["namespace"]):
            return False
        conditions = self.policy.get("matchConditions", [])
        return all(cel.evaluate(each["expression"], _context(request=request)) for each in conditions)

    def _told(self, request: Mapping[str, Any], params: Mapping[str, Any]) -> list[str]:
        scope: dict[str, Any] = {"object": request["object"], "oldObject": request["oldObject"], "request": request, "params": params}
        variables: dict[str, Any] = {}
        try:
            for name, program in self.variables:
                variables[name] = program.execute(_context(**scope, variables=variables))
            context = _context(**scope, variables=variables)
            failed = [each for program, each in self.validations if program.execute(context) is not True]
            return [cel.evaluate(each["messageExpression"], context) if "messageExpression" in each else each["message"] for each in failed]
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            return [f"expression failed: {error}"] if self.policy["failurePolicy"] == "Fail" else []


def _selected(selector: Mapping[str, Any], namespace: str) -> bool:
    """All namespaces bear their name as a label, which nobody can change."""
    (expression,) = selector["matchExpressions"]
    assert (expression["key"], expression["operator"]) == ("kubernetes.io/metadata.name", "NotIn")
    return namespace not in expression["values"]
