"""From a pass to a signed endorsement that the server and everybody else believes; and from anything else to none."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from msgspec.structs import replace
from tests.assess.conftest import Once
from tests.endorsing.conftest import WITH_LOCK, Endorsing

from assaymark.endorsement import bundle, dsse, revocation, statement, trust
from assaymark.endorsement.approval import APPROVED_SOURCE, PREDICATE, SOURCE_REFS, Approval
from assaymark.endorsement.verify import Expected, Refusal, verify
from assaymark.model.access import TeamId
from assaymark.model.assessment import SECOND, AssessmentState, Instant
from assaymark.model.digest import Digest
from assaymark.server.work.approval import approved
from assaymark.server.work.assess import assess
from assaymark.server.work.trusting import trust_of
from assaymark.store import endorsements, evidence, log, tables
from assaymark.store.endorsements import Filter, Part

DAY = 86_400 * SECOND


def said(shop: Endorsing, row: endorsements.EndorsementRow) -> tuple[statement.Statement, Approval]:
    payload = dsse.payload_of(bundle.read(shop.service.blobs.get(row.bundle)))
    assert row.digest == "sha256:" + hashlib.sha256(payload).hexdigest()
    found = statement.read(payload)
    return found, msgspec.convert(found.predicate, Approval)


def test_a_pass_becomes_an_endorsement_that_holds_by_commit_and_tree(shop: Endorsing) -> None:
    number = shop.passes(**WITH_LOCK)
    row = shop.endorsed_one(number)
    head, tree = shop.row(number).head, shop.origin.git("rev-parse", "HEAD^{tree}")
    statement_, claims = said(shop, row)
    assert statement_.predicate_type == PREDICATE
    assert [each.digest for each in statement_.subject] == [{"gitCommit": head, "gitTree": tree}]
    assert claims.verifier.id == f"{shop.service.settings.url}/verifier/1"
    assert claims.verified_levels[0] == APPROVED_SOURCE
    assert claims.policy.digest == {"sha256": shop.verdict(number).policy_digest.partition(":")[2]}
    assert claims.verifier.version["rules"] == shop.verdict(number).knowledge
    with shop.service.database.read() as link:
        for digest in (f"gitCommit:{head}", f"gitTree:{tree}"):
            answer = approved(shop.service, link, digest, Expected(resource=f"git+{shop.origin.url}", levels=(APPROVED_SOURCE,)))
            assert answer.ok, answer.refused
            assert answer.id == row.digest
        line = log.endorsed(link, row.digest)
        assert line is not None
        assert approved(shop.service, link, "gitCommit:" + "0" * 40, Expected()).refused[0].reason is Refusal.ABSENT


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/heads/release/2026"])
def test_a_commit_is_named_with_the_reference_at_which_it_was_judged(lite: Endorsing, ref: str) -> None:
    number = lite.push(lite.origin.commit("change", app=lite.fine), ref=ref)
    lite.origin.git("update-ref", ref, "HEAD")
    assert lite.assess(number).state == "pass"
    assert said(lite, lite.endorsed_one(number))[0].subject[0].annotations == {SOURCE_REFS: [ref]}


def test_whoever_has_the_document_of_trust_needs_no_server(shop: Endorsing) -> None:
    row = shop.endorsed_one(number := shop.passes())
    with shop.service.database.read() as link:
        trusted = trust.opened(trust_of(shop.service, link))
    data = shop.service.blobs.get(row.bundle)
    now = shop.service.now()
    digest = f"gitCommit:{shop.row(number).head}"
    assert verify(data, digest, Expected(), trusted, revocation.opened(()), now=now, logged=lambda _: "").ok
    later = Instant(now + 400 * DAY)
    refused = verify(data, digest, Expected(), trusted, revocation.opened(()), now=later, logged=lambda _: "").refused
    assert [each.reason for each in refused] == [Refusal.EXPIRED]


@pytest.mark.parametrize("state", sorted(set(AssessmentState) - {AssessmentState.PASS}))
def test_nothing_but_a_pass_is_endorsed(lite: Endorsing, state: AssessmentState) -> None:
    number = lite.passes()
    with lite.service.database.write() as link:  # as if it had ended so; the guard of what ended is taken away for that
        link.execute(sa.text("DROP TRIGGER assessment_ends_once"))
        link.execute(tables.assessment.update().values(state=state.value))
    assert lite.endorse(number) is None


def test_a_failing_verdict_is_never_endorsed(shop: Endorsing) -> None:
    before = shop.passes()
    number = shop.push(shop.origin.commit("bad", app=shop.bad), before=shop.row(before).head)
    assert shop.assess(number).state == "fail"
    assert shop.endorse(number) is None
    with shop.service.database.read() as link:
        told = (
            link.execute(sa.select(tables.audit_event.c.details).where(tables.audit_event.c.action == "endorsement.made")).scalars().all()
        )
    assert "only a pass is endorsed" in told[-1]


def test_a_merge_request_is_not_endorsed(shop: Endorsing) -> None:
    base = shop.row(shop.passes()).head
    number = shop.request(shop.origin.commit("change", app=shop.fine + b"\n"), base=base)
    assert shop.assess(number).state == "pass"
    assert shop.endorse(number) is None


def test_a_pass_that_was_judged_again_and_fails_is_not_endorsed(lite: Endorsing) -> None:
    number = lite.passes()
    with lite.service.database.write() as link:
        row = link.execute(sa.select(tables.assessment).where(tables.assessment.c.id == number)).one()._asdict()
        link.execute(tables.assessment.insert(), {**row, "id": number + 1, "state": "fail"})
    assert lite.endorse(number) is None


def test_asked_twice_it_is_one_endorsement_and_one_piece_of_news(shop: Endorsing) -> None:
    number = shop.passes()
    first = shop.endorsed_one(number)
    assert shop.endorse(number) == first
    with shop.service.database.read() as link:
        kinds = link.execute(sa.select(tables.happening.c.kind).where(tables.happening.c.kind == "endorsement.made")).all()
    assert len(kinds) == 1


def test_what_fails_in_the_middle_leaves_nothing(shop: Endorsing, monkeypatch: pytest.MonkeyPatch) -> None:
    number = shop.passes(**WITH_LOCK)

    def broken(*_words: Any, **_more: Any) -> None:
        raise RuntimeError("the log is full")

    monkeypatch.setattr(log, "append", broken)
    with pytest.raises(RuntimeError):
        shop.endorse(number)
    with shop.service.database.read() as link:
        for table in (tables.endorsement, tables.evidence, tables.endorsed_digest, tables.endorsement_part):
            assert not link.execute(sa.select(sa.func.count()).select_from(table)).scalar_one(), table.name
        news = sa.select(tables.happening.c.id).where(tables.happening.c.kind == "endorsement.made")
        assert link.execute(news).first() is None
    monkeypatch.undo()


def test_passing_is_endorsed_by_itself_where_the_terms_say_so(shop: Endorsing) -> None:
    shop.passes()
    assert shop.jobs("endorse") == []
    shop.set_terms(automatic=True)
    number = shop.passes("second", app=shop.fine + b"\n")
    assert [job.arguments["assessment"] for job in shop.jobs("endorse")] == [number]
    before = shop.row(number).head
    failing = shop.push(shop.origin.commit("bad", app=shop.bad), before=before)
    shop.assess(failing)
    assert [job.arguments["assessment"] for job in shop.jobs("endorse")] == [number]


def test_terms_say_for_how_long_and_for_where(lite: Endorsing) -> None:
    lite.set_terms(days=3, environments=("staging", "test-*"))
    row = lite.endorsed_one(number := lite.passes())
    assert row.environments == ("staging", "test-*")
    assert row.expires_at - row.verified_at == 3 * DAY
    assert row.verified_at == lite.row(number).finished_at // SECOND * SECOND
    digest = f"gitCommit:{lite.row(number).head}"
    with lite.service.database.read() as link:
        assert approved(lite.service, link, digest, Expected(environment="test-7")).ok
        refused = approved(lite.service, link, digest, Expected(environment="production")).refused
    assert [each.reason for each in refused] == [Refusal.ENVIRONMENT]


def test_a_parent_that_is_approved_stands_in_its_childrens_lineage(shop: Endorsing) -> None:
    first = shop.passes()
    shop.endorsed_one(first)
    between = shop.origin.commit("never judged", other=shop.fine)
    second = shop.endorsed_one(shop.passes("third", before=shop.row(first).head, app=shop.fine + b"\n\n"))
    _, claims = said(shop, second)
    assert claims.extension.lineage == (f"gitCommit:{shop.row(first).head}",)
    assert claims.extension.baseline == f"gitCommit:{shop.row(first).head}"
    with shop.service.database.read() as link:
        assert endorsements.built_from(link, f"gitCommit:{shop.row(first).head}", shop.service.now()) == [second.id]
        assert endorsements.built_from(link, f"gitCommit:{between}", shop.service.now()) == []


def test_a_component_leads_to_the_endorsement(shop: Endorsing) -> None:
    row = shop.endorsed_one(shop.passes(**WITH_LOCK))
    now = shop.service.now()
    with shop.service.database.read() as link:
        assert endorsements.holding_package(link, "npm/left-pad", "1.3.0", now) == [row.id]
        assert endorsements.holding_package(link, "npm/left-pad", "", now) == [row.id]
        assert endorsements.holding_package(link, "npm/left-pad", "1.2.9", now) == []
        sets = link.execute(sa.select(tables.package_set.c.id)).scalars().all()
        assert endorsements.holding_sets(link, sets, now) == [row.id]
        assert endorsements.holding_sets(link, sets, Instant(row.expires_at)) == []


def test_evidence_is_kept_by_digest_and_named(shop: Endorsing) -> None:
    row = shop.endorsed_one(number := shop.passes(**WITH_LOCK))
    _, claims = said(shop, row)
    with shop.service.database.read() as link:
        kept = evidence.of_endorsement(link, row.id)
    assert [each.digest for each in claims.input_attestations] == [{"sha256": each.digest.partition(":")[2]} for each in kept]
    predicates = {each.predicate: statement.read(shop.service.blobs.get(each.digest)) for each in kept}
    head = shop.row(number).head
    assert all(each.subject[0].digest["gitCommit"] == head for each in predicates.values())
    assert predicates["https://assaymark.dev/verdict/v1"].predicate["outcome"] == "pass"
    bill = predicates["https://cyclonedx.org/bom"].predicate
    assert [each["name"] for each in bill["components"] if each["type"] == "library"] == ["left-pad"]


def test_a_store_that_is_verified_needs_what_endorsements_rest_on(lite: Endorsing) -> None:
    from assaymark.store.verifying import verify as verify_store  # noqa: PLC0415

    row = lite.endorsed_one(lite.passes())
    assert verify_store(lite.service.database, lite.service.blobs, lambda _: None).defect_count == 0
    lite.service.blobs.remove(row.bundle)
    assert verify_store(lite.service.database, lite.service.blobs, lambda _: None).defect_count == 1
    with lite.service.database.read() as link:
        refused = approved(lite.service, link, f"gitCommit:{row.head}", Expected()).refused
    assert refused[0].reason is Refusal.MALFORMED


def test_components_of_what_is_endorsed_are_not_forgotten(shop: Endorsing) -> None:
    from assaymark.store import components  # noqa: PLC0415

    row = shop.endorsed_one(shop.passes(**WITH_LOCK))
    with shop.service.database.write() as link:
        assert components.forget(link, Instant(row.expires_at - 1)) == ()
    with shop.service.database.write() as link:
        assert len(components.forget(link, Instant(row.expires_at + 1))) == 1


def test_lists_are_narrowed_and_say_what_was_valid_when(shop: Endorsing) -> None:
    row = shop.endorsed_one(shop.passes())
    now = shop.service.now()
    with shop.service.database.read() as link:
        for asked in (
            Filter(valid=True), Filter(digest=row.head), Filter(digest=f"gitCommit:{row.head}"), Filter(resource=row.resource),
            Filter(engine=row.engine), Filter(rules=row.rules), Filter(policy=row.policy), Filter(environment="anywhere"),
            Filter(key=endorsements.keys_of(link, [row.id])[row.id][0]), Filter(digests=(f"gitCommit:{row.head}", "sha256:00")),
        ):  # fmt: skip
            assert [each.id for each in endorsements.page(link, None, asked, now, Part())[0]] == [row.id], asked
            assert endorsements.ids(link, asked, now) == [row.id]
        assert endorsements.page(link, frozenset({TeamId(7)}), Filter(), now, Part())[0] == []
        assert endorsements.page(link, None, Filter(valid=False), now, Part())[0] == []
        after = Instant(row.expires_at)
        assert [each.is_valid for each in endorsements.page(link, None, Filter(valid=False), after, Part())[0]] == [False]
        assert endorsements.page(link, None, Filter(), Instant(row.made_at - 1), Part())[0] == []


def test_an_old_pass_cannot_be_made_young_by_asking_late(lite: Endorsing) -> None:
    number = lite.passes()
    late = replace(lite.service, now=lambda: Instant(lite.row(number).finished_at + 31 * DAY))
    lite.service = late
    assert lite.endorse(number) is None


def test_the_commit_is_looked_at_where_the_copy_is_gone(lite: Endorsing) -> None:
    import shutil  # noqa: PLC0415

    number = lite.passes()
    shutil.rmtree(lite.service.settings.data / "mirrors")
    assert lite.endorse(number) is not None


def test_running_the_whole_flow_by_its_jobs_ends_in_an_endorsement(lite: Endorsing) -> None:
    from assaymark.server.work.handlers import handler  # noqa: PLC0415

    lite.set_terms(automatic=True)
    number = lite.push(lite.origin.commit("first", app=lite.fine))
    assess(lite.service, {"assessment": number}, Once())
    for job in lite.jobs("endorse"):
        handler(job.kind)(lite.service, job.arguments, Once())
    assert lite.endorsed(number) is not None


def test_bytes_that_were_exchanged_are_not_believed(lite: Endorsing) -> None:
    first = lite.endorsed_one(number := lite.passes())
    second = lite.endorsed_one(lite.passes("second", app=lite.fine + b"\n"))
    with lite.service.database.write() as link:  # a row that points to another's bundle
        link.execute(tables.endorsement.update().where(tables.endorsement.c.id == first.id).values(bundle=Digest(second.bundle)))
    with lite.service.database.read() as link:
        refused = approved(lite.service, link, f"gitCommit:{lite.row(number).head}", Expected()).refused
    assert [each.reason for each in refused] == [Refusal.SUBJECT]


def test_where_the_trust_document_cannot_be_opened_nobody_is_believed(lite: Endorsing) -> None:
    row = lite.endorsed_one(lite.passes())
    with lite.service.database.write() as link:
        link.execute(sa.text("UPDATE endorsing_key SET public = 'no key'"))
    with lite.service.database.read() as link:
        refused = approved(lite.service, link, f"gitCommit:{row.head}", Expected()).refused
    assert [each.reason for each in refused] == [Refusal.UNTRUSTED]
