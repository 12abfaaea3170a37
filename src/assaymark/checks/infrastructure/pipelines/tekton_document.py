"""Tekton resources of a file, with the tasks that are written in them and the texts that strangers reach.

Names of parameters that carry foreign text are followed within one resource: from an expression of Pipelines-as-Code or a trigger's body
through ``params`` of the run to ``$(params.name)`` in a step. Across files nothing is followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from assaymark.checks.infrastructure.pipelines.scripts import Script, script
from assaymark.checks.infrastructure.pipelines.walking import at, entries, text_at
from assaymark.checks.infrastructure.pipelines.yaml_check import OtherFormat
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, documents, scalar_text, scalars_below

_KINDS: Final = frozenset({"Task", "ClusterTask", "TaskRun", "Pipeline", "PipelineRun", "StepAction"})
_TRIGGERS: Final = frozenset({"TriggerTemplate", "EventListener", "Trigger", "TriggerBinding", "ClusterTriggerBinding"})
_SHEBANG = re.compile(r"\A\s*#!\s*(?:/usr/bin/env\s+(?:-S\s+)?)?(?:\S*/)?(\w+)")
_SHELLS: Final = frozenset({"sh", "bash", "ash", "dash", "ksh", "zsh"})
_PARAMETER = re.compile(r"\$\((?:tt\.)?params\.([\w.-]+)\)")
EXPRESSION: Final = re.compile(
    r"(?:\$\(|\{\{)\s{0,20}(?P<name>(?<=\{)[^{}\n]{1,200}?|(?:tt\.)?params(?:\.[\w.-]+|\[['\"][^'\"\n]{1,100}['\"]\])(?:\[\*\])?"
    r"|(?:body|extensions|header|context|tasks|workspaces|inputs|results|step|steps)\.[\w.\[\]'\"-]+)\s{0,20}(?:\)|\}\})"
)
"""What Tekton and Pipelines-as-Code replace in a text."""
STRANGERS: Final = re.compile(
    r"body\.(?:.*\.)?(?:title|body|message|ref|head_ref|name|email|label|description|default_branch)|source_branch|trigger_comment"
    r"|pull_request_labels|body\.head_commit\.\w+"
)
_HOPS = 10


class Step(Struct, frozen=True, eq=False):
    """A step, sidecar or template of steps."""

    owner: str
    name: str
    node: Keyed
    scripts: tuple[Script, ...]


class Resource(Struct, frozen=True, eq=False):
    """One resource of the file, or one that a trigger makes."""

    kind: str
    name: str
    node: Keyed
    specs: tuple[tuple[str, Keyed], ...]
    """Every spec of a task in it, with its owner."""
    steps: tuple[Step, ...]
    foreign: frozenset[str]
    """Parameters whose text strangers reach, as far as this resource tells."""

    @property
    def owner(self) -> str:
        return f"{self.kind}/{self.name}" if self.name else self.kind

    @property
    def annotations(self) -> Node | None:
        return at(self.node, "metadata", "annotations")

    @property
    def on_pull_request(self) -> bool:
        """Pipelines-as-Code starts it for pull requests."""
        prefix = "pipelinesascode.tekton.dev/"
        texts = [text_at(self.annotations, prefix + name) for name in ("on-event", "on-cel-expression", "on-comment")]
        return "pull_request" in texts[0] or "pull_request" in texts[1] or bool(texts[2])


class Tekton(Struct, frozen=True, eq=False):
    """The whole file."""

    resources: tuple[Resource, ...]
    lines: tuple[str, ...]

    @property
    def steps(self) -> Iterator[Step]:
        return (step for resource in self.resources for step in resource.steps)

    @property
    def scripts(self) -> Iterator[Script]:
        return (each for step in self.steps for each in step.scripts)


def read(text: str) -> Tekton:
    """The file.

    Raises:
        Unreadable: when it is no YAML or passes a limit.
        OtherFormat: when no resource of it is one that we know.
    """
    walk = _Walk()
    found = [resource for root in documents(text) for resource in walk.resources(root)]
    if not found:
        raise OtherFormat
    return Tekton(tuple(found), tuple(text.split("\n")))


class _Walk:
    """Goes through a file once; nothing is entered twice."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._scalars: set[int] = set()

    def resources(self, root: Node) -> Iterator[Resource]:
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if id(node) in self._seen:
                continue
            self._seen.add(id(node))
            if isinstance(node, Items):
                waiting.extend(reversed(node.entries))
            if not isinstance(node, Keyed):
                continue
            kind = text_at(node, "kind")
            if kind == "List":
                waiting.extend(reversed(entries(node.get("items"))))
            elif "tekton.dev/" in text_at(node, "apiVersion") and kind in _KINDS | _TRIGGERS:
                yield self._resource(kind, node)
                waiting.extend(reversed(entries(at(node, "spec", "resourcetemplates"))))

    def _resource(self, kind: str, node: Keyed) -> Resource:
        name = text_at(node, "metadata", "name") or text_at(node, "metadata", "generateName").rstrip("-")
        owner = f"{kind}/{name}" if name else kind
        specs = tuple(_specs(owner, node)) if kind in _KINDS else ()
        steps = tuple(step for place, spec in specs for step in self._steps(place, spec))
        return Resource(kind, name, node, specs, steps, _foreign(node))

    def _steps(self, owner: str, spec: Keyed) -> Iterator[Step]:
        parts = [("steps", each) for each in entries(spec.get("steps"))] + [("sidecars", each) for each in entries(spec.get("sidecars"))]
        parts += [("stepTemplate", each) for each in entries(spec.get("stepTemplate"))]
        if spec.get("script") is not None or spec.get("image") is not None:
            parts.append(("step", spec))
        for key, node in parts:
            if isinstance(node, Keyed) and id(node) not in self._seen:
                self._seen.add(id(node))
                name = text_at(node, "name")
                shown = f"{key}[{name}]" if name else key
                yield Step(owner, shown, node, tuple(self._scripts(owner, shown, node)))

    def _scripts(self, owner: str, name: str, node: Keyed) -> Iterator[Script]:
        text = node.get("script")
        if isinstance(text, Scalar):
            yield from script(owner, f"{name}.script", text, self._scalars, _language(text.text))
        command = [scalar_text(each) for each in entries(node.get("command"))]
        arguments = [each for each in entries(node.get("args")) if isinstance(each, Scalar)]
        if command and command[0].rpartition("/")[2] in _SHELLS and arguments:
            shell = arguments[-1] if command[-1] == "-c" or (len(arguments) > 1 and arguments[0].text == "-c") else None
            yield from script(owner, f"{name}.args", shell, self._scalars)


