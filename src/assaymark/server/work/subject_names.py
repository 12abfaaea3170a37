"""From a trigger to the subject that it is about: kind, unique key, and the name that people read. Pure."""

from __future__ import annotations

import msgspec

from assaymark.errors import UsageError
from assaymark.model.access import TeamId
from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.store.arrivals import Place
from assaymark.store.repositories import RepositoryRow

_PREFIXES = ("refs/heads/", "refs/tags/")


def place_of(trigger: Trigger, repository: RepositoryRow | None, team: TeamId | None) -> Place:
    """The subject.

    Raises:
        UsageError: when the trigger does not say which.
    """
    kind = trigger.subject_kind
    if repository is not None and kind in _IN_REPOSITORIES:
        return _in_repository(trigger, repository)
    component = trigger.details.get("component", "")
    if kind is SubjectKind.ENVIRONMENT and component:  # one of several that run there, told by a deployer
        key = f"c{team or 0}:{len(component)}:{component}:{_need(trigger.ref, 'the environment')}"
        return _place(trigger, key, f"{component} {trigger.ref}", repository, team)
    if kind is SubjectKind.ENVIRONMENT:
        owner = f"r{repository.id}" if repository else f"t{team or 0}"
        name = f"{repository.name} {trigger.ref}" if repository else trigger.ref
        return _place(trigger, f"{owner}:{_need(trigger.ref, 'the environment')}", name, repository, team)
    if kind in _IN_REPOSITORIES:
        raise UsageError(f"a {kind} without a repository is no subject", advice="name the repository")
    if kind is SubjectKind.IMAGE:
        name = image_name(trigger)
        return _place(trigger, name, name, repository, team)
    return _place(trigger, _need(trigger.ref, f"the {kind}"), trigger.ref, repository, team)


_IN_REPOSITORIES = frozenset(
    {SubjectKind.REPOSITORY, SubjectKind.BRANCH, SubjectKind.TAG, SubjectKind.RELEASE, SubjectKind.MERGE_REQUEST},
)


def _in_repository(trigger: Trigger, repository: RepositoryRow) -> Place:
    ref = _need(trigger.ref, "the ref") if trigger.subject_kind is not SubjectKind.REPOSITORY else ""
    short = next((ref.removeprefix(prefix) for prefix in _PREFIXES if ref.startswith(prefix)), ref)
    key, name = f"{repository.id}:{ref}", f"{repository.name}@{short}"
    if trigger.subject_kind is SubjectKind.REPOSITORY:
        key, name = str(repository.id), repository.name
    elif trigger.subject_kind is SubjectKind.MERGE_REQUEST and trigger.kind is not TriggerKind.MERGE_QUEUE and trigger.merge_request:
        key, name = f"{repository.id}:{trigger.merge_request.number}", f"{repository.name}#{trigger.merge_request.number}"
    return _place(trigger, key, name, repository, repository.team)


def _place(trigger: Trigger, key: str, name: str, repository: RepositoryRow | None, team: TeamId | None) -> Place:
    url = trigger.merge_request.url if trigger.merge_request else trigger.details.get("url", "")
    return Place(
        kind=trigger.subject_kind,
        key=key,
        name=name,
        ref=trigger.ref,
        repository=repository.id if repository else None,
        team=repository.team if repository else team,
        url=url or (repository.web_url if repository else ""),
        details=_details(trigger),
    )


def _details(trigger: Trigger) -> str:
    """What stays known of the subject: a merge request's target and title, what runs in an environment."""
    said: dict[str, object] = dict(trigger.details)
    request = trigger.merge_request
    if request is not None:
        said |= {"number": request.number, "base_ref": request.base_ref, "head_ref": request.head_ref, "title": request.title}
        said |= {"from_fork": request.from_fork}
    if trigger.subject_kind is SubjectKind.ENVIRONMENT:
        said |= {"since": trigger.at} if trigger.at else {}
        said |= {"commit": trigger.after} if trigger.after else {}
    return msgspec.json.encode(said, order="sorted").decode()


def image_name(trigger: Trigger) -> str:
    """An image as people know it, ``host/name:tag``: each tag is a line of its own, like a branch; without one it is its digest."""
    name, _, _ = _need(trigger.ref, "the image").partition("@")
    tag = trigger.details.get("tag", "")
    return f"{name}:{tag}" if tag else trigger.ref


def _need(text: str, what: str) -> str:
    if not text or len(text) > 1000:
        raise UsageError(f"{what} is not named" if not text else f"{what} has {len(text)} letters", advice="name it in the trigger")
    return text
