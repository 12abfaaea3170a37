"""What is loud on the first page, whoever reads it: what runs without an approval, what drifted badly, promotions that wait for him.

Guarantees: bounded, by indexes; of each thing only what the asker may see. Whether an approval holds is as of the last look
(`work.standing`, every few minutes and with each revocation); the environment's own page asks anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import Permission, Principal
from assaymark.store import drifts, generations, promotions
from assaymark.store.drifts import DriftRow
from assaymark.store.generations import Trouble
from assaymark.store.promotions import PromotionRow

SHOWN = 8
_MOST = 200


class Alarms(Struct, frozen=True):
    """What is wrong with what runs."""

    troubles: tuple[Trouble, ...]
    """What runs by a break-glass order, or is not approved any more; what he deployed himself first."""
    drifts: tuple[DriftRow, ...]
    """Open, what matters most first."""
    drifts_at_least: int
    promotions: tuple[PromotionRow, ...]
    """That wait for him to agree, the oldest first."""

    @property
    def is_quiet(self) -> bool:
        return not (self.troubles or self.drifts or self.promotions)


def alarms(link: sa.Connection, who: Principal) -> Alarms:
    """For this person."""
    teams, asked = who.teams_with(Permission.DEPLOYMENTS_READ), drifts.Filter(open=True)
    found = generations.troubles(link, teams, limit=_MOST)
    found.sort(key=lambda each: each.generation.actor != who.login)
    waiting = promotions.waiting_for(link, who.teams_with(Permission.DEPLOYMENTS_PROMOTE), who.person, SHOWN)
    worst = drifts.worst(link, teams, asked, SHOWN)
    return Alarms(tuple(found[:SHOWN]), tuple(worst), drifts.count(link, teams, asked) if worst else 0, tuple(waiting))
