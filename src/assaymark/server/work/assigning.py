"""Give an item to somebody by hand, and take that back: recorded in the trail and told, in one transaction."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.access import Permission, PersonId, Principal
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work import owners
from assaymark.server.work.items import follow
from assaymark.store import items, people, teams, trail
from assaymark.store.item_keeping import Owner, own
from assaymark.store.items import ItemRow
from assaymark.store.tables import item_subject, subject
from assaymark.store.trail import Action


class To(Struct, frozen=True):
    """Whom it is given to: an account, else a name."""

    person: int | None = None
    name: str = ""


def assign(service: Service, link: sa.Connection, found: ItemRow, by: By, to: To) -> None:
    """Within the caller's transaction, who has asked whether this is allowed.

    Raises:
        UsageError: when there is no such person, or he may not see the item.
    """
    owner = Owner("hand", " ".join(to.name.split()))
    if to.person is not None:
        row = people.get(link, PersonId(to.person))
        if row is None or row.disabled_at is not None or not _sees(link, row.id, row.login, found):
            raise UsageError(
                f"person {to.person} cannot have this item",
                why="there is no such account, or it may not see what belongs to the item's team",
                advice="choose a member of the team, or add him to it",
            )
        owner = Owner("hand", row.login, row.id)
    if not owner.name.isprintable() or not owner.name:
        raise UsageError("this is nobody's name", advice="write 1 to 200 printable characters")
    own(link, found.id, owner, service.now())
    _note(service, link, found, by, {"owner": owner.name})
    follow(service, link, actor=by.actor)


def release(service: Service, link: sa.Connection, found: ItemRow, by: By) -> None:
    """Let it be found again whose it is, from the team on."""
    own(link, found.id, Owner("team"), service.now())
    items.forget_basis(link, found.id)
    of = sa.select(item_subject.c.subject).join(subject, subject.c.id == item_subject.c.subject)
    for number in link.execute(of.where(item_subject.c.item == found.id, subject.c.repository.is_not(None)).limit(1)).scalars():
        owners.ask(service, link, number)
    _note(service, link, found, by, {"owner": ""})
    follow(service, link, actor=by.actor)


def _sees(link: sa.Connection, person: PersonId, login: str, found: ItemRow) -> bool:
    return Principal(person, login, teams.grants_of(link, person)).may(Permission.FINDINGS_READ, found.team)


def _note(service: Service, link: sa.Connection, found: ItemRow, by: By, details: dict[str, str]) -> None:
    told = details | {"before": found.owner}
    trail.record(
        link, Action(service.now(), by.actor, "item.assigned", "success", by.person, "item", str(found.id), found.team, by.origin, told)
    )
