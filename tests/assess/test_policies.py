"""Policies of the organisation over real changes: simulated, then in force, then read from git."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from tests.assess.conftest import BAD, FINE, WORSE, Once, Origin, Shop

from assaymark.model.access import PersonId
from assaymark.model.assessment import AssessmentId, SubjectId
from assaymark.model.decision import DecisionKind, Scope
from assaymark.model.verdict import Outcome, ReasonKind
from assaymark.server.people.accounts import By
from assaymark.server.work import activation, deciding, policy_jobs, policy_sources, simulate
from assaymark.server.work.activation import Step, Wanted, Weaker
from assaymark.server.work.policy_jobs import job_for
from assaymark.server.work.simulate import order
from assaymark.store import decisions, people, policies, simulations, tables
from assaymark.store import policy_sources as sources
from assaymark.store.people import Draft as Person
from assaymark.store.policies import Draft, VersionRow
from assaymark.store.simulations import Counts, SimulationRow, Wish
from assaymark.verdict.organisation_file import parse_one

NO_WEAK_HASH = """\
kind: Policy
metadata: {name: hashes, version: 1.0.0}
rules:
  - id: weak
    when: finding.family == "weak-hash"
    action: stop
    message: weak hashes are not used here
    advice: use SHA-256
"""
LENIENT = """\
kind: Policy
metadata: {name: shells, version: 1.0.0}
applies: {subjects: [merge-request], branches: [main]}
rules:
  - id: known
    when: finding.path.endsWith("tool.py")
    action: allow
    message: the build tool calls shells on purpose
    advice: nothing
