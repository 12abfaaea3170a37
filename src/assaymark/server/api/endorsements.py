"""Endorsements: what was signed about which digest; asked for, found, taken along as bundles, verified.

Guarantees: teams narrow every answer; whether something is approved is never read from a row, but verified with today's trust, revocations
and time; a caller asks for an endorsement and never gets a key. Lists by digest, also of many at once, have the shape of GitHub's
attestations, so that what reads those reads these.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct
from starlette.responses import Response

from assaymark.endorsement import bundle, dsse
from assaymark.endorsement.approval import Approval, as_json
from assaymark.endorsement.statement import Named
from assaymark.endorsement.verify import Expected, Refused, Verification
from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import AssessmentId, AssessmentState, Instant, SubjectId
from assaymark.server.api import cursor, rights
from assaymark.server.api.moment import moment
from assaymark.server.api.route import Call, Nothing, Page, Router
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.server.work import approving, endorsing_terms
from assaymark.server.work.approval import Asking, approved
from assaymark.server.work.endorsing_jobs import ENDORSABLE
from assaymark.server.work.endorsing_terms import EndorsingTerms
from assaymark.store import assessments, endorsements, evidence, log, trail
from assaymark.store.approvals import ApprovalRequest
from assaymark.store.endorsements import EndorsementRow, Filter, Part
from assaymark.store.evidence import EvidenceRow
from assaymark.store.tables import assessment, subject
from assaymark.store.trail import Action

router = Router("endorsements")
_READ, _ASK = Permission.ENDORSEMENTS_READ, Permission.ENDORSEMENTS_ASK
MOST_DIGESTS = 200
MOST_EACH = 20
"""Endorsements of one digest."""
_DIGEST = "^[A-Za-z0-9_-]{1,40}:[0-9a-f]{32,128}$"
OfDigest = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=_DIGEST,
        examples=["sha256:" + "5f" * 32],
        description="`<algorithm>:<hex>` in in-toto's names: sha256, gitCommit, gitTree.",
    ),
]


# --- lists -----------------------------------------------------------------------------------------------------------


@router.add("GET", "/endorsements", _READ)
def list_endorsements(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    digest: Annotated[str, Meta(description="`<algorithm>:<hex>`, or hex digits alone, of what was endorsed.")] = "",
    resource: Annotated[str, Meta(description="Exact, as `oci://…` or `git+https://…`.")] = "",
    team: int | None = None,
    subject: int | None = None,
    environment: Annotated[str, Meta(description="Only those that may run there.")] = "",
    package_set: Annotated[str, Meta(description="Only those of what holds the package set of this digest.")] = "",
    lineage: Annotated[str, Meta(description="Only those of what was built from this digest.")] = "",
    key: Annotated[str, Meta(description="Only those that this key signed, as `SHA256:…`.")] = "",
    rules: Annotated[str, Meta(description="Only those judged by these rules, as `sha256:…`.")] = "",
    policy: Annotated[str, Meta(description="Only those judged by this policy, as `sha256:…`.")] = "",
    valid: Annotated[bool | None, Meta(description="Begun, not ended, not taken back, at that instant; or the others.")] = None,
    as_of: str = "",
    after: str | None = None,
    limit: int = 50,
) -> Page[EndorsementRow]:
    """Endorsements, the newest first, as the rows say; whether one is believed is asked with `GET /verification`."""
    asked = Filter(
        digest=digest, resource=resource, team=None if team is None else TeamId(team), environment=environment,
        subject=None if subject is None else SubjectId(subject), package_set=package_set, lineage=lineage, key=key, rules=rules,
        policy=policy, valid=valid,
    )  # fmt: skip
    now, part = moment(call, as_of) or call.service.now(), Part(cursor.decode(after, (int,))[0] if after else None, rights.limited(limit))
    with call.service.database.read() as link:
        rows, last = endorsements.page(link, call.who.teams_with(_READ), asked, now, part)
    return Page(tuple(rows), next=None if last is None else cursor.encode((last,)))


class Attestation(Struct, frozen=True):
    """As GitHub's, with what it says beside."""

    bundle: msgspec.Raw
    """Sigstore bundle v0.3."""
    bundle_url: str
    id: str
    """Digest of its statement."""
    expires_at: Instant
    is_valid: bool
    """As the rows say: begun, not ended, not taken back."""


