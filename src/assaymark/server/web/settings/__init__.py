"""Pages for whoever looks after the server: people, teams, tokens, connections, repositories, work, the trail, the server itself.

Each does what an operation of the API does, by calling it; what somebody may not do is not shown to him, and refused when it is asked.
"""

from __future__ import annotations

from assaymark.server.web.settings import (
    connections,
    gates,
    hub,
    jobs,
    people,
    profile,
    providers,
    repositories,
    server,
    teams,
    trail,
    trust,
)

SCREENS = [
    *hub.SCREENS,
    *profile.SCREENS,
    *people.SCREENS,
    *teams.SCREENS,
    *connections.SCREENS,
    *gates.SCREENS,
    *repositories.SCREENS,
    *jobs.SCREENS,
    *trail.SCREENS,
    *providers.SCREENS,
    *server.SCREENS,
    *trust.SCREENS,
]
