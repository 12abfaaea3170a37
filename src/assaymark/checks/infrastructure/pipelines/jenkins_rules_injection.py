"""Rules of Jenkinsfiles: foreign text and secrets that Groovy pastes into scripts, and text that is run as Groovy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.pipelines.groovy import Call, Kind, Place, Token
from assaymark.checks.infrastructure.pipelines.jenkins_document import SHELL_STEPS, Jenkins, resource, shell_text
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.rules import shell_flaws
from assaymark.model.severity import Severity

_NAME = re.compile(r"(?:\A|[^\w.'\"])(?:env\.)?(\w+)(?![\w(])")
_PARAMETER = re.compile(r"(?:\A|[^\w.])params(?:\.(\w+)|\[['\"](\w+)['\"]\])")
_PULL_REQUEST = re.compile(r"\bpullRequest\.(title|body|headRef)\b")


def _scripts(file: Jenkins) -> Iterator[tuple[Call, Token]]:
    """The text of every shell step, parts joined by ``+`` included."""
    for call in file.calls:
        if call.name not in SHELL_STEPS or call.target != call.name:
            continue
        script = file.script.argument(call, "", "script")
        if script is not None and script.kind is Kind.TEXT:
            yield call, script


def scripts(file: Jenkins) -> Iterator[Flaw]:
    """The rules about shell text, over every ``sh`` step."""
    for call, token in _scripts(file):
        if call.name != "sh":
            continue
        for each in shell_flaws(shell_text(token), file.foreign):
            wrong = each.wrong.replace("\x01", "").replace("\x02", "$")
            message = each.message.replace("\x01", "").replace("\x02", "$")
            span = file.span(token.inner + each.start, token.inner + each.start + _first_line(token.text, each.start, each.end))
            yield Flaw(each.rule, resource(call.path), f"sh: {wrong}", message, span, each.severity)


def _first_line(text: str, start: int, end: int) -> int:
    return len(text[start:end].partition("\n")[0].rstrip())


def _names(place: Place) -> Iterator[str]:
    yield from (found[1] for found in _NAME.finditer(place.expression))


def interpolated_foreign_text(file: Jenkins) -> Iterator[Flaw]:
    """Groovy pastes what others wrote into a script before the shell sees it."""
    for call, token in _scripts(file):
        for place in token.places:
            found = _PULL_REQUEST.search(place.expression)
            names = [f"pullRequest.{found[1]}"] if found else [name for name in _names(place) if name in file.foreign]
            for name in names:
                severity = Severity.MEDIUM if file.foreign.get(name) == "name" else None
                message = f"{name}, which people outside can write, is pasted into the script of `{call.name}`"
                span = file.span(place.start, place.end)
                yield Flaw("interpolated-foreign-text", resource(call.path), f"{call.name}: {name}", message, span, severity)


def interpolated_parameter(file: Jenkins) -> Iterator[Flaw]:
    """Groovy pastes a build parameter into a script."""
    for call, token in _scripts(file):
        for place in token.places:
            for found in _PARAMETER.finditer(place.expression):
                name = found[1] or found[2]
                if "?" in place.expression or "==" in place.expression:
                    continue  # a choice between texts of the file, not the parameter itself
                message = f"Whoever starts a build can write commands into the parameter {name}"
                yield Flaw(
                    "interpolated-parameter", resource(call.path), f"{call.name}: params.{name}", message, file.span(place.start, place.end)
                )


def interpolated_secret(file: Jenkins) -> Iterator[Flaw]:
    """Groovy pastes a secret into a script: it reaches the process list, and its characters become commands."""
    for call, token in _scripts(file):
        for place in token.places:
            for name in _names(place):
                if name in file.secrets:
                    message = f"The secret {name} is pasted into the script of `{call.name}`, so other processes and some logs can show it"
                    yield Flaw(
                        "interpolated-secret", resource(call.path), f"{call.name}: {name}", message, file.span(place.start, place.end)
                    )


def secret_echoed(file: Jenkins) -> Iterator[Flaw]:
    """A secret is written to the log by Groovy itself."""
    for call in file.named("echo", "println", "print"):
        token = file.script.argument(call, "", "message")
        for place in token.places if token is not None else ():
            for name in _names(place):
                if name in file.secrets:
                    message = f"The secret {name} is written to the log; masking misses what is transformed"
                    yield Flaw("secret-echoed", resource(call.path), f"{call.name}: {name}", message, file.span(place.start, place.end))


def evaluated_text(file: Jenkins) -> Iterator[Flaw]:
    """Text from files or variables is run as Groovy."""
    for call in file.calls:
        is_eval = call.target in {"evaluate", "Eval.me", "Eval.x", "GroovyShell"} or call.target.endswith("shell.evaluate")
        first = file.script.argument(call, "") if is_eval else None
        if first is not None and (first.kind is not Kind.TEXT or first.places):
            yield file.flaw("evaluated-text", call, call.target, f"`{call.target}` runs text as Groovy, with the rights of the pipeline")


def loaded_script(file: Jenkins) -> Iterator[Flaw]:
    """Which Groovy file is loaded depends on what others can choose."""
    for call in file.named("load"):
        token = file.script.argument(call, "", "path")
        for place in token.places if token is not None and call.target == "load" else ():
            if _PARAMETER.search(place.expression) or any(name in file.foreign for name in _names(place)):
                message = "Others choose which Groovy file of the workspace is run with the pipeline's rights"
                yield Flaw("loaded-script", resource(call.path), f"load: {place.expression}", message, file.span(place.start, place.end))


_CONTROLLER = re.compile(r"(?:Jenkins|Hudson)\.(?:instance|getInstance|get|getActiveInstance)|Runtime\.getRuntime|System\.exit")


def controller_access(file: Jenkins) -> Iterator[Flaw]:
    """The pipeline reaches into the controller, which needs the sandbox to be off or a method to be approved for everyone."""
    for at, token in enumerate(file.script.tokens[:-2]):
        if token.kind is not Kind.WORD or file.script.tokens[at + 1].text != ".":
            continue
        chain = f"{token.text}.{file.script.tokens[at + 2].text}"
        if _CONTROLLER.fullmatch(chain):
            message = f"`{chain}` reaches into the controller; it works only outside the sandbox"
            span = file.span(token.start, file.script.tokens[at + 2].end)
            yield Flaw("controller-access", resource(file.script.paths[at]), chain, message, span)


def grabbed_dependency(file: Jenkins) -> Iterator[Flaw]:
    """A library is fetched onto the controller while the pipeline starts."""
    for call in file.named("Grab"):
        at = call.at
        if at > 0 and file.script.tokens[at - 1].text == "@":
            token = file.script.argument(call, "", "module")
            name = token.text.rpartition(":")[0] if token is not None and token.text.count(":") > 1 else "library"
            yield file.flaw("grabbed-dependency", call, f"@Grab: {name}", "The library runs on the controller, outside the sandbox")
