"""Rules of Dockerfiles: what comes into the image by COPY, ADD, ARG and ENV."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.workloads.dockerfile_document import Dockerfile, Instruction, settings
from assaymark.checks.infrastructure.workloads.dockerfile_places import Wrong, flaw, head, of
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.facts import names_a_secret
from assaymark.model.finding import Span
from assaymark.model.severity import Severity

_SECRET_FILE = re.compile(
    r"(?:^|/)(?:\.env(?:\.(?!example|sample|template|dist)[\w-]+)?|id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass|\.git-credentials|\.htpasswd"
    r"|\.npmrc|\.pypirc|\.ssh|\.aws|\.kube|\.docker|kubeconfig|\.vault-token|credentials(?:\.json)?|service-?account[\w-]*\.json"
    r"|terraform\.tfstate|\.dockercfg|[\w.-]+\.(?:p12|pfx|jks|keystore|kdbx|ppk)|[\w.-]*private[\w.-]*\.(?:pem|key)|[\w.-]+\.key)/?\Z",
    re.IGNORECASE,
)
_REMOTE = re.compile(r"(?P<scheme>https?|ftp)://(?:[^/\s@]*@)?(?P<rest>[^\s?#]+)|(?P<git>git@|git://|ssh://)")
_GIT = re.compile(r"\.git(?:#(?P<ref>[^\s:]*))?\Z|\.git(?:#(?P<ref2>[^\s:]*)):\S*\Z|\Agit@|\Agit://")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_ARCHIVE = re.compile(r"\.(?:tar|tar\.gz|tgz|tar\.bz2|tbz2?|tar\.xz|txz|tar\.zst)\Z", re.IGNORECASE)


def _sources(each: Instruction) -> list[str]:
    words = [word for word in each.words if not word.startswith("<<")]
    return words[:-1]


def secret_file(file: Dockerfile) -> Iterator[Flaw]:
    """A file that holds credentials becomes part of a layer."""
    for stage, each in of(file, "COPY", "ADD"):
        if each.flag("from") is not None:
            continue
        for source in _sources(each):
            if _SECRET_FILE.search(source.rstrip("*")):
                message = f"{source} becomes part of the image: whoever gets the image reads it, also when a later step removes it"
                yield flaw(Wrong("secret-file", source, message), stage, each)


def secret_argument(file: Dockerfile) -> Iterator[Flaw]:
    """A secret is given by a build argument or kept in a variable of the image."""
    for stage, each in of(file, "ARG", "ENV"):
        for name, value in settings(each):
            if not names_a_secret(name) or (value or "").lower() in {"false", "true", "0", "1"}:
                continue
            if each.name == "ARG" and not value:
                message = f"What is given for {name} stays readable in the image's history"
                yield flaw(Wrong("secret-argument", name, message), stage, each)
            elif each.name == "ENV" and value and re.fullmatch(r"\$\{?\w+\}?", value):
                message = f"{name} is kept in the image and handed to every program in it"
                yield flaw(Wrong("secret-argument", name, message, Severity.MEDIUM), stage, each)


def remote_add(file: Dockerfile) -> Iterator[Flaw]:
    """Something is taken from the network and compared with nothing."""
    for stage, each in of(file, "ADD"):
        for source in _sources(each):
            where = stage.expand(source)
            found = _REMOTE.match(where)
            if found is None or each.flag("checksum"):
                continue
            shown = re.sub(r"v?\d+(?:\.\d+)+(?:[-.\w]*\d)?", "*", found["rest"] or where.partition("#")[0])
            if _GIT.search(where):
                if not _COMMIT.search(where.partition("#")[2].partition(":")[0]):
                    message = f"What {shown} holds at the time of the build is built in"
                    yield flaw(Wrong("remote-add", shown, message), stage, each)
                continue
            severity = Severity.MEDIUM if found["scheme"] in {"http", "ftp"} else None
            message = f"What {shown} answers is built in, whatever it is"
            yield flaw(Wrong("remote-add", shown, message, severity), stage, each)


def add_for_copy(file: Dockerfile) -> Iterator[Flaw]:
    """ADD where COPY does the same: ADD also fetches and unpacks."""
    for stage, each in of(file, "ADD"):
        sources = _sources(each)
        plain = sources and not any(_REMOTE.match(stage.expand(source)) or _ARCHIVE.search(source) for source in sources)
        if plain and not any("$" in source or "*" in source for source in sources):
            place = head(each)
            where = Span(place.start_line, place.start_column, place.end_line, place.end_column)
            message = "ADD fetches addresses and unpacks archives; COPY only copies"
            made = flaw(Wrong("add-for-copy", sources[0], message), stage, each, where)
            yield Flaw(made.rule, made.resource, made.attribute, message, where, block=made.block, replacement="COPY")


def open_files(file: Dockerfile) -> Iterator[Flaw]:
    """Files that everybody in the container may change."""
    for stage, each in of(file, "COPY", "ADD"):
        mode = each.flag("chmod") or ""
        if re.fullmatch(r"[0-7]*[0-7]{2}[2367]", mode) or re.search(r"(?:^|,)[ao]*\+\w*w", mode):
            target = each.words[-1] if each.words else ""
            yield flaw(Wrong("world-writable", target, f"Everybody in the container may change {target}"), stage, each)


def build_context_everything(file: Dockerfile) -> Iterator[Flaw]:
    """The whole folder is copied into the image that is shipped."""
    last = file.stages[-1]
    for each in last.instructions:
        if each.name in {"COPY", "ADD"} and each.flag("from") is None and _sources(each) in (["."], ["./"]) and last.opening is not None:
            message = "Everything in the folder gets into the image, also .git and .env where no .dockerignore keeps them out"
            yield flaw(Wrong("context-copied", ".", message), last, each)
