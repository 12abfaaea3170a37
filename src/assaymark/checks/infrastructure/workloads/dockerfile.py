"""Dockerfiles, judged by our own rules and by those about shell text.

Guarantees: exactly one outcome per input; linear time; a flaw has its stage, the kind of instruction and what is wrong as address, so
instructions and stages can come, go and change places.
A file with text of a template engine is read as far as its lines are instructions.
Does not build, and does not know what the base image sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import CheckId, Layer

if TYPE_CHECKING:
    from assaymark.checks.policies.files import UserPolicy

_ID = CheckId("dockerfile")
_NAME = re.compile(r"(?:[\w.-]*\.)?(?:dockerfile|containerfile)(?:[._-][\w-]*)?\Z", re.IGNORECASE)
_PERHAPS = re.compile(r"[\w.-]*(?:dockerfile|containerfile)(?:[._-][\w.-]*)?\Z", re.IGNORECASE)
_NO = re.compile(
    r"(?:dockerfile|containerfile)[\w.-]*\.(?:md|rst|txt|py|go|rs|js|ts|tsx|rb|java|sh|json|ya?ml|toml|ini|cfg|xml|css|php|html?|dockerignore|lock|snap|png|svg)\Z"
    r"|ignore\Z",
    re.IGNORECASE,
)
_BEGINS = re.compile(rb"^\s*FROM\s+\S", re.IGNORECASE | re.MULTILINE)


class DockerfileCheck:
    """See the module."""

    id = _ID
    layer = Layer.INFRASTRUCTURE
    unit = UnitKind.BLOB
    version = "1"

    def knowledge(self) -> str:
        """The rules are code and belong to `version`."""
        return digest_of([_ID])

    def select(self, path: str) -> Dialect | None:
        """``Dockerfile``, ``Containerfile``, with a word before or behind; of names that only hold the word, the content decides."""
        name = path.rpartition("/")[2]
        if not _PERHAPS.match(name) or _NO.search(name):
            return None
        return Dialect("dockerfile" if _NAME.match(name) else "dockerfile-perhaps")

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        for each in inputs:
            if each.dialect == "dockerfile-perhaps" and not _BEGINS.search(each.content):
                yield each.digest, Checked(skipped="other-format")
            else:
                yield each.digest, self.judge(each.content)

    def judge(self, content: bytes) -> Outcome:
        """One file by our own rules."""
        return _judge(content)


class DockerfilePolicies(DockerfileCheck):
    """The user's policies over the same files: a check of its own, so that one that can't be evaluated is no gap in the other."""

    id = CheckId("dockerfile-policies")

    def __init__(self, policies: Sequence[UserPolicy], asked: str) -> None:
        self._policies = tuple(policies)
        self._asked = asked

    def knowledge(self) -> str:
        """What the policies say."""
        return digest_of([self.id, self._asked])

    def select(self, path: str) -> Dialect | None:
        """Nothing where there is no policy."""
        return super().select(path) if self._policies else None

    def judge(self, content: bytes) -> Outcome:
        """One file by the user's policies."""
        from assaymark.checks.infrastructure.workloads.dockerfile_policies import judged  # noqa: PLC0415

        return judged(self.id, content, self._policies)


def make_policies(settings: CheckSettings) -> DockerfilePolicies:
    """The check of the user's policies that are about Dockerfiles.

    Raises:
        PolicyInvalid: when a file of policies is wrong.
    """
    if not settings.policies:
        return DockerfilePolicies((), "")
    from assaymark.checks.policies.files import knowledge, read  # noqa: PLC0415  few have policies

    mine = [policy for policy in read(settings.policies) if policy.is_about("dockerfile", "")]
    return DockerfilePolicies(mine, knowledge(settings.policies))


def make(settings: CheckSettings) -> DockerfileCheck:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return DockerfileCheck()


def _judge(content: bytes) -> Outcome:
    from assaymark.checks.infrastructure.workloads.dockerfile_document import read  # noqa: PLC0415  not needed to select
    from assaymark.checks.infrastructure.workloads.dockerfile_rules import EXAMINERS, RULES  # noqa: PLC0415
    from assaymark.checks.infrastructure.workloads.dockerfile_skips import commented  # noqa: PLC0415
    from assaymark.checks.infrastructure.workloads.skips import with_aliases  # noqa: PLC0415
    from assaymark.checks.reading.yaml_tree import Unreadable, decode  # noqa: PLC0415
    from assaymark.checks.rulebook import bounded, sightings  # noqa: PLC0415

    rules = with_aliases(_ID, RULES)
    try:
        file = read(decode(content))
        if file is None:
            return Checked(skipped="empty")
        flaws = bounded(commented(file, (flaw for examine in EXAMINERS for flaw in examine(file)), rules))
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason, why.line)
    return Checked(sightings=sightings(_ID, rules, flaws, file.lines))
