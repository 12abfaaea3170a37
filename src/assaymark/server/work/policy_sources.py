"""Policies that live in git: handlers `read-policies` (one source) and `read-all-policies` (by the clock).

Guarantees: what is read are the files of one commit, all or none: a file that is wrong leaves everything as it was and is said at the
source; a new document is proposed in its author's name and takes effect at once, unless it is weaker than what is in force, somebody
objects, or its version was not raised: then it waits, and the source says for what. What is gone from git stays in force until somebody
retires it. Read again, the same commit changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog
from msgspec import Struct

from assaymark.errors import AssayError, PolicyInvalid, SubjectUnreadable, UsageError
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work import activation
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.policy_jobs import job_for
from assaymark.server.work.remotes import mirror_of, remote_of
from assaymark.store import policies, policy_sources, repositories
from assaymark.store.policies import Draft, EventKind, VersionRow
from assaymark.store.policy_sources import SourceRow
from assaymark.subjects.commits import CommitSubject, resolve
from assaymark.subjects.mirror import Bound, Want
from assaymark.verdict.organisation import OrganisationPolicy
from assaymark.verdict.organisation_file import MOST_BYTES, parse, parse_one

MOST_FILES = 200
_SECONDS = 240.0
_PAGE = 200
_ENDINGS = (".yaml", ".yml")
_log = structlog.get_logger("assaymark.policies")


class _Found(Struct, frozen=True):
    """A policy in a commit."""

    path: str
    document: str
    policy: OrganisationPolicy


class _Look(Struct, frozen=True):
    """What a commit holds."""

    commit: str
    author: str
    found: tuple[_Found, ...]


def read_all(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:  # noqa: ARG001 - a handler
    """Put one job for each source."""
    after = 0
    while not attempt.should_stop():
        with service.database.write() as link:
            rows = policy_sources.page(link, after=after, limit=_PAGE)
            for row in rows:
                service.queue.put(link, job_for(row.id))
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


def read(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Read one source (arguments: ``source``).

    Raises:
        SubjectUnreadable: when it does not answer; the queue tries again, and the source says why meanwhile.
    """
    number = int(arguments["source"])
    with service.database.read() as link:
        source = policy_sources.get(link, number)
    if source is None or source.ended_at is not None:
        return
    try:
        look = _look(service, source, attempt)
        problems = _take_in(service, source, look)
    except AssayError as error:
        with service.database.write() as link:
            policy_sources.was_read(link, number, service.now(), problem=_told(error))
        if isinstance(error, UsageError):
            return  # trying again cannot help
        raise
    with service.database.write() as link:
        policy_sources.was_read(link, number, service.now(), commit=look.commit, problem="; ".join(problems))
    _log.info("policies.read", source=number, commit=look.commit, policies=len(look.found), problems=len(problems))


def _told(error: AssayError) -> str:
    return "; ".join(part for part in (error.what, error.why, error.advice) if part)


def _look(service: Service, source: SourceRow, attempt: Attempt) -> _Look:
    """Every policy of the newest commit.

    Raises:
        UsageError: when one is wrong, or nothing is there.
        SubjectUnreadable: when the repository does not answer.
    """
    with service.database.read() as link:
        repository = repositories.get(link, source.repository)
    if repository is None or repository.ended_at is not None:
        raise UsageError(f"repository {source.repository_name} is looked after no more", advice="register it again, or end the source")
    mirror = mirror_of(service, repository.id)
    remote, bound = remote_of(service, repository), Bound(seconds=_SECONDS, should_stop=attempt.should_stop)
    branch = source.branch or repository.default_branch or mirror.default_branch(remote, bound)
    ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
    (oid,) = mirror.fetch(remote, [Want(ref=ref)], bound)
    commit = resolve(mirror.repository, oid)
    tree = CommitSubject(mirror.repository, commit)
    paths = sorted(entry.path for entry in tree.entries() if _is_ours(source.path, entry.path))
    if not paths:
        raise UsageError(f"there is no policy at {source.path} in {oid[:10]}", advice="correct the path, or put one there")
    if len(paths) > MOST_FILES:
        raise UsageError(f"{source.path} holds {len(paths)} files", why=f"at most {MOST_FILES} are read", advice="name another folder")
    found = [each for path in paths for each in _of_file(tree, path)]
    names = [each.policy.metadata.name for each in found]
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice is not None:
        raise UsageError(f"policy {twice} exists twice in {oid[:10]}", advice="give each policy a name of its own")
    return _Look(oid, commit.author, tuple(found))


