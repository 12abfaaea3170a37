"""What sets an assessment off, in one shape for all forges, registries, callers and clocks."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class TriggerKind(StrEnum):
    PUSH = "push"
    TAG = "tag"
    RELEASE = "release"
    MERGE_REQUEST = "merge-request"
    MERGE_QUEUE = "merge-queue"
    """A forge's temporary commit of what would be merged: gated like any other."""
    ENDED = "ended"
    """A branch, tag or merge request is no more."""
    REPOSITORY = "repository"
    """It was renamed, moved, or its default branch is another one: nothing is judged."""
    IMAGE = "image"
    DEPLOYMENT = "deployment"
    CALL = "call"
    """Somebody or a pipeline asked."""
    SCHEDULE = "schedule"
    ADVISORY = "advisory"
    IMPORT = "import"
    DECISION = "decision"
    """Somebody decided about what was found, or a decision ended: the last verdict is judged again."""


class SubjectKind(StrEnum):
    """What can be assayed and looked after."""

    REPOSITORY = "repository"
    BRANCH = "branch"
    TAG = "tag"
    RELEASE = "release"
    MERGE_REQUEST = "merge-request"
    IMAGE = "image"
    ENVIRONMENT = "environment"
    HOST = "host"
    ENDPOINT = "endpoint"
    ACCOUNT = "account"


class RemoteRepository(Struct, frozen=True, omit_defaults=True):
    """A repository as a forge names it."""

    name: str
    """Path with owner, e.g. ``group/sub/project``."""
    clone_url: str
    web_url: str = ""
    forge_id: str = ""
    """The forge's own stable id, which a rename keeps."""
    default_branch: str = ""


class MergeRequest(Struct, frozen=True, omit_defaults=True):
    """A request to merge, at the moment of the trigger."""

    number: int
    base_ref: str
    head: str
    """Commit."""
    base: str = ""
    """Commit of the base branch where the forge says so; the merge base is computed from it."""
    title: str = ""
    url: str = ""
    head_ref: str = ""
    from_fork: bool = False


class Trigger(Struct, frozen=True, omit_defaults=True):
    """One event. A delivery may hold several."""

    kind: TriggerKind
    repository: RemoteRepository | None = None
    subject_kind: SubjectKind = SubjectKind.BRANCH
    """What is no more, for `ENDED`; what is judged, for the others."""
    ref: str = ""
    """Full ref, e.g. ``refs/heads/main``; an image's reference by digest; an environment's name."""
    before: str = ""
    """Commit that the ref pointed to; empty when it was made now or is not known."""
    after: str = ""
    merge_request: MergeRequest | None = None
    actor: str = ""
    """Who caused it, as the forge names him."""
    bot: bool = False
    """The actor is a program: it is gated like everybody, the mark is for the record."""
    at: str = ""
    """ISO 8601 as the sender gave it."""
    details: dict[str, str] = {}
    """Further facts for the record, e.g. of a deployment: ``digest``, ``version``, ``url``."""
