"""Whether a pass is endorsed by itself, for how long, for where, and how many people have to approve: of the server, or of one team.

Guarantees: what a team set counts for the team as a whole document; without one the server's counts, and without that nothing is endorsed
unless somebody asks. A change takes effect with the next endorsement and changes none that was signed.
"""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.store import setting_rows

_NAME = "endorsing"
MOST_DAYS = 366
MOST_PEOPLE = 9


class EndorsingTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """How this server, or this team, endorses."""

    automatic: bool = False
    """Each pass of a branch, tag, release or image is endorsed, or people are asked, without anybody asking."""
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 30
    """How long an endorsement holds from when it was judged; a waiver that ends earlier ends it earlier."""
    environments: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=300)], ...], Meta(max_length=50)] = ()
    """Where it may run, as deployments name it; a name that ends in ``*`` stands for all that begin so. Empty: wherever trust says."""
    people: Annotated[int, Meta(ge=0, le=MOST_PEOPLE)] = 0
    """How many have to approve, besides whoever asked and whoever made it."""


def terms_of(link: sa.Connection, team: TeamId | None) -> EndorsingTerms:
    """What counts for a team's things."""
    server = setting_rows.get(link, _NAME, EndorsingTerms, EndorsingTerms())
    return server if team is None else setting_rows.get(link, _of(team), EndorsingTerms, server)


def own_terms(link: sa.Connection, team: TeamId | None) -> EndorsingTerms | None:
    """What was set for the team itself, or (None) for the server; None when nothing was."""
    missing = EndorsingTerms(people=-1)
    found = setting_rows.get(link, _NAME if team is None else _of(team), EndorsingTerms, missing)
    return None if found is missing else found


def put(link: sa.Connection, team: TeamId | None, wanted: EndorsingTerms | None, at: Instant) -> None:
    """Set it; None: what counts for all counts for this team again."""
    name = _NAME if team is None else _of(team)
    if wanted is None:
        setting_rows.remove(link, name)
    else:
        setting_rows.put(link, name, wanted, at)


def _of(team: TeamId) -> str:
    return f"{_NAME}.team.{int(team)}"
