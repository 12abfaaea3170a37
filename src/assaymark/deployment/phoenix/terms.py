"""The terms of a pair, from ``assay-deploy.toml``: what runs it, how it is watched, and what is done when something is wrong.

    state = "/var/lib/assaymark/deploy"            # journals and the key of configuration digests

    [believe]                                      # whom to believe: as `assay verify`
    trust = "/var/lib/assaymark/trust"

    [server]                                       # optional: is asked and told, never needed
    url = "https://assay.example.org"

    [deploy.production.web]                        # environment, component
    driver = "podman"
    image = "registry.example/shop/web"
    ...

Guarantees: a member that is not known is refused, since a condition that was misspelt would otherwise ask for nothing; every number has a
bound; a pair that is not named has no terms and is not deployed. Paths are relative to the file's folder. No secret stands in it: a secret
is named by where it is (``env:NAME``, ``file:/path``).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from assaymark.deployment.drift.drifted import Action
from assaymark.deployment.drivers.driver import Pair
from assaymark.errors import UsageError

FILE = "assay-deploy.toml"
_MOST_BYTES = 1 << 20
_DAY = 86_400
Count = Annotated[int, Meta(ge=1, le=1000)]
Seconds = Annotated[float, Meta(ge=0, le=7 * _DAY)]
Percent = Annotated[int, Meta(ge=1, le=99)]


class Policy(StrEnum):
    """What the keeper does when something is wrong with what runs."""

    REPLACE = "replace"
    """A new generation of what is approved; where nothing is, as `Terms.without_approved` says."""
    STOP = "stop"
    """Take it away without a successor."""
    ALERT = "alert"
    """Say it, and leave it as it is."""


class Ignored(Struct, frozen=True, forbid_unknown_fields=True):
    """A drift that is looked away from, until an instant."""

    what: str
    """Path or field; exact, or its beginning followed by ``*``."""
    until: str
    """RFC 3339."""
    reason: str = ""


class DriftTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """What is done about which drift."""

    action: Action = Action.REPLACE
    """Where `kinds` says nothing else."""
    kinds: Mapping[str, Action] = {}
    """By kind (`drift.drifted.Drift.kind`)."""
    ignore: tuple[Ignored, ...] = ()


class Breakglass(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may let something run without an approval, and for how long at most."""

    keys: tuple[str, ...] = ()
    """Files with public keys (PEM), each of which suffices. Beside them: roots of the trust document with the level ``ORG_BREAKGLASS``."""
    most_hours: Annotated[int, Meta(ge=1, le=720)] = 24


class ConfigurationTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """What comes from outside the image."""

    variables: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}
    """Name to ``env:NAME`` (of the deployer's environment) or ``file:/path``."""
    files: Mapping[str, str] = {}
    """Path inside to path outside."""


class Terms(Struct, frozen=True, forbid_unknown_fields=True):
    """Of one pair."""

    driver: str
    image: str = ""
    """Name of the image without tag and digest, or of the folder with trees; the digest is what is deployed."""
    options: Mapping[str, str] = {}
    """The driver's own."""
    count: Count = 1
    min_healthy: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Of the new generation, while it is watched, and of the old one for platforms that roll; 0: all."""

    resource: str = ""
    """That the endorsement must be about, as ``oci://…``."""
    levels: tuple[str, ...] = ()
    max_approval_days: Annotated[int, Meta(ge=0, le=3650)] = 0
    """How old the judgement may be; 0: as the trust document says."""
    platform: str = ""
    """Of an image for several, as ``linux/arm64``: the one that runs there has to be judged."""

    probe_seconds: Seconds = 60
    """Within which a generation has to be healthy."""
    probe_every: Annotated[float, Meta(ge=0.01, le=3600)] = 1
    probe_successes: Annotated[int, Meta(ge=1, le=1000)] = 3
    """Rounds in a row; an instance that answers once and falls over is not healthy."""
    soak_seconds: Seconds = 60
    """For which the old generation stays there, ready to take back everything."""
    soak_failures: Annotated[int, Meta(ge=1, le=1000)] = 3
    """Rounds in a row that are bad, after which it is aborted."""
    canary: tuple[Percent, ...] = ()
    """Parts of the traffic that the new generation gets one after another, rising."""
    canary_seconds: Seconds = 60
    drain_seconds: Seconds = 10

    max_age_hours: Annotated[int, Meta(ge=0, le=87_600)] = 720
    """After which a generation is replaced although nothing is wrong with it; 0: never."""
    on_drift: Policy = Policy.REPLACE
    on_revoked: Policy = Policy.REPLACE
    on_age: Policy = Policy.REPLACE
    on_expired: Policy = Policy.ALERT
    """The approval of what runs ended by itself: it may be judged again."""
    without_approved: Policy = Policy.ALERT
    """Where a replacement is wanted and nothing approved is there."""
    most_replacements: Annotated[int, Meta(ge=1, le=1000)] = 3
    """By the keeper, within `replacement_hours`; then it only alerts."""
    replacement_hours: Annotated[int, Meta(ge=1, le=8760)] = 1

    configuration: ConfigurationTerms = ConfigurationTerms()
    drift: DriftTerms = DriftTerms()
    breakglass: Breakglass = Breakglass()

    @property
    def least(self) -> int:
        """How many have to be healthy."""
        return self.min_healthy or self.count