def _language(text: str) -> str:
    found = _SHEBANG.match(text)
    return "sh" if found is None or found[1] in _SHELLS else found[1]


def _specs(owner: str, node: Keyed) -> Iterator[tuple[str, Keyed]]:
    spec = node.get("spec")
    places = [(owner, spec), (owner, at(spec, "taskSpec"))]
    for part in (spec, at(spec, "pipelineSpec")):
        for key in ("tasks", "finally"):
            places += [(f"{owner}/{text_at(task, 'name')}", at(task, "taskSpec")) for task in entries(at(part, key))]
    yield from ((place, found) for place, found in places if isinstance(found, Keyed))


def written_parameters(node: Keyed) -> Iterator[tuple[Scalar, Node]]:
    """Every parameter that a run, a task of a pipeline or a reference is given: name and value."""
    spec = node.get("spec")
    holders = [spec, *entries(at(spec, "taskRef")), *entries(at(spec, "pipelineRef"))]
    for part in (spec, at(spec, "pipelineSpec")):
        for key in ("tasks", "finally"):
            holders += entries(at(part, key))
    for holder in holders:
        for each in entries(at(holder, "params")):
            name, value = at(each, "name"), at(each, "value")
            if isinstance(name, Scalar) and value is not None:
                yield name, value


def _foreign(node: Keyed) -> frozenset[str]:
    """Fixed point over what parameters are made of; a chain is followed for ten hops."""
    made: dict[str, list[str]] = {}
    for name, value in written_parameters(node):
        made.setdefault(name.text, []).extend(each.text for each in scalars_below(value, set()))
    found = {name for name, texts in made.items() if any(_from_strangers(text) for text in texts)}
    for _ in range(_HOPS):
        more = {name for name, texts in made.items() if any(_PARAMETER.search(text) and _names(text) & found for text in texts)}
        if more <= found:
            break
        found |= more
    return frozenset(found)


def _from_strangers(text: str) -> bool:
    return any(STRANGERS.fullmatch(found["name"].strip()) for found in EXPRESSION.finditer(text) if found.group().startswith("{{"))


def _names(text: str) -> set[str]:
    return {found[1] for found in _PARAMETER.finditer(text)}
