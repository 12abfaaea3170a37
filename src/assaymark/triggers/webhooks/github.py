"""GitHub, and whoever sends its events: ``X-Hub-Signature-256`` over the raw body.

Judged: pushes, pull requests, merge groups, releases, deployments that succeeded, published container packages. Followed: deletions,
repositories renamed, moved, archived. Anything else (pings, installations of apps, issues, …) is ignored and remembered as such.
`create` is ignored, because the push that made the branch or tag says more.
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from assaymark.model.trigger import MergeRequest, RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.triggers.webhooks import signatures
from assaymark.triggers.webhooks.delivery import Delivery, Message, Wish, commit, delivery, digest, is_bot, parse, ref, text
from assaymark.triggers.webhooks.moved import moved

_QUEUE = "refs/heads/gh-readonly-queue/"


class Repository(Struct, frozen=True):
    id: int
    full_name: str
    clone_url: str
    html_url: str = ""
    default_branch: str | None = ""

    def remote(self) -> RemoteRepository:
        return RemoteRepository(
            text(self.full_name), self.clone_url, text(self.html_url, 2000), str(self.id), text(self.default_branch or "", 300)
        )


class User(Struct, frozen=True):
    login: str = ""
    type: str = ""


class _HeadCommit(Struct, frozen=True):
    timestamp: str | None = None


class Event(Struct, frozen=True):
    """What every event has."""

    repository: Repository
    sender: User = User()
    action: str = ""

    def trigger(self, kind: TriggerKind, subject: SubjectKind = SubjectKind.BRANCH, **more: object) -> Trigger:
        who = text(self.sender.login, 200)
        return Trigger(
            kind,
            self.repository.remote(),
            subject,
            actor=who,
            bot=is_bot(who, self.sender.type),
            **more,  # type: ignore[arg-type]
        )


class Push(Event, frozen=True, kw_only=True):
    ref: str
    before: str
    after: str
    deleted: bool = False
    head_commit: _HeadCommit | None = None


class Tip(Struct, frozen=True):
    sha: str
    ref: str = ""
    repo: Repository | None = None


class PullRequest(Struct, frozen=True):
    number: int
    head: Tip
    base: Tip
    title: str = ""
    html_url: str = ""
    updated_at: str | None = ""


class _Changes(Struct, frozen=True):
    base: object = None
    default_branch: object = None


class PullRequestEvent(Event, frozen=True, kw_only=True):
    pull_request: PullRequest
    before: str | None = None
    after: str | None = None
    changes: _Changes = _Changes()


class _MergeGroup(Struct, frozen=True):
    head_sha: str
    head_ref: str
    base_sha: str = ""


class MergeGroupEvent(Event, frozen=True, kw_only=True):
    merge_group: _MergeGroup


class _Release(Struct, frozen=True):
    tag_name: str
    html_url: str = ""
    published_at: str | None = None


class ReleaseEvent(Event, frozen=True, kw_only=True):
    release: _Release


class DeleteEvent(Event, frozen=True, kw_only=True):
    ref: str
    ref_type: str


class _Deployment(Struct, frozen=True):
    sha: str
    environment: str = ""
    ref: str = ""


class _DeploymentStatus(Struct, frozen=True):
    state: str
    environment: str = ""
    environment_url: str | None = ""
    created_at: str | None = ""


class DeploymentStatusEvent(Event, frozen=True, kw_only=True):
    deployment: _Deployment
    deployment_status: _DeploymentStatus


class _PackageTag(Struct, frozen=True):
    name: str = ""
    digest: str = ""


class _ContainerMetadata(Struct, frozen=True):
    tag: _PackageTag = _PackageTag()


class _PackageVersion(Struct, frozen=True):
    package_url: str = ""
    container_metadata: _ContainerMetadata | None = None


class _Package(Struct, frozen=True):
    package_version: _PackageVersion | None = None


class PackageEvent(Event, frozen=True, kw_only=True):
    registry_package: _Package


class _CheckRun(Struct, frozen=True):
    id: int
    head_sha: str
    external_id: str | None = ""


class _RequestedAction(Struct, frozen=True):
    identifier: str = ""


class CheckRunEvent(Event, frozen=True, kw_only=True):
    check_run: _CheckRun
    requested_action: _RequestedAction | None = None


def read(message: Message) -> Delivery:
    """Verified, then parsed.

    Raises:
        SignatureWrong: when it is not from who holds the secret.
        PayloadInvalid: when the payload is not that of its event.
    """
    signatures.need_hex(message, "x-hub-signature-256", prefix="sha256=")
    event = message.header("x-github-event")
    if event == "check_run":
        return _check_run(message, event)
    found = _READERS[event](message) if event in _READERS else ()
    return delivery(message, event, *found, id=message.header("x-github-delivery"))


_WISHES = {"explain": "explain", "waiver": "waiver"}


def _check_run(message: Message, event: str) -> Delivery:
    """A button of a check run of ours, or its *Re-run*."""
    told = parse(message, CheckRunEvent)
    what = {"requested_action": _WISHES.get(told.requested_action.identifier if told.requested_action else "", ""), "rerequested": "again"}
    made = delivery(message, event, id=message.header("x-github-delivery"), why=f"nothing is done for check_run {text(told.action, 50)}")
    wanted = what.get(told.action, "")
    if not wanted:
        return made
    run = told.check_run
    wish = Wish(wanted, text(run.external_id or "", 50), str(run.id), commit(run.head_sha, "head_sha"), text(told.sender.login, 200))
    return replace(made, wishes=(wish,))


def _push(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, Push)
    name = ref(event.ref)
    if name.startswith(_QUEUE):  # the merge group says what it is to be compared with
        return ()
    return pushed(event, name, commit(event.before, "before"), commit(event.after, "after"))


def pushed(event: Event, name: str, before: str, after: str) -> tuple[Trigger, ...]:
    """One moved ref, at the time of its newest commit."""
    head = getattr(event, "head_commit", None)
    return moved(event, name, before, after, at=text((head.timestamp if head else "") or "", 40))


def _delete(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, DeleteEvent)
    kind, prefix = (SubjectKind.TAG, "refs/tags/") if event.ref_type == "tag" else (SubjectKind.BRANCH, "refs/heads/")
    return (event.trigger(TriggerKind.ENDED, kind, ref=ref(prefix + event.ref.removeprefix(prefix))),)


def _pull_request(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, PullRequestEvent)
    retargeted = event.action == "edited" and event.changes.base is not None
    if event.action in ("opened", "reopened", "synchronize") or retargeted:
        return (requested(event, event.pull_request, before=commit(event.before, "before"), after=commit(event.after, "after")),)
    if event.action == "closed":
        return (requested(event, event.pull_request, kind=TriggerKind.ENDED),)
    return ()


def requested(
    event: Event, pull: PullRequest, *, kind: TriggerKind = TriggerKind.MERGE_REQUEST, before: str = "", after: str = ""
) -> Trigger:
    """A pull request as it is now; its head is fetched from the base repository, forks' too."""
    request = MergeRequest(
        number=pull.number,
        base_ref=ref(f"refs/heads/{pull.base.ref}", "base.ref"),
        head=commit(pull.head.sha, "head.sha"),
        base=commit(pull.base.sha, "base.sha"),
        title=text(pull.title),
        url=text(pull.html_url, 2000),
        head_ref=text(pull.head.ref, 300),
        from_fork=pull.head.repo is None or pull.head.repo.id != event.repository.id,
    )
    moved = {"before": before, "after": after} if before and after else {}
    name, at = f"refs/pull/{pull.number}/head", text(pull.updated_at or "", 40)
    return event.trigger(kind, SubjectKind.MERGE_REQUEST, ref=name, merge_request=request, at=at, **moved)


