"""Operations about the server itself."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from msgspec import Struct

import assaymark
from assaymark.model.access import Permission
from assaymark.server.api.route import Call, Router

router = Router("server")
_REVISION = sa.text("SELECT version_num FROM alembic_version")  # Alembic's own way asks a database what tables it has, 2 ms each time
_MOST_WAITING = 1000


class Health(Struct, frozen=True):
    version: str
    schema: str
    """Revision of the database's schema."""
    storage: bool = True
    waiting: int = 0
    """Jobs that wait, counted up to a thousand."""


class Me(Struct, frozen=True):
    """Who the caller is."""

    person: int
    login: str
    roles: tuple[tuple[str, int | None], ...]
    """(role, team or None for all)."""
    permissions: tuple[str, ...]
    """What he may do in at least one team."""


@router.add("GET", "/health", None, public=True)
def health(call: Call) -> Health:
    """Whether the server and its database answer."""
    with call.service.database.read() as connection:
        waiting = call.service.queue.waiting(connection, most=_MOST_WAITING)
        return Health(assaymark.__version__, connection.execute(_REVISION).scalar_one(), waiting=waiting)


@router.add("GET", "/openapi.json", None, public=True)
def describe_api(call: Call) -> msgspec.Raw:
    """The description of the API in OpenAPI 3.1, for everybody."""
    return msgspec.Raw(call.request.app.state.description.data)


@router.add("GET", "/me", None)
def me(call: Call) -> Me:
    """Who the caller is and what he may do."""
    who = call.who
    return Me(
        who.person,
        who.login,
        tuple((grant.role.value, grant.team) for grant in who.grants),
        tuple(sorted(each.value for each in Permission if who.may_somewhere(each))),
    )


class ServerView(Struct, frozen=True):
    """How this installation is set up."""

    version: str
    schema: str
    url: str
    database: str
    """``sqlite`` or ``postgresql``."""
    storage: str
    """Where verdicts and bills of materials lie: a folder, or a bucket."""
    waiting: int
    """Jobs, counted up to a thousand."""
    workers: int
    """That this process runs itself."""
    rate: int
    """Requests a minute that a caller may send."""
    public_rate: int
    """The same for whoever is not known."""
    private_networks: tuple[str, ...]
    """That the server may go to."""
    proxies: tuple[str, ...]


@router.add("GET", "/server", Permission.SETTINGS_WRITE)
def describe_server(call: Call) -> ServerView:
    """How this installation is set up, without anything secret; needs settings:write everywhere."""
    call.need(Permission.SETTINGS_WRITE, None)
    settings = call.service.settings
    told = health(call)
    storage = settings.storage or str(settings.data / "blobs")
    database = "sqlite" if call.service.database.is_sqlite else "postgresql"
    return ServerView(
        told.version, told.schema, settings.url, database, storage, told.waiting, settings.workers, settings.rate, settings.public_rate,
        settings.private_networks, settings.proxies,
    )  # fmt: skip
