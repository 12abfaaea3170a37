"""Compose files, judged by our own rules.

Guarantees: exactly one outcome per input; aliases are never expanded, nesting and size are limited; a flaw has the service that wrote the
value as address, so services can come, go and change places.
Does not read override files, ``include`` or ``extends`` with another file together with this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import CheckId, Layer

_ID = CheckId("compose")
_NAME = re.compile(r"(?:[\w.-]*[._-])?(?:(?:docker|podman)-compose|compose|docker-stack)(?:[._-][\w.-]*)?\.ya?ml\Z", re.IGNORECASE)


class ComposeCheck:
    """See the module."""

    id = _ID
    layer = Layer.INFRASTRUCTURE
    unit = UnitKind.BLOB
    version = "1"

    def knowledge(self) -> str:
        """The rules are code and belong to `version`."""
        return digest_of([_ID])

    def select(self, path: str) -> Dialect | None:
        """``compose.yaml``, ``docker-compose.yml``, with words before and behind."""
        return Dialect("compose") if _NAME.match(path.rpartition("/")[2]) else None

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        for each in inputs:
            yield each.digest, _judge(each.content)


def make(settings: CheckSettings) -> ComposeCheck:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return ComposeCheck()


def _judge(content: bytes) -> Outcome:
    from assaymark.checks.infrastructure.workloads.compose_document import read  # noqa: PLC0415  not needed to select
    from assaymark.checks.infrastructure.workloads.compose_rules import RULES, SHARED_FINDING, examine  # noqa: PLC0415
    from assaymark.checks.infrastructure.workloads.skips import settled, with_aliases  # noqa: PLC0415
    from assaymark.checks.reading.yaml_tree import Unreadable, decode  # noqa: PLC0415
    from assaymark.checks.rulebook import bounded, sightings  # noqa: PLC0415

    rules = with_aliases(_ID, RULES)
    try:
        file = read(decode(content))
        if file is None:
            return Checked(skipped="empty")
        if next(file.services(), None) is None:
            return Checked(skipped="other-format")
        flaws = bounded(examine(file))
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason, why.line)
    return Checked(sightings=settled(sightings(_ID, rules, flaws, file.lines), SHARED_FINDING))
