"""Triggers by hand, by a pipeline, or by a git host's hook: the asynchronous call. Who wants to wait for the verdict asks `/verdicts`."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.jobs.job import Priority
from assaymark.model.access import Permission, TeamId
from assaymark.model.trigger import MergeRequest, RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.server.api.layer import PREFIX
from assaymark.server.api.route import Call, Router
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.server.work.intake import Source, accept
from assaymark.store import repositories
from assaymark.store.repositories import RepositoryRow
from assaymark.triggers.webhooks import delivery
from assaymark.triggers.webhooks.delivery import PayloadInvalid

router = Router("triggers")
_Text = Annotated[str, Meta(max_length=1000)]


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """A branch or tag that was made, moved or deleted."""

    ref: _Text
    """Full, e.g. ``refs/heads/main``."""
    after: _Text = ""
    """Commit that it points to now; zeros when it was deleted, left out for whatever it points to."""
    before: _Text = ""
    """Commit that it pointed to before."""


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """A merge request of a forge that delivers nothing itself."""

    number: Annotated[int, Meta(ge=1, le=2**53)]
    target: _Text
    """Branch that it goes into."""
    ref: _Text
    """Full ref of its head, e.g. ``refs/pull/7/head``."""
    head: _Text = ""
    title: _Text = ""
    url: _Text = ""


class Image(Struct, frozen=True, forbid_unknown_fields=True):
    """An image that was pushed."""

    name: _Text
    """With its registry, e.g. ``registry.example.org/shop``."""
    digest: _Text
    tag: Annotated[str, Meta(max_length=128)] = ""


class NewTriggers(Struct, frozen=True, forbid_unknown_fields=True):
    """What happened: one of the three."""

    repository: int | str | None = None
    """Its number or its clone URL; needed for changes and merge requests."""
    changes: Annotated[tuple[Change, ...], Meta(max_length=1000)] = ()
    merge_request: Request | None = None
    image: Image | None = None
    team: int | None = None
    """Of an image that is new."""
    actor: Annotated[str, Meta(max_length=200)] = ""
    """Who caused it; the caller where it is left out."""


class Taken(Struct, frozen=True):
    """What was queued."""

    assessments: tuple[int, ...]

    @property
    def location(self) -> str:
        """Where the first of them can be looked at."""
        return f"{PREFIX}/assessments/{self.assessments[0]}" if self.assessments else ""


@router.add("POST", "/triggers", Permission.ASSESSMENTS_RUN, status=202)
def send_triggers(call: Call, body: NewTriggers) -> Taken:
    """Tell the server what was pushed; answers at once with the numbers of what was queued, and the first one's place in ``Location``."""
    if sum((bool(body.changes), body.merge_request is not None, body.image is not None)) != 1:
        raise invalid("one of changes, merge_request and image is needed, and no more than one")
    with call.service.database.write() as link:
        repository = find(call, link, body.repository) if body.image is None else None
        team = repository.team if repository else None if body.team is None else TeamId(body.team)
        call.need(Permission.ASSESSMENTS_RUN, team)
        own = repository.connection if repository else None
        # Somebody pushed: that he told us by a call makes it no more urgent than what a webhook tells.
        source = Source(connection_id=own, team=team, priority=Priority.PUSH, cause="call")
        taken = [each for trigger in _triggers(call, body, repository) for each in accept(call.service, link, trigger, source=source)]
    return Taken(tuple(int(each) for each in taken))


def _triggers(call: Call, body: NewTriggers, repository: RepositoryRow | None) -> list[Trigger]:
    who = delivery.text(body.actor or call.who.login, 200)
    try:
        if body.image is not None:
            return [_of_image(body.image, who)]
        assert repository is not None  # noqa: S101 - found before
        if body.merge_request is not None:
            return [_of_request(body.merge_request, remote_of(repository), who)]
        return [_of_change(change, remote_of(repository), who) for change in sorted(body.changes, key=lambda each: each.ref)]
    except PayloadInvalid as error:
        raise invalid(f"{error.what}: {error.why}") from error


def _of_change(change: Change, remote: RemoteRepository, who: str) -> Trigger:
    name = delivery.ref(change.ref)
    is_tag = name.startswith("refs/tags/")
    if not is_tag and not name.startswith("refs/heads/"):
        raise invalid(f"{name} is no branch and no tag", "write it as refs/heads/main")
    subject = SubjectKind.TAG if is_tag else SubjectKind.BRANCH
    before, after = delivery.commit(change.before, "before"), delivery.commit(change.after, "after")
    if change.after and not after:
        return Trigger(TriggerKind.ENDED, remote, subject, ref=name, before=before, actor=who)
    kind = TriggerKind.TAG if is_tag else TriggerKind.PUSH
    return Trigger(kind, remote, subject, ref=name, before=before, after=after, actor=who, bot=delivery.is_bot(who))


def _of_request(given: Request, remote: RemoteRepository, who: str) -> Trigger:
    request = MergeRequest(
        number=given.number,
        base_ref=delivery.ref(f"refs/heads/{given.target.removeprefix('refs/heads/')}", "target"),
        head=delivery.commit(given.head, "head"),
        title=delivery.text(given.title),
        url=_url(given.url),
    )
    name = delivery.ref(given.ref)
    return Trigger(TriggerKind.MERGE_REQUEST, remote, SubjectKind.MERGE_REQUEST, name, merge_request=request, actor=who)


def _of_image(given: Image, who: str) -> Trigger:
    at = delivery.digest(given.digest, "digest")
    name = delivery.text(given.name, 500)
    if "@" in name or "/" not in name or any(letter.isspace() for letter in name):
        raise invalid(f"{name!r} is no image", "write it as registry.example.org/shop, with the tag apart")
    details = {"tag": delivery.text(given.tag, 128)} if given.tag else {}
    return Trigger(TriggerKind.IMAGE, None, SubjectKind.IMAGE, f"{name}@{at}", after=at, actor=who, details=details)


def _url(text: str) -> str:
    """An address that a page may link to."""
    if text and not text.startswith(("https://", "http://")):
        raise invalid(f"{text[:100]!r} is no address of a page")
    return delivery.text(text, 1000)


def find(call: Call, link: sa.Connection, given: int | str | None) -> RepositoryRow:
    """The repository that the caller names, if he may see it and it is looked after.

    Raises:
        ApiError: 404 or 409 otherwise.
    """
    if given is None:
        raise invalid("repository is missing", "give its number or its clone URL")
    row = repositories.get(link, given) if isinstance(given, int) else repositories.at_address(link, given)
    if row is None or not call.who.may(Permission.SUBJECTS_READ, row.team):
        raise not_found("this repository")
    if row.ended_at is not None:
        raise conflict("this repository is looked after no more", "register it again")
    return row


def remote_of(row: RepositoryRow) -> RemoteRepository:
    """A row as a trigger names it."""
    return RemoteRepository(row.name, row.clone_url, row.web_url, row.forge_id, row.default_branch)
