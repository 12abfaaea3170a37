"""Gitea and Forgejo: the HMAC-SHA256 of the raw body in hex, under the forge's own header name. Their events look like GitHub's, with
words of their own for some actions; a merge request's new commits come as `synchronized`.

Judged: pushes, pull requests, releases. Followed: deletions, repositories made and deleted. Anything else is ignored.
https://docs.gitea.com/usage/webhooks  https://forgejo.org/docs/latest/user/webhooks/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.triggers.webhooks import github, signatures
from assaymark.triggers.webhooks.delivery import Delivery, Message, commit, delivery, parse, ref

_ACTIONS = {"opened": TriggerKind.MERGE_REQUEST, "reopened": TriggerKind.MERGE_REQUEST, "synchronized": TriggerKind.MERGE_REQUEST}


class _Changes(Struct, frozen=True):
    ref: object = None
    """What the base branch was before it was another one."""


class PullRequestEvent(github.Event, frozen=True, kw_only=True):
    pull_request: github.PullRequest
    changes: _Changes | None = None


def read(message: Message) -> Delivery:
    """Verified, then parsed.

    Raises:
        SignatureWrong: when it is not from who holds the secret.
        PayloadInvalid: when the payload is not that of its event.
    """
    if message.header("x-forgejo-signature", "x-gitea-signature"):
        signatures.need_hex(message, "x-forgejo-signature", "x-gitea-signature")
    else:
        signatures.need_hex(message, "x-hub-signature-256", prefix="sha256=")
    event = message.header("x-forgejo-event", "x-gitea-event", "x-gogs-event")
    found = _READERS[event](message) if event in _READERS else ()
    return delivery(message, event, *found, id=message.header("x-forgejo-delivery", "x-gitea-delivery", "x-gogs-delivery"))


def _push(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, github.Push)
    return github.pushed(event, ref(event.ref), commit(event.before, "before"), commit(event.after, "after"))


def _delete(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, github.DeleteEvent)
    kind, prefix = (SubjectKind.TAG, "refs/tags/") if event.ref_type == "tag" else (SubjectKind.BRANCH, "refs/heads/")
    return (event.trigger(TriggerKind.ENDED, kind, ref=ref(prefix + event.ref.removeprefix(prefix))),)


def _pull_request(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, PullRequestEvent)
    kind = _ACTIONS.get(event.action)
    if event.action == "closed":
        kind = TriggerKind.ENDED
    elif event.action == "edited" and event.changes is not None and event.changes.ref is not None:
        kind = TriggerKind.MERGE_REQUEST
    return (github.requested(event, event.pull_request, kind=kind),) if kind else ()


def _release(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, github.ReleaseEvent)
    return github.released(event, event.action, event.release.tag_name, event.release.html_url, event.release.published_at or "")


def _repository(message: Message) -> tuple[Trigger, ...]:
    event = parse(message, github.Event)
    return github.about_repository(event, event.action)


_READERS: Mapping[str, Callable[[Message], tuple[Trigger, ...]]] = {
    "push": _push,
    "delete": _delete,
    "pull_request": _pull_request,
    "pull_request_sync": _pull_request,
    "release": _release,
    "repository": _repository,
}
