"""Bitbucket Cloud: ``X-Hub-Signature`` (HMAC-SHA256) over the raw body. Data Center names its events otherwise; they are read as well.

Judged: pushes (several refs in one), pull requests. Followed: deletions, renames. A pull request's commits come shortened to
twelve digits, which names no commit for sure, so its head is what its branch stands for when it is judged.
An update of a pull request does not say what was updated, so each is judged; what is the same costs little.
https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from assaymark.model.trigger import MergeRequest, RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.triggers.webhooks import bitbucket_server, signatures
from assaymark.triggers.webhooks.delivery import Delivery, Message, commit, delivery, is_bot, parse, ref, text

_HOME = "https://bitbucket.org"


class _Link(Struct, frozen=True):
    href: str = ""


class _Links(Struct, frozen=True):
    html: _Link = _Link()


class _Branch(Struct, frozen=True):
    name: str = ""


class Repository(Struct, frozen=True):
    full_name: str
    uuid: str = ""
    links: _Links = _Links()
    mainbranch: _Branch | None = None

    def remote(self, home: str) -> RemoteRepository:
        path = text(self.full_name)
        web = text(self.links.html.href, 2000)
        main = text(self.mainbranch.name, 300) if self.mainbranch else ""
        return RemoteRepository(path, f"{home or _HOME}/{path}.git", web, text(self.uuid, 100), main)


class Actor(Struct, frozen=True):
    nickname: str = ""
    display_name: str = ""
    type: str = ""


class Event(Struct, frozen=True):
    repository: Repository
    actor: Actor | None = None

    def trigger(self, kind: TriggerKind, subject: SubjectKind, home: str, **more: object) -> Trigger:
        actor = self.actor or Actor()
        who = text(actor.nickname or actor.display_name, 200)
        return Trigger(
            kind,
            self.repository.remote(home),
            subject,
            actor=who,
            bot=is_bot(who, actor.type),
            **more,  # type: ignore[arg-type]
        )


class _Target(Struct, frozen=True):
    hash: str
    date: str | None = ""


class _RefState(Struct, frozen=True):
    name: str
    target: _Target
    type: str = "branch"


class _Change(Struct, frozen=True):
    old: _RefState | None = None
    new: _RefState | None = None


class _Changes(Struct, frozen=True):
    changes: tuple[_Change, ...]


class Push(Event, frozen=True, kw_only=True):
    push: _Changes


class _Commit(Struct, frozen=True):
    hash: str = ""


class _Side(Struct, frozen=True):
    branch: _Branch
    commit: _Commit | None = None
    repository: Repository | None = None


class _PullRequest(Struct, frozen=True):
    id: int
    source: _Side
    destination: _Side
    title: str = ""
    links: _Links = _Links()
    updated_on: str | None = ""


class PullRequestEvent(Event, frozen=True, kw_only=True):
    pull_request: _PullRequest = field(name="pullrequest")


def read(message: Message) -> Delivery:
    """Verified, then parsed.

    Raises:
        SignatureWrong: when it is not from who holds the secret.
        PayloadInvalid: when the payload is not that of its event.
    """
    signatures.need_hex(message, "x-hub-signature", "x-hub-signature-256", prefix="sha256=")
    event = message.header("x-event-key")
    readers = {**_READERS, **bitbucket_server.READERS}
    found = readers[event](message) if event in readers else ()
    return delivery(message, event, *found, id=message.header("x-request-uuid", "x-request-id"))


def _push(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, Push)
    return tuple(trigger for change in event.push.changes if (trigger := _changed(message, event, change)) is not None)


def _changed(message: Message, event: Push, change: _Change) -> Trigger | None:
    state = change.new or change.old
    if state is None:
        return None
    is_tag = "tag" in state.type
    name = ref(("refs/tags/" if is_tag else "refs/heads/") + state.name)
    subject = SubjectKind.TAG if is_tag else SubjectKind.BRANCH
    before = commit(change.old.target.hash, "old.target.hash") if change.old else ""
    if change.new is None:
        return event.trigger(TriggerKind.ENDED, subject, message.home, ref=name, before=before)
    kind = TriggerKind.TAG if is_tag else TriggerKind.PUSH
    after, at = commit(change.new.target.hash, "new.target.hash"), text(change.new.target.date or "", 40)
    return event.trigger(kind, subject, message.home, ref=name, before=before, after=after, at=at)


def _pull_request(message: Message) -> tuple[Trigger, ...]:
    return (_requested(message, TriggerKind.MERGE_REQUEST),)


def _ended(message: Message) -> tuple[Trigger, ...]:
    return (_requested(message, TriggerKind.ENDED),)


def _requested(message: Message, kind: TriggerKind) -> Trigger:
    event = parse(message, PullRequestEvent)
    about = event.pull_request
    source, target = about.source, about.destination
    fork = source.repository is None or source.repository.uuid != event.repository.uuid
    request = MergeRequest(
        number=about.id,
        base_ref=ref(f"refs/heads/{target.branch.name}", "destination.branch"),
        head=_whole(source.commit, "source.commit.hash"),
        base=_whole(target.commit, "destination.commit.hash"),
        title=text(about.title),
        url=text(about.links.html.href, 2000),
        head_ref=text(source.branch.name, 300),
        from_fork=fork,
    )
    # There is no ref for a pull request's head: it is the branch, in the fork where it comes from one.
    details = {"head_clone_url": source.repository.remote(message.home).clone_url} if fork and source.repository else {}
    name, at = ref(f"refs/heads/{source.branch.name}", "source.branch"), text(about.updated_on or "", 40)
    return event.trigger(kind, SubjectKind.MERGE_REQUEST, message.home, ref=name, merge_request=request, at=at, details=details)


def _whole(given: _Commit | None, what: str) -> str:
    """A commit in full length; nothing for a shortened one, so that the ref is asked."""
    found = commit(given.hash if given else "", what)
    return found if len(found) in (40, 64) else ""


def _repository(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, Event)
    return (event.trigger(TriggerKind.REPOSITORY, SubjectKind.REPOSITORY, message.home, details={"event": "edited"}),)


def _repository_deleted(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, Event)
    return (event.trigger(TriggerKind.ENDED, SubjectKind.REPOSITORY, message.home),)


_READERS: Mapping[str, Callable[[Message], tuple[Trigger, ...]]] = {
    "repo:push": _push,
    "repo:updated": _repository,
    "repo:transfer": _repository,
    "repo:created": _repository,
    "repo:deleted": _repository_deleted,
    "pullrequest:created": _pull_request,
    "pullrequest:updated": _pull_request,
    "pullrequest:fulfilled": _ended,
    "pullrequest:rejected": _ended,
}
