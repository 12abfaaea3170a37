"""One finding: what it is, where it stands, why it matters, how to repair it, how it went, what was said and decided about it."""

from __future__ import annotations

import sqlalchemy as sa
from markupsafe import Markup
from msgspec import Struct
from starlette.responses import Response

from assaymark.model.access import Permission
from assaymark.model.finding import RuleClassId
from assaymark.model.rules import catalogue
from assaymark.server.problem import not_found
from assaymark.server.web import asking, talk
from assaymark.server.web.screen import Screen, Visit
from assaymark.server.work.excerpt import Excerpt, excerpt
from assaymark.store import decisions, findings, items
from assaymark.store.comments import About
from assaymark.store.findings import Filter, FindingRow, OccurrenceInfo, Standing
from assaymark.store.items import ItemRow
from assaymark.store.spells import spells
from assaymark.store.tables import occurrence
from assaymark.views.causes import cwe_of, owasp_of
from assaymark.views.explain import find_explanation, language_of, platform_of, safe_code
from assaymark.views.html_text import paragraphs

_PLACES, _HISTORY = 50, 12


class Lesson(Struct, frozen=True):
    """The packaged page of its class, as markup of our own."""

    title: str
    in_short: str
    why: Markup
    exploit: Markup
    advice: Markup
    safe: tuple[tuple[str, str], ...]
    """(language, code)."""
    references: tuple[tuple[str, str], ...]


def show_finding(visit: Visit) -> Response:
    """One weakness, and everything that has it."""
    number, after = visit.number("number"), asking.after(visit, (int,))
    teams, at = visit.who.teams_with(Permission.FINDINGS_READ), asking.as_of(visit)
    with visit.service.database.read() as connection:
        found = findings.by_id(connection, number)
        if found is None or not findings.may_see(connection, teams, number):
            raise not_found("this finding")
        asked = Filter(finding=number, at=at)
        rows, last = findings.everywhere(connection, teams, asked, after=after[0] if after else 0, limit=_PLACES)
        ended = [] if rows else findings.everywhere(connection, teams, Filter(finding=number, state=Standing.CLOSED, at=at), limit=1)[0]
        shown = next(iter([*rows, *ended]), None)
        info = findings.occurrence_of(connection, shown.id) if shown is not None else None
        decided, _ = decisions.page(
            connection, teams, decisions.Filter(finding=found.fingerprint), visit.service.now(), decisions.Part(limit=5)
        )
        owner = _owner(connection, visit, shown)
        went, more = spells(connection, teams, number, limit=_HISTORY)
    return visit.page(
        "finding.html",
        found=found,
        rows=rows,
        worst=max((row.severity for row in [*rows, *ended]), key=lambda severity: severity.rank, default=None),
        info=info,
        code=_code(visit, info, is_past=at is not None),
        lesson=_lesson(found.rule_class, shown),
        owasp=owasp_of(RuleClassId(found.rule_class)),
        cwe=cwe_of(RuleClassId(found.rule_class)),
        rule=catalogue().rules.get(found.rule),  # type: ignore[call-overload]
        decisions=decided,
        may_decide=visit.who.may_somewhere(Permission.FINDINGS_DECIDE),
        owner=owner,
        history=went,
        has_more_history=more is not None,
        onward=asking.onward(visit, (last,) if last is not None else None),
        as_of=visit.asked("as_of"),
        talk=talk.conversation(visit, About.FINDING, number),
    )


def _owner(connection: sa.Connection, visit: Visit, row: FindingRow | None) -> ItemRow | None:
    """The item by which it is repaired, where there is one that may be seen."""
    number = None if row is None else connection.execute(sa.select(occurrence.c.item).where(occurrence.c.id == row.id)).scalar()
    found = None if number is None else items.one(connection, number)
    return found if found is not None and visit.who.may(Permission.FINDINGS_READ, found.team) else None


def _code(visit: Visit, info: OccurrenceInfo | None, *, is_past: bool) -> Excerpt | None:
    return None if info is None or is_past or info.row.closed_at is not None else excerpt(visit.service, info.row.id)


def _lesson(rule_class: str, row: FindingRow | None) -> Lesson | None:
    page = find_explanation(RuleClassId(rule_class))
    if page is None:
        return None
    path, rule = (row.path, row.rule) if row is not None else ("", "")
    return Lesson(
        title=page.title,
        in_short=page.in_short,
        # Our own pages, whose every part `paragraphs` escapes.
        why=Markup(paragraphs(page.why)),  # noqa: S704
        exploit=Markup(paragraphs(page.exploit)),  # noqa: S704
        advice=Markup(paragraphs(page.advice)),  # noqa: S704
        safe=tuple((block.language, block.code) for block in safe_code(page, language_of(path), platform_of(path, rule))),
        references=tuple((reference.label, reference.url) for reference in page.references),
    )


SCREENS = [
    Screen("GET", "/findings/{number}", show_finding, Permission.FINDINGS_READ),
]
