"""Bitbucket Data Center (formerly Server): the events of `bitbucket` in the words of the product for one's own machines. Verified there.

A pull request's head is ``refs/pull-requests/<id>/from`` of the target, forks' too.
https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from assaymark.model.trigger import MergeRequest, RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.triggers.webhooks.delivery import Message, PayloadInvalid, commit, is_bot, parse, ref, text


class _Link(Struct, frozen=True):
    href: str = ""
    name: str = ""


class _Links(Struct, frozen=True):
    clone: tuple[_Link, ...] = ()
    self: tuple[_Link, ...] = ()


class _Project(Struct, frozen=True):
    key: str


class Repository(Struct, frozen=True):
    slug: str
    project: _Project
    id: int | None = None
    links: _Links = _Links()

    def remote(self, home: str) -> RemoteRepository:
        key, slug = text(self.project.key, 200), text(self.slug, 200)
        given = next((link.href for link in self.links.clone if link.name in ("http", "https")), "")
        if not given and not home:
            raise PayloadInvalid("the event names no clone URL", advice="enter the forge's address in the connection")
        web = f"{home}/projects/{key}/repos/{slug}" if home else ""
        number = "" if self.id is None else str(self.id)
        return RemoteRepository(f"{key}/{slug}", given or f"{home}/scm/{key.lower()}/{slug}.git", web, number)


class Actor(Struct, frozen=True):
    name: str = ""
    type: str = ""


class _Ref(Struct, frozen=True):
    type: str = ""


class _Change(Struct, frozen=True, rename="camel"):
    ref_id: str
    to_hash: str
    from_hash: str = ""
    type: str = "UPDATE"


class RefsChanged(Struct, frozen=True):
    repository: Repository
    changes: tuple[_Change, ...]
    actor: Actor | None = None
    date: str = ""


class _Side(Struct, frozen=True, rename="camel"):
    id: str
    repository: Repository
    display_id: str = ""
    latest_commit: str = ""


class _PullRequest(Struct, frozen=True, rename="camel"):
    id: int
    from_ref: _Side
    to_ref: _Side
    title: str = ""
    links: _Links = _Links()


class PullRequestEvent(Struct, frozen=True, rename="camel"):
    pull_request: _PullRequest
    actor: Actor | None = None
    date: str = ""
    previous_from_hash: str = ""
    previous_target: object = None


class RepositoryModified(Struct, frozen=True):
    repository: Repository = field(name="new")
    actor: Actor | None = None


def _trigger(kind: TriggerKind, subject: SubjectKind, remote: RemoteRepository, actor: Actor | None, **more: object) -> Trigger:
    who = text(actor.name if actor else "", 200)
    bot = is_bot(who, actor.type if actor else "")
    return Trigger(kind, remote, subject, actor=who, bot=bot, **more)  # type: ignore[arg-type]


def _refs_changed(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, RefsChanged)
    remote = event.repository.remote(message.home)
    found = []
    for change in event.changes:
        name = ref(change.ref_id, "refId")
        is_tag = name.startswith("refs/tags/")
        if not is_tag and not name.startswith("refs/heads/"):
            continue
        subject = SubjectKind.TAG if is_tag else SubjectKind.BRANCH
        kind = TriggerKind.TAG if is_tag else TriggerKind.PUSH
        before, after = commit(change.from_hash, "fromHash"), commit(change.to_hash, "toHash")
        if change.type == "DELETE" or not after:
            kind, after = TriggerKind.ENDED, ""
        at = text(event.date, 40)
        found.append(_trigger(kind, subject, remote, event.actor, ref=name, before=before, after=after, at=at))
    return tuple(found)


def _pull_request(message: Message) -> tuple[Trigger, ...]:
    return (_requested(parse(message, PullRequestEvent), message.home, TriggerKind.MERGE_REQUEST),)


def _modified(message: Message) -> tuple[Trigger, ...]:
    """Title, description or target: only another target is judged."""
    event = parse(message, PullRequestEvent)
    return (_requested(event, message.home, TriggerKind.MERGE_REQUEST),) if event.previous_target is not None else ()


def _ended(message: Message) -> tuple[Trigger, ...]:
    return (_requested(parse(message, PullRequestEvent), message.home, TriggerKind.ENDED),)


def _requested(event: PullRequestEvent, home: str, kind: TriggerKind) -> Trigger:
    about = event.pull_request
    head = commit(about.from_ref.latest_commit, "fromRef.latestCommit")
    request = MergeRequest(
        number=about.id,
        base_ref=ref(about.to_ref.id, "toRef.id"),
        head=head,
        base=commit(about.to_ref.latest_commit, "toRef.latestCommit"),
        title=text(about.title),
        url=text(next((link.href for link in about.links.self), ""), 2000),
        head_ref=text(about.from_ref.display_id, 300),
        from_fork=about.from_ref.repository.id != about.to_ref.repository.id,
    )
    old = commit(event.previous_from_hash, "previousFromHash")
    moved = {"before": old, "after": head} if old and kind is TriggerKind.MERGE_REQUEST else {}
    remote, name = about.to_ref.repository.remote(home), f"refs/pull-requests/{about.id}/from"
    at = text(event.date, 40)
    return _trigger(kind, SubjectKind.MERGE_REQUEST, remote, event.actor, ref=name, merge_request=request, at=at, **moved)


def _repository(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, RepositoryModified)
    remote = event.repository.remote(message.home)
    return (_trigger(TriggerKind.REPOSITORY, SubjectKind.REPOSITORY, remote, event.actor, details={"event": "edited"}),)


READERS: Mapping[str, Callable[[Message], tuple[Trigger, ...]]] = {
    "repo:refs_changed": _refs_changed,
    "repo:modified": _repository,
    "pr:opened": _pull_request,
    "pr:reopened": _pull_request,
    "pr:from_ref_updated": _pull_request,
    "pr:modified": _modified,
    "pr:merged": _ended,
    "pr:declined": _ended,
    "pr:deleted": _ended,
}
