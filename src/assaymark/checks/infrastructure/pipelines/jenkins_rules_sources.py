"""Rules of Jenkinsfiles: libraries, checkouts and images, and whether they can change unseen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.pipelines.groovy import Call, Kind, Token
from assaymark.checks.infrastructure.pipelines.jenkins_document import Jenkins, inside, resource
from assaymark.checks.reading.image_names import moves, name_of
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.rules_secrets import is_open_docker
from assaymark.checks.shell.rules_sources import switches_verification_off
from assaymark.model.severity import Severity

_BRANCH = re.compile(r"(?:main|master|develop|development|dev|trunk|HEAD|latest|stable)\Z")
_PULL = re.compile(r"refs/pull/|refs/merge-requests/|\$\{?(?:ghprbActualCommit|sha1)\b|origin/pr/")
_LOCAL = re.compile(r"http://(?:localhost|127\.|\[::1\])")


def _library_names(file: Jenkins) -> Iterator[tuple[Call, Token]]:
    for call in file.named("Library", "library"):
        if call.name == "Library" and (call.at == 0 or file.script.tokens[call.at - 1].text != "@"):
            continue
        tokens = file.script.tokens[call.first : call.last] if call.name == "Library" else ()
        texts = [token for token in tokens if token.kind is Kind.TEXT]
        if call.name == "library":
            named = file.script.argument(call, "", "identifier")
            texts = [named] if named is not None and named.kind is Kind.TEXT else []
        for token in texts[:50]:
            yield call, token


def library_unpinned(file: Jenkins) -> Iterator[Flaw]:
    """A shared library that follows a branch."""
    for call, token in _library_names(file):
        name, at, version = token.text.partition("@")
        if token.places or (at and not _BRANCH.match(version)):
            continue
        shown = f"the branch {version}" if at else "whatever version the controller's settings say"
        yield file.flaw(
            "library-unpinned",
            call,
            f"library: {name}",
            f"The library {name} follows {shown}",
            token=token,
            severity=None if at else Severity.INFO,
        )


def checkout_cleartext(file: Jenkins) -> Iterator[Flaw]:
    """Sources travel without encryption."""
    for call in file.named("git", "url", "remote", "checkout", "userRemoteConfigs"):
        for name, token in file.script.arguments(call):
            if (
                name in {"", "url", "remote"}
                and token.kind is Kind.TEXT
                and token.text.startswith("http://")
                and not _LOCAL.match(token.text)
            ):
                where = re.sub(r"://[^/\s@]*@", "://", token.text)
                yield file.flaw(
                    "checkout-cleartext",
                    call,
                    f"{call.name}: {where}",
                    "Sources are fetched over plain http, so anyone on the way can change them",
                    token=token,
                )


def untrusted_checkout(file: Jenkins) -> Iterator[Flaw]:
    """The head of a pull request is checked out in a file that also holds credentials."""
    if not file.secrets and not any(file.named("withCredentials", "sshagent")):
        return
    for at, token in enumerate(file.script.tokens):
        if token.kind is not Kind.TEXT or not _PULL.search(token.text):
            continue
        if re.search(r"\bgit (?:fetch|checkout)|^\+?refs/|^\$|origin/pr/", token.text):
            message = "A stranger's change is checked out and built in a pipeline that holds credentials"
            yield Flaw(
                "untrusted-checkout",
                resource(file.script.paths[at]),
                "checkout of a pull request",
                message,
                file.span(token.start, token.end),
            )


def image_unpinned(file: Jenkins) -> Iterator[Flaw]:
    """An image whose tag moves, or that has none."""
    for call in file.named("image", "docker"):
        in_agent = inside(call.path, "docker", "agent") or call.target == "docker.image"
        token = file.script.argument(call, "") if in_agent else None
        if token is None or token.kind is not Kind.TEXT or not re.match(r"[\w.:/$@{}-]+\Z", token.text):
            continue
        why = "" if token.places else moves(token.text)
        if why:
            yield file.flaw(
                "image-unpinned", call, f"image: {name_of(token.text)}", f"The image {why}, so its content changes unseen", token=token
            )


def container_arguments(file: Jenkins) -> Iterator[Flaw]:
    """The container that steps run in gets rights of the machine."""
    for call in file.named("args", "inside", "withRun", "run"):
        if call.name == "args" and not inside(call.path, "docker", "dockerfile"):
            continue
        if call.name == "run" and "docker" not in call.target:
            continue
        token = file.script.argument(call, "")
        if token is None or token.kind is not Kind.TEXT:
            continue
        if re.search(r"--privileged\b(?!=false)", token.text):
            yield file.flaw(
                "host-rights", call, "args: --privileged", "The container is started with all rights of the machine", token=token
            )
        elif re.search(r"/run/docker\.sock", token.text):
            message = "Whoever holds the container socket is root on the machine"
            yield file.flaw("host-rights", call, "args: container socket", message, token=token, severity=Severity.LOW)
        if re.search(r"(?:^|\s)(?:-u|--user)[ =](?:root|0)(?:[: ]|$)", token.text):
            yield file.flaw(
                "container-root",
                call,
                "args: user root",
                "Steps run as root in the container and leave files of root in the workspace",
                token=token,
            )


def settings_off(file: Jenkins) -> Iterator[Flaw]:
    """Switches in Groovy that make steps take whoever answers for the right one."""
    for call in file.calls:
        if call.name in {"ignoreSslErrors", "allowAnyHosts"}:
            value = file.script.tokens[call.at + 2] if call.at + 2 < len(file.script.tokens) else None
            if value is not None and value.text == "true":
                rule = "verification-off" if call.name == "ignoreSslErrors" else "host-key-unchecked"
                yield file.flaw(rule, call, call.name, f"`{call.name}` takes whoever answers for the right one")
        elif call.name == "withEnv":
            yield from _environment_list(file, call)
        elif inside(call.path, "environment"):
            value = file.script.tokens[call.at + 2] if call.at + 2 < len(file.script.tokens) else None
            if value is not None and value.kind is Kind.TEXT and file.script.tokens[call.at + 1].text == "=":
                yield from _switch(file, call, call.name, value.text, value)


def _environment_list(file: Jenkins, call: Call) -> Iterator[Flaw]:
    for token in file.script.tokens[call.first : min(call.last, call.first + 200)]:
        name, equals, value = token.text.partition("=")
        if token.kind is Kind.TEXT and equals:
            yield from _switch(file, call, name, value, token)


def _switch(file: Jenkins, call: Call, name: str, value: str, token: Token) -> Iterator[Flaw]:
    if switches_verification_off(name, value):
        yield file.flaw(
            "verification-off",
            call,
            f"environment: {name}",
            f"{name}={value} makes steps take whoever answers for the right one",
            token=token,
        )
    elif is_open_docker(name, value):
        yield file.flaw(
            "open-docker",
            call,
            f"environment: {name}",
            "Docker is driven over plain TCP; whoever reaches the port is root there",
            token=token,
        )
