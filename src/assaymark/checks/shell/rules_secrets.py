"""Rules about shell text: secrets that reach logs and process lists, checks that cannot fail, and containers with the host's rights."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.shell.facts import SCANNERS, Scene, ShellFlaw, flaw, names_a_secret, written_to
from assaymark.checks.shell.reader import Command, expansions, unquoted
from assaymark.model.severity import Severity

_LOGIN_PROGRAMS = frozenset({"docker", "podman", "buildah", "helm", "crane", "oras", "nerdctl", "skopeo", "az", "regctl"})
_TRACE = re.compile(r"-[a-z]*x[a-z]*\Z")
_SHIELDS = ("::add-mask::", "${#", "issecret=true")
"""What hides the value from the log, or prints its length only."""


def password_argument(scene: Scene) -> Iterator[ShellFlaw]:
    """A registry password stands on the command line, where every process of the machine can read it."""
    for command in scene.commands:
        program, arguments = command.program()
        if program not in _LOGIN_PROGRAMS or "login" not in arguments:
            continue
        for at, word in enumerate(arguments):
            option = word.partition("=")[0]
            if option in {"-p", "--password", "--registry-token"} and (at + 1 < len(arguments) or "=" in word):
                yield flaw(
                    "password-argument",
                    f"{program} login",
                    f"The password of `{program} login` is visible in the machine's process list",
                    command,
                )
                break


def secret_printed(scene: Scene) -> Iterator[ShellFlaw]:
    """A variable named like a secret is written to the log."""
    if scene.kind not in {"", "("}:
        return
    kept = _kept(scene.commands)
    for at, command in enumerate(scene.commands):
        program, arguments = command.program()
        if program not in {"echo", "printf"} or command.follow == "|" or written_to(command.words) or at in kept:
            continue
        if any(word.startswith((">", "1>")) for word in arguments):
            continue
        for word in arguments:
            if any(shield in word.lower() for shield in _SHIELDS):
                continue
            for name, _ in expansions(word):
                if names_a_secret(name):
                    yield flaw(
                        "secret-printed", name, f"{name} is written to the log; masking misses what is transformed or too short", command
                    )


def _kept(commands: tuple[Command, ...]) -> frozenset[int]:
    """Commands within ``{ …; } > file``: what they write goes to the file."""
    opened: list[int] = []
    kept: set[int] = set()
    for at, command in enumerate(commands):
        if command.words[:1] == ("{",):
            opened.append(at)
        elif command.words[:1] == ("}",) and opened:
            start = opened.pop()
            if written_to(command.words) or command.follow == "|":
                kept.update(range(start, at))
    return frozenset(kept)


def environment_dumped(scene: Scene) -> Iterator[ShellFlaw]:
    """The whole environment, secrets included, is written to the log."""
    if scene.kind not in {"", "("}:
        return
    for at, command in enumerate(scene.commands):
        words = tuple(word for word in command.words if word not in {"sudo", "then", "do", "&&"})
        if len(words) != 1 or words[0] not in {"env", "printenv"}:
            continue
        behind = scene.commands[at + 1].program()[0] if command.follow == "|" and at + 1 < len(scene.commands) else ""
        if command.follow != "|" or behind in {"sort", "cat", "tee", "less"}:
            yield flaw(
                "environment-dumped", words[0], f"`{words[0]}` writes every variable of the job to the log, secrets included", command
            )


def traced_secret(scene: Scene) -> Iterator[ShellFlaw]:
    """Commands that hold secrets are echoed to the log while they run."""
    tracing = None
    for command in scene.commands:
        program, arguments = command.program()
        if program == "set":
            if any(_TRACE.match(word) for word in arguments) or ("-o" in arguments and "xtrace" in arguments):
                tracing = command
            elif any(re.match(r"\+[a-z]*x", word) for word in arguments) or ("+o" in arguments and "xtrace" in arguments):
                tracing = None
            continue
        if tracing is None:
            continue
        for word in command.words:
            for name, _ in expansions(word):
                if names_a_secret(name):
                    yield flaw("traced-secret", name, f"`set -x` writes the command with the value of {name} to the log", tracing)
                    return


def scanner_cannot_fail(scene: Scene) -> Iterator[ShellFlaw]:
    """A security scanner's result is thrown away."""
    for at, command in enumerate(scene.commands[:-1]):
        program, arguments = command.program()
        name = _scanner(program, arguments)
        behind = scene.commands[at + 1].program()
        harmless = behind[0] in {"true", ":", "echo"} or (behind[0] == "exit" and behind[1][:1] == ("0",))
        if name and command.follow == "||" and harmless:
            yield flaw("scanner-cannot-fail", name, f"Whatever {name} finds, the job goes on as if it had found nothing", command)


def _scanner(program: str, arguments: tuple[str, ...]) -> str:
    if program in SCANNERS:
        return program
    plain = tuple(unquoted(word) for word in arguments)
    if program in {"npm", "yarn", "pnpm", "cargo", "composer", "bundle"} and plain[:1] == ("audit",):
        return f"{program} audit"
    if program in {"npx", "uvx", "pipx", "bunx"} and plain:
        return next((word for word in plain if word in SCANNERS), "")
    if program in {"python", "python3"} and plain[:1] == ("-m",) and plain[1:2] and plain[1].replace("_", "-") in SCANNERS:
        return plain[1]
    return ""


_SOCKET = re.compile(r"/var/run/docker\.sock|//var/run/docker\.sock|/run/docker\.sock|/run/containerd/containerd\.sock")


def container_with_host_rights(scene: Scene) -> Iterator[ShellFlaw]:
    """A container is started that can do what the machine can."""
    for command in scene.commands:
        program, arguments = command.program()
        if program not in {"docker", "podman", "nerdctl"} or not {"run", "create", "exec"} & set(arguments[:3]):
            continue
        plain = tuple(unquoted(word) for word in arguments)
        if "--privileged" in plain or "--privileged=true" in plain:
            yield flaw("host-rights", "--privileged", "The container is started with all rights of the machine", command)
        elif any(_SOCKET.search(word) for word in plain):
            yield flaw(
                "host-rights", "container socket", "Whoever holds the container socket is root on the machine", command, Severity.LOW
            )


_OPEN_DOCKER = re.compile(r"tcp://[^\s/]+:2375\b")


def is_open_docker(name: str, value: str) -> bool:
    """True when docker is addressed over plain TCP; the port of the encrypted service is 2376."""
    return name == "DOCKER_HOST" and _OPEN_DOCKER.match(value) is not None


def open_docker(scene: Scene) -> Iterator[ShellFlaw]:
    """Docker is driven over a connection without encryption or proof of identity."""
    for command in scene.commands:
        for name, value in command.assignments():
            if is_open_docker(name, value):
                yield flaw("open-docker", name, "Docker is driven over plain TCP; whoever reaches the port is root there", command)
