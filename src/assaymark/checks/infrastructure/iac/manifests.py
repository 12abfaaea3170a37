"""The user's policies over Kubernetes manifests and Dockerfiles: one file, one input.

A manifest's document is the object as it would be sent (``resource.spec.replicas``); a Dockerfile's is its instructions in order
(``resource.instructions.exists(i, i.name == 'USER')``). Guarantees: aliases are followed within a bound; text that is no manifest is left
alone, and counted; what looks like one and can't be read is unchecked.
Does not render templates of Helm or Kustomize.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import CheckId, Layer, Span

if TYPE_CHECKING:
    from assaymark.checks.policies.files import UserPolicy
    from assaymark.checks.reading.yaml_tree import Node
    from assaymark.checks.rulebook import Flaw

_ID = CheckId("manifest-policies")
_DOCKERFILE = re.compile(r"(?:^|/)(?:(?:Dockerfile|Containerfile)(?:\.[^/]+)?|[^/]+\.(?:[Dd]ockerfile|[Cc]ontainerfile))\Z")
_MANIFEST = re.compile(rb"^(?=.*^kind:)(?=.*^apiVersion:)", re.MULTILINE | re.DOTALL)
_HEREDOC = re.compile(r"<<-?[\"']?(\w+)")
_NUMBER = re.compile(r"[-+]?\d{1,15}\Z")
_DECIMAL = re.compile(r"[-+]?\d{1,15}\.\d{1,15}\Z")
_WORDS: dict[str, Any] = {"true": True, "True": True, "false": False, "False": False, "null": None, "Null": None, "~": None, "": None}
_DEEPEST = 60
_MOST_VALUES = 20_000


class ManifestPolicies:
    """See the module."""

    id = _ID
    layer = Layer.INFRASTRUCTURE
    unit = UnitKind.BLOB
    version = "1"

    def __init__(self, policies: Sequence[UserPolicy], asked: str) -> None:
        self._policies = tuple(policies)
        self._asked = asked
        self._targets = {target.partition(":")[0] for policy in policies for target in policy.applies_to}

    def knowledge(self) -> str:
        """What the policies say."""
        return digest_of([_ID, self._asked])

    def select(self, path: str) -> Dialect | None:
        """Names of the kinds that some policy is about."""
        if "dockerfile" in self._targets and _DOCKERFILE.search(path):
            return Dialect("dockerfile")
        return Dialect("manifest") if "kubernetes" in self._targets and path.endswith((".yaml", ".yml")) else None

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        for each in inputs:
            yield each.digest, self._judge(each)

    def _judge(self, each: Input) -> Outcome:
        from assaymark.checks.reading.yaml_tree import Unreadable, decode  # noqa: PLC0415
        from assaymark.checks.rulebook import Rule, bounded, sightings  # noqa: PLC0415

        if each.dialect == "manifest" and not _MANIFEST.search(each.content):
            return Checked(skipped="other-format")
        examine = _manifest if each.dialect == "manifest" else _dockerfile
        rules = {policy.id: Rule(policy.severity, policy.confidence, policy.fix, ()) for policy in self._policies}
        undecided: list[int] = []
        try:
            text = decode(each.content)
            flaws = bounded(examine(text, self._policies, undecided))
        except Unreadable as why:
            return Unchecked(why.reason_class, why.reason, why.line)
        return Checked(sightings=sightings(_ID, rules, flaws, text.split("\n")), undecided=len(undecided))


def make(settings: CheckSettings) -> ManifestPolicies:
    """The check of the user's policies that are about manifests and Dockerfiles.

    Raises:
        PolicyInvalid: when a file of policies is wrong.
    """
    if not settings.policies:
        return ManifestPolicies((), "")
    from assaymark.checks.policies.files import knowledge, read  # noqa: PLC0415  few have policies

    mine = [policy for policy in read(settings.policies) if not all(target.startswith("terraform:") for target in policy.applies_to)]
    return ManifestPolicies(mine, knowledge(settings.policies))


def _manifest(text: str, policies: Sequence[UserPolicy], undecided: list[int]) -> Iterator[Flaw]:
    from assaymark.checks.policies.evaluation import judge  # noqa: PLC0415
    from assaymark.checks.reading.yaml_tree import documents  # noqa: PLC0415
    from assaymark.checks.rulebook import Flaw  # noqa: PLC0415

    for tree in documents(text):
        for node, resource in _objects(tree, _Values().plain(tree)):
            kind, name = resource.get("kind"), (resource.get("metadata") or {}).get("name")
            about = [policy for policy in policies if policy.is_about("kubernetes", str(kind))]
            address = f"{kind}/{name if isinstance(name, str) else ''}"
            for answer in judge(about, {"resource": resource, "type": str(kind), "name": str(name), "address": address}):
                if answer.holds is None:
                    undecided.append(1)
                elif not answer.holds:
                    place = _place(node, answer.policy.attribute)
                    yield Flaw(answer.policy.id, address, "", f"{address}: {answer.policy.message}", place)


def _objects(node: Node, value: Any) -> Iterator[tuple[Node, dict[str, Any]]]:
    """The object, or those of a ``List``."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        return
    rows = value.get("items")
    if value["kind"] == "List" and isinstance(rows, list):
        for row in rows:
            yield from _objects(node, row)
        return
    if isinstance(value.get("metadata") or {}, dict):
        yield node, value


