"""One message of the outbox about an item, sent: its issue in a tracker is brought up with how it stands now.

Guarantees: that it is tried is written down before it is made, and its number as soon as it is known, so that a kill at any point leaves
at most a search for our own issue (`feedback.issues.send`); an issue that would say what it says already is not touched. What the item was
when the message was written does not matter: it says what is, so that messages may overtake each other.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from assaymark.feedback.forges.send import Client
from assaymark.feedback.issues.send import Kept, Place, bring_up
from assaymark.feedback.issues.text import MOST_PLACES, Spot, Text
from assaymark.feedback.issues.tracker import SKEW_SECONDS, Home
from assaymark.model.assessment import SECOND
from assaymark.server.connecting import Issues
from assaymark.server.github_app import usable_token
from assaymark.server.service import Service
from assaymark.store import findings, issues, items, outbox
from assaymark.store.issues import Known, Tracking
from assaymark.store.items import ItemRow, ItemState, OwnerSource, Part

KIND = "issue"
"""Of messages in the outbox."""


class _About(Struct, frozen=True):
    item: int
    connection: int


class _Case(Struct, frozen=True):
    """All that is read before the tracker is asked."""

    now: ItemRow
    known: Known | None
    place: Place
    text: Text


def tell(service: Service, client: Client, message: outbox.Message) -> None:
    """Bring the issue up; nothing to do when nobody is left to tell.

    Raises:
        AssayError: when the tracker does not take it.
    """
    about = msgspec.json.decode(message.message, type=_About)
    case = _case(service, about)
    if case is None:
        return
    known = case.known
    if known is not None and known.digest == case.text.digest:
        return
    if known is None:
        if not case.text.is_open:
            return
        with service.database.write() as link:
            issues.try_first(link, about.item, about.connection, service.now())
    filed = bring_up(client, case.place, case.text, _kept(known))
    if filed is not None:
        state = case.now.state.value
        done = Known(about.item, about.connection, filed.number, filed.url, state, case.text.digest)
        with service.database.write() as link:
            issues.keep(link, done, service.now())


def _kept(known: Known | None) -> Kept:
    if known is None:
        return Kept()
    since = "" if known.tried_at is None else _iso(known.tried_at - SKEW_SECONDS * SECOND)
    return Kept(known.remote, known.url, known.state == ItemState.OPEN, since)


def _iso(instant: int) -> str:
    return dt.datetime.fromtimestamp(instant / SECOND, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _case(service: Service, about: _About) -> _Case | None:
    with service.database.read() as link:
        now = items.one(link, about.item)
        to = issues.tracking(link, about.connection)
        if now is None or to is None:
            return None
        home = issues.home(link, now.repository) if now.repository is not None else None
        if to.kind != "jira" and (home is None or home.connection != to.connection):
            return None
        text = _text(service, link, now, to)
        known = issues.known(link, about.item, about.connection)
    token = usable_token(service, to.connection)
    if token is None:
        return None
    place = Place(to.kind, to.api_url.rstrip("/"), token.value.decode(), _home(to, home))
    return _Case(now, known, place, text)


def _home(to: Tracking, home: issues.Home | None) -> Home:
    policy = msgspec.convert(to.options["issues"], Issues)
    username = to.options.get("username", "")
    made = Home(project=policy.project, issue_type=policy.issue_type, username=username if isinstance(username, str) else "")
    return made if home is None else replace(made, repository=home.name, forge_id=home.forge_id)


def _text(service: Service, link: Any, now: ItemRow, to: Tracking) -> Text:
    ids, _ = items.occurrences_of(link, None, now.id, Part(limit=MOST_PLACES)) if now.state is ItemState.OPEN else ([], None)
    rows = findings.rows_of(link, ids, None)
    owner = now.owner if now.owner_source is OwnerSource.CODEOWNERS or now.person is None else now.owner.lstrip("@")
    return Text(
        title=now.title,
        marker=marker(service, now.id, to.connection),
        severity=now.severity.value,
        is_open=now.state is ItemState.OPEN,
        findings=now.findings,
        subjects=now.subjects,
        owner=owner,
        advice=items.advice(link, now.id),
        url=f"{service.settings.url}/items/{now.id}",
        places=tuple(Spot(row.subject.name, f"{row.path}:{row.line}" if row.line else row.path, row.message) for row in rows),
    )


def marker(service: Service, item: int, connection: int) -> str:
    """A word that only this installation can make."""
    nonce = hashlib.sha256(service.vault.derive(f"issue:{connection}:{item}")).hexdigest()[:20]
    return f"assaymark-{nonce}"