class Attestations(Struct, frozen=True):
    attestations: tuple[Attestation, ...]


class ManyDigests(Struct, frozen=True, forbid_unknown_fields=True):
    """Many digests."""

    subject_digests: Annotated[tuple[OfDigest, ...], Meta(min_length=1, max_length=MOST_DIGESTS)]


class ManyAttestations(Struct, frozen=True):
    attestations_subject_digests: dict[str, tuple[Attestation, ...]]


@router.add("GET", "/attestations/{subject_digest}", _READ)
def list_attestations(call: Call, subject_digest: OfDigest) -> Attestations:
    """Bundles about a digest, those in force first: the shape of GitHub's attestations."""
    with call.service.database.read() as link:
        return Attestations(_attestations(call, link, subject_digest))


@router.add("POST", "/attestations/bulk-list", _READ)
def list_attestations_in_bulk(call: Call, body: ManyDigests) -> ManyAttestations:
    """The same of many digests at once; a digest of which there is none has an empty list."""
    with call.service.database.read() as link:
        return ManyAttestations({each: _attestations(call, link, each) for each in dict.fromkeys(body.subject_digests)})


def _attestations(call: Call, link: sa.Connection, digest: str) -> tuple[Attestation, ...]:
    rows = endorsements.by_digest(link, digest, call.service.now(), teams=call.who.teams_with(_READ), limit=MOST_EACH)
    address = f"{call.service.settings.url}/api/v1/endorsements"
    return tuple(
        Attestation(msgspec.Raw(one), f"{address}/{row.digest}/bundle", row.digest, row.expires_at, row.is_valid)
        for row in rows
        for one in bundle.one_each(bundle.read(call.service.blobs.get(row.bundle)))
    )


# --- one -------------------------------------------------------------------------------------------------------------


class VerificationView(Struct, frozen=True):
    """Whether it is approved, and what speaks against it."""

    ok: bool
    refused: tuple[Refused, ...]
    id: str
    """Of the endorsement: digest of its statement."""
    keyids: tuple[str, ...]
    root: str
    """Name of the trust root that vouches for it."""
    subjects: tuple[Named, ...]
    expires_at: Instant | None
    approval: dict[str, Any] | None
    """What it says (SLSA VSA v1), once a trusted key's signature held."""


class EndorsementDetail(Struct, frozen=True):
    """One endorsement with everything that it rests on."""

    row: EndorsementRow
    digests: tuple[str, ...]
    keyids: tuple[str, ...]
    packages: tuple[str, ...]
    """Digests of package sets."""
    lineage: tuple[str, ...]
    evidence: tuple[EvidenceRow, ...]
    log_number: int | None
    """Of its line in the transparency log."""
    verification: VerificationView


@router.add("GET", "/endorsements/{name}", _READ)
def get_endorsement(call: Call, name: str) -> EndorsementDetail:
    """One endorsement, by its number or the digest of its statement, with what it rests on and how it is verified now."""
    with call.service.database.read() as link:
        row = visible(call, link, name)
        return detail(call, link, row)


def detail(call: Call, link: sa.Connection, row: EndorsementRow) -> EndorsementDetail:
    """The same for pages."""
    about = endorsements.digests_of(link, [row.id]).get(row.id, ())
    line = log.endorsed(link, row.digest)
    return EndorsementDetail(
        row=row, digests=about, keyids=endorsements.keys_of(link, [row.id]).get(row.id, ()),
        packages=endorsements.parts_of(link, [row.id], endorsements.PACKAGES).get(row.id, ()),
        lineage=endorsements.parts_of(link, [row.id], endorsements.LINEAGE).get(row.id, ()),
        evidence=tuple(evidence.of_endorsement(link, row.id)), log_number=line.seq if line is not None else None,
        verification=answer_of(Asking(call.service, link).verify(row, about[0], Expected())),
    )  # fmt: skip


def visible(call: Call, link: sa.Connection, name: str) -> EndorsementRow:
    """The endorsement.

    Raises:
        ApiError: 404 when it is not there for this caller.
    """
    now = call.service.now()
    is_number = name.isascii() and name.isdecimal() and len(name) <= 18
    row = endorsements.one(link, int(name), now) if is_number else endorsements.by_name(link, name, now)
    if row is None or not call.who.may(_READ, row.team):
        raise not_found(f"endorsement {name[:100]}")
    return row


