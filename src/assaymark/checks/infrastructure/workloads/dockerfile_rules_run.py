"""Rules of Dockerfiles: what RUN does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from msgspec import Struct

from assaymark.checks.infrastructure.workloads.dockerfile_document import Dockerfile, Instruction, Stage
from assaymark.checks.infrastructure.workloads.dockerfile_packages import unpinned
from assaymark.checks.infrastructure.workloads.dockerfile_places import Wrong, flaw, of, within
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.facts import DOWNLOADERS, INTERPRETERS, SHELLS
from assaymark.checks.shell.reader import Command, read, sequences, unquoted
from assaymark.checks.shell.rules import SHELL_RULES, shell_flaws

SHELL_RULES_TAKEN = tuple(name for name in SHELL_RULES if name not in {"script-injection", "unquoted-foreign-text", "host-rights"})
"""Nobody outside fills variables of a build, and its steps start no containers."""
_POWERSHELL = frozenset({"powershell", "powershell.exe", "pwsh", "pwsh.exe", "cmd", "cmd.exe"})


class Script(Struct, frozen=True, eq=False):
    """The shell text of one RUN."""

    stage: Stage
    instruction: Instruction
    text: str
    exact: bool
    """Positions in it are those of the instruction's text."""


def scripts(file: Dockerfile) -> Iterator[Script]:
    """The steps that a shell runs; those of other shells are left out."""
    for stage, each in of(file, "RUN"):
        if any(
            shell.words and shell.words[0].rpartition("/")[2].lower() in _POWERSHELL
            for shell in stage.instructions
            if shell.name == "SHELL"
        ):
            continue
        words = each.words if each.exec_form else []
        if not words:
            yield Script(stage, each, each.text, exact=True)
        elif words[0].rpartition("/")[2] in SHELLS and len(words) > 2:
            yield Script(stage, each, words[-1], exact=False)
        else:
            yield Script(stage, each, " ".join(f"'{word}'" if " " in word else word for word in words), exact=False)


def steps(file: Dockerfile) -> Iterator[Flaw]:
    """Everything wrong with the steps; each is read once for the rules about shell text and once for those of images."""
    for script in scripts(file):
        for each in shell_flaws(script.text, {}):
            if each.rule in SHELL_RULES_TAKEN:
                yield _told(file, script, Wrong(each.rule, each.wrong, each.message, each.severity), each.start, each.end)
        if _WORTH_READING.search(script.text):
            rows = [row for _, row in sequences(read(script.text))]
            yield from _commands(file, script, rows)
            yield from _lists_alone(script, rows)
            yield from _failure_hidden(file, script, rows)


_Rows = list[tuple[Command, ...]]


def _told(file: Dockerfile, script: Script, wrong: Wrong, start: int, end: int) -> Flaw:
    span = within(file, script.instruction, start, end) if script.exact else None
    return flaw(wrong, script.stage, script.instruction, span)


def _commands(file: Dockerfile, script: Script, rows: _Rows) -> Iterator[Flaw]:
    for command in (command for row in rows for command in row):
        for judge in _JUDGES:
            for found in judge(command):
                yield _told(file, script, found, command.start, command.end)


_WORTH_READING = re.compile(
    r"curl|wget|sudo|chmod|passwd|apt|apk|yum|dnf|zypper|rpm|pip|npm|yarn|gem|cargo|\bgo\b|git|ssh-keygen|openssl|install|trusted|http://|adduser|useradd"
)


def _sudo(command: Command) -> Iterator[Wrong]:
    words = [unquoted(word) for word in command.words]
    if words and words[0] == "sudo":
        yield Wrong("sudo", "sudo", "sudo in a build step: set USER for the steps that need root instead")
    text = " ".join(words)
    if re.search(r"NOPASSWD:\s*(?:ALL|/\S*sh\b)", text):
        yield Wrong("sudo-without-password", "NOPASSWD", "Whoever runs in the container becomes root without a password")