class Believe(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to believe, and where endorsements lie."""

    trust: str = ""
    """Folder that `assay trust` keeps, a folder with trust.json, or such a file."""
    revocations: str = ""
    """List of revocations, beside a trust.json."""
    bundles: tuple[str, ...] = ()
    """Files and folders with endorsements."""
    update: bool = True
    """Ask for newer trust and revocations before each decision, where the folder names a server."""


class ServerTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """A server that is asked for endorsements and told every step; it is never needed."""

    url: str = ""
    token_file: str = ""
    """``ASSAYMARK_TOKEN`` without it."""


_BESIDE = re.compile(r"(?<![^\s])\.{1,2}/[^\s:]*")
"""A word that begins like a path beside the file; a driver alone knows which of its options are paths."""


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    state: str = ""
    believe: Believe = Believe()
    server: ServerTerms = ServerTerms()
    deploy: Mapping[str, Mapping[str, Terms]] = {}
    """Environment -> component -> terms."""

    def of(self, pair: Pair) -> Terms:
        """A pair's terms.

        Raises:
            UsageError: when it has none.
        """
        found = self.deploy.get(pair.environment, {}).get(pair.component)
        if found is None:
            raise UsageError(
                f"{pair} has no terms", why=f"there is no [deploy.{pair.environment}.{pair.component}]", advice=f"write it into {FILE}"
            )
        return found

    @property
    def pairs(self) -> tuple[Pair, ...]:
        return tuple(Pair(environment, component) for environment, named in self.deploy.items() for component in named)


def load(path: Path) -> Document:
    """The file, with its paths absolute.

    Raises:
        UsageError: when it cannot be read or does not say what it means.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read", why=error.strerror or str(error), advice=f"write {FILE}, or name it with --terms"
        ) from error
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{path} is too large", why=f"at most {_MOST_BYTES} bytes are read")
    return parsed(data, path.absolute().parent)


def parsed(data: bytes, folder: Path) -> Document:
    """As `load`, of its bytes."""
    try:
        found = msgspec.convert(tomllib.loads(data.decode("utf-8")), Document)
    except (ValueError, msgspec.ValidationError) as error:
        raise UsageError("the terms do not say what they mean", why=str(error), advice="see docs/reference/deploy-terms.md") from error
    for pair in found.pairs:
        _look(pair, found.of(pair))
    return _absolute(found, folder)


def _look(pair: Pair, terms: Terms) -> None:
    wrong = ""
    if terms.min_healthy > terms.count:
        wrong = f"min_healthy is {terms.min_healthy}, and there are {terms.count}"
    elif list(terms.canary) != sorted(set(terms.canary)):
        wrong = f"canary {list(terms.canary)} does not rise"
    elif terms.probe_successes > 1 and terms.probe_seconds < terms.probe_every * terms.probe_successes:
        wrong = f"{terms.probe_successes} probes, one every {terms.probe_every} s, do not fit into {terms.probe_seconds} s"
    elif "@" in terms.image or terms.image != terms.image.strip():
        wrong = f"image {terms.image[:100]!r} is more than a name: the digest is what is deployed"
    elif terms.without_approved is Policy.REPLACE:
        wrong = "without_approved is stop or alert: there is nothing to replace it by"
    if wrong:
        raise UsageError(f"the terms of {pair} make no sense", why=wrong, advice="see docs/reference/deploy-terms.md")


def _absolute(found: Document, folder: Path) -> Document:
    def at(text: str) -> str:
        return str(folder / text) if text else ""

    believe = replace(
        found.believe,
        trust=at(found.believe.trust),
        revocations=at(found.believe.revocations),
        bundles=tuple(map(at, found.believe.bundles)),
    )
    server = replace(found.server, token_file=at(found.server.token_file))
    deploy = {
        environment: {component: _absolute_terms(terms, folder) for component, terms in named.items()}
        for environment, named in found.deploy.items()
    }
    return Document(at(found.state), believe, server, deploy)


def _absolute_terms(terms: Terms, folder: Path) -> Terms:
    given = terms.configuration
    secrets = {
        name: f"file:{folder / place.removeprefix('file:')}" if place.startswith("file:") else place
        for name, place in given.secrets.items()
    }
    files = {inside: str(folder / outside) for inside, outside in given.files.items()}
    keys = tuple(str(folder / each) for each in terms.breakglass.keys)
    options = {name: _BESIDE.sub(lambda found: os.path.normpath(folder / found[0]), text) for name, text in terms.options.items()}
    return replace(
        terms, options=options, image=_BESIDE.sub(lambda found: os.path.normpath(folder / found[0]), terms.image),
        configuration=replace(given, secrets=secrets, files=files), breakglass=replace(terms.breakglass, keys=keys),
    )  # fmt: skip
