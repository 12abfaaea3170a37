"""Rules of Jenkinsfiles: who gets credentials, who may approve, and whether security steps can fail."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.pipelines.groovy import Call, Kind
from assaymark.checks.infrastructure.pipelines.jenkins_document import Jenkins, resource
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.facts import SCANNERS
from assaymark.checks.shell.reader import read

_DEPLOYS = re.compile(r"deploy|prod|release|publish|rollout|promot|live", re.IGNORECASE)
_SECRET_PATH = re.compile(
    r"(?:^|/|,\s*)(?:\.env|id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.npmrc|\.pypirc|\.ssh/[^,]*|\.aws/[^,]*|kubeconfig|\.kube/[^,]*|\.docker/config\.json"
    r"|[^/,]*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|tfstate))(?=\s*(?:,|\Z))"
)


def credentials_for_all(file: Jenkins) -> Iterator[Flaw]:
    """A secret is in the environment of every step of every stage."""
    for call in file.named("credentials"):
        names = [block.name for block in call.path]
        if names == ["pipeline", "environment"] and call.at >= 2 and file.script.tokens[call.at - 1].text == "=":
            name = file.script.tokens[call.at - 2].text
            yield file.flaw(
                "credentials-for-all",
                call,
                f"environment: {name}",
                f"Every step of the pipeline, third parties' tools included, can read {name}",
            )


def agent_any_with_credentials(file: Jenkins) -> Iterator[Flaw]:
    """Secrets are used on whichever machine is free, the controller's own executors included."""
    if not file.secrets:
        return
    for call in file.named("agent"):
        token = file.script.argument(call, "")
        if token is not None and token.text == "any" and [block.name for block in call.path] == ["pipeline"]:
            yield file.flaw("agent-any-with-credentials", call, "agent: any", "Steps with credentials run on whichever machine is free")


def open_approval(file: Jenkins) -> Iterator[Flaw]:
    """Anyone who can see a deployment waiting may approve it."""
    for call in file.named("input"):
        if call.target != "input" or not _DEPLOYS.search(resource(call.path)):
            continue
        if _stage_input(file, call):
            continue
        if file.script.argument(call, "submitter") is None:
            yield file.flaw("open-approval", call, "input: submitter", "Anyone who may start builds may approve this deployment")


def _stage_input(file: Jenkins, call: Call) -> bool:
    """The form ``input { … submitter '…' }`` names its approvers inside the block."""
    opening = call.first
    if opening >= len(file.script.tokens) or file.script.tokens[opening].text != "{":
        return False
    closing = file.script.partners[opening]
    return any(token.text == "submitter" for token in file.script.tokens[opening:closing])


def input_without_timeout(file: Jenkins) -> Iterator[Flaw]:
    """An approval that may be given at any time later."""
    if "timeout" in file.script.text:  # where it stands is hard to tell; one that exists was thought of
        return
    for call in file.named("input"):
        if call.target == "input" and call.path:
            yield file.flaw(
                "input-without-timeout",
                call,
                "input: timeout",
                "The approval stays open for ever and can be given when nobody remembers why",
            )


def scanner_result_ignored(file: Jenkins) -> Iterator[Flaw]:
    """A security scanner runs where its failure is caught."""
    for call in file.named("sh", "bat"):
        token = file.script.argument(call, "", "script")
        if call.target != call.name or token is None or token.kind is not Kind.TEXT or not any(name in token.text for name in SCANNERS):
            continue
        name = next((command.program()[0] for command in read(token.text) if command.program()[0] in SCANNERS), "")
        caught = _catches(file, call)
        status = file.script.argument(call, "returnStatus")
        unread = status is not None and status.text == "true" and call.opens_statement
        if name and (caught or unread):
            how = caught or "returnStatus"
            yield file.flaw(
                "scanner-cannot-fail",
                call,
                f"{how}: {name}",
                f"Whatever {name} finds, `{how}` lets the build go on as if it had found nothing",
                token=token,
            )


def _catches(file: Jenkins, call: Call) -> str:
    """The block around a step that turns its failure into success."""
    for block in call.path:
        if block.name == "catchError":
            around = file.at.get(block.call)
            result = file.script.argument(around, "buildResult") if around is not None else None
            if result is not None and result.text in {"SUCCESS", "null"}:
                return "catchError"
        if block.name == "warnError":
            return "warnError"
    return ""


def artifact_holds_secret(file: Jenkins) -> Iterator[Flaw]:
    """Files that usually hold secrets are kept with the build."""
    for call in file.named("archiveArtifacts", "stash"):
        token = file.script.argument(call, "artifacts", "includes", *([""] if call.name == "archiveArtifacts" else []))
        found = _SECRET_PATH.search(token.text) if token is not None and token.kind is Kind.TEXT else None
        if found and token is not None:
            name = found.group().lstrip("/, ")
            yield file.flaw(
                "artifact-holds-secret",
                call,
                f"{call.name}: {name}",
                f"{name} usually holds secrets, and everyone who may see the build can download it",
                token=token,
            )


def parameter_holds_password(file: Jenkins) -> Iterator[Flaw]:
    """A password parameter comes with its value."""
    for call in file.named("password"):
        value = file.script.argument(call, "defaultValue")
        name = file.script.argument(call, "name")
        if value is not None and value.kind is Kind.TEXT and value.text and not value.places and call.target == "password":
            shown = name.text if name is not None else "password"
            yield file.flaw(
                "parameter-holds-password",
                call,
                f"parameter: {shown}",
                f"The value of the password parameter {shown} stands in the file",
                token=value,
            )


def trigger_token_written(file: Jenkins) -> Iterator[Flaw]:
    """The token that lets anyone start the pipeline stands in the file."""
    for call in file.named("GenericTrigger"):
        token = file.script.argument(call, "token")
        if token is not None and token.kind is Kind.TEXT and token.text and not token.places:
            yield file.flaw(
                "trigger-token-written",
                call,
                "GenericTrigger: token",
                "Whoever reads this file can start the pipeline with values of their own",
                token=token,
            )