def _merge_group(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, MergeGroupEvent)
    group = event.merge_group
    kind = {"checks_requested": TriggerKind.MERGE_QUEUE, "destroyed": TriggerKind.ENDED}.get(event.action)
    if kind is None:
        return ()
    before, after = commit(group.base_sha, "base_sha"), commit(group.head_sha, "head_sha")
    return (event.trigger(kind, SubjectKind.MERGE_REQUEST, ref=ref(group.head_ref), before=before, after=after),)


def _release(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, ReleaseEvent)
    return released(event, event.action, event.release.tag_name, event.release.html_url, event.release.published_at or "")


def released(event: Event, action: str, tag: str, url: str, at: str) -> tuple[Trigger, ...]:
    """A release; its commit is what the tag points to."""
    kind = {"published": TriggerKind.RELEASE, "deleted": TriggerKind.ENDED}.get(action)
    if kind is None:
        return ()
    details = {"version": text(tag, 300), "url": text(url, 2000)}
    return (event.trigger(kind, SubjectKind.RELEASE, ref=ref(f"refs/tags/{tag}", "tag_name"), at=text(at, 40), details=details),)


def _repository(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, Event)
    return about_repository(event, event.action)


def about_repository(event: Event, action: str) -> tuple[Trigger, ...]:
    """A repository that came, changed its name or place, or went."""
    if action in ("deleted", "archived"):
        return (event.trigger(TriggerKind.ENDED, SubjectKind.REPOSITORY),)
    if action in ("created", "renamed", "transferred", "edited", "unarchived"):
        return (event.trigger(TriggerKind.REPOSITORY, SubjectKind.REPOSITORY, details={"event": action}),)
    return ()


def _deployment_status(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, DeploymentStatusEvent)
    status, what = event.deployment_status, event.deployment
    name = text(status.environment or what.environment, 300)
    if status.state != "success" or not name:
        return ()
    details = {"url": text(status.environment_url or "", 2000), "version": text(what.ref, 300)}
    sha, at = commit(what.sha, "deployment.sha"), text(status.created_at or "", 40)
    told = {key: value for key, value in details.items() if value}
    return (event.trigger(TriggerKind.DEPLOYMENT, SubjectKind.ENVIRONMENT, ref=name, after=sha, at=at, details=told),)


def _package(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, PackageEvent)
    version = event.registry_package.package_version
    tag = version.container_metadata.tag if version and version.container_metadata else _PackageTag()
    if event.action not in ("published", "updated") or version is None or not tag.digest:
        return ()
    name, at = text(version.package_url.rsplit(":", 1)[0], 500).lower(), digest(tag.digest, "container_metadata.tag.digest")
    details = {"tag": text(tag.name, 128)} if tag.name else {}
    return (event.trigger(TriggerKind.IMAGE, SubjectKind.IMAGE, ref=f"{name}@{at}", after=at, details=details),)


_READERS: Mapping[str, Callable[[Message], tuple[Trigger, ...]]] = {
    "push": _push,
    "delete": _delete,
    "pull_request": _pull_request,
    "merge_group": _merge_group,
    "release": _release,
    "repository": _repository,
    "deployment_status": _deployment_status,
    "registry_package": _package,
}
