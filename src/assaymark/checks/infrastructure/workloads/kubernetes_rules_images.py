"""Rules of Kubernetes: which images run, with which arguments and variables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.workloads.lookups import entries, scalar, texts
from assaymark.checks.infrastructure.workloads.manifests import Manifest
from assaymark.checks.infrastructure.workloads.pods import Container
from assaymark.checks.infrastructure.workloads.service_facts import REMOTE_PORTS, debugs, opening_words, opens, unverifies
from assaymark.checks.infrastructure.workloads.templates import OPEN, unknown
from assaymark.checks.reading.image_names import moves, name_of, without_digest
from assaymark.checks.reading.yaml_tree import Keyed, Scalar, scalar_text
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.facts import SHELLS
from assaymark.checks.shell.rules import shell_flaws
from assaymark.checks.shell.rules_secrets import is_open_docker
from assaymark.model.finding import Span

SHELL_RULES_TAKEN = (
    "remote-script",
    "unverified-program",
    "cleartext-download",
    "verification-off",
    "package-check-off",
    "host-key-unchecked",
)
"""Of the rules about shell text those that fit what runs for long in a cluster."""


def image(container: Container) -> Iterator[Flaw]:
    """What runs can change without a change here."""
    node = container.image
    if node is None or OPEN in node.text:
        return
    tag = moves(node.text)
    if tag:
        message = f"The image of {container.name} {tag}, so what runs changes unseen"
        yield Flaw("image-unpinned", container.address, f"image: {name_of(node.text)}", message, node.span)
    elif without_digest(node.text):
        message = f"The image of {container.name} is fixed by its tag only, which its owner can move"
        yield Flaw("image-without-digest", container.address, f"image: {name_of(node.text)}", message, node.span)


_DASHBOARD = re.compile(r"(?:^|/)(?:kubernetes-dashboard(?:-amd64)?|kubernetesui/dashboard)(?:[:@]|\Z)")
_TILLER = re.compile(r"(?:^|/)(?:kubernetes-helm/)?tiller(?:-image)?(?:[:@]|\Z)")


def risky_image(container: Container) -> Iterator[Flaw]:
    """Programs that were the way into many clusters."""
    node = container.image
    if node is None:
        return
    if _TILLER.search(node.text):
        message = "Tiller of Helm 2 does for everybody who reaches it what its own rights allow, often everything"
        yield Flaw("tiller", container.address, "image", message, node.span)
    elif _DASHBOARD.search(node.text):
        message = "The dashboard acts with rights of its own for whoever reaches it"
        yield Flaw("dashboard", container.address, "image", message, node.span)


def authentication_off(container: Container) -> Iterator[Flaw]:
    """A service that asks nobody who they are."""
    words = container.words
    program = words[0].text.rpartition("/")[2] if words else ""
    if program not in _CONTROL_PLANE:
        for word in opening_words(each.text for each in words):
            span = next((each.span for each in words if each.text.strip("\"'").startswith(word.partition(" ")[0])), words[0].span)
            message = f"`{word}` starts {container.name} without a check of who asks"
            yield Flaw("authentication-off", container.address, f"args: {word}", message, span)
    for name, value in _variables(container):
        if opens(name.text, value.text):
            message = f"{name.text} starts {container.name} without a check of who asks"
            yield Flaw("authentication-off", container.address, f"env: {name.text}", message, value.span)
        elif unverifies(name.text, value.text):
            message = f"{name.text} makes {container.name} take whoever answers for the right one"
            yield Flaw("verification-off", container.address, f"env: {name.text}", message, value.span)
        elif debugs(name.text, value.text):
            message = f"{name.text} switches a debug mode of {container.name} on"
            yield Flaw("debug-enabled", container.address, f"env: {name.text}", message, value.span)
        elif is_open_docker(name.text, value.text):
            message = "Docker is driven over plain TCP; whoever reaches the port is root there"
            yield Flaw("open-docker", container.address, f"env: {name.text}", message, value.span)


_CONTROL_PLANE = frozenset({"kube-apiserver", "kubelet", "kube-controller-manager", "kube-scheduler", "etcd", "hyperkube"})
"""Their arguments have rules of their own."""


def _variables(container: Container) -> Iterator[tuple[Scalar, Scalar]]:
    for entry in entries(container.node, "env"):
        name, value = scalar(entry, "name"), scalar(entry, "value")
        if name is not None and value is not None:
            yield name, value


def remote_port(container: Container) -> Iterator[Flaw]:
    """A port through which machines are administered."""
    for port in entries(container.node, "ports"):
        node = scalar(port, "containerPort")
        if node is not None and node.text in REMOTE_PORTS:
            message = f"The {container.role} {container.name} offers {REMOTE_PORTS[node.text]} (port {node.text})"
            yield Flaw("remote-access-port", container.address, f"ports: {node.text}", message, node.span)


def shell(container: Container) -> Iterator[Flaw]:
    """Shell text in the command, and in commands that probes and hooks run."""
    for place, words in _commands(container):
        script = _script(words)
        if script is None or unknown(script.text):
            continue
        for each in shell_flaws(script.text, {}):
            if each.rule in SHELL_RULES_TAKEN:
                span = _line(script, each.start)
                yield Flaw(each.rule, container.address, f"{place}: {each.wrong}", each.message, span, each.severity)


def _commands(container: Container) -> Iterator[tuple[str, tuple[Scalar, ...]]]:
    yield "command", container.words
    for hook in ("postStart", "preStop"):
        yield hook, tuple(texts(container.node, "lifecycle", hook, "exec", "command"))


def _script(words: tuple[Scalar, ...]) -> Scalar | None:
    """The text behind the shell's ``-c``."""
    program = words[0].text.rpartition("/")[2] if words else ""
    if program not in SHELLS:
        return None
    for at, word in enumerate(words[1:-1], 1):
        if re.fullmatch(r"-[a-z]*c", word.text):
            return words[at + 1]
    return None


