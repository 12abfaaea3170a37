"""Rules of Azure Pipelines about scripts: what Azure pastes into them, what they reveal, and whose code they run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines.azure_document import Azure, Job, written_variables
from assaymark.checks.infrastructure.pipelines.pasted import Pasted, pasted_flaws
from assaymark.checks.infrastructure.pipelines.pipeline_rules import HIGH, LOW, script_flaws, strangers_code_flaws, variable_flaws
from assaymark.checks.infrastructure.pipelines.scripts import place
from assaymark.checks.infrastructure.pipelines.vocabulary import is_true
from assaymark.checks.infrastructure.pipelines.walking import at, entries, pairs, text_at
from assaymark.checks.reading.yaml_tree import Scalar, scalar_text
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.facts import Foreign, names_a_secret

_FOREIGN_TEXT: Final = {"build.sourceversionmessage", "build.requestedfor", "build.sourceversionauthor", "system.pullrequest.sourcebranch"}
_BRANCHES: Final = {"build.sourcebranch", "build.sourcebranchname"}
FOREIGN: Foreign = {
    **{name.upper().replace(".", "_"): "text" for name in _FOREIGN_TEXT if name != "system.pullrequest.sourcebranch"},
    "SYSTEM_PULLREQUEST_SOURCEBRANCH": "name",
    "BUILD_SOURCEBRANCH": "name",
    "BUILD_SOURCEBRANCHNAME": "name",
}
"""The same in the environment of a script."""
_MACRO = re.compile(r"\$\((?P<name>[A-Za-z]\w*(?:\.\w+)+)\)")
_EXPRESSION = re.compile(r"\$\{\{\s{0,200}(?P<name>[^{}\n]{1,300}?)\s{0,200}\}\}")
_SHOWN: Final = re.compile(
    r"\$(?:\((?P<macro>[A-Za-z]\w*\.[\w.]+|\w*(?:token|password|secret|apikey))\)|\{\{(?P<expression>[^{}\n]{1,300})\}\})", re.IGNORECASE
)
"""Macros with a dot or a secret's name, and template expressions; ``$(pwd)`` stays a command."""
_PARAMETER = re.compile(r"parameters(?:\.(?P<a>[\w-]+)|\['(?P<b>[\w-]+)'\])\Z")


def _judge_macro(name: str) -> Pasted | None:
    plain = name.lower()
    if plain in _FOREIGN_TEXT:
        return Pasted("expression-injection", "Whoever opens a pull request or pushes a commit", HIGH)
    if plain in _BRANCHES:
        return Pasted("expression-injection", "Whoever may push a branch", LOW)
    return None


def scripts(file: Azure) -> Iterator[Flaw]:
    """The rules about shell text, over every script of the file."""
    yield from script_flaws(file.scripts, file.lines, FOREIGN, _SHOWN)


def expression_injection(file: Azure) -> Iterator[Flaw]:
    """A predefined variable that others fill is pasted into a script."""
    yield from pasted_flaws(file.scripts, file.lines, _MACRO, _judge_macro)


def free_parameters(file: Azure) -> frozenset[str]:
    """Runtime parameters that take any text; templates get theirs from files, not from people."""
    if not file.is_root:
        return frozenset()
    found = set()
    for each in entries(file.root.get("parameters")):
        if text_at(each, "type") in {"", "string"} and at(each, "values") is None:
            found.add(text_at(each, "name"))
    return frozenset(found)


def parameter_pasted(file: Azure) -> Iterator[Flaw]:
    """A runtime parameter that takes any text is pasted into a script."""
    free = free_parameters(file)

    def judge(name: str) -> Pasted | None:
        found = _PARAMETER.match(name)
        return Pasted("parameter-pasted", "Whoever starts a run") if found and (found["a"] or found["b"]) in free else None

    if free:
        yield from pasted_flaws(file.scripts, file.lines, _EXPRESSION, judge)


def variable_switches(file: Azure) -> Iterator[Flaw]:
    """Variables that switch verification off or address Docker in the clear, also those of single steps."""
    written = [(owner, "variables", name, value) for owner, name, value in written_variables(file)]
    for step in file.steps:
        written += [(step.owner, "env", key, value) for key, value in pairs(step.node.get("env")) if isinstance(value, Scalar)]
    yield from variable_flaws(written)


def debug_enabled(file: Azure) -> Iterator[Flaw]:
    """The agent is told to log everything it does."""
    for owner, name, value in written_variables(file):
        plain = name.text.lower()
        if plain in {"system.debug", "agent.diagnostic"} and is_true(value):
            message = f"{plain} makes every step log its inputs and environment"
            yield Flaw("debug-enabled", owner, f"variables.{plain}", message, name.span)


_SET_VARIABLE = re.compile(r"##vso\[task\.setvariable (?P<options>[^\]\n]{1,300})\]", re.IGNORECASE)
_NAME = re.compile(r"variable=([\w.]+)", re.IGNORECASE)


def secret_unmasked(file: Azure) -> Iterator[Flaw]:
    """A script passes a secret on as a variable that no log masks."""
    for script in file.scripts:
        text = script.text
        for found in _SET_VARIABLE.finditer(text):
            name = _NAME.search(found["options"])
            if name is None or not _secret_word(name[1]) or re.search(r"issecret=true", found["options"], re.IGNORECASE):
                continue
            message = f"{name[1]} is set without issecret=true, so no log masks it, and every later step has it in its environment"
            span = place(script, found.start(), found.end(), file.lines)
            yield Flaw("secret-unmasked", script.owner, f"{script.key}: {name[1]}", message, span)


def _secret_word(name: str) -> bool:
    """Azure's names are often in camel case."""
    return names_a_secret(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace(".", "_"))


_CONNECTIONS: Final = frozenset(
    {"azuresubscription", "connectedservicename", "connectedservicenamearm", "containerregistry", "kubernetesserviceconnection"}
)


def _holds_rights(job: Job) -> bool:
    """True when a step of the job is given a secret, the pipeline's token or a service connection."""
    for step in job.steps:
        given = [(key.text, scalar_text(value)) for key, value in pairs(step.node.get("env"))]
        if any("$(" in value and (_secret_word(name) or "accesstoken" in value.lower()) for name, value in given):
            return True
        if any(key.text.lower() in _CONNECTIONS for key, _ in pairs(step.node.get("inputs"))):
            return True
        if step.kind == "checkout" and is_true(step.node.get("persistCredentials")):
            return True
    return False


def strangers_code(file: Azure) -> Iterator[Flaw]:
    """A pull request's code is checked out and run; told for explicit checkouts, and for others when the job holds rights."""
    if file.pull_requests == "none":
        return
    for job in file.jobs:
        rights = _holds_rights(job)
        fetched = rights and not any(step.kind == "checkout" for step in job.steps)
        for step in job.steps:
            if step.kind == "checkout":
                fetched = fetched or step.what == "self"
            elif fetched:
                for script in step.scripts:
                    yield from strangers_code_flaws(script, file.lines, rights=rights)


def service_principal_in_script(file: Azure) -> Iterator[Flaw]:
    """A script gets the key of a service connection instead of a signed-in session."""
    for step in file.steps:
        node = step.given("addSpnToEnvironment")
        if isinstance(node, Scalar) and is_true(node):
            message = "The script gets the service connection's key in its environment, where anything it starts can read it"
            yield Flaw("service-principal-in-script", step.owner, f"{step.task}: addSpnToEnvironment", message, node.span)
