"""GitLab: the signing token (Standard Webhooks: ``webhook-signature``) where one is set, else the secret token in ``X-Gitlab-Token``.

Judged: pushes, tags, merge requests, entries of merge trains (their pipelines say which commit), releases, deployments that succeeded.
Followed: deletions, projects made, renamed, moved and deleted (group and system hooks). Anything else is ignored.
A merge request that is only talked about is not judged again: new commits come with `oldrev`, another target with `changes`.
https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from assaymark.model.trigger import MergeRequest, RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.triggers.webhooks import signatures
from assaymark.triggers.webhooks.delivery import Delivery, Message, PayloadInvalid, commit, delivery, is_bot, parse, ref, text
from assaymark.triggers.webhooks.moved import moved

_TRAIN_ENDS = ("success", "failed", "canceled", "skipped")


class Kind(Struct, frozen=True):
    """What tells events apart."""

    object_kind: str = ""
    event_name: str = ""


class Project(Struct, frozen=True):
    path_with_namespace: str
    git_http_url: str
    id: int | None = None
    web_url: str = ""
    default_branch: str | None = ""


class User(Struct, frozen=True):
    username: str = ""


class Event(Struct, frozen=True):
    project: Project
    user: User | None = None
    user_username: str | None = ""
    user_name: str | None = ""
    project_id: int | None = None

    def trigger(self, kind: TriggerKind, subject: SubjectKind = SubjectKind.BRANCH, **more: object) -> Trigger:
        project = self.project
        number = project.id if project.id is not None else self.project_id
        remote = RemoteRepository(
            text(project.path_with_namespace),
            project.git_http_url,
            text(project.web_url, 2000),
            "" if number is None else str(number),
            text(project.default_branch or "", 300),
        )
        who = text(self.user_username or (self.user.username if self.user else "") or self.user_name or "", 200)
        return Trigger(kind, remote, subject, actor=who, bot=is_bot(who), **more)  # type: ignore[arg-type]


class Push(Event, frozen=True, kw_only=True):
    ref: str
    before: str
    after: str


class _Commit(Struct, frozen=True):
    id: str


class _Request(Struct, frozen=True):
    iid: int
    source_branch: str
    target_branch: str
    action: str = ""
    last_commit: _Commit | None = None
    oldrev: str | None = None
    title: str = ""
    url: str | None = ""
    updated_at: str | None = ""
    source_project_id: int | None = None
    target_project_id: int | None = None


class _Changes(Struct, frozen=True):
    target_branch: object = None


class MergeRequestEvent(Event, frozen=True, kw_only=True):
    object_attributes: _Request
    changes: _Changes = _Changes()


class _Pipeline(Struct, frozen=True):
    ref: str | None = ""
    sha: str | None = ""
    before_sha: str | None = ""
    source: str | None = ""
    status: str = ""


class _PipelinesRequest(Struct, frozen=True):
    target_branch: str = ""


class PipelineEvent(Event, frozen=True, kw_only=True):
    object_attributes: _Pipeline
    merge_request: _PipelinesRequest | None = None


class ReleaseEvent(Event, frozen=True, kw_only=True):
    tag: str
    action: str = ""
    url: str | None = ""
    released_at: str | None = ""
    commit: _Commit | None = None


class DeploymentEvent(Event, frozen=True, kw_only=True):
    status: str
    environment: str = ""
    environment_external_url: str | None = ""
    commit_url: str | None = ""
    status_changed_at: str | None = ""
    ref: str | None = ""


class ProjectEvent(Struct, frozen=True):
    """Of a group's or the system's hook; names no clone URL."""

    event_name: str
    project_id: int
    path_with_namespace: str


def read(message: Message) -> Delivery:
    """Verified, then parsed.

    Raises:
        SignatureWrong: when it is not from who holds the secret.
        PayloadInvalid: when the payload is not that of its event.
    """
    if message.header("webhook-signature"):
        signatures.need_standard(message)
    else:
        signatures.need_token(message, message.header("x-gitlab-token"), "x-gitlab-token")
    kind = parse(message, Kind)
    event = kind.object_kind or kind.event_name
    found = _READERS[event](message) if event in _READERS else ()
    number = message.header("idempotency-key", "webhook-id", "x-gitlab-event-uuid")
    return delivery(message, event or message.header("x-gitlab-event"), *found, id=number)


def _push(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, Push)
    name, before, after = ref(event.ref), commit(event.before, "before"), commit(event.after, "after")
    return moved(event, name, before, after)


def _merge_request(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, MergeRequestEvent)
    about = event.object_attributes
    if about.action in ("close", "merge"):
        return (_requested(event, TriggerKind.ENDED),)
    moved = about.action == "update" and (about.oldrev or event.changes.target_branch is not None)
    return (_requested(event, TriggerKind.MERGE_REQUEST),) if moved or about.action in ("open", "reopen") else ()


def _requested(event: MergeRequestEvent, kind: TriggerKind) -> Trigger:
    about = event.object_attributes
    head = commit(about.last_commit.id if about.last_commit else "", "last_commit.id")
    request = MergeRequest(
        number=about.iid,
        base_ref=ref(f"refs/heads/{about.target_branch}", "target_branch"),
        head=head,
        title=text(about.title),
        url=text(about.url or "", 2000),
        head_ref=text(about.source_branch, 300),
        from_fork=about.source_project_id != about.target_project_id,
    )
    old = commit(about.oldrev, "oldrev")
    moved = {"before": old, "after": head} if old and kind is TriggerKind.MERGE_REQUEST else {}
    name, at = f"refs/merge-requests/{about.iid}/head", text(about.updated_at or "", 40)
    return event.trigger(kind, SubjectKind.MERGE_REQUEST, ref=name, merge_request=request, at=at, **moved)


def _pipeline(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, PipelineEvent)
    about = event.object_attributes
    name = about.ref or ""
    if about.source != "merge_request_event" or not name.startswith("refs/merge-requests/") or not name.endswith("/train"):
        return ()
    if about.status != "pending" and about.status not in _TRAIN_ENDS:
        return ()
    kind = TriggerKind.MERGE_QUEUE if about.status == "pending" else TriggerKind.ENDED
    target = text(event.merge_request.target_branch, 300) if event.merge_request else ""
    details = {"base_ref": ref(f"refs/heads/{target}", "target_branch")} if target else {}
    before, after = commit(about.before_sha, "before_sha"), commit(about.sha, "sha")
    return (event.trigger(kind, SubjectKind.MERGE_REQUEST, ref=ref(name), before=before, after=after, details=details),)


def _release(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, ReleaseEvent)
    kind = {"create": TriggerKind.RELEASE, "delete": TriggerKind.ENDED}.get(event.action)
    if kind is None:
        return ()
    details = {"version": text(event.tag, 300), "url": text(event.url or "", 2000)}
    sha, at = commit(event.commit.id if event.commit else "", "commit.id"), text(event.released_at or "", 40)
    return (event.trigger(kind, SubjectKind.RELEASE, ref=ref(f"refs/tags/{event.tag}", "tag"), after=sha, at=at, details=details),)


def _deployment(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, DeploymentEvent)
    if event.status != "success" or not event.environment:
        return ()
    sha = commit((event.commit_url or "").rstrip("/").rpartition("/")[2], "the last part of commit_url")
    details = {"url": text(event.environment_external_url or "", 2000), "version": text(event.ref or "", 300)}
    told, at = {name: value for name, value in details.items() if value}, text(event.status_changed_at or "", 40)
    name = text(event.environment, 300)
    return (event.trigger(TriggerKind.DEPLOYMENT, SubjectKind.ENVIRONMENT, ref=name, after=sha, at=at, details=told),)


def _project(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, ProjectEvent)
    path = text(event.path_with_namespace)
    if not message.home:
        raise PayloadInvalid("the event names no clone URL", advice="enter the forge's address in the connection")
    url = f"{message.home}/{path}"
    remote = RemoteRepository(path, f"{url}.git", url, str(event.project_id))
    if event.event_name == "project_destroy":
        return (Trigger(TriggerKind.ENDED, remote, SubjectKind.REPOSITORY),)
    return (Trigger(TriggerKind.REPOSITORY, remote, SubjectKind.REPOSITORY, details={"event": event.event_name}),)


_READERS: Mapping[str, Callable[[Message], tuple[Trigger, ...]]] = {
    "push": _push,
    "tag_push": _push,
    "merge_request": _merge_request,
    "pipeline": _pipeline,
    "release": _release,
    "deployment": _deployment,
    "project_create": _project,
    "project_destroy": _project,
    "project_rename": _project,
    "project_transfer": _project,
}
