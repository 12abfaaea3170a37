"""Rules about shell text: what strangers can write must stay data and never become a command."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.shell.facts import INTERPRETERS, Scene, ShellFlaw, flaw, written_to
from assaymark.checks.shell.reader import Command, expansions, names_in, unquoted

_CODE_OPTION = re.compile(r"-[a-zA-Z]*[ce]|--command|--eval|-Command|-command")
_SCRIPT_FILE = re.compile(r"\.(?:sh|bash|zsh|py|rb|pl|js|mjs|ts|ps1|groovy|bat|cmd)\Z|(?:^|/)(?:Makefile|Dockerfile)\Z")
_RUNS_TEXT = INTERPRETERS | {"su"}
_SPEAKS_ONLY = frozenset({"echo", "printf", "[", "[[", "test", "case", "export", ":", "grep", "cat"})


def script_injection(scene: Scene) -> Iterator[ShellFlaw]:
    """Foreign text is pasted into something that is then run as a program."""
    if not scene.foreign:
        return
    for command in scene.commands:
        seen: set[str] = set()
        for name, where in _pasted(command):
            if name in scene.foreign and name not in seen:
                seen.add(name)
                yield flaw(
                    "script-injection",
                    f"{name} in {where}",
                    f"{name}, which people outside can write, becomes part of the program of {where}",
                    command,
                )


def _pasted(command: Command) -> Iterator[tuple[str, str]]:
    """Variables of the outer shell that end up in the program text of another interpreter."""
    program, arguments = command.program()
    if program == "eval":
        yield from ((name, "eval") for word in arguments for name, _ in expansions(word))
    elif program == "ssh":
        yield from ((name, "ssh") for word in _remote_command(arguments) for name, _ in expansions(word))
    owner = program if program in _RUNS_TEXT else ""
    for at, word in enumerate(arguments[:-1]):
        if owner and _CODE_OPTION.fullmatch(word):
            yield from ((name, f"{owner} {word}") for name, _ in expansions(arguments[at + 1]))
        bare = unquoted(word).rpartition("/")[2]
        owner = bare if bare in _RUNS_TEXT else owner
    target = written_to(command.words)
    generates = target if _SCRIPT_FILE.search(target) else ""
    if generates and program in {"echo", "printf", "cat", "tee"}:
        yield from ((name, generates) for word in arguments for name, _ in expansions(word))
    reader = generates or (program if program in INTERPRETERS or program == "ssh" else "")
    for document in command.heredocs:
        if reader and not document.literal:
            yield from ((name, reader) for name in names_in(document.text))


def _remote_command(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """What ssh runs on the other side: all words behind the host."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        at += 2 if re.fullmatch(r"-[bcDEeFIiJLlmOopQRSWw]", arguments[at]) else 1
    return arguments[at + 1 :]


def unquoted_foreign_text(scene: Scene) -> Iterator[ShellFlaw]:
    """Foreign text outside quotes is split into words, so it can bring options of its own."""
    if not scene.foreign:
        return
    for command in scene.commands:
        program, arguments = command.program()
        if not program or program in _SPEAKS_ONLY:
            continue
        names = {name for word in arguments for name, quoted in expansions(word) if not quoted and scene.foreign.get(name) == "text"}
        for name in sorted(names):
            yield flaw(
                "unquoted-foreign-text",
                f"{name} for {program}",
                f"{name} without quotes lets its author give {program} further arguments",
                command,
            )
