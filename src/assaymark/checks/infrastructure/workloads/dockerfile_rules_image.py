"""Rules of Dockerfiles: what the image is built on, as whom it runs, and what it offers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.workloads.dockerfile_document import Dockerfile, Instruction, Stage, settings
from assaymark.checks.infrastructure.workloads.dockerfile_places import Wrong, flaw, head, of
from assaymark.checks.infrastructure.workloads.service_facts import REMOTE_PORTS, debugs, opening_words, opens, unverifies
from assaymark.checks.reading.image_names import moves, name_of, without_digest
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.rules_secrets import is_open_docker
from assaymark.model.severity import Severity

_ROOT = frozenset({"root", "0", "0:0", "root:root", "0:root", "root:0", "ContainerAdministrator"})
_OWN_USER = re.compile(r"nonroot|rootless|-unprivileged|unprivileged-|chainguard/|nginx-unprivileged", re.IGNORECASE)


def image_unpinned(file: Dockerfile) -> Iterator[Flaw]:
    """A base whose content changes without a change here."""
    for stage in file.stages:
        if stage.opening is None or file.stage_named(stage.base) not in {None, stage}:
            continue
        yield from _image(stage, stage.opening, stage.base)
    for stage, each in of(file, "COPY"):
        source = stage.expand(each.flag("from") or "")
        if source and not source.isdigit() and file.stage_named(source) is None and re.search(r"[/:@.]", source):
            yield from _image(stage, each, source)


def _image(stage: Stage, each: Instruction, image: str) -> Iterator[Flaw]:
    tag = moves(image)
    if tag:
        yield flaw(
            Wrong("image-unpinned", name_of(image), f"The image {name_of(image)} {tag}, so what is built changes unseen"), stage, each
        )
    elif image != "scratch" and without_digest(image):
        message = f"The image {name_of(image)} is fixed by its tag only, which its owner can move"
        yield flaw(Wrong("image-without-digest", name_of(image), message), stage, each)


def frontend_unpinned(file: Dockerfile) -> Iterator[Flaw]:
    """The program that reads the file comes from elsewhere and can change."""
    syntax = file.directives.get("syntax", "")
    if syntax and not re.match(r"(?:docker\.io/)?docker/dockerfile(?::|\Z)", syntax) and moves(syntax) and file.stages[0].opening:
        message = f"The build is done by {name_of(syntax)}, which {moves(syntax)}"
        yield Flaw("frontend-unpinned", "file", f"syntax: {name_of(syntax)}", message, head(file.stages[0].opening))


def user(file: Dockerfile) -> Iterator[Flaw]:
    """The image runs as root, by decision or because nobody decided."""
    last = file.stages[-1]
    if last.opening is None:
        return
    for stage in file.lineage(last):
        users = [each for each in stage.instructions if each.name == "USER"]
        if users:
            name = stage.expand(users[-1].text.strip())
            if name in _ROOT:
                message = "The image is made to run as root: whoever takes the program over has the container, and is closer to the machine"
                yield Flaw("root-user", "image", "USER", message, users[-1].span, block=users[-1].span)
            return
    base = list(file.lineage(last))[-1].base
    if base and not base.startswith("$") and not _OWN_USER.search(base):
        message = "No USER is set, so the image runs as its base says, which is mostly root"
        yield Flaw("user-unset", "image", "USER", message, head(last.opening), block=last.opening.span)


_END_OF_LIFE = {
    "python": r"2\b|3\.[0-8]\b",
    "node": r"(?:\d|1[0-7]|19|21)\b",
    "debian": r"(?:[6-9]|10|squeeze|wheezy|jessie|stretch|buster)\b",
    "ubuntu": r"(?:1[0-7]|18\.|19\.|trusty|xenial|bionic|precise)",
    "alpine": r"(?:2\.|3\.(?:\d|1[0-7])(?:\D|\Z))",
    "centos": r"(?:[5-8]|centos[5-8]|stream8)\b|\Z",
    "fedora": r"(?:[12]\d|3[0-9])\b",
    "golang": r"1\.(?:\d|1\d|20|21)\b",
    "ruby": r"(?:1|2|3\.0|3\.1)\b",
    "php": r"(?:[4-7]|8\.0)\b",
    "openjdk": r"(?:[67]|9|1[02-6]|18|19|20)\b",
    "postgres": r"(?:9|1[0-2])\b",
    "mysql": r"5\b",
    "mongo": r"(?:[23]|4)\b",
    "redis": r"[2-5]\b",
    "elasticsearch": r"[1-6]\b",
    "nginx": r"1\.(?:\d|1\d|2[0-5])\b",
}
"""Releases that their makers stopped mending before 2026, as they publish it."""


def unmaintained(file: Dockerfile) -> Iterator[Flaw]:
    """A base that gets no more security fixes."""
    for stage in file.stages:
        if stage.opening is None or file.stage_named(stage.base) not in {None, stage}:
            continue
        name = name_of(stage.base).removeprefix("docker.io/").removeprefix("library/")
        tag = stage.base.partition("@")[0].rpartition("/")[2].partition(":")[2]
        wanted = _END_OF_LIFE.get(name)
        if wanted and (tag or name == "centos") and re.match(wanted, tag):
            message = f"{name}:{tag or 'latest'} gets no more security fixes"
            yield flaw(Wrong("base-unmaintained", name, message), stage, stage.opening)


def ports(file: Dockerfile) -> Iterator[Flaw]:
    """A port through which machines are administered."""
    for stage, each in of(file, "EXPOSE"):
        for word in each.words:
            port = stage.expand(word).partition("/")[0]
            if port in REMOTE_PORTS:
                yield flaw(Wrong("remote-access-port", port, f"The image offers {REMOTE_PORTS[port]} (port {port})"), stage, each)


def environment(file: Dockerfile) -> Iterator[Flaw]:
    """Variables that stay in the image and weaken what runs in it."""
    for stage, each in of(file, "ENV"):
        for name, value in settings(each):
            known = stage.expand(value or "")
            if unverifies(name, known):
                message = f"{name} makes every later program take whoever answers for the right one"
                yield flaw(Wrong("verification-off", name, message), stage, each)
            elif opens(name, known):
                yield flaw(Wrong("authentication-off", name, f"{name} starts the service without a check of who asks"), stage, each)
            elif debugs(name, known):
                yield flaw(Wrong("debug-enabled", name, f"{name} switches a debug mode on for everybody who uses the image"), stage, each)
            elif is_open_docker(name, known):
                message = "Docker is driven over plain TCP; whoever reaches the port is root there"
                yield flaw(Wrong("open-docker", name, message), stage, each)


def start(file: Dockerfile) -> Iterator[Flaw]:
    """What the image starts asks nobody who they are, or changes to root."""
    for stage, each in of(file, "CMD", "ENTRYPOINT"):
        for word in opening_words(each.words):
            yield flaw(Wrong("authentication-off", word, f"`{word}` starts the service without a check of who asks"), stage, each)
        program = each.words[0].rpartition("/")[2] if each.words else ""
        if program == "sudo":
            yield flaw(Wrong("sudo", "sudo", "The image's program is started with sudo", Severity.MEDIUM), stage, each)
        elif program == "sshd":
            yield flaw(Wrong("remote-access-port", "sshd", "The image's program is an ssh server"), stage, each)


def insecure_build(file: Dockerfile) -> Iterator[Flaw]:
    """A build step leaves its sandbox."""
    for stage, each in of(file, "RUN"):
        if each.flag("security") == "insecure":
            yield flaw(Wrong("insecure-build", "--security=insecure", "The step has every right of the machine that builds"), stage, each)
        if each.flag("network") == "host":
            message = "The step reaches what the building machine reaches, its own services included"
            yield flaw(Wrong("insecure-build", "--network=host", message, Severity.MEDIUM), stage, each)
    for stage, each in of(file, "VOLUME"):
        for word in each.words:
            if re.search(r"(?:docker|containerd|podman)\.sock\Z", word):
                message = f"The image asks for {word}: whoever writes to it is root on the machine"
                yield flaw(Wrong("container-socket", word, message), stage, each)
