"""Rules about an image's configuration and history."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.images.documents import Config
from assaymark.checks.infrastructure.images.flaws import ImageFlaw
from assaymark.checks.shell.rules import shell_flaws
from assaymark.model.severity import Severity

_ROOT = re.compile(r"(?:root|0+)?(?::.*)?\Z")
_REMOTE_ACCESS = {
    22: "ssh",
    23: "telnet",
    512: "rexec",
    513: "rlogin",
    514: "rsh",
    2375: "Docker without TLS",
    3389: "remote desktop",
    5900: "VNC",
    5901: "VNC",
    6000: "X11",
}
_SOCKETS = re.compile(r"(?:/var)?/run/(?:docker|containerd/containerd|crio/crio|podman/podman)\.sock/?\Z")
_ADD = re.compile(r"(?:^|#\(nop\) +)ADD +(?P<options>(?:--\S+ +)*)(?P<words>[^#]*)")
_ADDRESS = re.compile(r"(?:https?|ftp)://[^\s\"',\]]+")
_VERSION = re.compile(r"v?\d+(?:\.\d+)+(?:[-.\w]*\d)?")
_SHELL = re.compile(r"/bin/(?:ba|da|a)?sh(?: -[a-z]+)*? -[a-z]*c ")
_SHELL_RULES = frozenset({"remote-script", "cleartext-download", "verification-off", "package-check-off", "unverified-program"})
_LONGEST_STEP = 65_536
"""Characters of one step that are looked at; the longest public ones have a few thousand."""
_VERIFICATION_OFF = {
    "NODE_TLS_REJECT_UNAUTHORIZED": ("0",),
    "PYTHONHTTPSVERIFY": ("0",),
    "GIT_SSL_NO_VERIFY": ("1", "true", "yes", "on"),
    "NPM_CONFIG_STRICT_SSL": ("false",),
    "GOINSECURE": None,
    "GONOSUMDB": None,
    "PIP_TRUSTED_HOST": None,
}
"""Values that switch a check off; None for any value."""
_DEBUG = {
    "FLASK_DEBUG": ("1", "true", "yes", "on"),
    "DJANGO_DEBUG": ("1", "true", "yes", "on"),
    "WERKZEUG_DEBUG_PIN": ("off",),
    "APP_DEBUG": ("1", "true"),
    "RAILS_ENV": ("development",),
    "FLASK_ENV": ("development",),
    "ASPNETCORE_ENVIRONMENT": ("development",),
    "SPRING_PROFILES_ACTIVE": ("dev", "development"),
}
_PRELOADED = ("LD_PRELOAD", "LD_AUDIT")


def root_user(config: Config) -> Iterator[ImageFlaw]:
    """Nobody else is named, so every process starts as root."""
    user = config.settings.user.strip()
    if _ROOT.match(user):
        said = "names no user" if not user else f"names the user {user}"
        yield ImageFlaw("root-user", "user", "user", f"The image {said}: whoever breaks into the program is root in the container")


def remote_access(config: Config) -> Iterator[ImageFlaw]:
    """A port of a service for logging in from elsewhere."""
    for port in sorted(config.settings.exposed_ports or ()):
        first, _, protocol = port.partition("/")
        bounds = first.split("-")
        if protocol.lower() == "udp" or not all(bound.isdecimal() and len(bound) < 6 for bound in bounds):
            continue
        low, high = int(bounds[0]), int(bounds[-1])
        for number, service in _REMOTE_ACCESS.items():
            if low <= number <= high:
                message = f"Port {number} ({service}) is a second way in beside the one that the service is for"
                yield ImageFlaw("remote-access", "exposed ports", str(number), message, Severity.HIGH if number == 2375 else None)


def runtime_socket(config: Config) -> Iterator[ImageFlaw]:
    """The container runtime's socket as a volume."""
    for volume in sorted(config.settings.volumes or ()):
        if _SOCKETS.match(volume):
            yield ImageFlaw("runtime-socket", "volumes", volume, f"Whoever can write to {volume} starts containers with the host's rights")


def no_healthcheck(config: Config) -> Iterator[ImageFlaw]:
    """A service that listens and cannot be asked whether it is well."""
    test = (config.settings.healthcheck.test or []) if config.settings.healthcheck else []
    if config.settings.exposed_ports and (not test or test[0] == "NONE"):
        yield ImageFlaw("no-healthcheck", "healthcheck", "healthcheck", "The image listens, and nothing tells whether it still answers")


def environment(config: Config) -> Iterator[ImageFlaw]:
    """Variables that weaken every process of the container."""
    for name, value in config.variables():
        upper = name.upper()
        if upper in _VERIFICATION_OFF and _is_one_of(value, _VERIFICATION_OFF[upper]):
            message = f"{name} switches the proof of what is fetched off for every process"
            yield ImageFlaw("verification-off", "environment", name, message)
        if upper in _DEBUG and _is_one_of(value, _DEBUG[upper]):
            yield ImageFlaw("debug-enabled", "environment", name, f"{name} starts the program as for its developers")
        if upper in _PRELOADED and value:
            yield ImageFlaw("search-path", "environment", name, f"{name} loads a library into every process, setuid programs aside")
        if upper in {"PATH", "LD_LIBRARY_PATH", "PYTHONPATH"}:
            yield from _search_path(name, value)


def _is_one_of(value: str, values: tuple[str, ...] | None) -> bool:
    return bool(value) if values is None else value.strip().lower() in values


def _search_path(name: str, value: str) -> Iterator[ImageFlaw]:
    folders = value.split(":")
    if name != "PATH":
        folders = [folder for folder in folders if folder]  # an empty one is common there, and harmless at the end
    for folder in dict.fromkeys(folders):
        if not folder.startswith(("/", "$", "~")):
            shown = folder or "the current folder"
            yield ImageFlaw("search-path", "environment", f"{name}: {shown}", f"{name} searches {shown}, whichever that is just then")
        elif re.match(r"/(?:var/)?tmp(?:/|\Z)|/dev/shm(?:/|\Z)", folder):
            message = f"{name} searches {folder}, where everybody may put a program"
            yield ImageFlaw("search-path", "environment", f"{name}: {folder}", message)


def history(config: Config) -> Iterator[ImageFlaw]:
    """What the image was built from, as far as its history tells."""
    for step in config.history or ():
        text = step.created_by[:_LONGEST_STEP]
        yield from _added(text)
        script = _script(text)
        for flaw in shell_flaws(script, {}) if script else ():
            if flaw.rule in _SHELL_RULES:
                yield ImageFlaw(flaw.rule, "history", flaw.wrong, flaw.message, flaw.severity)


def _script(text: str) -> str:
    """The shell's text of a step that ran one; builders write build arguments and the shell before it."""
    if not text.startswith(("/bin/", "RUN ", "|")):
        return ""
    shell = _SHELL.search(text)
    if shell is None:
        return text.removeprefix("RUN ") if text.startswith("RUN ") else ""
    script = text[shell.end() :].removesuffix("# buildkit").strip()
    return "" if script.startswith("#(nop)") else script


def _added(text: str) -> Iterator[ImageFlaw]:
    added = _ADD.search(text)
    if added is None or "--checksum=" in added["options"]:
        return
    for address in _ADDRESS.findall(added["words"].rpartition(" in ")[0] or added["words"]):
        shown = _VERSION.sub("*", re.sub(r"://[^/\s@]*@", "://", address).partition("?")[0])
        if not re.search(r"\.git(?:#|\Z)|[0-9a-f]{40}", address):
            yield ImageFlaw("remote-add", "history", shown, f"{shown} was added as it was answered on the day of the build, unverified")
