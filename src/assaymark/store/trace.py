"""From anything that runs or was made to the checks, the commit and the people behind it, and back.

A digest, a commit (also its beginning), the name of a host, image or environment, an address, or somebody: each is a set of heads that were
judged. Deployments tie digests to the commits that they were built from, environments and hosts to the digests that run in them.

It ends in endorsements: what was signed about those heads, with its standing as the rows say; `server.work.approval` verifies.

Guarantees: reads rows that deployments, triggers, verdicts and endorsements left, and adds nothing to them; bounded; only what the asker's
teams hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import AssessmentId, Instant, RepositoryId, SubjectId
from assaymark.model.trigger import MergeRequest, SubjectKind
from assaymark.store import assessments, endorsements, subjects
from assaymark.store.assessments import AssessmentRow
from assaymark.store.endorsements import EndorsementRow
from assaymark.store.narrowing import Teams, of_teams, unled
from assaymark.store.subjects import SubjectRow
from assaymark.store.tables import assessment, endorsed_digest, endorsement, repository, subject

SHOWN = 20
"""Rows of each step."""
LONGEST = 500
_MOST_HEADS = 50
_HEX = re.compile(r"(?:(?:git-)?sha(?:1|256):)?[0-9a-fA-F]{7,64}")
_RUNS = (SubjectKind.ENVIRONMENT.value, SubjectKind.HOST.value, SubjectKind.ENDPOINT.value, SubjectKind.ACCOUNT.value)
_MADE = (*_RUNS, SubjectKind.IMAGE.value, SubjectKind.RELEASE.value, SubjectKind.TAG.value)
a, s = assessment.c, subject.c


class Asker(Struct, frozen=True):
    """What may be seen of whoever asks."""

    subjects: Teams
    assessments: Teams
    endorsements: Teams = None


class Commit(Struct, frozen=True):
    """What was built."""

    commit: str
    repository: RepositoryId
    repository_name: str
    url: str
    """At its forge; empty when that is not known."""


class Person(Struct, frozen=True):
    """Somebody who caused it."""

    name: str
    """As the forge names him."""
    did: str
    """What, e.g. the title of a merge request."""
    trigger: str
    at: Instant
    assessment: AssessmentId


class Trace(Struct, frozen=True):
    """The steps, each the newest first; empty ones are not known."""

    asked: str
    taken_for: str
    endorsement: str
    """In a sentence: whether it is endorsed."""
    endorsements: tuple[EndorsementRow, ...]
    """Those in force first."""
    made: tuple[SubjectRow, ...]
    """What runs or was published: environments, hosts, images, releases."""
    checks: tuple[AssessmentRow, ...]
    commits: tuple[Commit, ...]
    people: tuple[Person, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.endorsements or self.made or self.checks or self.commits or self.people)


class _Told(Struct, frozen=True):
    """What of a trigger is asked here; old rows may hold less."""

    after: str = ""
    details: dict[str, str] = {}
    merge_request: MergeRequest | None = None


class _Facts(Struct, frozen=True):
    """What a deployment said of an environment."""

    digest: str = ""
    commit: str = ""


def trace(connection: sa.Connection, text: str, asker: Asker, now: Instant) -> Trace:
    """Everything that hangs together with what is asked."""
    text = text.strip()[:LONGEST]
    finder = _Finder(connection, asker)
    taken_for, heads, chosen = finder.start(text)
    if chosen is None:
        heads = finder.spread(heads)
        chosen = finder.judged(heads)
    rows = assessments.rows_of(connection, chosen, None)
    made = finder.made(heads)
    endorsed = finder.endorsed(heads, now)
    return Trace(
        asked=text,
        taken_for=taken_for,
        endorsement=_sentence(endorsed),
        endorsements=tuple(endorsed),
        made=tuple(subjects.rows_of(connection, made, None)),
        checks=tuple(row for row in rows if row.verdict)[:SHOWN],
        commits=tuple(finder.commits(chosen)),
        people=tuple(finder.people(chosen)),
    )


class _Finder:
    """Each step as a bounded question."""

    def __init__(self, connection: sa.Connection, asker: Asker) -> None:
        self._connection, self._asker = connection, asker

    def start(self, text: str) -> tuple[str, set[str], list[int] | None]:
        """(taken for, heads, assessments); the last only for somebody, whose changes are many and not one thing."""
        if _HEX.fullmatch(text):
            digest = text.lower()
            kind = "a digest" if digest.startswith("sha256:") or len(digest) == 64 else "a commit or digest"
            return kind, self._heads_like(digest), None
        named = self._named(text)
        if named:
            return (
                f"{named[0].kind}s of this name or address" if len(named) > 1 else f"the {named[0].kind} {named[0].name}",
                self._of(named),
                None,
            )
        mine = self._caused(text)
        return ("somebody", set(), mine) if mine else ("nothing that is known here", set(), None)

    def _heads_like(self, digest: str) -> set[str]:
        digits = digest.rpartition(":")[2]
        starts = [digest] if ":" in digest else [digits, f"git-sha1:{digits}", f"sha256:{digits}"]
        found: set[str] = set()
        for column, teams, team in ((a.head, self._asker.assessments, a.team), (s.head, self._asker.subjects, s.team)):
            like = sa.or_(*(sa.and_(column >= start, column < start + "g") for start in starts))
            found |= set(
                self._connection.execute(sa.select(column).where(like, *of_teams(unled(team), teams)).limit(_MOST_HEADS)).scalars()
            )
        by_verdict = sa.select(a.head).where(a.verdict == digest, *of_teams(unled(a.team), self._asker.assessments)).limit(SHOWN)
        found |= set(self._connection.execute(by_verdict).scalars())
        found |= self._endorsed_heads(digest)
        return found or ({digest} if len(digits) in (40, 64) else set())

    def _endorsed_heads(self, digest: str) -> set[str]:
        """Of endorsements of this name, or about what has this digest: a tree, a platform of an image, its configuration."""
        e, d = endorsement.c, endorsed_digest.c
        mine = of_teams(unled(e.team), self._asker.endorsements)
        spelled = [f"{kind}:{digest.rpartition(':')[2]}" for kind in ("sha256", "gitCommit", "gitTree")]
        about = sa.select(e.head).join(endorsed_digest, d.endorsement == e.id).where(d.digest.in_(spelled), *mine)
        by_name = sa.select(e.head).where(e.digest == spelled[0], *mine)
        rows = self._connection.execute(sa.union(about, by_name).limit(_MOST_HEADS)).scalars()
        return set(rows)

    def endorsed(self, heads: set[str], now: Instant) -> list[EndorsementRow]:
        """What was signed about these heads."""
        if not heads:
            return []
        digests = {f"{kind}:{head.rpartition(':')[2]}" for head in heads for kind in ("sha256", "gitCommit")}
        asked = endorsements.Filter(digests=tuple(sorted(digests)))
        rows, _ = endorsements.page(self._connection, self._asker.endorsements, asked, now, endorsements.Part(limit=SHOWN))
        return sorted(rows, key=lambda row: (not row.is_valid, -row.id))

    def _named(self, text: str) -> list[SubjectRow]:
        """Subjects of this name, key or address."""
        host = _host(text)
        address = text.rstrip("/")
        ways = [s.name == text, s.key == text, s.url == text, s.url == address]
        ways += [sa.and_(s.kind.in_(_RUNS), s.name == host)] if host else []
        ways += [sa.and_(s.kind == SubjectKind.IMAGE.value, s.name >= f"{text}:", s.name < f"{text};")]  # the same image under any tag
        ways += [sa.and_(s.kind == SubjectKind.ENVIRONMENT.value, s.ref == text)]
        query = sa.select(s.id).where(sa.or_(*ways), *of_teams(s.team, self._asker.subjects)).order_by(s.id.desc()).limit(SHOWN)
        return subjects.rows_of(self._connection, list(self._connection.execute(query).scalars()), None)

    def _of(self, rows: Sequence[SubjectRow]) -> set[str]:
        found = {row.head for row in rows}
        for row in rows:
            facts = self._facts(row.id)
            found |= {facts.digest, facts.commit}
        return found - {""}

    def _facts(self, number: SubjectId) -> _Facts:
        told = subjects.details_of(self._connection, number)
        return _Facts(told.get("digest", ""), told.get("commit", ""))

    def _caused(self, text: str) -> list[int]:
        query = sa.select(a.id).where(a.actor == text, *of_teams(unled(a.team), self._asker.assessments))
        return list(self._connection.execute(query.order_by(a.id.desc()).limit(SHOWN)).scalars())

    def spread(self, heads: set[str]) -> set[str]:
        """With the commits that digests were built from, and the digests that were built from commits."""
        found = set(_spelled(heads))
        if not found:
            return found
        query = sa.select(a.trigger_details, s.details, s.repository).join(subject, s.id == a.subject)
        query = query.where(a.head.in_(found), *of_teams(unled(a.team), self._asker.assessments)).order_by(a.id.desc()).limit(_MOST_HEADS)
        repositories: set[int] = set()
        for row in self._connection.execute(query).all():
            told = msgspec.json.decode(row.trigger_details, type=_Told)
            found |= {told.details.get("digest", ""), told.after if told.details.get("digest") else ""} - {""}
            repositories |= {row.repository} - {None}
        for number in self._environments(repositories):
            facts = self._facts(number)
            if found & set(_spelled({facts.commit, facts.digest} - {""})):
                found |= {facts.commit, facts.digest} - {""}
        return set(_spelled(found))

    def _environments(self, repositories: Iterable[int]) -> list[SubjectId]:
        where = (s.repository.in_(sorted(repositories)), s.kind == SubjectKind.ENVIRONMENT.value, s.ended_at.is_(None))
        query = sa.select(s.id).where(*where, *of_teams(unled(s.team), self._asker.subjects)).order_by(s.id.desc()).limit(_MOST_HEADS)
        return [SubjectId(number) for number in self._connection.execute(query).scalars()]

    def judged(self, heads: set[str]) -> list[int]:
        """What was asked of these heads, newest first."""
        query = sa.select(a.id).where(a.head.in_(sorted(heads)), *of_teams(unled(a.team), self._asker.assessments))
        return list(self._connection.execute(query.order_by(a.id.desc()).limit(_MOST_HEADS)).scalars()) if heads else []

    def made(self, heads: set[str]) -> list[int]:
        """Where they are now."""
        where = (s.head.in_(sorted(heads)), s.kind.in_(_MADE), s.ended_at.is_(None), *of_teams(unled(s.team), self._asker.subjects))
        query = sa.select(s.id).where(*where).order_by(sa.func.coalesce(s.judged_at, 0).desc(), s.id.desc()).limit(SHOWN)
        return list(self._connection.execute(query).scalars()) if heads else []

    def commits(self, chosen: Sequence[int]) -> list[Commit]:
        r = repository.c
        query = sa.select(a.head, a.trigger_details, r.id, r.name, r.web_url).join(subject, s.id == a.subject)
        query = query.join(repository, r.id == s.repository).where(a.id.in_(chosen)).order_by(a.id.desc())
        found: dict[tuple[str, int], Commit] = {}
        for row in self._connection.execute(query) if chosen else ():
            after = msgspec.json.decode(row.trigger_details, type=_Told).after
            commit = (after if row.head.startswith("sha256:") else row.head).rpartition(":")[2]
            if commit:
                url = f"{row.web_url}/commit/{commit}" if row.web_url.startswith(("https://", "http://")) else ""
                found.setdefault((commit, row.id), Commit(commit, RepositoryId(row.id), row.name, url))
        return list(found.values())[:SHOWN]

    def people(self, chosen: Sequence[int]) -> list[Person]:
        query = sa.select(a.id, a.actor, a.trigger, a.trigger_details, a.queued_at).where(a.id.in_(chosen), a.actor != "")
        found: dict[tuple[str, str], Person] = {}
        for row in self._connection.execute(query.order_by(a.id.desc())) if chosen else ():
            request = msgspec.json.decode(row.trigger_details, type=_Told).merge_request
            did = request.title if request is not None else ""
            found.setdefault((row.actor, did or row.trigger), Person(row.actor, did, row.trigger, row.queued_at, AssessmentId(row.id)))
        return list(found.values())[:SHOWN]


def _sentence(rows: Sequence[EndorsementRow]) -> str:
    if not rows:
        return "no endorsement names it"
    if rows[0].is_valid:
        return "it is endorsed"
    return "its endorsement was taken back" if rows[0].withdrawn_at is not None else "its endorsement has ended"


def _spelled(heads: Iterable[str]) -> list[str]:
    """Each with and without the name of its hash."""
    return sorted({way for head in heads if head for way in assessments.spellings(head)})


def _host(text: str) -> str:
    """Of an address, or of what may be a host's name; empty for what is neither."""
    if any(letter.isspace() for letter in text):
        return ""
    try:
        return urlsplit(text if "://" in text else f"//{text}").hostname or ""
    except ValueError:
        return ""
