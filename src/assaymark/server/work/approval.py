"""The server's own question: is what has this digest approved, now? The same pure function that everybody else asks.

Guarantees: nothing is believed because it stands in a row: of each endorsement of the digest the signed bytes are verified with today's
trust, revocations and time. The best one answers; when none holds, the reasons are those of the one that comes nearest.
"""

from __future__ import annotations

from functools import lru_cache

import sqlalchemy as sa

from assaymark.endorsement import revocation, trust
from assaymark.endorsement.revocation import OpenRevocations, Revocation
from assaymark.endorsement.trust import OpenTrust, Trust
from assaymark.endorsement.verify import Expected, Refusal, Refused, Verification, verify
from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.model.digest import Digest
from assaymark.server.service import Service
from assaymark.server.work.trusting import trust_of
from assaymark.store import endorsements, log, revocations
from assaymark.store.endorsements import EndorsementRow
from assaymark.store.narrowing import Teams

_MOST = 20
"""Endorsements of one digest that are tried: those in force by their rows first, then the newest."""
_CHEAP = 8
"""Trust documents and lists that are kept open."""


def approved(service: Service, link: sa.Connection, digest: str, expected: Expected, *, teams: Teams = None) -> Verification:
    """Whether this digest (``<algorithm>:<hex>``) is approved, by the endorsements of these teams (None: of all)."""
    return Asking(service, link).approved(digest, expected, teams=teams)


class Asking:
    """Several questions with one trust document, one list of revocations and one time."""

    def __init__(self, service: Service, link: sa.Connection) -> None:
        self._service, self._link = service, link
        self._trust, self._revoked = OpenTrust(Trust(()), (), ()), revocation.opened(())
        self._problem, self._now = "", service.now()
        try:
            self._trust = _opened_trust(trust_of(service, link))
            self._revoked = _opened_revocations(revocations.entries(link))
        except UsageError as error:  # nobody is believed then, whoever asks
            self._problem = f"{error.what}: {error.why}"

    def approved(self, digest: str, expected: Expected, *, teams: Teams = None) -> Verification:
        """Whether a digest is, by the best of the endorsements about it."""
        found = endorsements.by_digest(self._link, digest, self._now, teams=teams, limit=_MOST)
        if not found:
            return Verification(ok=False, refused=(Refused(Refusal.ABSENT, f"nothing is endorsed that has the digest {digest[:200]}"),))
        best: Verification | None = None
        for row in found:
            answer = self.verify(row, digest, expected)
            if answer.ok:
                return answer
            if best is None or len(answer.refused) < len(best.refused):
                best = answer
        assert best is not None  # noqa: S101 - there is at least one
        return best

    def verify(self, row: EndorsementRow, digest: str, expected: Expected) -> Verification:
        """One endorsement of this digest."""
        try:
            data = self._service.blobs.get(Digest(row.bundle))
        except SubjectUnreadable as error:
            return Verification(ok=False, refused=(Refused(Refusal.MALFORMED, f"its bundle cannot be read: {error.why}"),))
        return self.of_bytes(data, digest, expected)

    def of_bytes(self, data: bytes, digest: str, expected: Expected, *, is_logged: bool = False) -> Verification:
        """What somebody gives; `is_logged` where it is written to the log within the same transaction."""
        if self._problem:
            return Verification(ok=False, refused=(Refused(Refusal.UNTRUSTED, self._problem[:500]),))
        logged = (lambda _name: "") if is_logged else self._missing_in_log
        return verify(data, digest, expected, self._trust, self._revoked, now=self._now, logged=logged)

    def _missing_in_log(self, name: str) -> str:
        wanted = self._trust.trust.log
        if wanted is None or not wanted.required or log.endorsed(self._link, name) is not None:
            return ""
        return "it does not stand in the log of this server"


@lru_cache(maxsize=_CHEAP)
def _opened_trust(document: Trust) -> OpenTrust:
    return trust.opened(document)


@lru_cache(maxsize=_CHEAP)
def _opened_revocations(entries: tuple[Revocation, ...]) -> OpenRevocations:
    return revocation.opened(entries)
