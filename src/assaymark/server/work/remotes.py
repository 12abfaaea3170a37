"""From a repository's row to the remote that git is shown: address checked now, credential of its connection, and to whom it may be told.

Guarantees: a token goes only to the host of the connection that it belongs to, never in the clear unless the connection says so itself; a
delivery that names another clone URL gets nothing.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import RepositoryId
from assaymark.server.github_app import usable_token
from assaymark.server.outgoing import Destination, destination
from assaymark.server.service import Service
from assaymark.store.repositories import RepositoryRow
from assaymark.store.tables import connection as connections
from assaymark.subjects.mirror import Mirror
from assaymark.subjects.remote import Remote

_USERS = {"github": "x-access-token", "gitlab": "oauth2", "gitea": "oauth2", "bitbucket": "x-token-auth"}
"""Under which name each kind of forge takes a token over HTTP."""
_HOMES = {"github": "https://github.com", "gitlab": "https://gitlab.com", "bitbucket": "https://bitbucket.org"}


class _Options(Struct, frozen=True):
    """What of a connection's options concerns fetching."""

    username: str = ""
    known_hosts: str = ""


def mirror_of(service: Service, repository: RepositoryId) -> Mirror:
    """The copy on this machine."""
    return Mirror(service.settings.data / "mirrors" / f"{int(repository)}.git")


def remote_of(service: Service, repository: RepositoryRow) -> Remote:
    """Where to fetch from, with what.

    Raises:
        UsageError: when the server may not go there, or the credential cannot be opened.
        SubjectUnreadable: when the host cannot be found.
    """
    found = destination(repository.clone_url, service.settings)
    remote = Remote(
        url=f"file://{found.path}" if found.scheme == "file" else found.url,
        scheme=found.scheme,
        host=found.host,
        port=found.port,
        addresses=found.addresses,
        authorities=os.environ.get("SSL_CERT_FILE", ""),
    )
    if repository.connection is None or found.scheme == "file":
        return remote
    with service.database.read() as link:
        row = link.execute(sa.select(connections).where(connections.c.id == repository.connection)).one()
    sealed = usable_token(service, row.id) if row.ended_at is None else None
    if sealed is None:
        return remote
    secret = sealed.value.decode()
    options = msgspec.json.decode(row.options or "{}", type=_Options)
    if found.scheme == "ssh":
        if "PRIVATE KEY" not in secret.partition("\n")[0]:
            return msgspec.structs.replace(remote, known_hosts=options.known_hosts)
        return msgspec.structs.replace(remote, key=secret.encode(), known_hosts=options.known_hosts)
    if not _is_home(found, row.web_url or _HOMES.get(row.kind, ""), row.api_url):
        return remote
    user = options.username or _USERS.get(row.kind, "git")
    word = base64.b64encode(f"{user}:{secret}".encode()).decode()
    return msgspec.structs.replace(remote, header=f"Authorization: Basic {word}")


def _is_home(found: Destination, *urls: str) -> bool:
    """Whether this is the place that the connection is about: scheme, host and port."""
    return any((found.scheme, found.host, found.port) == _origin(url) for url in urls if url)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def cache_of(service: Service) -> Path:
    """What may be deleted: facts, compiled rules."""
    return service.settings.data / "cache"
