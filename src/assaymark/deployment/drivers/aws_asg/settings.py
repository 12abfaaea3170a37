"""The driver's own options, as `assay-deploy.toml` writes them: texts, each looked at once, before anything is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from assaymark.errors import UsageError

_PAGE = "see docs/how-to/phoenix-aws.md"
_GROUP = re.compile(r"[\x20-\x7e]{1,255}\Z")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z0-9]+){1,4}\Z")
_PARAMETERS = re.compile(r"(?:/[A-Za-z0-9_.-]{1,100}){1,10}\Z")
_OWNERS = re.compile(r"(?:self|[0-9]{12})(?: (?:self|[0-9]{12}))*\Z")
_OWN = frozenset({"127.0.0.1", "::1", "localhost"})


class Strategy(StrEnum):
    REFRESH = "refresh"
    """Instance Refresh, which the cloud carries out and takes back by itself."""
    REPLACE = "replace"
    """One after another, by this driver: where Instance Refresh is not there."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """What is driven."""

    group: str
    region: str
    keys: str
    """Files with public keys (PEM), parted by spaces: who may say which tree a machine image holds."""
    owners: str = "self"
    """Accounts whose images may be used, parted by spaces; an image is found by the digest in its seal."""
    profile: str = ""
    endpoint: str = ""
    """For clouds that speak the same API; on Amazon's it stays empty."""
    strategy: Strategy = Strategy.REFRESH
    surge: Annotated[int, Meta(ge=1, le=1000)] = 1
    """So many more machines than asked for while they are replaced."""
    warmup: Annotated[int, Meta(ge=-1, le=86_400)] = -1
    """Seconds until a machine counts; -1: as the group says."""
    checkpoints: str = ""
    """``20 50 100``: percentages at which a refresh stops to be looked at."""
    checkpoint_seconds: Annotated[int, Meta(ge=0, le=172_800)] = 300
    rollback: bool = True
    """A refresh that fails is taken back by the cloud itself; the deployer would otherwise."""
    rollout_seconds: Annotated[float, Meta(gt=0, le=172_800)] = 3600
    parameters: str = "/assaymark"
    """Where a configuration is kept, in Systems Manager's Parameter Store."""
    kms_key: str = ""
    """That secrets are encrypted with; the account's own without it."""

    @property
    def percentages(self) -> list[int]:
        return [int(each) for each in self.checkpoints.split()]

    @property
    def key_files(self) -> list[str]:
        return self.keys.split()


def read(options: Mapping[str, str]) -> Settings:
    """The options.

    Raises:
        UsageError: when one is missing, unknown or makes no sense.
    """
    try:
        found = msgspec.convert(dict(options), Settings, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError("the options of the driver aws-asg do not say what they mean", why=str(error), advice=_PAGE) from error
    wrong = _wrong(found)
    if wrong:
        raise UsageError("the options of the driver aws-asg make no sense", why=wrong, advice=_PAGE)
    return found


def _wrong(found: Settings) -> str:
    words = found.checkpoints.split()
    parts = urlsplit(found.endpoint)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _OWN)
    checks = {
        f"group {found.group[:100]!r} is no name": not _GROUP.match(found.group),
        f"region {found.region[:100]!r} is none": not _REGION.match(found.region),
        f"owners {found.owners[:100]!r} are no accounts": not _OWNERS.match(found.owners),
        "keys names no file: without a key nobody can say what a machine image holds": not found.key_files,
        f"endpoint {found.endpoint[:100]!r} is no address over TLS": bool(found.endpoint) and (not safe or bool(parts.username)),
        f"parameters {found.parameters[:100]!r} is no path": not _PARAMETERS.match(found.parameters),
        "rollout_seconds is no number": not found.rollout_seconds < 1e9,
    }
    said = next((text for text, wrong in checks.items() if wrong), "")
    if said:
        return said
    if any(not each.isascii() or not each.isdecimal() or not 1 <= int(each) <= 100 for each in words):
        return f"checkpoints {found.checkpoints[:100]!r} are not as 20 50 100"
    numbers = found.percentages
    return "" if numbers == sorted(set(numbers)) else f"checkpoints {found.checkpoints[:100]!r} do not rise"
