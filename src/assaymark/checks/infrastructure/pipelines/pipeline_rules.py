"""Rules that several kinds of pipelines have in common, once: what they are worth, and how they look at what a reader found.

Each system's own module says where its images, variables and kept files stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines.pasted import as_variables
from assaymark.checks.infrastructure.pipelines.powershell import powershell_flaws
from assaymark.checks.infrastructure.pipelines.scripts import Script, place
from assaymark.checks.infrastructure.pipelines.strangers_code import runs_checkout
from assaymark.checks.infrastructure.pipelines.vocabulary import SECRET_PATH, plain_address
from assaymark.checks.reading.image_names import moves, name_of
from assaymark.checks.reading.yaml_tree import Scalar
from assaymark.checks.rulebook import Flaw, Rule
from assaymark.checks.shell.facts import Foreign
from assaymark.checks.shell.rules import SHELL_RULES, shell_flaws
from assaymark.checks.shell.rules_secrets import is_open_docker
from assaymark.checks.shell.rules_sources import switches_verification_off
from assaymark.model.severity import Confidence, Severity

INFO, LOW, MEDIUM, HIGH = Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH
SURE, LIKELY, MAYBE = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW

Written = tuple[str, str, Scalar]
"""Owner, key path below it, and the text."""

SHARED: Final[dict[str, Rule]] = {
    "expression-injection": Rule(
        HIGH,
        LIKELY,
        "Hand the value over as an environment variable of the step and let the shell read that, in double quotes.",
    ),
    "parameter-pasted": Rule(
        LOW, LIKELY, "Allow fixed values only, or hand the parameter over as an environment variable and use that in double quotes."
    ),
    "strangers-code": Rule(
        MEDIUM, MAYBE, "Give builds of strangers' changes no secret and no token; keep what needs rights in a pipeline for merged code."
    ),
    "image-unpinned": Rule(LOW, SURE, "Name a version, better the digest (`name:1.2@sha256:…`), and let a bot raise it."),
    "artifact-holds-secret": Rule(MEDIUM, LIKELY, "Leave the file out, and let each job read the secret itself."),
    "security-step-may-fail": Rule(
        MEDIUM, LIKELY, "Let the step's failure count; to start softly, set the tool's threshold or keep a baseline of known findings."
    ),
    "own-runner-for-strangers": Rule(
        LOW, MAYBE, "Run pull requests on machines that are thrown away after each job; keep this one for protected branches."
    ),
    "deploy-from-pull-request": Rule(
        MEDIUM, LIKELY, "Deploy reviews to an environment of their own; let production follow the default branch or tags only."
    ),
    "deploy-without-guard": Rule(
        MEDIUM, LIKELY, "Limit the deployment to the default branch or protected tags, or put a person's approval before it."
    ),
    "debug-enabled": Rule(LOW, SURE, "Remove it; debug single runs by hand, and replace secrets that were logged."),
    "include-remote": Rule(MEDIUM, SURE, "Name a commit in the address, or keep a copy in a repository of yours."),
    "include-cleartext": Rule(HIGH, SURE, "Fetch it over https, from an address that names a commit."),
}


def rules(own: dict[str, Rule], *shared: str, without: frozenset[str] = frozenset()) -> dict[str, Rule]:
    """A book's rules: those about shell text (but for the ones that can't be met there), the named shared ones, and its own."""
    shell = {name: rule for name, (_, rule) in SHELL_RULES.items() if name not in without}
    return {**shell, **{name: SHARED[name] for name in shared}, **own}


def script_flaws(
    scripts: Iterable[Script], lines: tuple[str, ...], foreign: Foreign, shown: re.Pattern[str] | None = None
) -> Iterator[Flaw]:
    """The rules about shell text; expressions of the pipeline are shown to them as variables, whose padding is no part of a name."""
    for script in scripts:
        if script.language not in {"sh", "powershell"}:
            continue
        text = as_variables(script.text, shown) if shown else script.text
        for each in shell_flaws(text, foreign) if script.language == "sh" else powershell_flaws(text):
            span = place(script, each.start, each.end, lines)
            wrong, message = (each.wrong.lstrip("_"), each.message.lstrip("_")) if shown else (each.wrong, each.message)
            yield Flaw(each.rule, script.owner, f"{script.key}: {wrong}", message, span, each.severity)


def image_flaws(images: Iterable[Written]) -> Iterator[Flaw]:
    """An image whose tag moves, or that has none."""
    for owner, key, node in images:
        why = moves(node.text) if "$(" not in node.text and "<<" not in node.text else ""
        if why:
            message = f"The image {why}, so its content changes unseen"
            yield Flaw("image-unpinned", owner, f"{key}: {name_of(node.text)}", message, node.span)


def variable_flaws(variables: Iterable[tuple[str, str, Scalar, Scalar]]) -> Iterator[Flaw]:
    """Variables (owner, key path, name, value) that switch verification off or address Docker in the clear."""
    for owner, key, name, value in variables:
        if switches_verification_off(name.text, value.text):
            message = f"{name.text}={value.text} makes commands of the job take whoever answers for the right one"
            yield Flaw("verification-off", owner, f"{key}.{name.text}", message, name.span)
        elif is_open_docker(name.text, value.text):
            message = "Docker is driven over plain TCP; whoever reaches the port is root there"
            yield Flaw("open-docker", owner, f"{key}.{name.text}", message, name.span)


def kept_file_flaws(paths: Iterable[Written]) -> Iterator[Flaw]:
    """Files that usually hold secrets are kept for whoever may see the run."""
    for owner, key, node in paths:
        for path in node.text.split():
            if SECRET_PATH.search(path):
                message = f"{path} usually holds secrets, and everyone who may see the run can download it"
                yield Flaw("artifact-holds-secret", owner, f"{key}: {path}", message, node.span)


_FIXED = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")


def include_flaws(addresses: Iterable[Written]) -> Iterator[Flaw]:
    """Parts of the pipeline that are fetched by address (owner, key, address)."""
    for owner, key, node in addresses:
        where = plain_address(node.text)
        if node.text.startswith("http://"):
            yield Flaw("include-cleartext", owner, f"{key}: {where}", "A part of the pipeline is fetched over plain http", node.span)
        elif node.text.startswith("https://") and not _FIXED.search(node.text):
            yield Flaw("include-remote", owner, f"{key}: {where}", f"Whoever controls {where} controls this pipeline", node.span)


def strangers_code_flaws(script: Script, lines: tuple[str, ...], *, rights: bool) -> Iterator[Flaw]:
    """A flaw for each tool of a script that runs what the checkout brought; worth more where the job holds rights."""
    told: set[str] = set()
    for tool, start, end in runs_checkout(script.text):
        if tool not in told:
            told.add(tool)
            message = f"{tool} runs what a pull request brings along" + (", with the rights of this job" if rights else "")
            span = place(script, start, end, lines)
            yield Flaw("strangers-code", script.owner, f"{script.key}: {tool}", message, span, None if rights else INFO)