def _line(script: Scalar, start: int) -> Span:
    """The line of a literal block in which a flaw stands; the whole text for other styles."""
    if script.style != "|":
        return script.span
    number = min(script.span.start_line + 1 + script.text.count("\n", 0, start), max(script.span.start_line, script.span.end_line - 1))
    return Span(number, 1, number, 2)


def kustomization(manifest: Manifest) -> Iterator[Flaw]:
    """A base from elsewhere that nothing fixes, and images whose tag moves."""
    if manifest.kind not in {"Kustomization", "Component"}:
        return
    for key in ("resources", "bases", "components"):
        for node in texts(manifest.root, key):
            where = _remote(node.text)
            if where:
                message = f"What {where} holds at the time of a deployment is deployed"
                yield Flaw("kustomize-remote-unpinned", manifest.address, f"{key}: {where}", message, node.span)
    for entry in entries(manifest.root, "images"):
        tag = scalar(entry, "newTag")
        if isinstance(entry, Keyed) and tag is not None and moves(f"x:{tag.text}"):
            name = scalar_text(scalar(entry, "newName") or scalar(entry, "name"))
            message = f"The image {name} gets the moving tag {tag.text}, so what runs changes unseen"
            yield Flaw("image-unpinned", manifest.address, f"images: {name}", message, tag.span)


_REMOTE = re.compile(r"(?:https?://|git::|git@|ssh://|github\.com[/:]|gitlab\.com[/:]|bitbucket\.org[/:])", re.IGNORECASE)
_FIXED = re.compile(r"[?&](?:ref|version)=(?P<ref>[^&]+)")
_RELEASE = re.compile(r"[0-9a-f]{40}\Z|v?\d+(?:\.\d+)+")


def _remote(text: str) -> str:
    """The address of a base that follows a branch; empty for local and fixed ones."""
    if not _REMOTE.match(text) or unknown(text):
        return ""
    found = _FIXED.search(text)
    if found:
        fixed = _RELEASE.match(found["ref"]) is not None
    else:
        fixed = re.search(r"/(?:releases/download/)?v?\d+\.\d+[\w.-]*/|/[0-9a-f]{40}/", text) is not None
    return "" if fixed else re.sub(r"://[^/\s@]*@", "://", text).partition("?")[0]
