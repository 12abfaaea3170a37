"""Rules of Tekton about scripts: what is pasted into them, whose code they run, and what is switched off or cannot fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines.pasted import Pasted, pasted_flaws
from assaymark.checks.infrastructure.pipelines.pipeline_rules import HIGH, INFO, LOW, script_flaws, strangers_code_flaws, variable_flaws
from assaymark.checks.infrastructure.pipelines.tekton_document import EXPRESSION, STRANGERS, Resource, Tekton, written_parameters
from assaymark.checks.infrastructure.pipelines.vocabulary import SECURITY_JOB, is_false, is_true
from assaymark.checks.infrastructure.pipelines.walking import at, entries, text_at
from assaymark.checks.reading.yaml_tree import Scalar, scalar_text, scalars_below
from assaymark.checks.rulebook import Flaw

_PARAMETER = re.compile(r"(?:tt\.)?params(?:\.(?P<a>[\w.-]+)|\[['\"](?P<b>[^'\"]+)['\"]\])\Z")
_TLS_ON: Final = frozenset({"sslverify", "ssl_verify", "tlsverify", "tls_verify", "verify_ssl", "verify-ssl", "ssl-verify", "tls-verify"})
_TLS_OFF: Final = frozenset({"insecure", "skip-tls-verify", "skip_tls_verify", "insecure-skip-tls-verify", "insecure_registry"})


def scripts(file: Tekton) -> Iterator[Flaw]:
    """The rules about shell text, over every script of the file."""
    yield from script_flaws(file.scripts, file.lines, {}, EXPRESSION)


def expression_injection(file: Tekton) -> Iterator[Flaw]:
    """Text of an event, directly or through a parameter, is pasted into a script."""
    for resource in file.resources:

        def judge(name: str, resource: Resource = resource) -> Pasted | None:
            found = _PARAMETER.match(name)
            if STRANGERS.fullmatch(name) or (found and (found["a"] or found["b"]) in resource.foreign):
                return Pasted("expression-injection", "Whoever opens a pull request or pushes a commit", HIGH)
            return None

        yield from pasted_flaws((each for step in resource.steps for each in step.scripts), file.lines, EXPRESSION, judge)


def _free(resource: Resource) -> frozenset[str]:
    """Parameters of tasks that take any text; a fixed list of values is safe."""
    declared = [each for _, spec in resource.specs for each in entries(spec.get("params")) if at(each, "value") is None]
    return frozenset(text_at(each, "name") for each in declared if text_at(each, "type") in {"", "string"} and at(each, "enum") is None)


def parameter_pasted(file: Tekton) -> Iterator[Flaw]:
    """A parameter of a task that takes any text is pasted into a script: its caller decides which commands run."""
    for resource in file.resources:
        free = _free(resource) - resource.foreign

        def judge(name: str, free: frozenset[str] = free) -> Pasted | None:
            found = _PARAMETER.match(name)
            return Pasted("parameter-pasted", "Whoever starts the task", INFO) if found and (found["a"] or found["b"]) in free else None

        yield from pasted_flaws((each for step in resource.steps for each in step.scripts), file.lines, EXPRESSION, judge)


def strangers_code(file: Tekton) -> Iterator[Flaw]:
    """A pull request's code is fetched and run in the cluster."""
    for resource in file.resources:
        if resource.on_pull_request and _fetches(resource):
            for step in resource.steps:
                rights = any(at(each, "valueFrom", "secretKeyRef") is not None for each in entries(step.node.get("env")))
                for script in step.scripts:
                    yield from strangers_code_flaws(script, file.lines, rights=rights)


def _fetches(resource: Resource) -> bool:
    if "git-clone" in text_at(resource.annotations, "pipelinesascode.tekton.dev/task"):
        return True
    tasks = entries(at(resource.node, "spec", "pipelineSpec", "tasks"))
    return any("git-clone" in {scalar_text(node) for node in scalars_below(at(task, "taskRef"), set())} for task in tasks)


def verification_off(file: Tekton) -> Iterator[Flaw]:
    """A task is told not to compare certificates."""
    for resource in file.resources:
        for name, value in written_parameters(resource.node):
            plain = name.text.lower()
            if (plain in _TLS_ON and is_false(value)) or (plain in _TLS_OFF and is_true(value)):
                message = f"{name.text}={scalar_text(value)} makes the task take whoever answers for the right one"
                mild = None if plain.startswith("ssl") else LOW  # a registry inside the cluster is the usual other side
                yield Flaw("verification-off", resource.owner, f"params.{name.text}", message, name.span, mild)


def variable_switches(file: Tekton) -> Iterator[Flaw]:
    """Variables that switch verification off or address Docker in the clear."""
    for step in file.steps:
        for each in entries(step.node.get("env")):
            name, value = at(each, "name"), at(each, "value")
            if isinstance(name, Scalar) and isinstance(value, Scalar):
                yield from variable_flaws([(step.owner, f"{step.name}.env", name, value)])


def debug_enabled(file: Tekton) -> Iterator[Flaw]:
    """A run keeps a failed step open for a shell."""
    for resource in file.resources:
        node = at(resource.node, "spec", "debug")
        if node is not None and (at(node, "breakpoint") is not None or at(node, "breakpoints") is not None):
            message = "A failed step stays open for a shell, with its secrets and its service account"
            yield Flaw("debug-enabled", resource.owner, "debug", message, node.span)


def security_step_may_fail(file: Tekton) -> Iterator[Flaw]:
    """A step or task whose purpose is security is allowed to fail."""
    for step in file.steps:
        node = step.node.get("onError")
        name = text_at(step.node, "name")
        if isinstance(node, Scalar) and node.text == "continue" and (SECURITY_JOB.search(name) or SECURITY_JOB.search(step.owner)):
            message = f"{name or step.owner} may fail and the pipeline still passes"
            yield Flaw("security-step-may-fail", step.owner, f"{step.name}.onError", message, node.span)