class BundleForm(StrEnum):
    """How it is written."""

    SIGSTORE = "sigstore"
    """Bundle v0.3 of one signature, `.sigstore.json`."""
    INTOTO = "intoto"
    """The DSSE envelope in one line, with all signatures, `.intoto.jsonl`."""


_KINDS = {BundleForm.SIGSTORE: bundle.MEDIA_TYPE, BundleForm.INTOTO: "application/jsonl"}
_ENDINGS = {BundleForm.SIGSTORE: "sigstore.json", BundleForm.INTOTO: "intoto.jsonl"}


@router.add("GET", "/endorsements/{name}/bundle", _READ, produces=", ".join(_KINDS.values()))
def get_bundle(
    call: Call,
    name: str,
    form: BundleForm = BundleForm.SIGSTORE,
    signature: Annotated[int, Meta(ge=0, le=dsse.MOST_SIGNATURES, description="Which one, of several; the first is 0.")] = 0,
) -> Response:
    """What was signed, to be verified anywhere: a bundle holds one signature, says its standard."""
    with call.service.database.read() as link:
        row = visible(call, link, name)
    envelope = bundle.read(call.service.blobs.get(row.bundle))
    if form is BundleForm.INTOTO:
        data = dsse.written(envelope) + b"\n"
    elif signature >= len(envelope.signatures):
        raise not_found(f"signature {signature} of {len(envelope.signatures)}")
    else:
        data = bundle.one_each(envelope)[signature]
    ending = f"{row.digest.removeprefix('sha256:')[:16]}.{_ENDINGS[form]}"
    headers = {"Content-Disposition": f'attachment; filename="{ending}"', "Cache-Control": "private, no-cache"}
    return Response(data, 200, headers, media_type=_KINDS[form])


# --- verified --------------------------------------------------------------------------------------------------------


@router.add("GET", "/verification", _READ)
def verify_digest(  # noqa: PLR0913, PLR0917 - all that may be expected
    call: Call,
    digest: OfDigest,
    resource: str = "",
    environment: str = "",
    level: Annotated[str, Meta(description="Levels that are needed, several with commas.")] = "",
    max_age_days: Annotated[int, Meta(ge=0, le=36_500)] = 0,
    platform: Annotated[str, Meta(max_length=100, description="Of an image for several: the one that has to be judged.")] = "",
) -> VerificationView:
    """Whether a digest is approved now: the signed bytes are verified with today's trust, revocations and time."""
    if ":" not in digest:
        raise invalid("`digest` has no algorithm", "write it as sha256:…, gitCommit:…, gitTree:…")
    wanted = tuple(each.strip() for each in level.split(",") if each.strip())
    with call.service.database.read() as link:
        expected = Expected(resource, environment, wanted, max_age_days, platform)
        return answer_of(approved(call.service, link, digest, expected, teams=call.who.teams_with(_READ)))


def answer_of(found: Verification) -> VerificationView:
    """As callers and pages are told."""
    claims: Approval | None = found.approval
    return VerificationView(
        ok=found.ok, refused=found.refused, id=found.id, keyids=found.keyids, root=found.root, subjects=found.subjects,
        expires_at=found.expires_at, approval=None if claims is None else as_json(claims),
    )  # fmt: skip


# --- asked for -------------------------------------------------------------------------------------------------------


