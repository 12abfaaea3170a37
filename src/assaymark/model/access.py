"""Who may do what: permissions, the roles that bundle them, and a principal who holds roles in teams.

Guarantees: what a principal may do is what his roles give in a team, cut down to the scopes of the token that he came with; a token never
gives more than its owner has. Knows no session and no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NewType

from msgspec import Struct

PersonId = NewType("PersonId", int)
TeamId = NewType("TeamId", int)


class Permission(StrEnum):
    """What a route asks for; also the scope of a token. ``<what>:<how>``."""

    SUBJECTS_READ = "subjects:read"
    SUBJECTS_WRITE = "subjects:write"
    """Register, discover, rename, end."""
    ASSESSMENTS_READ = "assessments:read"
    ASSESSMENTS_RUN = "assessments:run"
    """Ask for a verdict, cancel one that waits."""
    FINDINGS_READ = "findings:read"
    FINDINGS_IMPORT = "findings:import"
    FINDINGS_DECIDE = "findings:decide"
    ITEMS_ASSIGN = "items:assign"
    """Give an item to somebody."""
    FINDINGS_ASK = "findings:ask"
    """Ask somebody who may decide for a decision about a finding."""
    COMMENTS_WRITE = "comments:write"
    """Say something about what may be read."""
    POLICIES_READ = "policies:read"
    POLICIES_WRITE = "policies:write"
    """Propose, review, activate, retire policies of the organisation; simulate them."""
    ENDORSEMENTS_READ = "endorsements:read"
    ENDORSEMENTS_ASK = "endorsements:ask"
    """Bring evidence, ask for an endorsement."""
    ENDORSEMENTS_APPROVE = "endorsements:approve"
    """Be one of the people whom a policy asks before something is endorsed."""
    ENDORSEMENTS_REVOKE = "endorsements:revoke"
    DEPLOYMENTS_READ = "deployments:read"
    """What runs where, by which approval, what drifted, what is wanted."""
    DEPLOYMENTS_TELL = "deployments:tell"
    """Tell steps and drifts: what a deployer's token is for."""
    DEPLOYMENTS_PROMOTE = "deployments:promote"
    """Promote a digest, answer somebody's promotion, look away from a drift for a time."""
    TRUST_WRITE = "trust:write"
    """Say whose endorsements are believed; keys of the server."""
    ADVISORIES_READ = "advisories:read"
    ADVISORIES_WRITE = "advisories:write"
    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    """Forges, registries, webhooks and their secrets."""
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    """Replay and cancel."""
    PEOPLE_READ = "people:read"
    PEOPLE_WRITE = "people:write"
    """Accounts, teams, roles, other people's sessions and tokens."""
    AUDIT_READ = "audit:read"
    SETTINGS_WRITE = "settings:write"


class Role(StrEnum):
    """Held in one team, or in all."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    MAINTAINER = "maintainer"
    SECURITY = "security"
    AUDITOR = "auditor"
    """Reads everything, the trail of people's actions too; changes nothing."""
    ADMIN = "admin"


_READ = frozenset(
    {
        Permission.SUBJECTS_READ,
        Permission.ASSESSMENTS_READ,
        Permission.FINDINGS_READ,
        Permission.ADVISORIES_READ,
        Permission.POLICIES_READ,
        Permission.ENDORSEMENTS_READ,
        Permission.DEPLOYMENTS_READ,
    }
)
_VIEWER = _READ | {Permission.COMMENTS_WRITE, Permission.FINDINGS_ASK}
_DEVELOPER = _VIEWER | {Permission.ASSESSMENTS_RUN, Permission.FINDINGS_IMPORT, Permission.ITEMS_ASSIGN, Permission.ENDORSEMENTS_ASK}
_MAINTAINER = _DEVELOPER | {
    Permission.SUBJECTS_WRITE,
    Permission.DEPLOYMENTS_TELL,
    Permission.DEPLOYMENTS_PROMOTE,
    Permission.CONNECTIONS_READ,
    Permission.CONNECTIONS_WRITE,
    Permission.JOBS_READ,
}
_SECURITY = _MAINTAINER | {
    Permission.FINDINGS_DECIDE,
    Permission.POLICIES_WRITE,
    Permission.ENDORSEMENTS_APPROVE,
    Permission.ENDORSEMENTS_REVOKE,
    Permission.ADVISORIES_WRITE,
    Permission.JOBS_WRITE,
    Permission.PEOPLE_READ,
}

GRANTS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.DEVELOPER: frozenset(_DEVELOPER),
    Role.MAINTAINER: frozenset(_MAINTAINER),
    Role.SECURITY: frozenset(_SECURITY),
    Role.AUDITOR: _READ | {Permission.CONNECTIONS_READ, Permission.JOBS_READ, Permission.PEOPLE_READ, Permission.AUDIT_READ},
    Role.ADMIN: frozenset(Permission),
}


class Grant(Struct, frozen=True):
    """A role, in one team or (None) in all."""

    role: Role
    team: TeamId | None = None


class Principal(Struct, frozen=True):
    """Somebody who is known to be who he says."""

    person: PersonId
    login: str
    grants: tuple[Grant, ...]
    scopes: frozenset[Permission] | None = None
    """What the token allows; None with a session, which allows what the roles do."""
    session: int | None = None
    """Row of the session, None with a token."""
    token: int | None = None

    def teams_with(self, permission: Permission) -> frozenset[TeamId] | None:
        """Teams in which this is allowed; None means all of them, also those without a team."""
        if self.scopes is not None and permission not in self.scopes:
            return frozenset()
        teams: set[TeamId] = set()
        for grant in self.grants:
            if permission in GRANTS[grant.role]:
                if grant.team is None:
                    return None
                teams.add(grant.team)
        return frozenset(teams)

    def may(self, permission: Permission, team: TeamId | None) -> bool:
        """Whether this is allowed on something of that team; what has no team is for those whose role holds everywhere."""
        teams = self.teams_with(permission)
        return teams is None or (team is not None and team in teams)

    def may_somewhere(self, permission: Permission) -> bool:
        """Whether there is any team in which this is allowed."""
        teams = self.teams_with(permission)
        return teams is None or bool(teams)