def _passwords(command: Command) -> Iterator[Wrong]:
    program, arguments = command.program()
    if program == "chpasswd":
        yield Wrong("password-set", "chpasswd", "A password is set in the image, the same for everybody who uses it")
    elif program == "passwd" and any(unquoted(word) in {"-d", "--delete", "--stdin"} for word in arguments):
        option = next(unquoted(word) for word in arguments if unquoted(word) in {"-d", "--delete", "--stdin"})
        what = "removed" if option in {"-d", "--delete"} else "set"
        yield Wrong(
            "password-set", f"passwd {option}", f"The password of a user is {what} in the image, the same for everybody who uses it"
        )
    elif program in {"useradd", "usermod"} and any(unquoted(word) in {"-p", "--password"} for word in arguments):
        yield Wrong("password-set", f"{program} -p", "A password is set in the image, the same for everybody who uses it")


_OPEN_MODE = re.compile(r"0?[0-7]?[0-7]{2}[2367]\Z")
_SETUID_MODE = re.compile(r"0?[4567][0-7]{3}\Z")


def _modes(command: Command) -> Iterator[Wrong]:
    program, arguments = command.program()
    if program != "chmod":
        return
    words = [unquoted(word) for word in arguments]
    plain = [word for word in words if not re.match(r"-[RvcfHLP]+\Z|--", word)]
    if len(plain) < 2:
        return
    mode, target = plain[0], plain[1]
    if _SETUID_MODE.match(mode) or re.search(r"(?:^|,)[ugao]*\+[rwx]*s", mode):
        yield Wrong("setuid", target, f"{target} runs with its owner's rights, whoever starts it")
    elif target.startswith(("/tmp", "/var/tmp")) and re.match(r"1[0-7]{3}\Z", mode):  # noqa: S108  a mode for temporary folders
        return
    elif (_OPEN_MODE.match(mode) and not re.match(r"1[0-7]{3}\Z", mode)) or re.search(r"(?:^|,)(?:[ugo]*[ao][ugo]*)\+[rxX]*w", mode):
        yield Wrong("world-writable", target, f"Everybody in the container may change {target}")


def _package_sources(command: Command) -> Iterator[Wrong]:
    program, arguments = command.program()
    words = [unquoted(word) for word in arguments]
    text = " ".join(words)
    if program == "rpm" and {"--nosignature", "--nodigest", "--noverify", "--nofiledigest"} & set(words):
        yield Wrong("package-check-off", "rpm without signature", "rpm installs what nobody vouches for")
    if re.search(r"sslverify\s*=\s*(?:0|false|no)\b|\bgpgcheck\s*=\s*0\b", text) and program in {
        "yum",
        "dnf",
        "echo",
        "printf",
        "sed",
        "tee",
        "cat",
    }:
        option = "sslverify" if "sslverify" in text else "gpgcheck"
        yield Wrong("package-check-off", option, f"`{option}` is switched off, so the package manager takes what nobody vouches for")
    if re.search(r"\[[^\]]*trusted=yes", text):
        yield Wrong("package-check-off", "trusted=yes", "apt takes packages of this source without a signature")
    if program == "pip" and "config" in words and "trusted-host" in text:
        yield Wrong("package-check-off", "pip trusted-host", "pip takes packages from whoever answers for this host")
    if program == "apt-key" and {"add", "adv"} & set(words):
        yield Wrong("apt-key", "apt-key", "A key added by apt-key vouches for every source, not only its own")
    found = re.search(r"(?:--(?:extra-)?index-url|-i|--registry|--source|--repository|-X|set registry)[ =]+(http://[^\s@]+)", text)
    if found and program in {"pip", "pip3", "npm", "yarn", "pnpm", "gem", "apk", "uv"} and not _LOCAL.match(found[1]):
        yield Wrong("cleartext-download", found[1], f"{program} gets its packages over plain http")
    if program in {"pip", "pip3"} and any(word.startswith("--extra-index-url") for word in words):
        yield Wrong("second-index", "--extra-index-url", "Whoever registers one of your package names in the other index is installed")


