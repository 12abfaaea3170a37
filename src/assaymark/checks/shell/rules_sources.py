"""Rules about shell text: what is fetched, and whether anybody checks that it is the right thing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.shell.facts import DOWNLOADERS, INTERPRETERS, SHELLS, Scene, ShellFlaw, address_in, flaw
from assaymark.checks.shell.reader import Command, unquoted
from assaymark.model.severity import Severity

_OWN_HOST = re.compile(r"\$\{?(?:CI_SERVER|CI_API|CI_PAGES|JENKINS_URL|HUDSON_URL|BUILD_URL)|//(?:localhost|127\.|\[::1\])")
_VERIFIES = re.compile(
    r"\b(?:sha(?:1|224|256|384|512)sum|shasum|gpg2?\b|gpgv|cosign|minisign|signify|openssl\s+dgst|slsa-verifier|b2sum|md5sum)"
)
_PRIVATE_ADDRESS = re.compile(
    r"http://(?:localhost|127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|\[|0\.0\.0\.0|[\w-]+(?:[:/]|\Z)|[\w.-]+\.(?:local|internal|svg)\b|\$)"
)


_FIXED = re.compile(r"https://(?:raw\.githubusercontent\.com|github\.com|gitlab\.com)/\S{0,300}/[0-9a-f]{40}/")
"""A forge's address with a commit in it: what it answers can't change."""


def remote_script(scene: Scene) -> Iterator[ShellFlaw]:
    """A downloaded text goes straight into an interpreter."""
    piped: Command | None = None
    for command in scene.commands:
        program, arguments = command.program()
        if piped is not None and _reads_program(program, arguments) and not _FIXED.search(" ".join(piped.words)):
            yield _remote(piped, piped.start, command.end)
        if program in SHELLS | {"eval", "source", "."} and _takes_output(program, arguments):
            downloads = (
                each for inner in command.inner if inner.kind != "(" for each in inner.commands if each.program()[0] in DOWNLOADERS
            )
            for source in downloads:
                if _FIXED.search(" ".join(source.words)):
                    continue
                yield _remote(source, command.start, command.end)
        if command.follow != "|":
            piped = None
        elif program in DOWNLOADERS:
            piped = command


def _remote(source: Command, start: int, end: int) -> ShellFlaw:
    words = tuple(unquoted(word) for word in source.words)
    where = address_in(words)
    severity = Severity.HIGH if where.startswith("http://") and not _PRIVATE_ADDRESS.match(where) else None
    if any(_OWN_HOST.search(word) for word in words):
        severity = Severity.LOW
    shown = where or "an address"
    return ShellFlaw(
        "remote-script", where or "variable address", f"What {shown} answers is run at once, whatever it is", start, end, severity
    )


def _reads_program(program: str, arguments: tuple[str, ...]) -> bool:
    """True when the interpreter takes its program from standard input."""
    if program not in INTERPRETERS:
        return False
    plain = [word for word in arguments if word not in {">", "2>&1"} and not word.startswith(("2>", ">"))]
    if not plain:
        return True
    if program not in SHELLS:
        return plain[0] == "-"
    if any(word == "-c" or re.fullmatch(r"-[a-z]*c", word) for word in plain):
        return False
    return plain[0] in {"-", "/dev/stdin"} or plain[0].startswith("-")


def _takes_output(program: str, arguments: tuple[str, ...]) -> bool:
    if program in {"eval", "source", "."}:
        return any("…" in word for word in arguments)
    first = arguments[0] if arguments else ""
    if first.startswith("<("):
        return True
    for at, word in enumerate(arguments[:-1]):
        if re.fullmatch(r"-[a-z]*c", word):
            return unquoted(arguments[at + 1]) in {"$(…)", "`…`"}
    return False


def unverified_program(scene: Scene) -> Iterator[ShellFlaw]:
    """A program is downloaded and run, and nothing in the script compares it with a checksum or signature."""
    if scene.kind or _VERIFIES.search(scene.whole):
        return
    fetched: dict[str, Command] = {}
    for command in scene.commands:
        program, arguments = command.program()
        if program in DOWNLOADERS:
            target = _target(program, arguments)
            if target:
                fetched[target] = command
            continue
        started = _started(program, command, arguments)
        for name in started & fetched.keys():
            source = fetched.pop(name)
            where = address_in(tuple(unquoted(word) for word in source.words))
            if not _OWN_HOST.search(" ".join(source.words)):
                yield flaw(
                    "unverified-program", where or name, f"{name} is downloaded and run without a comparison with a known digest", source
                )


def _target(program: str, arguments: tuple[str, ...]) -> str:
    options = {"-o", "--output", ">"} if program == "curl" else {"-O", "--output-document", ">"}
    for at, word in enumerate(arguments[:-1]):
        clustered = re.fullmatch(r"-[a-zA-Z]*" + ("o" if program == "curl" else "O"), word)
        if word in options or clustered:
            return _base(arguments[at + 1])
    remote_name = program == "wget" or any(re.fullmatch(r"-[a-zA-Z]*O[a-zA-Z]*|--remote-name", word) for word in arguments)
    where = address_in(tuple(unquoted(word) for word in arguments)) if remote_name else ""
    return where.rpartition("/")[2]


def _started(program: str, command: Command, arguments: tuple[str, ...]) -> set[str]:
    """Files that this command makes executable or runs."""
    if program in INTERPRETERS | {"chmod", "source", "."}:
        return {_base(word) for word in arguments if not word.startswith(("-", "+"))}
    return {_base(word) for word in command.words[:2] if unquoted(word).startswith(("./", "/"))}


def _base(word: str) -> str:
    return unquoted(word).rpartition("/")[2]


def cleartext_download(scene: Scene) -> Iterator[ShellFlaw]:
    """Something is fetched from a public host over plain http."""
    for command in scene.commands:
        program, arguments = command.program()
        where = address_in(tuple(unquoted(word) for word in arguments)) if program in DOWNLOADERS else ""
        if where.startswith("http://") and not _PRIVATE_ADDRESS.match(where) and not _OWN_HOST.search(where):
            yield flaw("cleartext-download", where, f"{where} is fetched without encryption, so anyone on the way can change it", command)


_CURL_INSECURE = re.compile(r"-[a-zA-Z]*k[a-zA-Z]*|--insecure")
_OFF_VARIABLES = {
    "GIT_SSL_NO_VERIFY": {"1", "true", "yes", "on"},
    "NODE_TLS_REJECT_UNAUTHORIZED": {"0"},
    "PYTHONHTTPSVERIFY": {"0"},
    "NPM_CONFIG_STRICT_SSL": {"false"},
    "npm_config_strict_ssl": {"false"},
    "ANSIBLE_HOST_KEY_CHECKING": {"false", "0", "no"},
    "CURL_INSECURE": {"1", "true"},
    "HELM_KUBEINSECURESKIPTLSVERIFY": {"true"},
}


def switches_verification_off(name: str, value: str) -> bool:
    """True for variables with which well-known tools stop comparing certificates or host keys."""
    return value.lower() in _OFF_VARIABLES.get(name, ())


def verification_off(scene: Scene) -> Iterator[ShellFlaw]:
    """A tool is told not to compare the other side's certificate."""
    for command in scene.commands:
        program, arguments = command.program()
        wrong = _insecure(program, tuple(unquoted(word) for word in arguments))
        if wrong and not _OWN_LOCAL.search(" ".join(arguments)):
            yield flaw("verification-off", wrong, f"`{wrong}`: {program} takes whoever answers for the right one", command)
        for name, value in command.assignments():
            if switches_verification_off(name, value):
                yield flaw(
                    "verification-off", name, f"{name}={value} makes every later command take whoever answers for the right one", command
                )


