"""The server's side of a gate: whether a digest is approved, fast, and never later than it was taken back.

Guarantees: an answer that is remembered is used only while nothing was revoked and nobody else is believed since (`store.admission.Stamps`,
read with each review), and not beyond the end of the approval; one that refuses also not when something new was endorsed. Remembered for a
minute at most, which is by how much the greatest age of an approval may be missed. A gate that a person opened by force is written into
the trail and into the transparency log before the cluster is told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace

from assaymark.deployment.admission import imagereview, review
from assaymark.deployment.admission.approved import ApprovedDigest
from assaymark.deployment.admission.judging import Decision, Judge, Terms
from assaymark.deployment.admission.review import Request
from assaymark.endorsement.approval import stamp
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.verify import Expected, Verification
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.service import Service
from assaymark.server.work import approval
from assaymark.store import endorsements, log, trail
from assaymark.store.admission import GateRow, Refusal, Stamps
from assaymark.store.endorsements import Filter, Part
from assaymark.store.narrowing import MOST_ROWS
from assaymark.store.trail import Action

_MOST_KNOWN = 50_000
_REMEMBERED = 60 * SECOND
_IMAGE = "sha256:"

Approve = Callable[[Service, sa.Connection, str, Expected], Verification]


class _Known(Struct, frozen=True):
    found: Verification
    stamp: tuple[int, ...]
    until: Instant


class Keeper:
    """What a process remembers of the answers that it gave; one per application."""

    def __init__(self, service: Service, approve: Approve | None = None) -> None:
        self._service, self._approve = service, approve or approval.approved
        self._known: dict[tuple[str, str], _Known] = {}
        self._lock = threading.Lock()

    def judge(self, link: sa.Connection, stamps: Stamps) -> Judge:
        """To be asked within this transaction, in which these were read."""
        return lambda digest, environment: self._ask(link, stamps, digest, environment)

    def _ask(self, link: sa.Connection, stamps: Stamps, digest: str, environment: str) -> Verification:
        key, now = (digest, environment), self._service.now()
        known = self._known.get(key)
        if known is not None and known.stamp == stamps[not known.found.ok] and now < known.until:
            return known.found
        found = self._approve(self._service, link, digest, Expected(environment=environment))
        until = Instant(now + _REMEMBERED)
        if found.expires_at is not None:
            until = min(until, found.expires_at) if found.ok else until
        with self._lock:
            if len(self._known) >= _MOST_KNOWN:
                for each in list(islice(self._known, _MOST_KNOWN // 10)):
                    del self._known[each]
            self._known[key] = _Known(found, stamps[not found.ok], until)
        return found


def terms_of(service: Service, gate: GateRow) -> Terms:
    """As the judgement wants them."""
    return Terms(
        environment=gate.environment,
        namespaces=gate.namespaces,
        exempt=(gate.home, *gate.exempt),
        enforce=gate.enforces,
        obeys_break_glass=gate.obeys_break_glass,
        url=service.settings.url,
    )


class Asking(Struct, frozen=True):
    """Who asks, within a transaction."""

    service: Service
    keeper: Keeper
    link: sa.Connection
    gate: GateRow
    stamps: Stamps

    @property
    def judge(self) -> Judge:
        return self.keeper.judge(self.link, self.stamps)


class Told(Struct, frozen=True):
    """What goes back, and what is to be noted after it went."""

    body: bytes
    refusals: tuple[Refusal, ...] = ()


def review_objects(asking: Asking, data: bytes) -> Told:
    """An AdmissionReview.

    Raises:
        ReviewInvalidError: when it is none.
    """
    request = review.read(data)
    terms = terms_of(asking.service, asking.gate)
    decision = review.judged(request, terms, asking.judge)
    told = Told(review.answer(request, decision, terms))
    return (
        told if request.dry_run else _noted(asking, decision, told, _About(request.namespace, *_named(request), request.user_info.username))
    )


def review_images(asking: Asking, data: bytes) -> Told:
    """An ImageReview.

    Raises:
        ReviewInvalidError: when it is none.
    """
    spec = imagereview.read(data)
    terms = terms_of(asking.service, asking.gate)
    decision = imagereview.judged(spec, terms, asking.judge)
    return _noted(asking, decision, Told(imagereview.answer(decision, terms)), _About(spec.namespace, "Pod"))


class _About(Struct, frozen=True):
    """What was asked about, and by whom."""

    namespace: str
    kind: str
    name: str = ""
    who: str = ""


def _noted(asking: Asking, decision: Decision, told: Told, about: _About) -> Told:
    """The answer with what is to be written down of it; what was let through by break-glass is told at once."""
    found = tuple(_refusals(decision, about.namespace, (about.kind, about.name), about.who))
    _loudly(asking.service, asking.gate, decision, found)
    return replace(told, refusals=found)


def _named(request: Request) -> tuple[str, str]:
    """Kind and name; of what a controller makes by the dozen, the name that they share."""
    metadata = (request.object or {}).get("metadata")
    shared = metadata.get("generateName") if isinstance(metadata, dict) else None
    return request.kind.kind, f"{shared}*" if isinstance(shared, str) and shared else request.name


def _refusals(decision: Decision, namespace: str, what: tuple[str, str], who: str) -> Iterator[Refusal]:
    for each in decision.doubts[:20]:
        yield Refusal(
            outcome=decision.outcome,
            environment=decision.environment,
            namespace=_kept(namespace),
            kind=_kept(what[0]),
            name=_kept(what[1]),
            path=_kept(each.path),
            image=_kept(each.image),
            digest=each.digest,
            reason=each.reason,
            words=_kept(each.text),
            asked_by=_kept(who),
            note=_kept(decision.break_glass),
        )


def _kept(text: str) -> str:
    """Words of a cluster, as a row takes them: no end of a text within it, no half of a character, in a bound."""
    return text[:500].replace("\0", "?").encode("utf-8", "replace").decode()


def _loudly(service: Service, gate: GateRow, decision: Decision, found: tuple[Refusal, ...]) -> None:
    """A gate that is opened by force: nothing starts before it is written down."""
    if decision.outcome != "break-glass":
        return
    now = service.now()
    who = next((each.asked_by for each in found), "") or "somebody"
    images = ", ".join(each.image for each in found)[:1000]
    details = {"gate": gate.name, "environment": decision.environment, "images": images, "reason": decision.break_glass}
    subjects = tuple(dict.fromkeys(each.digest for each in found if each.digest))
    with service.database.write() as link:
        told = Action(
            now, who, "admission.glass-broken", "success", object_kind="gate", object=str(gate.id), team=gate.team, details=details
        )
        trail.record(link, told)
        log.append(link, [Entry(EntryType.BREAKGLASS, now, who, subjects, details=details)], team=gate.team)


# --- what is approved ------------------------------------------------------------------------------------------------


def approved_for(service: Service, link: sa.Connection, environment: str) -> list[ApprovedDigest]:
    """Digests of images that may run there now, each verified, with the end of its approval: for a cluster that decides by itself."""
    now = service.now()
    asking = approval.Asking(service, link)
    ends: dict[str, str] = {}
    before: int | None = None
    while True:
        rows, before = endorsements.page(link, None, Filter(environment=environment, valid=True), now, Part(before, MOST_ROWS))
        digests = endorsements.digests_of(link, [row.id for row in rows if row.kind == "image"])
        for row in rows:
            for digest in digests.get(row.id, ()):
                found = asking.verify(row, digest, Expected(environment=environment))
                if digest.startswith(_IMAGE) and found.ok and found.expires_at is not None:
                    ends[digest] = max(ends.get(digest, ""), stamp(found.expires_at))
        if before is None:
            return [ApprovedDigest(digest, end) for digest, end in sorted(ends.items())]
