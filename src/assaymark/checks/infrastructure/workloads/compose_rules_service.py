"""Rules of compose files: which images run, with which settings, and who reaches them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.workloads.compose_document import Service, ports, variables
from assaymark.checks.infrastructure.workloads.compose_places import flaw
from assaymark.checks.infrastructure.workloads.lookups import scalar, texts
from assaymark.checks.infrastructure.workloads.service_facts import (
    DATA_PORTS,
    REMOTE_PORTS,
    debugs,
    opening_words,
    opens,
    unverifies,
)
from assaymark.checks.reading.image_names import moves, name_of, without_digest
from assaymark.checks.reading.yaml_tree import Scalar
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.facts import SHELLS, names_a_secret
from assaymark.checks.shell.rules import shell_flaws
from assaymark.checks.shell.rules_secrets import is_open_docker

SHELL_RULES_TAKEN = (
    "remote-script",
    "unverified-program",
    "cleartext-download",
    "verification-off",
    "package-check-off",
    "host-key-unchecked",
)
"""Of the rules about shell text those that fit what a container is started with."""
_DEFAULT = re.compile(r"\$\{\w+:?-([^}]*)\}")


def image(service: Service) -> Iterator[Flaw]:
    """What runs can change without a change here."""
    node = service.get("image")
    if not isinstance(node, Scalar) or not node.text or service.get("build") is not None:
        return
    name = _DEFAULT.sub(lambda found: found[1], node.text)
    tag = moves(name)
    if tag:
        message = f"The image of {service.name} {tag}, so what runs changes unseen"
        yield flaw("image-unpinned", service, node, f"image: {name_of(name)}", message)
    elif without_digest(name):
        message = f"The image of {service.name} is fixed by its tag only, which its owner can move"
        yield flaw("image-without-digest", service, node, f"image: {name_of(name)}", message)


def environment(service: Service) -> Iterator[Flaw]:
    """A variable that opens or weakens the service."""
    for each in variables(service.get("environment")):
        if opens(each.name, each.value):
            message = f"{each.name} starts {service.name} without a check of who asks"
            yield flaw("authentication-off", service, each.node, f"environment: {each.name}", message)
        elif unverifies(each.name, each.value):
            message = f"{each.name} makes {service.name} take whoever answers for the right one"
            yield flaw("verification-off", service, each.node, f"environment: {each.name}", message)
        elif debugs(each.name, each.value):
            message = f"{each.name} switches a debug mode of {service.name} on"
            yield flaw("debug-enabled", service, each.node, f"environment: {each.name}", message)
        elif is_open_docker(each.name, each.value):
            message = "Docker is driven over plain TCP; whoever reaches the port is root there"
            yield flaw("open-docker", service, each.node, f"environment: {each.name}", message)


def _words(service: Service, key: str) -> list[Scalar]:
    return list(texts(service.get(key)))


def start(service: Service) -> Iterator[Flaw]:
    """A command that starts the service without a check of who asks, or runs what it downloads."""
    for key in ("command", "entrypoint"):
        words = _words(service, key)
        if not words:
            continue
        given = words[0].text.split() if len(words) == 1 else [each.text for each in words]
        for word in opening_words(given):
            message = f"`{word}` starts {service.name} without a check of who asks"
            yield flaw("authentication-off", service, words[0], f"{key}: {word}", message)
        for each in shell_flaws(_script(words), {}):
            if each.rule in SHELL_RULES_TAKEN:
                yield flaw(each.rule, service, words[-1], f"{key}: {each.wrong}", each.message, severity=each.severity)


_WRAPPED = re.compile(r"\s*(?:\S*/)?(?:ba|da|a|z|k)?sh\s+-\w*c\s+(?P<quote>[\"'])(?P<script>.*)(?P=quote)\s*\Z", re.DOTALL)


def _script(words: list[Scalar]) -> str:
    """The text that a shell runs: no shell reads a command that is not handed to one."""
    if len(words) == 1:
        found = _WRAPPED.match(words[0].text)
        text = found["script"] if found else ""
    else:
        wrapped = words[0].text.rpartition("/")[2] in SHELLS and any(re.fullmatch(r"-\w*c", word.text) for word in words[1:])
        text = words[-1].text if wrapped else ""
    return text.replace("$$", "$")


_INSIDE = re.compile(r"127\.|::1\Z|localhost\Z")


def published(service: Service) -> Iterator[Flaw]:
    """A port that users do not need is open on every address of the machine."""
    for port in ports(service.get("ports")):
        if _INSIDE.match(port.address) or "$" in port.address:
            continue
        if port.target in REMOTE_PORTS:
            message = f"{REMOTE_PORTS[port.target]} (port {port.target}) is open on every address of the machine"
            rule = "engine-exposed" if port.target == "2375" else "remote-access-port"
            yield flaw(rule, service, port.node, f"ports: {port.target}", message)
        elif port.target in DATA_PORTS:
            message = f"{DATA_PORTS[port.target]} (port {port.target}) is open on every address of the machine, past most firewalls"
            yield flaw("store-exposed", service, port.node, f"ports: {port.target}", message)


def build(service: Service) -> Iterator[Flaw]:
    """What is built comes from a moving place, or gets secrets as arguments."""
    node = service.get("build")
    context = node if isinstance(node, Scalar) else scalar(node, "context")
    if context is not None and re.match(r"https?://|git@|git://|github\.com/", context.text):
        address, _, ref = context.text.partition("#")
        if not re.match(r"[0-9a-f]{40}\b", ref):
            shown = re.sub(r"://[^/\s@]*@", "://", address)
            message = f"What {shown} holds at the time of the build is built"
            yield flaw("build-context-unpinned", service, context, f"build: {shown}", message)
    for each in variables(service.get("build", "args")):
        if names_a_secret(each.name) and each.value:
            message = f"What is given for {each.name} stays readable in the image's history"
            yield flaw("secret-argument", service, each.node, f"build.args: {each.name}", message)
    privileged = scalar(service.get("build"), "privileged")
    if privileged is not None and privileged.text == "true":
        yield flaw("privileged", service, privileged, "build.privileged", "The build has every right of the machine", replacement="false")


def logging_off(service: Service) -> Iterator[Flaw]:
    """Nothing of what the service says is kept."""
    node = scalar(service.get("logging"), "driver")
    if node is not None and node.text == "none":
        yield flaw("logging-off", service, node, "logging.driver", f"Nothing that {service.name} says is kept")
