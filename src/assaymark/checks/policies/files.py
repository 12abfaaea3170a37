"""Files of policies: what the user requires of resources, in the Common Expression Language.

Read and checked here without the library that evaluates them, since this happens at planning. Refused, with the policy's name: unknown
settings, ids that are used twice, targets that no check reads, and expressions that could run for long.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import msgspec
from msgspec import Struct

from assaymark.checks.settings import NamedFile
from assaymark.errors import PolicyInvalid
from assaymark.formats.expression import costs_too_much
from assaymark.model.digest import Digest, digest_of
from assaymark.model.severity import Confidence, Severity

TARGETS = ("terraform", "kubernetes", "dockerfile")
"""Kinds of documents that some check evaluates policies over; whoever adds one says so here."""
_ALONE = ("dockerfile",)
"""Those of which there is one kind only."""
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,79}\Z")


class UserPolicy(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """One ``[[policy]]``."""

    id: str
    applies_to: tuple[str, ...]
    """``terraform:aws_s3_bucket``, ``kubernetes:Deployment``, ``dockerfile``; the type may hold ``*``."""
    require: str
    """CEL expression over `resource` that must be true."""
    message: str
    fix: str
    severity: Severity = Severity.MEDIUM
    confidence: Confidence = Confidence.HIGH
    attribute: str = ""
    """Where to point at, if the resource has it."""

    def is_about(self, target: str, kind: str) -> bool:
        """Whether it is about documents of this kind, e.g. ``aws_s3_bucket`` among those of ``terraform``."""
        wanted = f"{target}:{kind}" if kind else target
        return any(fnmatchcase(wanted, pattern) for pattern in self.applies_to)


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    policy: tuple[UserPolicy, ...] = ()


def read(files: Iterable[NamedFile]) -> tuple[UserPolicy, ...]:
    """Every policy of these files.

    Raises:
        PolicyInvalid: with file and policy, and what to write.
    """
    found: dict[str, UserPolicy] = {}
    for file in files:
        for policy in _parsed(file).policy:
            _check(policy, file.name)
            if policy.id in found:
                raise PolicyInvalid(f"{file.name}: policy {policy.id} exists twice", advice="give each policy an id of its own")
            found[policy.id] = policy
    return tuple(found.values())


def _parsed(file: NamedFile) -> _File:
    try:
        return msgspec.convert(tomllib.loads(file.content.decode("utf-8")), _File)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyInvalid(f"{file.name} is not TOML", why=str(error)[:200], advice="see docs/how-to/write-a-policy.md") from error
    except msgspec.ValidationError as error:
        raise PolicyInvalid(
            f"{file.name} has a policy that is not understood", why=str(error), advice="see docs/how-to/write-a-policy.md"
        ) from error


def _check(policy: UserPolicy, name: str) -> None:
    what = f"{name}: policy {policy.id!r}"
    if not _ID.match(policy.id):
        raise PolicyInvalid(f"{what} has no usable id", advice="use small letters, digits and hyphens")
    if not policy.applies_to:
        raise PolicyInvalid(f"{what} applies to nothing", advice='name resources, e.g. applies-to = ["terraform:aws_s3_bucket"]')
    for target in policy.applies_to:
        kind, colon, rest = target.partition(":")
        if kind not in TARGETS or (kind in _ALONE) == bool(colon) or (kind not in _ALONE and not rest):
            raise PolicyInvalid(
                f"{what} applies to {target!r}",
                why="no check reads that",
                advice="write terraform:<type>, kubernetes:<Kind> or dockerfile",
            )
    if not (policy.message.strip() and policy.fix.strip()):
        raise PolicyInvalid(f"{what} has no message or no fix", advice="say what is wrong and what to write instead")
    reason = costs_too_much(policy.require)
    if reason:
        raise PolicyInvalid(f"{what} has no usable `require`", why=reason, advice="split it into several policies")


def knowledge(files: Sequence[NamedFile]) -> Digest:
    """What a check's answers depend on besides its own rules."""
    return digest_of([(file.name, file.content.decode("utf-8", "replace")) for file in files])
