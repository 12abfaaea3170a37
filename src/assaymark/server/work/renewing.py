"""Handler: what is endorsed by itself is judged again before its endorsement ends, so that what stands still does not fall out of approval.

Guarantees: nothing is prolonged: a new judgement of the same change, from the same base, by today's rules, advisories and decisions, is
endorsed anew when it passes, and not otherwise. Only where the terms let a pass be endorsed without anybody asking, only what is still the
newest of its subject, and once per ending, however often this runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
import structlog

from assaymark.endorsement.approval import stamp
from assaymark.errors import UsageError
from assaymark.jobs.job import Priority
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.trigger import TriggerKind
from assaymark.server.service import Service
from assaymark.server.work.again import Asked, judge_again
from assaymark.server.work.endorsing_terms import terms_of
from assaymark.server.work.handlers import Attempt
from assaymark.store import assessments, endorsements
from assaymark.store.endorsements import EndorsementRow
from assaymark.store.repositories import Foreign
from assaymark.store.tables import assessment, subject

_WEEK = 7 * 86_400 * SECOND
_PART = 4
"""In the last quarter of its time, and not more than a week before its end."""
_AT_ONCE = 100
_log = structlog.get_logger("assaymark.renewing")


def renew_endorsements(service: Service, _arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Look at everything that ends within a week, portion by portion."""
    after = 0
    while not attempt.should_stop():
        now = service.now()
        with service.database.write() as link:
            rows = endorsements.ending(link, now, Instant(now + _WEEK), after=after, limit=_AT_ONCE)
            for row in rows:
                if _is_due(link, row, now):
                    _judge(service, link, row)
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].id


def _is_due(link: sa.Connection, row: EndorsementRow, now: Instant) -> bool:
    begins = row.expires_at - min(_WEEK, (row.expires_at - row.verified_at) // _PART)
    if now < begins or not terms_of(link, row.team).automatic:
        return False
    newest = sa.select(subject.c.id).where(subject.c.id == row.subject, subject.c.head == row.head, subject.c.ended_at.is_(None))
    a = assessment.c
    tried = sa.select(a.id).where(a.subject == row.subject, a.trigger == TriggerKind.SCHEDULE.value, a.queued_at >= begins)
    return link.execute(newest).first() is not None and link.execute(tried.limit(1)).first() is None


def _judge(service: Service, link: sa.Connection, row: EndorsementRow) -> None:
    page = assessments.one(link, row.assessment)
    if page is None:
        return
    asked = Asked(f"its endorsement ends at {stamp(row.expires_at)}", Priority.SCHEDULE, TriggerKind.SCHEDULE)
    try:
        with link.begin_nested():
            judge_again(service, link, page, asked)
    except (UsageError, Foreign) as error:
        _log.warning("cannot be judged again", endorsement=row.digest, why=f"{error.what}: {error.why}")
