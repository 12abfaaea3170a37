"""What was deployed where: an environment is a subject that knows what runs in it, and is judged again with each deployment."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from assaymark.model.access import Permission, TeamId
from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.server.api.route import Call, Router
from assaymark.server.api.triggers import Taken, find, remote_of
from assaymark.server.problem import invalid
from assaymark.server.work.intake import Source, accept
from assaymark.triggers.webhooks import delivery
from assaymark.triggers.webhooks.delivery import PayloadInvalid

router = Router("deployments")


class Deployment(Struct, frozen=True, forbid_unknown_fields=True):
    """One deployment that succeeded."""

    environment: Annotated[str, Meta(min_length=1, max_length=300)]
    """As people call it, e.g. ``production``."""
    digest: Annotated[str, Meta(max_length=200)] = ""
    """Of the image or artifact that runs now."""
    image: Annotated[str, Meta(max_length=500)] = ""
    """Name of the image, for a digest that is one's."""
    commit: Annotated[str, Meta(max_length=64)] = ""
    """That it was built from; one of digest and commit is needed."""
    version: Annotated[str, Meta(max_length=300)] = ""
    url: Annotated[str, Meta(max_length=1000)] = ""
    """Where it can be seen."""
    repository: int | str | None = None
    """Its number or clone URL; environments of one name in two repositories are two."""
    team: int | None = None
    """Of an environment without a repository."""
    at: Annotated[str, Meta(max_length=40)] = ""
    """When, in ISO 8601; now where it is left out."""


@router.add("POST", "/deployments", Permission.ASSESSMENTS_RUN, status=202)
def record_deployment(call: Call, body: Deployment) -> Taken:
    """Tell the server what runs in an environment now; it is judged before what was only pushed."""
    if not body.digest and not body.commit:
        raise invalid("digest and commit are both missing", "give the digest of what runs, the commit that it was built from, or both")
    if body.commit and body.repository is None:
        raise invalid("repository is missing", "a commit is one of a repository: give its number or clone URL")
    with call.service.database.write() as link:
        repository = find(call, link, body.repository) if body.repository is not None else None
        team = repository.team if repository else None if body.team is None else TeamId(body.team)
        call.need(Permission.ASSESSMENTS_RUN, team)
        details = _details(body)
        trigger = Trigger(
            TriggerKind.DEPLOYMENT,
            remote_of(repository) if repository else None,
            SubjectKind.ENVIRONMENT,
            ref=delivery.text(body.environment, 300),
            after=details.pop("commit", ""),
            actor=call.who.login,
            at=delivery.text(body.at, 40),
            details=details,
        )
        own = repository.connection if repository else None
        taken = accept(call.service, link, trigger, source=Source(connection_id=own, team=team, cause="deployment"))
    return Taken(tuple(int(each) for each in taken))


def _details(body: Deployment) -> dict[str, str]:
    if body.url and not body.url.startswith(("https://", "http://")):
        raise invalid(f"{body.url[:100]!r} is no address of a page")
    try:
        told = {
            "digest": delivery.digest(body.digest, "digest") if body.digest else "",
            "commit": delivery.commit(body.commit, "commit"),
            "version": delivery.text(body.version, 300),
            "url": delivery.text(body.url, 1000),
            "image": delivery.text(body.image, 500),
        }
    except PayloadInvalid as error:
        raise invalid(f"{error.what}: {error.why}") from error
    return {name: value for name, value in told.items() if value}
