"""The driver's own options, as `assay-deploy.toml` writes them: texts, each looked at once, before anything is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec
from msgspec import Struct

from assaymark.errors import UsageError

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_PROBE = re.compile(r"([1-9][0-9]{0,4})(/[\x21-\x7e]*)?\Z")
_PAGE = "see docs/how-to/phoenix-kubernetes.md"


class Kind(StrEnum):
    DEPLOYMENT = "deployment"
    STATEFUL_SET = "statefulset"

    @property
    def plural(self) -> str:
        return f"{self}s"


class Named(Struct, frozen=True):
    """A workload."""

    kind: Kind
    name: str


class Settings(Struct, frozen=True):
    """What is driven."""

    workloads: tuple[Named, ...]
    """One that rolls; or two that take turns behind a service."""
    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    container: str = ""
    """The one that gets the image; may be left out where there is one."""
    service: str = ""
    """With two workloads: whose selector says who serves."""
    rollout_seconds: float = 600
    settle_seconds: float = 2
    """After a service was turned: nodes follow a little later, and no part of the API tells when."""
    gap: bool = False
    """A StatefulSet replaces a pod in its own place, and the strategy Recreate all at once: with this, fewer than asked may answer."""
    probe: str = ""
    """``8080/healthz``: asked through the API server; without it the pods' own readiness counts."""
    restarts: int = 5
    """A container that restarted more often is told as changed."""
    sidecars: tuple[str, ...] = ()
    """Containers that nobody endorses, which may be named by a tag or put in by a mesh."""
    aliases: Mapping[str, str] = {}
    """Digest that a runtime tells -> digest that was endorsed, where they differ."""

    @property
    def turns(self) -> bool:
        return bool(self.service)


class _Options(Struct, frozen=True, forbid_unknown_fields=True):
    workload: str
    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    container: str = ""
    service: str = ""
    rollout_seconds: float = 600
    settle_seconds: float = 2
    gap: bool = False
    probe: str = ""
    restarts: int = 5
    sidecars: str = ""
    aliases: str = ""


def read(options: Mapping[str, str]) -> Settings:
    """The options.

    Raises:
        UsageError: when one is missing, unknown or makes no sense.
    """
    try:
        found = msgspec.convert(dict(options), _Options, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError("the options of the driver kubernetes do not say what they mean", why=str(error), advice=_PAGE) from error
    workloads = tuple(_named(each) for each in found.workload.split())
    wrong = _wrong(found, workloads)
    if wrong:
        raise UsageError("the options of the driver kubernetes make no sense", why=wrong, advice=_PAGE)
    given = msgspec.structs.asdict(found)
    del given["workload"]
    return Settings(
        workloads=workloads, **{**given, "sidecars": tuple(found.sidecars.split()), "aliases": dict(map(_alias, found.aliases.split()))}
    )


def _wrong(found: _Options, workloads: tuple[Named, ...]) -> str:
    if len(workloads) != (2 if found.service else 1):
        return "workload is one `deployment/name`; with a service it is the two that take turns"
    if found.service and (len(set(workloads)) != 2 or any(each.kind is not Kind.DEPLOYMENT for each in workloads)):
        return "two different Deployments take turns behind a service"
    names = (found.namespace, found.container, found.service, *found.sidecars.split())
    if strange := [each for each in names if each and not _NAME.match(each)]:
        return f"{strange[0][:100]!r} is no name"
    if not 0 < found.rollout_seconds <= 86_400 or not 0 <= found.settle_seconds <= 600:
        return "rollout_seconds goes to 86400, settle_seconds to 600"
    port = _PROBE.match(found.probe)
    if found.probe and (port is None or int(port[1]) > 65_535):
        return f"probe {found.probe[:100]!r} is not as 8080/healthz"
    return "" if 0 <= found.restarts <= 1_000_000 else "restarts is a number from 0"


def _named(text: str) -> Named:
    kind, _, name = text.partition("/")
    if kind not in list(Kind) or not _NAME.match(name):
        raise UsageError(f"{text[:100]!r} is no workload", why="write deployment/name or statefulset/name", advice=_PAGE)
    return Named(Kind(kind), name)


def _alias(text: str) -> tuple[str, str]:
    told, _, endorsed = text.partition("=")
    if not _DIGEST.match(told) or not _DIGEST.match(endorsed):
        raise UsageError(f"{text[:200]!r} is no alias", why="write sha256:<told by the runtime>=sha256:<endorsed>", advice=_PAGE)
    return told, endorsed
