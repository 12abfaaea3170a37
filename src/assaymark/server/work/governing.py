"""Which policies of the organisation apply to what is judged: read when it is judged, from rows that only grow.

Guarantees: what is in force at that moment and about this subject is added, nothing else; a document is parsed once per process, and one
that this release cannot read any more stops the judgement instead of being left out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from msgspec.structs import replace

from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.trigger import SubjectKind
from assaymark.server.service import Service
from assaymark.store import policies
from assaymark.store.tables import repository, team
from assaymark.store.tables import subject as subjects
from assaymark.verdict.given import NOTHING, Given
from assaymark.verdict.organisation import OrganisationPolicy, in_force_for
from assaymark.verdict.organisation_file import parse_one
from assaymark.verdict.rules import About, Approval, FloorOf, Rule

if TYPE_CHECKING:
    from assaymark.server.work.cases import Case

_SUBJECT = sa.select(subjects, repository.c.name.label("repository_name")).outerjoin(repository, repository.c.id == subjects.c.repository)


def given_for(service: Service, case: Case, head: str, given: Given = NOTHING) -> Given:
    """What is given, with the policies that are in force for a case, and what was approved of its head.

    What the case is about is given without any policy too: it is kept with the verdict, so that later policies can be asked about it.

    Raises:
        PolicyInvalid: when this release cannot read one of them.
    """
    with service.database.read() as link:
        about = about_case(link, case)
        rules, floors = in_force_for(in_force(link, service.now()), about)
        approvals = tuple(Approval(each.rule, each.actor, each.reason) for each in policies.approvals(link, case.subject, head))
    return replace(given, rules=rules, floors=floors, about=about, approvals=approvals)


def floors_for(service: Service, subject: Any, repository: str, given: Given = NOTHING) -> Given:
    """What is given, with the floors for a subject's row: an inventory brings no change that rules could be asked about."""
    with service.database.read() as link:
        now = in_force(link, service.now())
        if not now:
            return given
        about = _about(link, subject, repository)
    return replace(given, floors=in_force_for(now, about)[1], about=about)


def _about(link: sa.Connection, subject: Any, repository: str) -> About:
    """A subject without any change to it."""
    branch = _branch(subject.kind, subject.ref)
    return About(kind=subject.kind, name=subject.name, repository=repository, team=slug_of(link, subject.team), branch=branch)


def floors_of(service: Service, number: SubjectId) -> tuple[FloorOf, ...]:
    """The floors for a subject, for what is judged without a case: what it holds, after advisories changed."""
    with service.database.read() as link:
        row = link.execute(_SUBJECT.where(subjects.c.id == number)).first()
    return floors_for(service, row, row.repository_name or "").floors if row is not None else ()


def asked_of(service: Service, number: SubjectId) -> tuple[tuple[Rule, ...], tuple[FloorOf, ...]]:
    """Rules and floors that apply to a subject now, whatever changes there."""
    with service.database.read() as link:
        row = link.execute(_SUBJECT.where(subjects.c.id == number)).first()
        if row is None:
            return (), ()
        return in_force_for(in_force(link, service.now()), _about(link, row, row.repository_name or ""))


def in_force(link: sa.Connection, at: Instant) -> tuple[OrganisationPolicy, ...]:
    """Every policy that is in force.

    Raises:
        PolicyInvalid: when this release cannot read one of them.
    """
    return tuple(parsed(version.document, f"policy {version.name} {version.version}") for version, _ in policies.in_force(link, at))


@lru_cache(maxsize=1024)
def parsed(document: str, name: str) -> OrganisationPolicy:
    """The policy of a document.

    Raises:
        PolicyInvalid: when it is none.
    """
    return parse_one(document.encode(), name)


def about_case(link: sa.Connection, case: Case) -> About:
    """What rules may ask of a case beyond its content."""
    trigger, request = case.trigger, case.trigger.merge_request
    return About(
        kind=case.kind.value,
        name=case.name,
        repository=case.repository.name if case.repository is not None else "",
        team=slug_of(link, case.team),
        branch=_short(request.base_ref) if request is not None else _branch(case.kind, case.ref or trigger.ref),
        trigger=trigger.kind.value,
        actor=trigger.actor,
        program=trigger.bot,
        merge_request=request.number if request is not None else 0,
        title=request.title[:500] if request is not None else "",
    )


def slug_of(link: sa.Connection, number: int | None) -> str:
    """Of a team; empty for none."""
    return "" if number is None else str(link.execute(sa.select(team.c.slug).where(team.c.id == number)).scalar() or "")


def _branch(kind: str, ref: str) -> str:
    return _short(ref) if kind in (SubjectKind.BRANCH, SubjectKind.MERGE_REQUEST) and ref.startswith("refs/heads/") else ""


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")