_OWN_LOCAL = re.compile(r"//(?:localhost|127\.|\[::1\]|0\.0\.0\.0)")


def _insecure(program: str, arguments: tuple[str, ...]) -> str:
    joined = " ".join(arguments).lower()
    if program == "curl":
        return "curl --insecure" if any(_CURL_INSECURE.fullmatch(word) for word in arguments) else ""
    if program == "wget":
        return "wget --no-check-certificate" if "--no-check-certificate" in arguments else ""
    if program == "git":
        return "git http.sslVerify" if re.search(r"http\.(?:\S+\.)?sslverify[ =\"']+(?:false|0)\b", joined) else ""
    if program in {"npm", "yarn", "pnpm"}:
        return f"{program} strict-ssl" if re.search(r"strict-ssl[ =]false", joined) else ""
    if program in {"kubectl", "helm", "oc", "argocd"}:
        return (
            f"{program} without TLS verification" if re.search(r"--(?:kube-)?insecure(?:-skip-tls-verify)?(?:=true|\s|$)", joined) else ""
        )
    return ""


_UNVERIFIED_INSTALL = {
    "pip": ("--trusted-host",),
    "pip3": ("--trusted-host",),
    "apt": ("--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories"),
    "apt-get": ("--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories"),
    "apk": ("--allow-untrusted",),
    "yum": ("--nogpgcheck",),
    "dnf": ("--nogpgcheck",),
    "zypper": ("--no-gpg-checks",),
    "go": ("-insecure",),
}


def package_check_off(scene: Scene) -> Iterator[ShellFlaw]:
    """A package manager is told to take packages whose signature or source it cannot prove."""
    for command in scene.commands:
        program, arguments = command.program()
        for option in _UNVERIFIED_INSTALL.get(program, ()):
            if any(word == option or word.startswith(option + "=") for word in arguments):
                yield flaw(
                    "package-check-off", f"{program} {option}", f"`{option}` lets {program} install what nobody vouches for", command
                )


def host_key_unchecked(scene: Scene) -> Iterator[ShellFlaw]:
    """Ssh is told to accept any host."""
    for command in scene.commands:
        text = " ".join(unquoted(word) for word in command.words)
        found = re.search(r"StrictHostKeyChecking[ =]+(?:no|off)\b", text, re.IGNORECASE)
        if found:
            yield flaw("host-key-unchecked", "StrictHostKeyChecking", "ssh accepts any host key, so the other side can be anyone", command)
