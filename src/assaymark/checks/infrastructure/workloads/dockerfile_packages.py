"""Which commands install packages without saying which version."""

from __future__ import annotations

import re
from collections.abc import Callable

from assaymark.model.severity import Severity

_SYSTEM = {
    "apt-get": ("install",),
    "apt": ("install",),
    "aptitude": ("install",),
    "apk": ("add",),
    "yum": ("install", "localinstall"),
    "dnf": ("install",),
    "microdnf": ("install",),
    "tdnf": ("install",),
    "zypper": ("install", "in"),
}
_TAKES_VALUE = {
    "apt-get": {"-t", "--target-release", "-o", "--option", "-c"},
    "apk": {"-X", "--repository", "-t", "--virtual", "-p", "--root", "--repositories-file", "--keys-dir"},
    "pip": {
        "-r",
        "--requirement",
        "-c",
        "--constraint",
        "-i",
        "--index-url",
        "--extra-index-url",
        "-f",
        "--find-links",
        "-t",
        "--target",
        "--prefix",
        "--root",
        "--trusted-host",
        "--timeout",
        "--cache-dir",
        "--python",
        "--platform",
        "--src",
        "--progress-bar",
    },
    "npm": {"--registry", "--prefix", "--loglevel", "-C", "--cache"},
    "gem": {"-v", "--version", "-i", "--install-dir", "-n", "--bindir", "-s", "--source", "--platform"},
}


def unpinned(program: str, words: list[str]) -> tuple[str, Severity | None]:
    """The command's name when it leaves a version open, and how bad that is; an empty name else.

    Packages of the system are signed and of one release, so theirs is a note; what anybody can publish is more.
    """
    if program in {"python", "python3"} and words[:2] == ["-m", "pip"]:
        program, words = "pip", words[2:]
    judge = _OTHERS.get(program)
    what = judge(words) if judge else ""
    if what:
        return what, None
    return (_system(program, words), Severity.INFO) if program in _SYSTEM else ("", None)


def _system(program: str, words: list[str]) -> str:
    verb = next((word for word in words if word in _SYSTEM[program]), "")
    names = _names(words, verb, _TAKES_VALUE["apk" if program == "apk" else "apt-get"])
    loose = [name for name in names if not re.search(r"[=<>~*]|\d+[.:]\d+|\.(?:deb|rpm|apk)\Z|\A[./$]|://", name)]
    return f"{program} {verb}" if verb and loose else ""


def _names(words: list[str], verb: str, takes_value: set[str]) -> list[str]:
    """What is installed: the words behind the verb that are no options and no values of options."""
    if verb not in words:
        return []
    found: list[str] = []
    skip = False
    for word in words[words.index(verb) + 1 :]:
        if skip:
            skip = False
        elif word in takes_value:
            skip = True
        elif word in {">", ">>", "2>", "<", "2>&1", "|"}:
            break
        elif not word.startswith(("-", ">", "2>")):
            found.append(word)
    return found


def _pip(words: list[str]) -> str:
    if "install" not in words or {"--require-hashes", "-c", "--constraint"} & set(words):
        return ""
    return "pip install" if any(_loose_python(name) for name in _names(words, "install", _TAKES_VALUE["pip"])) else ""


def _loose_python(name: str) -> bool:
    if re.search(r"===?|@|://|\A[./$]|\.(?:whl|zip|tar\.gz)\Z|\$|/", name):
        return False
    return re.match(r"(?:pip|setuptools|wheel)\b", name) is None


def _npm(words: list[str]) -> str:
    verb = next((word for word in words[:2] if word in {"install", "i", "add"}), "")
    names = [name for name in _names(words, verb, _TAKES_VALUE["npm"]) if not re.search(r"\A[./$]|://|\$", name)]
    return "npm install" if any("@" not in name[1:] or name.endswith("@latest") for name in names) else ""


def _gem(words: list[str]) -> str:
    fixed = any(word.startswith(("-v", "--version")) for word in words)
    names = [name for name in _names(words, "install", _TAKES_VALUE["gem"]) if not re.search(r"[:$]|\.gem\Z", name)]
    return "gem install" if names and not fixed else ""


def _go(words: list[str]) -> str:
    moving = any(word.endswith(("@latest", "@master", "@main")) for word in words)
    return "go install" if words[:1] == ["install"] and moving else ""


def _cargo(words: list[str]) -> str:
    if words[:1] != ["install"] or any(word.startswith(("--vers", "--path", "--rev", "--tag")) for word in words):
        return ""
    return "cargo install" if any(not word.startswith("-") and "@" not in word for word in words[1:]) else ""


_OTHERS: dict[str, Callable[[list[str]], str]] = {
    "pip": _pip,
    "pip2": _pip,
    "pip3": _pip,
    "uv": _pip,
    "npm": _npm,
    "gem": _gem,
    "go": _go,
    "cargo": _cargo,
}
