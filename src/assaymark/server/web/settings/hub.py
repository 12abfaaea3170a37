"""Where the settings begin: the rooms that the visitor may enter."""

from __future__ import annotations

from msgspec import Struct
from starlette.responses import Response

from assaymark.model.access import Permission, Principal
from assaymark.server.web.screen import Screen, Visit


class Room(Struct, frozen=True):
    """A page of the settings."""

    path: str
    name: str
    words: str
    permission: Permission | None = None
    everywhere: bool = False
    """It belongs to no team."""


ROOMS = (
    Room("/settings/profile", "Profile", "your name, password, passkeys, sessions and tokens"),
    Room("/settings/people", "People", "accounts, roles, invitations", Permission.PEOPLE_READ),
    Room("/settings/teams", "Teams", "who belongs to which"),
    Room("/settings/channels", "Channels", "webhooks and chats that are told what happened", Permission.CONNECTIONS_READ),
    Room("/settings/digest", "Your mail", "what waits for you and what changed, once a day or week"),
    Room("/settings/connections", "Connections", "forges, registries, git servers", Permission.CONNECTIONS_READ),
    Room("/settings/gates", "Gates", "clusters that start only what is Quality Approved", Permission.ENDORSEMENTS_READ),
    Room("/settings/repositories", "Repositories", "what is looked after, and by whom", Permission.SUBJECTS_WRITE),
    Room("/settings/channels", "Channels", "what is told where: chat, mail, webhooks", Permission.CONNECTIONS_READ),
    Room("/reports", "Reports", "what people noticed, inside and outside", Permission.FINDINGS_DECIDE),
    Room("/reports/links", "Links for reports", "by which anybody reports something", Permission.FINDINGS_DECIDE),
    Room("/settings/jobs", "Work", "what waits, what was given up, what is done again and again", Permission.JOBS_READ, everywhere=True),
    Room("/settings/trail", "Trail", "who did what, and whether the record is whole", Permission.AUDIT_READ),
    Room("/settings/providers", "Identity providers", "by which people come in", Permission.SETTINGS_WRITE, everywhere=True),
    Room("/settings/trust", "Trust", "whose endorsements are believed, keys, what sites are given", Permission.ENDORSEMENTS_READ),
    Room("/settings/server", "Server", "storage, advisories, security.txt", Permission.SETTINGS_WRITE, everywhere=True),
)


def rooms_of(who: Principal) -> list[Room]:
    """Those that somebody may enter."""

    def may(room: Room) -> bool:
        if room.permission is None:
            return True
        return who.may(room.permission, None) if room.everywhere else who.may_somewhere(room.permission)

    return [room for room in ROOMS if may(room)]


def show_settings(visit: Visit) -> Response:
    """The rooms."""
    return visit.page("settings/hub.html", rooms=rooms_of(visit.who))


SCREENS = [Screen("GET", "/settings", show_settings, None)]