"""
FLOOR = "kind: Policy\nmetadata: {name: floor, version: 1.0.0}\nfloor: {level: regulated}\n"
MILD = b'[policy]\nlevel = "prototype"\n'
STRICT = b'[policy]\nlevel = "production"\n'


class Office:
    """People who decide about policies."""

    def __init__(self, shop: Shop) -> None:
        self.service = shop.service
        with self.service.database.write() as link:
            self.ana, self.bo = (self._person(link, login) for login in ("ana", "bo"))

    def _person(self, link: Any, login: str) -> By:
        number = people.add(link, Person(login), at=self.service.now())
        return By(login, PersonId(number or 0))

    def propose(self, document: str, by: By | None = None) -> VersionRow:
        policy = parse_one(document.encode(), "test")
        by = by or self.ana
        draft = Draft(policy.metadata.name, policy.metadata.version, policy.digest, document, by.actor, by.person)
        with self.service.database.write() as link:
            return activation.propose(Step(self.service, link, by), policy, draft)

    def activate(self, version: VersionRow, by: By | None = None, exception: Wanted | None = None) -> None:
        with self.service.database.write() as link:
            activation.activate(Step(self.service, link, by or self.ana), version, exception=exception)

    def exception(self, days: int = 30) -> Wanted:
        today = dt.datetime.fromtimestamp(self.service.now() / 1e6, dt.UTC).date()
        return Wanted("the tool is being replaced", "ana", today + dt.timedelta(days=days))

    def simulate(self, *documents: str, most: int = 500) -> tuple[SimulationRow, dict[int, str]]:
        """The simulation, and what each assessment would be where that differs."""
        import msgspec  # noqa: PLC0415

        asked = [parse_one(text.encode(), "test") for text in documents]
        texts = {policy.metadata.name: text for policy, text in zip(asked, documents, strict=True)}
        with self.service.database.write() as link:
            wish = Wish("ana", self.ana.person, simulate.named(link, asked, self.service), msgspec.json.encode(texts).decode(), most)
            number = order(self.service, link, wish)
        simulate.simulate(self.service, {"simulation": number}, Once())
        with self.service.database.read() as link:
            row = simulations.get(link, number)
            found = simulations.differing(link, number, None, limit=1000)
        assert row is not None
        return row, {each.assessment: each.would for each in found}


@pytest.fixture
def office(shop: Shop) -> Office:
    return Office(shop)


def _history(shop: Shop, own: bytes) -> dict[int, str]:
    """Merge requests of several kinds: number -> head."""
    origin = shop.origin
    main = origin.commit("begin", app__a=FINE, **{"assay.toml": own})
    shop.assess(shop.push(main))
    heads: dict[int, str] = {}
    contents: list[dict[str, bytes | None]] = [
        {"app__bad": BAD},
        {"app__worse": WORSE},
        {"app__fine": b"x = 1\n"},
        {"build__tool": BAD},
        {"tests__test_x": WORSE, "build__tool": BAD},
        {"app__broken": b"def f(:\n"},
    ]
    for number, files in enumerate(contents, 1):
        origin.git("checkout", "--quiet", "-b", f"change-{number}", main)
        heads[number] = origin.commit(f"change {number}", **files)
        origin.git("checkout", "--quiet", "main")
    return heads


def _judge(shop: Shop, heads: dict[int, str], base: str) -> dict[int, AssessmentId]:
    return {
        number: shop.assess(shop.request(head, number, base=base, ref=f"refs/heads/change-{number}")).id for number, head in heads.items()
    }


@pytest.mark.parametrize(
    ("documents", "own", "sums"),
    [
        ((NO_WEAK_HASH,), MILD, (2, 0)),
        ((LENIENT,), STRICT, (0, 2)),
        ((NO_WEAK_HASH, LENIENT), STRICT, (0, 1)),
        ((FLOOR, NO_WEAK_HASH), MILD, (5, 0)),
    ],
    ids=["stop", "allow", "both", "floor"],
)
def test_a_policy_gives_for_real_what_it_gave_in_the_simulation(
    shop: Shop, office: Office, documents: tuple[str, ...], own: bytes, sums: tuple[int, int]
) -> None:
    heads = _history(shop, own)
    base = shop.origin.git("rev-parse", "main")
    before = _judge(shop, heads, base)
    states = {number: shop.row(assessment).state for number, assessment in before.items()}
    row, would = office.simulate(*documents)
    assert row.state == "done"
    assert row.counts.judged == len(heads) + 1
    assert (row.counts.stopped, row.counts.let_through) == sums
    expected = {number: would.get(assessment, states[number]) for number, assessment in before.items()}

    for text in documents:
        version = office.propose(text)
        with shop.service.database.read() as link:
            weak = activation.weakened(link, shop.service.now(), version.name, version)
        office.activate(version, office.bo, office.exception() if weak else None)
    after = _judge(shop, heads, base)
    assert {number: shop.row(assessment).state for number, assessment in after.items()} == expected
    for assessment in after.values():
        verdict = shop.verdict(assessment)
        assert {each.name for each in verdict.policies} == {parse_one(text.encode(), "t").metadata.name for text in documents}
        assert all(each.digest.startswith("sha256:") for each in verdict.policies)
    again, differing = office.simulate()
    assert [differing.get(each) for each in after.values()] == [None] * len(after)
    assert again.counts.unknown == 0


def test_a_reason_names_the_rule_and_the_verdict_the_version(shop: Shop, office: Office) -> None:
    office.activate(office.propose(NO_WEAK_HASH))
    main = shop.origin.commit("begin", app__a=FINE, **{"assay.toml": MILD})
    shop.assess(shop.push(main))
    head = shop.origin.commit(app__worse=WORSE)
    number = shop.request(head, base=main)
    assert shop.assess(number).state == Outcome.FAIL
    verdict = shop.verdict(number)
    (reason,) = [each for each in verdict.reasons if each.stops]
    assert (reason.kind, reason.rule) == (ReasonKind.POLICY, "hashes/weak")
    assert verdict.policies[0].name == "hashes"
    assert shop.service.blobs.has(shop.row(number).grounds)


def test_an_approval_lets_a_head_through_and_only_that_head(shop: Shop, office: Office) -> None:
    office.activate(office.propose(NO_WEAK_HASH.replace("action: stop", "action: require-approval")))
    main = shop.origin.commit("begin", app__a=FINE, **{"assay.toml": MILD})
    shop.assess(shop.push(main))
    head = shop.origin.commit(app__worse=WORSE)
    number = shop.request(head, base=main)
    assert shop.assess(number).state == Outcome.FAIL
    with shop.service.database.write() as link:
        policies.approve(
            link, shop.row(number).subject, head, "hashes/weak", person=None, actor="bo", reason="not for secrets", at=shop.service.now()
        )
    assert shop.assess(shop.request(head, base=main)).state == Outcome.PASS
    other = shop.origin.commit(app__more=WORSE)
    assert shop.assess(shop.request(other, base=main)).state == Outcome.FAIL


@pytest.mark.parametrize(("sees_waived", "after"), [(False, Outcome.PASS), (True, Outcome.FAIL)])
def test_a_decision_is_weighed_together_with_the_rules(shop: Shop, office: Office, *, sees_waived: bool, after: Outcome) -> None:
    """Whether it was taken before the judgement or afterwards."""
    office.activate(office.propose(NO_WEAK_HASH + ("    waived: true\n" if sees_waived else "")))
    main = shop.origin.commit("begin", app__a=FINE, **{"assay.toml": MILD})
    shop.assess(shop.push(main))
    head = shop.origin.commit(app__worse=WORSE)
    number = shop.request(head, base=main)
    assert shop.assess(number).state == Outcome.FAIL
    subject = SubjectId(shop.row(number).subject)
    day = dt.datetime.fromtimestamp(shop.service.now() / 1e6, dt.UTC).date() + dt.timedelta(days=20)
    by = decisions.By("bo", office.bo.person)
    draft = decisions.Draft(DecisionKind.ACCEPT, Scope(rule="weak-hash", subject=subject), "not for secrets", "bo", day, by, None)
    with shop.service.database.write() as link:
        work = deciding.Deciding(shop.service, link)
        work.make(draft, office.bo)
        work.finish()
    deciding.judge_decided(shop.service, {"subject": subject}, Once())
    assert shop.subject(number).state == after
    again = shop.request(head, base=main)
    assert shop.assess(again).state == after


def test_a_check_that_did_not_run_is_said_and_not_guessed(shop: Shop, office: Office) -> None:
    main = shop.origin.commit("begin", app__a=FINE, **{"assay.toml": MILD + b'[checks]\ndisable = ["ruff"]\n'})
    shop.assess(shop.push(main))
    shop.assess(shop.request(shop.origin.commit(app__bad=BAD), base=main))
    floor = "kind: Policy\nmetadata: {name: floor, version: 1.0.0}\nfloor: {checks: [ruff]}\n"
    row, would = office.simulate(floor)
    assert row.counts.unknown == 2
    assert row.counts.why_unknown == {"check ruff did not run: the repository had switched it off": 2}
    assert set(would.values()) == {""}
    office.activate(office.propose(floor))
    number = shop.request(shop.origin.commit(app__bad2=BAD + b"\n\nx = 1\n"), number=6, base=main)
    shop.assess(number)
    assert "ruff" in {run.check for run in shop.verdict(number).checks}


def test_the_first_push_of_a_repository_stops_nobody_whatever_the_floor(shop: Shop, office: Office) -> None:
    office.activate(office.propose("kind: Policy\nmetadata: {name: floor, version: 1.0.0}\nfloor: {level: regulated, checks: [ruff]}\n"))
    main = shop.origin.commit("begin", app__bad=BAD, **{"assay.toml": MILD + b'[checks]\ndisable = ["ruff"]\n'})
    number = shop.push(main)
    assert shop.assess(number).state == Outcome.PASS
    shop.take_stock(number)
    assert ("app/bad.py" in {path for _, path in shop.open_rows(number)}) is True


def test_what_was_judged_before_grounds_were_kept_is_counted_as_unknown(shop: Shop, office: Office) -> None:
    shop.assess(shop.push(shop.origin.commit(app__a=FINE)))
    with shop.service.database.write() as link:
        subject = shop.row(AssessmentId(1)).subject
        row = {"subject": subject, "trigger": "push", "queued_at": 1, "state": "pass", "verdict": "sha256:" + "0" * 64}
        link.execute(tables.assessment.insert(), row)
    row_, _ = office.simulate(NO_WEAK_HASH)
    assert row_.counts == Counts(judged=1, same=1, unknown=1, why_unknown={"what it was judged by is not kept": 1})


def test_a_simulation_that_is_cancelled_or_killed_says_so_or_begins_anew(shop: Shop, office: Office) -> None:
    shop.assess(shop.push(shop.origin.commit(app__worse=WORSE)))
    with shop.service.database.write() as link:
        number = order(shop.service, link, Wish("ana", None, (), "{}", 10))
        simulations.begin(link, number, 1, (1, 1))  # an attempt that was killed
    simulate.simulate(shop.service, {"simulation": number}, Once(2))
    with shop.service.database.write() as link:
        row = simulations.get(link, number)
        other = order(shop.service, link, Wish("ana", None, (), "{}", 10))
    assert row is not None
    assert (row.state, row.done, row.total) == ("done", 1, 1)
    simulate.simulate(shop.service, {"simulation": number}, Once())
    simulate.simulate(shop.service, {"simulation": other}, Once(stops=True))
    with shop.service.database.read() as link:
        cancelled = simulations.get(link, other)
    assert cancelled is not None
    assert cancelled.state == "cancelled"


# --- git -------------------------------------------------------------------------------------------------------------


class Shelf:
    """A repository in which policies live."""

    def __init__(self, shop: Shop, tmp: Any) -> None:
        self.shop, self.origin = shop, Origin(tmp / "git" / "policies")
        self.origin.commit("begin", **{"policies/base.yaml": NO_WEAK_HASH.encode()})
        from assaymark.model.trigger import RemoteRepository  # noqa: PLC0415
        from assaymark.server.work.intake import Source  # noqa: PLC0415
        from assaymark.server.work.register import register  # noqa: PLC0415

        remote = RemoteRepository("group/policies", self.origin.url, default_branch="main")
        with shop.service.database.write() as link:
            repository = register(shop.service, link, remote, Source()).repository.id
            self.source = sources.add(link, repository, "policies", "", shop.service.now())

    def read(self) -> Any:
        policy_sources.read(self.shop.service, {"source": self.source}, Once())
        with self.shop.service.database.read() as link:
            return sources.get(link, self.source)

    def force(self) -> list[tuple[str, str]]:
        with self.shop.service.database.read() as link:
            return [(row.name, row.version) for row, _ in policies.in_force(link, self.shop.service.now())]


@pytest.fixture
def shelf(shop: Shop, tmp_path: Any) -> Shelf:
    return Shelf(shop, tmp_path)


def test_policies_of_a_repository_take_effect_with_their_commit(shelf: Shelf) -> None:
    row = shelf.read()
    assert (row.problem, row.commit) == ("", shelf.origin.git("rev-parse", "HEAD"))
    assert shelf.force() == [("hashes", "1.0.0")]
    with shelf.shop.service.database.read() as link:
        version = policies.version(link, "hashes", "1.0.0")
    assert version is not None
    assert (version.author, version.path, version.commit) == ("Ada", "policies/base.yaml", row.commit)
    before = len(_events(shelf))
    shelf.read()
    assert len(_events(shelf)) == before


def _events(shelf: Shelf) -> list[Any]:
    with shelf.shop.service.database.read() as link:
        return policies.events_of(link, "hashes")


def test_a_weaker_commit_waits_for_an_exception_that_its_author_cannot_give(shelf: Shelf, office: Office) -> None:
    shelf.read()
    weaker = NO_WEAK_HASH.replace("1.0.0", "2.0.0").replace("action: stop", "action: warn")
    shelf.origin.commit("weaken", **{"policies/base.yaml": weaker.encode()})
    row = shelf.read()
    assert "hashes 2.0.0 waits for an exception" in row.problem
    assert shelf.force() == [("hashes", "1.0.0")]
    with shelf.shop.service.database.read() as link:
        version = policies.version(link, "hashes", "2.0.0")
    assert version is not None
    with pytest.raises(Weaker, match="weaker"):
        office.activate(version, By("Ada"), office.exception())
    office.activate(version, office.bo, office.exception())
    assert shelf.force() == [("hashes", "2.0.0")]
    assert shelf.read().problem == ""
    assert shelf.force() == [("hashes", "2.0.0")]


def test_a_document_that_changed_without_a_new_version_is_said(shelf: Shelf) -> None:
    shelf.read()
    shelf.origin.commit("sly", **{"policies/base.yaml": NO_WEAK_HASH.replace("not used", "never used").encode()})
    assert "raise metadata.version" in shelf.read().problem
    assert shelf.force() == [("hashes", "1.0.0")]


def test_a_wrong_file_leaves_everything_as_it_was(shelf: Shelf) -> None:
    shelf.read()
    new = NO_WEAK_HASH.replace("hashes", "other")
    shelf.origin.commit("wrong", **{"policies/a.yaml": new.encode(), "policies/base.yaml": b"kind: Policy\nmetadata: {name: x}\n"})
    assert "policies/base.yaml, line 2" in shelf.read().problem
    assert shelf.force() == [("hashes", "1.0.0")]


def test_what_is_gone_from_git_stays_in_force(shelf: Shelf) -> None:
    shelf.read()
    shelf.origin.commit("gone", **{"policies/base.yaml": None, "policies/other.yaml": NO_WEAK_HASH.replace("hashes", "other").encode()})
    assert "hashes is gone from git" in shelf.read().problem
    assert shelf.force() == [("hashes", "1.0.0"), ("other", "1.0.0")]


def test_several_policies_may_share_a_file(shelf: Shelf) -> None:
    both = NO_WEAK_HASH + "---\n" + LENIENT.replace("action: allow", "action: warn")
    shelf.origin.commit("two", **{"policies/base.yaml": both.encode()})
    assert shelf.read().problem == ""
    assert shelf.force() == [("hashes", "1.0.0"), ("shells", "1.0.0")]


def test_a_name_lives_in_one_place(shelf: Shelf, office: Office) -> None:
    office.propose(NO_WEAK_HASH)
    assert "comes from elsewhere" in shelf.read().problem
    with pytest.raises(activation.Taken, match="is version"):
        office.propose(NO_WEAK_HASH)


def test_a_push_to_the_repository_lets_its_policies_be_read(shelf: Shelf) -> None:
    shop = shelf.shop
    head = shelf.origin.commit("more", **{"policies/x.yaml": NO_WEAK_HASH.replace("hashes", "x").encode()})
    from assaymark.model.trigger import RemoteRepository, Trigger, TriggerKind  # noqa: PLC0415

    remote = RemoteRepository("group/policies", shelf.origin.url, default_branch="main")
    shop.accept(Trigger(TriggerKind.PUSH, remote, ref="refs/heads/main", after=head))
    assert [job.arguments["source"] for job in shop.jobs("read-policies")] == [shelf.source]
    assert job_for(shelf.source).key == policy_jobs.job_for(shelf.source).key
