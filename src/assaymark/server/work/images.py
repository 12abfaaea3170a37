"""Images as what is judged: from the reference of a subject to its files, pulled by digest, or read where the administrator allowed it.

Guarantees: what is judged is the digest that the trigger names, or the one that the tag stood for when it was first looked at; a credential
is used only for subjects of the connection's own team; the folder of pulled images is bounded, those that were used longest ago go first.
An image carries no policy of its own: it is judged by the default one.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import SubjectNotFound, UsageError
from assaymark.flow import Context, Request, assay
from assaymark.model.access import TeamId
from assaymark.model.subject import Subject
from assaymark.model.verdict import Verdict
from assaymark.recorded import record
from assaymark.server import keyring
from assaymark.server.outgoing import client, destination
from assaymark.server.registry import ImageName, Registry, image_name
from assaymark.server.service import Service
from assaymark.server.work.bases import Ends
from assaymark.server.work.remotes import cache_of
from assaymark.server.work.watch import Watch
from assaymark.store.tables import connection as connections
from assaymark.subjects.compare import ListingComparison
from assaymark.subjects.empty import EmptySubject
from assaymark.subjects.image.subject import ImageSubject
from assaymark.verdict.given import Given

Giving = Callable[[str, Subject, Subject], Given]
"""What the server adds to the judgement of a head: by its name, what it is compared with (itself, where there is nothing), and itself."""
MOST_BYTES = 24 << 30
"""Of all pulled images together."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_LAYER_BYTES = 8 << 30


class Image(Struct, frozen=True):
    """Which image of which subject."""

    reference: str
    """Without digest: ``host/name``, ``host/name:tag``, or ``file:///folder/image.tar``."""
    team: TeamId | None
    head: str
    base: str = ""


class _Door(Struct, frozen=True):
    """Into a registry."""

    name: ImageName
    credential: str = ""


def is_image(head: str) -> bool:
    """Whether what is to be judged is an image's digest."""
    return bool(_DIGEST.match(head))


def with_tag(reference: str, tag: str) -> str:
    """The reference with its tag, unless it has one."""
    return f"{reference}:{tag}" if tag and ":" not in reference.rpartition("/")[2] and "://" not in reference else reference


def judge_image(service: Service, image: Image, context: Context, watch: Watch, giving: Giving) -> tuple[Verdict, Ends]:
    """Did the image make security worse than the one before it? Without one, its own state is what is known.

    Raises:
        UsageError: when trying again cannot help.
        SubjectUnreadable: when it can.
    """
    digest, head = open_image(service, image, image.head, watch)
    base = None
    if is_image(image.base) and image.base != digest:
        with suppress(SubjectNotFound):
            base = open_image(service, image, image.base, watch)
    watch.checking()
    given = giving(digest, base[1] if base is not None else head, head)
    if base is None:
        alone = ListingComparison(EmptySubject(), head)
        return assay(Request(alone, baseline=record(alone, context, given=given), given=given), context), Ends(digest)
    return assay(Request(ListingComparison(base[1], head), given=given), context), Ends(digest, base[0])


def open_image(service: Service, image: Image, digest: str, watch: Watch) -> tuple[str, Subject]:
    """Its digest and its files, brought here if they are not.

    Raises:
        SubjectNotFound: when it is not there any more.
        SubjectUnreadable: when it cannot be had now.
        UsageError: when the server may not go there.
    """
    cache = str(cache_of(service))
    if image.reference.startswith("file://"):
        path = destination(image.reference, service.settings).path
        made = ImageSubject(path, image=digest, cache=cache, name=image.reference)
        return digest or made.ref.digest, made
    door = _door(service, image)
    with client(service.settings, seconds=max(1.0, watch.left), most_bytes=_LAYER_BYTES) as http:
        registry = Registry(http, door.name, door.credential, watch.should_stop)
        if not is_image(digest):
            if digest or not door.name.tag:
                raise UsageError(f"{image.reference} is named by no digest", advice="push it again, or name it as host/name@sha256:…")
            digest = registry.digest_of(door.name.tag)
        folder = service.settings.data / "images" / digest.removeprefix("sha256:")
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        registry.pull(digest, folder)
    with suppress(OSError):
        os.utime(folder)
    _tidy(folder)
    return digest, ImageSubject(str(folder), cache=cache, name=f"{image.reference}@{digest[:19]}")


def _door(service: Service, image: Image) -> _Door:
    """The connection of the image's own team whose registry this is; without one, as anybody."""
    name = image_name(image.reference)
    asked = sa.select(connections).where(connections.c.ended_at.is_(None), connections.c.team.is_not_distinct_from(image.team))
    with service.database.read() as link:
        for row in link.execute(asked.order_by(connections.c.id)):
            site = urlsplit(row.web_url if row.kind == "registry" else json_option(row.options, "registry"))
            if site.netloc != name.host:
                continue
            sealed = keyring.token(service, link, row.id)
            secret = sealed.value.decode() if sealed is not None else ""
            user = json_option(row.options, "username") or "token"
            credential = secret if ":" in secret or not secret else f"{user}:{secret}"
            return _Door(msgspec.structs.replace(name, plain=site.scheme == "http"), credential)
    return _Door(name)


def json_option(options: str, name: str) -> str:
    """An option of a connection that is a text; empty for what is none."""
    value = msgspec.json.decode(options or "{}", type=dict[str, object]).get(name, "")
    return value if isinstance(value, str) else ""


def _tidy(keep: Path) -> None:
    rows = []
    for folder in keep.parent.iterdir():
        with suppress(OSError):
            size = sum(path.stat().st_size for path in (folder / "blobs" / "sha256").iterdir())
            rows.append((folder.stat().st_mtime, size, folder))
    total = sum(size for _, size, _ in rows)
    for _, size, folder in sorted(rows):
        if total <= MOST_BYTES:
            break
        if folder != keep:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size