class NewEndorsement(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be endorsed: one of both."""

    assessment: int | None = None
    digest: Annotated[str, Meta(max_length=200)] = ""
    """Of a commit (40 or 64 hex digits, or `gitCommit:…`) or an image (`sha256:…`): its newest assessment that passed."""


class AskedState(StrEnum):
    ENDORSED = "endorsed"
    WAITING = "waiting"
    """People have to approve."""
    QUEUED = "queued"
    """A worker does it now; ask again in a moment."""


class AskedFor(Struct, frozen=True):
    """What there is."""

    state: AskedState
    assessment: int
    endorsement: str = ""
    """Digest of its statement."""
    request: int | None = None


@router.add("POST", "/endorsements", _ASK, status=202)
def ask_endorsement(call: Call, body: NewEndorsement) -> AskedFor:
    """Ask for an endorsement of something that passed. The server signs, or asks people where that is set; nobody gets the key."""
    with call.service.database.write() as link:
        number = _meant(call, link, body)
        found = approving.ask(call.service, link, number, rights.by(call))
    match found:
        case EndorsementRow():
            return AskedFor(AskedState.ENDORSED, number, found.digest)
        case ApprovalRequest():
            return AskedFor(AskedState.WAITING, number, request=found.id)
        case _:
            return AskedFor(AskedState.QUEUED, number)


def _meant(call: Call, link: sa.Connection, body: NewEndorsement) -> AssessmentId:
    """The assessment that is meant, which the caller may have endorsed."""
    a = assessment.c
    if (body.assessment is None) == (not body.digest):
        raise invalid("give `assessment` or `digest`", "one of both")
    row: Any
    if body.assessment is not None:
        row = link.execute(sa.select(a.id, a.team).where(a.id == body.assessment)).first()
    else:
        row = _newest_pass(call, link, body.digest)
    if row is None or not call.who.may(_READ, row.team):
        raise not_found("an assessment of this")
    call.need(_ASK, row.team)
    return AssessmentId(row.id)


def _newest_pass(call: Call, link: sa.Connection, digest: str) -> Any:
    a = assessment.c
    heads, teams = assessments.spellings(digest.removeprefix("gitCommit:")), call.who.teams_with(_ASK)
    query = sa.select(a.id, a.team, a.state).join(subject, subject.c.id == a.subject).where(a.head.in_(heads))
    query = query.where(subject.c.kind.in_([each.value for each in ENDORSABLE]), a.finished_at.is_not(None)).order_by(a.id.desc())
    rows = [each for each in link.execute(query.limit(MOST_DIGESTS)) if teams is None or each.team in teams]
    found = next((each for each in rows if each.state == AssessmentState.PASS), None)
    if found is None and rows:
        raise conflict(f"{digest} is {rows[0].state}", "only a pass is endorsed")
    return found


# --- terms -----------------------------------------------------------------------------------------------------------


class TermsView(Struct, frozen=True):
    """What counts, and whether it was set for this very team (or, without one, for the server)."""

    terms: EndorsingTerms
    is_own: bool


@router.add("GET", "/endorsing-terms", _READ)
def get_endorsing_terms(call: Call, team: int | None = None) -> TermsView:
    """Whether a pass is endorsed by itself, for how long, for where, and how many people have to approve."""
    if team is not None:
        call.need(_READ, TeamId(team))
    with call.service.database.read() as link:
        return terms_view(link, None if team is None else TeamId(team))


@router.add("PUT", "/endorsing-terms", Permission.SETTINGS_WRITE)
def put_endorsing_terms(call: Call, body: EndorsingTerms, team: int | None = None) -> TermsView:
    """Say so for the server, or for one team; it counts from the next endorsement on."""
    return change_terms(call, None if team is None else TeamId(team), body)


@router.add("DELETE", "/endorsing-terms", Permission.SETTINGS_WRITE, status=204)
def remove_endorsing_terms(call: Call, team: int | None = None) -> Nothing:
    """What counts for all counts for this team again; without a team, nothing is endorsed by itself any more."""
    change_terms(call, None if team is None else TeamId(team), None)
    return Nothing()


def terms_view(link: sa.Connection, team: TeamId | None) -> TermsView:
    return TermsView(endorsing_terms.terms_of(link, team), endorsing_terms.own_terms(link, team) is not None)


def change_terms(call: Call, team: TeamId | None, wanted: EndorsingTerms | None) -> TermsView:
    """Set or forget, with its line in the trail."""
    call.need(Permission.SETTINGS_WRITE, team)
    by = rights.by(call)
    with call.service.database.write() as link:
        now = call.service.now()
        endorsing_terms.put(link, team, wanted, now)
        told = {} if wanted is None else {name: str(getattr(wanted, name))[:200] for name in EndorsingTerms.__struct_fields__}
        object_ = "server" if team is None else str(int(team))
        trail.record(link, Action(now, by.actor, "endorsing.changed", "success", by.person, "terms", object_, team, by.origin, told))
        return terms_view(link, team)
