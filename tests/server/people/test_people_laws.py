"""Whatever roles, teams and scopes there are: a token is never more than its owner, and nobody gives more than he has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assaymark.model.access import GRANTS, Grant, Permission, PersonId, Principal, Role, TeamId
from assaymark.server.api.rights import covers
from assaymark.server.people.identify import _within

TEAMS = st.one_of(st.none(), st.sampled_from([TeamId(1), TeamId(2), TeamId(3)]))
GRANT = st.builds(Grant, st.sampled_from(Role), TEAMS)
HELD = st.lists(GRANT, max_size=5).map(tuple)
SCOPES = st.frozensets(st.sampled_from(Permission))
PLACES = (None, TeamId(1), TeamId(2), TeamId(3), TeamId(4))


@given(HELD, TEAMS, SCOPES)
def test_a_token_is_never_more_than_its_owner(held: tuple[Grant, ...], team: TeamId | None, scopes: frozenset[Permission]) -> None:
    owner = Principal(PersonId(1), "o", held, session=1)
    token = Principal(PersonId(1), "o", _within(held, team), scopes, token=1)
    for permission in Permission:
        for place in PLACES:
            if token.may(permission, place):
                assert owner.may(permission, place)
                assert permission in scopes
                assert team is None or place == team


@given(HELD, TEAMS, SCOPES)
def test_a_token_has_all_that_its_team_and_scopes_leave(
    held: tuple[Grant, ...], team: TeamId | None, scopes: frozenset[Permission]
) -> None:
    owner = Principal(PersonId(1), "o", held, session=1)
    token = Principal(PersonId(1), "o", _within(held, team), scopes, token=1)
    for permission in scopes:
        for place in PLACES:
            if owner.may(permission, place) and (team is None or place == team):
                assert token.may(permission, place)


@given(HELD, SCOPES | st.none(), st.lists(GRANT, max_size=3))
def test_what_somebody_may_give_makes_nobody_more_than_he_is(
    held: tuple[Grant, ...], scopes: frozenset[Permission] | None, wanted: list[Grant]
) -> None:
    giver = Principal(PersonId(1), "g", held, scopes)
    if covers(giver, wanted):
        taker = Principal(PersonId(2), "t", tuple(wanted))
        for permission in Permission:
            for place in PLACES:
                assert not taker.may(permission, place) or giver.may(permission, place)
    else:
        assert any(not giver.may(permission, grant.team) for grant in wanted for permission in GRANTS[grant.role])