def _is_ours(wanted: str, path: str) -> bool:
    if path == wanted:
        return True
    return path.endswith(_ENDINGS) and (not wanted or path.startswith(wanted.rstrip("/") + "/"))


def _of_file(tree: CommitSubject, path: str) -> list[_Found]:
    data = tree.file(path, limit=MOST_BYTES + 1)
    if data is None:
        raise SubjectUnreadable(f"{path} cannot be read")
    try:
        policies_ = parse(data, path)
    except PolicyInvalid as error:
        raise UsageError(error.what, why=error.why, advice=error.advice) from error
    return [_Found(path, _document(data, policies_, each), each) for each in policies_]


def _document(data: bytes, every: tuple[OrganisationPolicy, ...], one: OrganisationPolicy) -> str:
    """As it was written; of a file with several, what it means.

    Raises:
        UsageError: when that cannot be written by itself.
    """
    if len(every) == 1:
        return data.decode("utf-8-sig")
    document = msgspec.yaml.encode(one)
    if parse_one(document, one.metadata.name).digest != one.digest:
        raise UsageError(f"policy {one.metadata.name} shares a file with others", advice="write it in a file of its own")
    return document.decode()


def _take_in(service: Service, source: SourceRow, look: _Look) -> list[str]:
    """Propose and activate what is new; gives what waits and why."""
    problems: list[str] = []
    for each in look.found:
        try:
            with service.database.write() as link:
                problems += _take_one(service, link, _Offer(source.id, look, each))
        except UsageError as error:
            problems.append(_told(error))
    with service.database.read() as link:
        here = {each.policy.metadata.name for each in look.found}
        mine = [row for row, _ in policies.in_force(link, service.now()) if row.source == source.id and row.name not in here]
    problems += [f"{row.name} is gone from git and stays in force until somebody retires it" for row in mine]
    return problems


class _Offer(Struct, frozen=True):
    """A policy of a commit of a source."""

    source: int
    look: _Look
    found: _Found


def _take_one(service: Service, link: sa.Connection, offer: _Offer) -> list[str]:
    policy = offer.found.policy
    step = activation.Step(service, link, By(offer.look.author[:200] or "git"))
    version = policies.by_digest(link, policy.digest)
    if version is None:
        meta = policy.metadata
        draft = Draft(
            meta.name, meta.version, policy.digest, offer.found.document, step.by.actor, source=offer.source, path=offer.found.path,
            commit=offer.look.commit,
        )  # fmt: skip
        version = activation.propose(step, policy, draft)
    elif version.source != offer.source:
        raise activation.Taken(f"policy {version.name} comes from elsewhere", why="versions of one name come from one place")
    if _is_settled(service, link, version):
        return []
    try:
        activation.activate(step, version)
    except activation.Weaker as error:
        return [f"{version.name} {version.version} waits for an exception: {error.why}"]
    except UsageError as error:  # what was proposed stays proposed
        return [f"{version.name} {version.version} waits: {_told(error)}"]
    return []


def _is_settled(service: Service, link: sa.Connection, version: VersionRow) -> bool:
    """Whether it is in force, or would be if people had not decided otherwise for a time."""
    standing = [policies.standing(link, version.name, service.now(), firm=firm) for firm in (False, True)]
    if any(each is not None and each.id == version.id for each in standing):
        return True
    decided = [each for each in policies.events_of_version(link, version.id) if each.kind in (EventKind.ACTIVATED, EventKind.RETIRED)]
    return bool(decided) and decided[-1].kind is EventKind.RETIRED
