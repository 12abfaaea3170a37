"""Promotions: this digest for that environment, when its endorsement verifies now, and when as many agree as the environment asks."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.deployment.drivers.driver import Pair
from assaymark.model.access import Permission
from assaymark.server.api import cursor, phoenix, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import not_found
from assaymark.server.work import promoting
from assaymark.server.work.promoting import Wish
from assaymark.store import promotions
from assaymark.store.promotions import LONGEST_REASON, Filter, PromotionRow, State

router = Router("promotions")
_READ, _PROMOTE = Permission.DEPLOYMENTS_READ, Permission.DEPLOYMENTS_PROMOTE
Reason = Annotated[str, Meta(max_length=LONGEST_REASON)]


class NewPromotion(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to run where."""

    environment: phoenix.EnvironmentName
    component: phoenix.ComponentName
    digest: Annotated[str, Meta(max_length=200)]
    """``sha256:<hex>``: the very digest that was judged and endorsed."""
    image: Annotated[str, Meta(max_length=1000)] = ""
    """By which name a deployer finds it, ``name@sha256:…``."""
    reason: Reason = ""
    pins: bool = False
    """An older digest, that is to stay until somebody lets go of it."""
    releases: bool = False
    """Lets go of what is pinned there."""
    team: int | None = None


class Agreed(Struct, frozen=True, forbid_unknown_fields=True):
    reason: Reason = ""


class Declined(Struct, frozen=True, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(min_length=1, max_length=LONGEST_REASON)]


@router.add("POST", "/deployments/promotions", _PROMOTE, status=201)
def promote(call: Call, body: NewPromotion) -> PromotionRow:
    """Want this digest to run there. At once where nobody else has to agree; 409 `not-approved` when it does not verify for it now."""
    with call.service.database.write() as link:
        pair = phoenix.settled(call, link, Pair(body.environment, body.component), body.team, _PROMOTE)
        wish = Wish(body.digest, body.image, body.reason, body.pins, body.releases)
        return promoting.promote(call.service, link, pair, wish, rights.by(call))


@router.add("GET", "/deployments/promotions", _READ)
def list_promotions(
    call: Call, state: State | None = None, environment: int | None = None, after: str | None = None, limit: int = 50
) -> Page[PromotionRow]:
    """The newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        rows = promotions.page(link, call.who.teams_with(_READ), Filter(state, environment), before=before, limit=limit + 1)
    return page_of(rows, limit)


@router.add("GET", "/deployments/promotions/{promotion}", _READ)
def get_promotion(call: Call, promotion: int) -> PromotionRow:
    """One, with who agreed."""
    with call.service.database.read() as link:
        return visible(call, link, promotion)


@router.add("POST", "/deployments/promotions/{promotion}/agree", _PROMOTE)
def agree_to_promotion(call: Call, promotion: int, body: Agreed) -> PromotionRow:
    """Agree to somebody else's. With the last one who has to, its digest is verified again, and wanted from then on."""
    return _answered(call, promotion, (True, body.reason))


@router.add("POST", "/deployments/promotions/{promotion}/decline", _PROMOTE)
def decline_promotion(call: Call, promotion: int, body: Declined) -> PromotionRow:
    """Decline somebody else's: it ends, and may be asked for again."""
    return _answered(call, promotion, (False, body.reason))


def _answered(call: Call, number: int, said: tuple[bool, str]) -> PromotionRow:
    with call.service.database.write() as link:
        call.need(_PROMOTE, visible(call, link, number).team)
        return promoting.answer(call.service, link, number, said, rights.by(call))


def visible(call: Call, link: sa.Connection, number: int) -> PromotionRow:
    """The promotion.

    Raises:
        ApiError: 404 when it is not there for this caller.
    """
    row = promotions.one(link, number)
    if row is None or not call.who.may(_READ, row.team):
        raise not_found(f"promotion {number}")
    return row