class _Values:
    """Turns nodes into values."""

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def plain(self, node: Node, depth: int = 0) -> Any:
        """The value of a node; keys that are no text are left out, and so is ``null``.

        Raises:
            Unreadable: when there is too much of it.
        """
        from assaymark.checks.reading.yaml_tree import Items, Scalar, Unreadable  # noqa: PLC0415

        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise Unreadable("complexity", "the manifest is too large for policies; split it")
        if isinstance(node, Scalar):
            return _scalar(node.text, node.style, node.tag)
        if isinstance(node, Items):
            return [self.plain(each, depth + 1) for each in node.entries]
        pairs = ((key.text, self.plain(value, depth + 1)) for key, value in node.named())
        return {key: value for key, value in pairs if value is not None}


def _scalar(text: str, style: str, tag: str) -> Any:
    if style or tag:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.match(text):
        return int(text)
    return float(text) if _DECIMAL.match(text) else text


def _place(node: Node, attribute: str) -> Span:
    from assaymark.checks.reading.yaml_tree import Keyed  # noqa: PLC0415

    for step in attribute.split(".") if attribute else ():
        inner = node.get(step) if isinstance(node, Keyed) else None
        if inner is None:
            break
        node = inner
    return node.span


def _dockerfile(text: str, policies: Sequence[UserPolicy], undecided: list[int]) -> Iterator[Flaw]:
    from assaymark.checks.policies.evaluation import judge  # noqa: PLC0415
    from assaymark.checks.rulebook import Flaw  # noqa: PLC0415

    rows = list(_instructions(text))
    about = [policy for policy in policies if policy.is_about("dockerfile", "")]
    document = {
        "resource": {"instructions": [{"name": name, "value": value} for name, value, _ in rows]},
        "type": "dockerfile",
        "name": "",
        "address": "dockerfile",
    }
    for answer in judge(about, document):
        if answer.holds is None:
            undecided.append(1)
        elif not answer.holds:
            line = next((line for name, _, line in reversed(rows) if name == answer.policy.attribute.upper()), 1)
            yield Flaw(answer.policy.id, "dockerfile", "", answer.policy.message, Span(line, 1, line, 2))


def _instructions(text: str) -> Iterator[tuple[str, str, int]]:
    """(name, arguments, line) of each instruction; continued lines are joined, bodies of here-documents left out."""
    whole, begun, until = "", 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if until:
            until = "" if bare == until else until
            continue
        if not bare or bare.startswith("#"):
            continue
        begun = begun or number
        whole = f"{whole} {bare.rstrip(chr(92))}".strip()
        if bare.endswith("\\"):
            continue
        name, _, rest = whole.partition(" ")
        heredoc = _HEREDOC.search(rest)
        until = heredoc[1] if heredoc else ""
        yield name.upper(), rest.strip(), begun
        whole, begun = "", 0
