"""A digest for an environment: asked for, agreed to by others where the environment asks for that, and wanted from then on.

Guarantees: only a digest whose endorsement verifies for this environment now is promoted, looked at when it is asked for and again when the
last one agrees; whoever asked does not agree to his own, each other person says so once, one who declines ends it. What is promoted is the
very digest that was judged: nothing is built, and no tag is read. Part of the caller's transaction, with trail, log and news.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.model.happening import Happening, HappeningKind
from assaymark.server.people.accounts import By
from assaymark.server.problem import ApiError, conflict, invalid, not_found
from assaymark.server.service import Service
from assaymark.server.work import standing
from assaymark.server.work.publish import publish
from assaymark.server.work.standing import Standing
from assaymark.store import environments, log, promotions, trail
from assaymark.store.environments import PairRow
from assaymark.store.promotions import Asked, PromotionRow, State
from assaymark.store.trail import Action

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_IMAGE = 1000


class Wish(Struct, frozen=True):
    """What is to run."""

    digest: str
    image: str
    reason: str
    pins: bool = False
    releases: bool = False


def promote(service: Service, link: sa.Connection, pair: PairRow, wish: Wish, by: By) -> PromotionRow:
    """Ask for it; wanted at once where nobody else has to agree.

    Raises:
        ApiError: 400 for what is no digest, 409 when it may not run there now, with the reasons.
    """
    if not _DIGEST.fullmatch(wish.digest):
        raise invalid(f"{wish.digest[:80]!r} is no digest", "what is promoted is named by sha256:<64 hex digits>, never by a tag")
    if len(wish.image) > _LONGEST_IMAGE or not wish.image.isprintable():
        raise invalid("`image` is no name of an image")
    if len(wish.reason) > promotions.LONGEST_REASON:
        raise invalid("the reason is too long", f"at most {promotions.LONGEST_REASON} letters")
    stands = _need_approval(service, link, pair, wish.digest)
    locked = environments.pair_of(link, pair.id, lock=True)
    terms = environments.one(link, pair.environment)
    assert locked is not None and terms is not None  # noqa: S101, PT018 - neither is ever deleted
    now = service.now()
    asked = Asked(pair.id, wish.digest, wish.image, wish.reason, wish.pins, wish.releases, by.actor, by.person, terms.people, now)
    number = promotions.ask(link, asked)
    _note(service, link, pair, by, ("promotion.asked", {"promotion": str(number), "digest": wish.digest, "reason": wish.reason[:500]}))
    row = _row(link, number)
    if not terms.people:
        return _in_force(service, link, row, stands, by)
    others = "one more has" if terms.people == 1 else f"{terms.people} more have"
    sentence = f"{by.actor} wants {row.digest[:19]}… to run at {pair.pair}: {others} to agree"
    _publish(service, link, row, HappeningKind.PROMOTION_ASKED, sentence)
    return row


def _need_approval(service: Service, link: sa.Connection, pair: PairRow, digest: str) -> Standing:
    found = standing.of_digest(service, link, digest, pair.environment_name)
    if not found.ok:
        raise ApiError(
            409, "not-approved", f"it may not run in {pair.environment_name}", detail=found.words,
            advice="have it judged and endorsed for this environment first",
        )  # fmt: skip
    return found


def answer(service: Service, link: sa.Connection, number: int, said: tuple[bool, str], by: By) -> PromotionRow:
    """Agree or decline; with the last one who has to agree it is wanted.

    Raises:
        ApiError: 404 when there is no such promotion; 409 when it ended, he does not count, or it is not approved any more.
    """
    row = promotions.one(link, number)
    if row is None:
        raise not_found(f"promotion {number}")
    environments.pair_of(link, row.pair, lock=True)
    row, person = _row(link, number), by.person
    if row.state is not State.WAITING:
        raise conflict(f"promotion {number} is {row.state.value}", "ask again, where something changed")
    if person is None or person == row.person or by.actor == row.asked_by:
        raise conflict("you asked for it", "let somebody else agree")
    if not promotions.vote(link, number, (person, by.actor), said, service.now()):
        raise conflict("you have answered already", "nobody counts twice")
    pair = _pair(link, row)
    action = "promotion.agreed" if said[0] else "promotion.declined"
    _note(service, link, pair, by, (action, {"promotion": str(number), "digest": row.digest, "reason": said[1][:500]}))
    row = _row(link, number)
    if not said[0]:
        return _declined(service, link, row, said[1], by)
    if len(row.agreed) < row.people:
        return row
    stands = standing.of_digest(service, link, row.digest, row.environment_name)
    if not stands.ok:
        promotions.end(link, number, State.LAPSED, f"it is not approved any more: {stands.words}", service.now())
        return _row(link, number)
    return _in_force(service, link, row, stands, by)


def _declined(service: Service, link: sa.Connection, row: PromotionRow, reason: str, by: By) -> PromotionRow:
    promotions.end(link, row.id, State.DECLINED, reason, service.now())
    ended = _row(link, row.id)
    title = f"{row.digest[:19]}… was declined for {row.environment_name}/{row.component} by {by.actor}"
    _publish(service, link, ended, HappeningKind.PROMOTION_ANSWERED, f"{title}: {reason}" if reason else title)
    return ended


def _in_force(service: Service, link: sa.Connection, row: PromotionRow, stands: Standing, by: By) -> PromotionRow:
    now = service.now()
    promotions.end(link, row.id, State.PROMOTED, "", now)
    facts = {"environment": row.environment_name, "component": row.component, "promotion": str(row.id), "asked_by": row.asked_by}
    facts |= {"agreed": ", ".join(row.agreed), "reason": row.reason, "pins": "yes" if row.pins else ""}
    facts |= {"releases": "yes" if row.releases else ""}
    details = {name: text for name, text in facts.items() if text}
    _note(service, link, _pair(link, row), by, ("promotion.made", {"promotion": str(row.id), "digest": row.digest}))
    _publish(service, link, _row(link, row.id), HappeningKind.PROMOTION_ANSWERED, _sentence(row))
    line = log.append(link, [Entry(EntryType.PROMOTE, now, by.actor, (row.digest,), stands.endorsement, details)], team=row.team)[0]
    promotions.put_in_force(link, row, stands.endorsement, line)
    return _row(link, row.id)


def _sentence(row: PromotionRow) -> str:
    with_whom = f", with {', '.join(row.agreed)}" if row.agreed else ""
    return f"{row.digest[:19]}… is to run at {row.environment_name}/{row.component}: {row.asked_by} promoted it{with_whom}"


def _publish(service: Service, link: sa.Connection, row: PromotionRow, kind: HappeningKind, sentence: str) -> None:
    facts = {"promotion": str(row.id), "environment": row.environment_name, "component": row.component, "digest": row.digest}
    facts |= {"people": str(row.people), "state": row.state.value}
    path, who = f"/environments/{row.environment}", row.votes[-1].login if row.votes else row.asked_by
    publish(service, link, Happening(kind, service.now(), row.team, sentence[:500], path, actor=who, data=facts))


def _row(link: sa.Connection, number: int) -> PromotionRow:
    row = promotions.one(link, number)
    assert row is not None  # noqa: S101 - it was written or read in this transaction
    return row


def _pair(link: sa.Connection, row: PromotionRow) -> PairRow:
    pair = environments.pair_of(link, row.pair)
    assert pair is not None  # noqa: S101 - pairs are never deleted
    return pair


def _note(service: Service, link: sa.Connection, pair: PairRow, by: By, what: tuple[str, dict[str, str]]) -> None:
    action, details = what
    told = {"environment": pair.environment_name, "component": pair.component} | details
    trail.record(
        link, Action(service.now(), by.actor, action, "success", by.person, "pair", str(pair.id), pair.team, by.origin, told)
    )  # fmt: skip
