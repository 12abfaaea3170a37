"""What is noted of one subject: what it holds, what is open in it of one check, and how it was judged last; enough to judge it again."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, Core, Finding, Fingerprint, Layer, Place, RuleId, Witness
from assaymark.model.severity import Confidence, Severity
from assaymark.store.narrowing import standing
from assaymark.store.tables import assessment, finding, holding, occurrence, package_set, subject

_SEVERITIES = {each.rank: each for each in Severity}
_CONFIDENCES = {each.rank: each for each in Confidence}


class Noted(Struct, frozen=True):
    """The subject and its last assessment."""

    id: SubjectId
    name: str
    ref: str
    team: TeamId | None
    head: str
    state: str
    ended: bool
    grounds: str
    """Digest of policy and statements in the blobs; empty when none were noted."""
    verdict: str
    """Digest of the last verdict in the blobs; empty when there is none."""
    summary: str


class Holding(Struct, frozen=True):
    """A package set at a path."""

    id: int
    path: str
    digest: Digest
    """Of the set."""
    input: Digest
    """Of the content that names the packages."""
    since: Instant = Instant(0)


class Remembered(Struct, frozen=True):
    """A finding that is open in the subject."""

    fingerprint: Fingerprint
    core: Core
    path: str
    line: int
    severity: int
    """Rank."""
    confidence: int
    rule: RuleId
    message: str

    def finding(self, check: CheckId, layer: Layer, content: Digest, severity: Severity | None = None) -> Finding:
        """As a finding of this check, with another severity if one is given."""
        return Finding(
            fingerprint=self.fingerprint,
            core=self.core,
            place=Place(self.path, self.line),
            layer=layer,
            severity=severity or _SEVERITIES[self.severity],
            confidence=_CONFIDENCES[self.confidence],
            witnesses=(Witness(check, self.rule, self.message),),
            input=content,
        )


def noted(connection: sa.Connection, number: SubjectId) -> Noted | None:
    """The subject; None when there is no such one."""
    s, a = subject.c, assessment.c
    query = sa.select(s.name, s.ref, s.team, s.head, s.state, s.ended_at, s.grounds, a.verdict, a.summary)
    row = connection.execute(query.join(assessment, a.id == s.last_assessment, isouter=True).where(s.id == number)).first()
    if row is None:
        return None
    return Noted(
        id=number, name=row.name, ref=row.ref, team=row.team, head=row.head, state=row.state, ended=row.ended_at is not None,
        grounds=row.grounds, verdict=row.verdict or "", summary=row.summary or "",
    )  # fmt: skip


def holdings(connection: sa.Connection, number: SubjectId, as_of: Instant | None = None) -> tuple[Holding, ...]:
    """What it holds now, or held then, in order of paths."""
    query = sa.select(holding.c.id, holding.c.path, package_set.c.digest, holding.c.input, holding.c.opened_at).where(
        holding.c.subject == number
    )
    query = query.where(*standing(holding, as_of))
    rows = connection.execute(query.join(package_set, package_set.c.id == holding.c.package_set).order_by(holding.c.path, holding.c.id))
    return tuple(Holding(*row) for row in rows)


def remembered(connection: sa.Connection, number: SubjectId, check: CheckId, as_of: Instant | None = None) -> tuple[Remembered, ...]:
    """What is open in it that this check alone sees."""
    o = occurrence.c
    columns = (finding.c.fingerprint, finding.c.core, o.path, o.line_now, o.severity, o.confidence, o.rule, o.message)
    query = sa.select(*columns).join(finding, finding.c.id == o.finding).where(o.subject == number, o.checks == check)
    query = query.where(*standing(occurrence, as_of))
    return tuple(
        Remembered(
            fingerprint=row.fingerprint,
            core=msgspec.json.decode(row.core, type=Core),
            path=row.path,
            line=row.line_now,
            severity=row.severity,
            confidence=row.confidence,
            rule=row.rule,
            message=row.message,
        )
        for row in connection.execute(query.order_by(o.id))
    )