_LOCAL = re.compile(r"http://(?:localhost|127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|\[|\$|[\w-]+(?:[:/]|\Z))")


def _clones(command: Command) -> Iterator[Wrong]:
    program, arguments = command.program()
    words = [unquoted(word) for word in arguments]
    if program == "git" and "clone" in words:
        address = next((word for word in words if re.match(r"(?:git|http)://", word)), "")
        if address and not _LOCAL.match(address):
            shown = re.sub(r"://[^/\s@]*@", "://", address)
            yield Wrong("cleartext-download", shown, f"{shown} is fetched without encryption, so anyone on the way can change it")


def _keys(command: Command) -> Iterator[Wrong]:
    program, arguments = command.program()
    words = [unquoted(word) for word in arguments]
    if program == "ssh-keygen" and not {"-R", "-F", "-l", "-y", "-H"} & set(words):
        yield Wrong("key-in-image", "ssh-keygen", "Everybody who uses the image has the same private key")
    if (
        program == "openssl"
        and words[:1] in (["genrsa"], ["genpkey"], ["req"])
        and (words[0] != "req" or "-newkey" in words or "-x509" in words)
    ):
        yield Wrong("key-in-image", f"openssl {words[0]}", "Everybody who uses the image has the same private key")


def _upgrades(command: Command) -> Iterator[Wrong]:
    program, arguments = command.program()
    if program in {"apt-get", "apt"} and "dist-upgrade" in arguments:
        yield Wrong("system-upgraded", f"{program} dist-upgrade", "What the step changes depends on the day; take a newer base instead")


_UPDATES = {"apt-get": "update", "apt": "update", "apk": "update", "yum": "update", "dnf": "update", "zypper": "refresh"}


def _lists_alone(script: Script, rows: _Rows) -> Iterator[Flaw]:
    """Package lists are fetched in a step of their own, which the builder remembers: later steps install what was new then."""
    programs = [command.program() for row in rows for command in row if command.name]
    programs = [(name, words) for name, words in programs if name not in {"rm", "echo", "set", "export", "cd"}]
    if len(programs) == 1 and _UPDATES.get(programs[0][0]) in programs[0][1] and {"-U", "upgrade"}.isdisjoint(programs[0][1]):
        what = f"{programs[0][0]} {_UPDATES[programs[0][0]]}"
        message = f"`{what}` alone in a step is remembered by the builder: later steps miss newer fixes"
        yield flaw(Wrong("lists-alone", what, message), script.stage, script.instruction)


def _failure_hidden(file: Dockerfile, script: Script, rows: _Rows) -> Iterator[Flaw]:
    """A download that breaks off goes unnoticed, because the pipe behind it succeeds; what runs it at once is told by another rule."""
    for row in [] if _fails_with_its_pipes(script) else rows:
        for command, after in pairwise(row):
            if command.follow == "|" and command.name in DOWNLOADERS and after.name not in INTERPRETERS:
                message = f"A {command.name} that fails or breaks off goes unnoticed behind the pipe"
                yield _told(file, script, Wrong("failure-hidden", f"{command.name} |", message), command.start, command.end)


def _fails_with_its_pipes(script: Script) -> bool:
    first = script.instruction.span.start_line
    above = (each for each in script.stage.instructions if each.name == "SHELL" and each.span.start_line < first)
    return "pipefail" in script.text or any("pipefail" in each.text for each in above)


def _unpinned(command: Command) -> Iterator[Wrong]:
    program, arguments = command.program()
    what, severity = unpinned(program, [unquoted(word) for word in arguments])
    if what:
        yield Wrong("package-unpinned", what, f"`{what}` installs whatever version is newest on the day", severity)


_JUDGES: tuple[Callable[[Command], Iterator[Wrong]], ...] = (
    _sudo,
    _passwords,
    _modes,
    _package_sources,
    _clones,
    _keys,
    _upgrades,
    _unpinned,
)
