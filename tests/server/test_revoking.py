"""Taking back: what each target covers, the same twice, portions, the order, news, and what nothing may become: approved."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import sqlalchemy as sa
from tests.server.endorsed_samples import BASE, KEY, POLICY, RULES, Sample, environment, row, signed, subject, team

from assaymark.endorsement.approval import stamp
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.endorsement.verify import Expected
from assaymark.errors import UsageError
from assaymark.jobs.job import JobState
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work import revoking
from assaymark.server.work.approval import approved
from assaymark.server.work.revoking import Package
from assaymark.store import log, revocations, running, trail, withdrawals
from assaymark.store import tables as t
from assaymark.store.revocations import Filter

BY = By("ana")
OTHER = "SHA256:" + "o" * 43
HEX = "b" * 64


class Attempt:
    number, is_last = 1, False

    def should_stop(self) -> bool:
        return False


def asked(target: Target, name: str, since: str = "", until: str = "") -> Revocation:
    return Revocation(target, name, "it let too much through", "", since, until)


def revoke(service: Service, one: Revocation) -> revoking.Revoked:
    with service.database.write() as link:
        return revoking.revoke(service, link, one, by=BY)


def drain(service: Service) -> list[str]:
    """Every job of revocations, as a worker would do it; gives their kinds."""
    kinds: list[str] = []
    seen: set[str] = set()
    while True:
        with service.database.read() as link:
            rows = service.queue.rows(link, JobState.WAITING, before=None, limit=1000)
        jobs = [each.job for each in rows if each.job.kind.endswith("-revocation") and (each.job.key or "") not in seen]
        if not jobs:
            return kinds
        for job in jobs:
            seen.add(job.key or "")
            kinds.append(job.kind)
            handle = revoking.tell_revocation if job.kind == "tell-revocation" else revoking.spread_revocation
            handle(service, job.arguments, Attempt())


def told(service: Service) -> list[Any]:
    with service.database.read() as link:
        query = sa.select(t.happening).where(t.happening.c.kind == "endorsement.withdrawn").order_by(t.happening.c.id)
        return list(link.execute(query))


def withdrawn(service: Service) -> set[int]:
    with service.database.read() as link:
        return set(link.execute(sa.select(t.endorsement_withdrawal.c.endorsement)).scalars())


@pytest.fixture
def four(service: Service) -> tuple[int, int, int, int]:
    """Endorsements that differ in one thing each."""
    with service.database.write() as link:
        subject(link, "main")
        return (
            row(service, link, Sample(at=1_000 * SECOND + 999_999)),
            row(service, link, Sample(hex="c" * 40, at=2_000 * SECOND, engine="assaymark@0.2.0", policy="sha256:" + "9" * 64)),
            row(service, link, Sample(hex="d" * 40, at=3_000 * SECOND, lineage=(BASE,), rules="sha256:" + "8" * 64)),
            row(service, link, Sample(hex=HEX, algorithm="sha256", at=4_000 * SECOND, keys=(KEY, OTHER), packages=("sha256:" + "7" * 64,))),
        )


@pytest.mark.parametrize(
    ("target", "name", "window", "covered"),
    [
        (Target.SUBJECT, "gitCommit:" + "c" * 40, {}, {1}),
        (Target.KEY, KEY, {}, {0, 1, 2}),
        (Target.KEY, KEY, {"since": stamp(Instant(2_000 * SECOND)), "until": stamp(Instant(2_000 * SECOND))}, {1}),
        (Target.KEY, KEY, {"until": stamp(Instant(1_000 * SECOND))}, {0}),
        (Target.ENGINE, "assaymark@0.2.0", {}, {1}),
        (Target.ENGINE, f"rules@{RULES}", {"since": stamp(Instant(1_500 * SECOND))}, {1, 3}),
        (Target.COMPONENT, BASE, {}, {2}),
        (Target.COMPONENT, "sha256:" + "7" * 64, {}, {3}),
        (Target.POLICY, POLICY, {}, {0, 2, 3}),
    ],
)
def test_each_target_withdraws_what_it_covers_and_nothing_else(  # noqa: PLR0917 - two fixtures, four values
    service: Service, four: tuple[int, ...], target: Target, name: str, window: dict[str, str], covered: set[int]
) -> None:
    done = revoke(service, asked(target, name, **window))
    assert (done.fresh, done.more, done.withdrawn) == (True, False, len(covered))
    assert withdrawn(service) == {four[number] for number in covered}
    with service.database.read() as link:
        entries = revocations.entries(link)
        line = log.get(link, entries[0].number)
        events = trail.page(link, trail.Filter(action="revocation.made"), before=None, limit=9)
    assert [(each.target, each.name, each.since, each.until) for each in entries] == [(target, name, *_ends(window))]
    assert line is not None
    assert line.type == "revoke"
    assert (events[0].actor, events[0].object) == ("ana", str(done.row.id))


def _ends(window: dict[str, str]) -> tuple[str, str]:
    return window.get("since", ""), window.get("until", "")


def test_one_endorsement_is_revoked_by_its_name(service: Service, four: tuple[int, ...]) -> None:
    with service.database.read() as link:
        name = withdrawals.rows_of(link, [four[1]])[0].digest
    revoke(service, asked(Target.ENDORSEMENT, name))
    assert withdrawn(service) == {four[1]}


def test_the_same_twice_is_once_and_tells_nothing_more(service: Service, four: tuple[int, ...]) -> None:
    del four
    first = revoke(service, asked(Target.KEY, KEY))
    drain(service)
    again = revoke(service, asked(Target.KEY, KEY))
    assert (again.row.id, again.fresh) == (first.row.id, False)
    assert drain(service).count("spread-revocation") == 0
    assert len(told(service)) == 1
    with service.database.read() as link:
        assert len(revocations.entries(link)) == 1
        assert log.size(link) == 1


def test_of_two_keys_the_one_that_is_left_still_counts_whatever_the_order(service: Service, four: tuple[int, ...]) -> None:
    revoke(service, asked(Target.KEY, OTHER))
    assert withdrawn(service) == set()
    revoke(service, asked(Target.KEY, KEY))
    assert withdrawn(service) == set(four)


def test_the_order_of_revocations_does_not_matter_nor_whether_an_endorsement_came_later(service: Service) -> None:
    makers = (
        Sample(hex="e" * 40, at=1_000 * SECOND, keys=(KEY, OTHER)),
        Sample(hex="f" * 40, at=2_000 * SECOND, lineage=(BASE,)),
        Sample(hex="0" * 40, at=3_000 * SECOND, engine="assaymark@9"),
    )
    acts = (
        asked(Target.KEY, KEY, until=stamp(Instant(1_000 * SECOND))),
        asked(Target.KEY, OTHER),
        asked(Target.COMPONENT, BASE),
        asked(Target.ENGINE, "assaymark@9", since=stamp(Instant(3_001 * SECOND))),
    )
    with service.database.write() as link:
        subject(link, "main")
    results = set()
    for order in itertools.islice(itertools.permutations(range(7)), 0, 5040, 331):
        with service.database.write() as link:
            undo = link.begin_nested()
            numbers: dict[int, int] = {}
            rows: dict[int, int] = {}
            for step in order:
                if step < 3:
                    numbers[step] = row(service, link, makers[step])
                    revoking.settle(service, link, numbers[step])
                else:
                    rows[step] = revoking.revoke(service, link, acts[step - 3], by=BY).row.id
            w = t.endorsement_withdrawal.c
            pairs = {(one, two) for one, two in link.execute(sa.select(w.endorsement, w.revocation))}
            found = sorted((a, b) for a, one in numbers.items() for b, two in rows.items() if (one, two) in pairs)
            results.add(tuple(found))
            undo.rollback()
    assert results == {((0, 3), (0, 4), (1, 5))}


def test_many_are_withdrawn_in_portions_and_told_once_to_each_team(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdrawals, "AT_ONCE", 3)
    monkeypatch.setattr(withdrawals.write, "__kwdefaults__", {"after": 0, "limit": 3})
    with service.database.write() as link:
        red, blue = team(link, "red"), team(link, "blue")
        subject(link, "main")
        for number in range(10):
            row(service, link, Sample(hex=f"{number:040x}", team=red if number < 7 else blue, at=1_000 * SECOND))
        environment(link, "production", f"gitCommit:{2:040x}", red)
    done = revoke(service, asked(Target.KEY, KEY))
    assert (done.withdrawn, done.more) == (3, True)
    assert drain(service) == ["spread-revocation"] * 3 + ["tell-revocation"]
    assert len(withdrawn(service)) == 10
    assert [(each.team, each.title) for each in told(service)] == [
        (red, "7 endorsements are withdrawn: it let too much through; it runs in 1 place"),
        (blue, "3 endorsements are withdrawn: it let too much through; nothing of it is known to run"),
    ]


def test_what_runs_on_it_is_shown_with_team_and_who_deployed_it_to_those_who_may_see_it(service: Service, four: tuple[int, ...]) -> None:
    with service.database.write() as link:
        red = team(link, "red")
        here = environment(link, "production", f"sha256:{HEX}", red)
        environment(link, "elsewhere", "sha256:" + "5" * 64, red)
    done = revoke(service, asked(Target.SUBJECT, f"sha256:{HEX}"))
    with service.database.read() as link:
        query = withdrawals.under(done.row)
        found = running.places(link, query, None, after=0, limit=10)
        assert running.places(link, query, frozenset(), after=0, limit=10) == []
        assert running.places(link, query, None, after=here, limit=10) == []
    assert [(each.name, each.team_name, each.deployed_by, each.endorsement_id) for each in found] == [
        ("production", "red", "dora", four[3])
    ]


def test_what_was_signed_is_approved_until_it_is_revoked_and_never_again(service: Service) -> None:
    digest = "gitCommit:" + "a" * 40

    def ok() -> bool:
        with service.database.read() as link:
            return approved(service, link, digest, Expected()).ok

    with service.database.write() as link:
        subject(link, "main")
        signed(service, link, Sample())
    assert ok()
    revoke(service, asked(Target.ENGINE, "assaymark@7.7"))
    assert ok()
    revoke(service, asked(Target.ENGINE, f"rules@{RULES}"))
    assert not ok()
    for target, name in ((Target.SUBJECT, digest), (Target.POLICY, POLICY), (Target.KEY, KEY)):
        revoke(service, asked(target, name))
        assert not ok()


def test_nothing_is_changed_or_deleted(service: Service, four: tuple[int, ...]) -> None:
    del four
    revoke(service, asked(Target.KEY, KEY))
    for table in (t.revocation, t.endorsement_withdrawal):
        for statement in (table.delete(), table.update().values(at=1)):
            with pytest.raises(sa.exc.DatabaseError, match="what happened cannot be changed"), service.database.write() as link:
                link.execute(statement)


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (Revocation(Target.KEY, "ana's key", "x", ""), "names no key"),
        (Revocation(Target.ENDORSEMENT, "sha256:12", "x", ""), "names no endorsement"),
        (Revocation(Target.KEY, KEY, "  ", ""), "reason"),
        (Revocation(Target.KEY, KEY, "x", "", since="yesterday"), "no time"),
        (Revocation(Target.KEY, KEY, "x", "", since="2026-01-02T00:00:00"), "no time"),
        (Revocation(Target.KEY, KEY, "x", "", "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), "ends before"),
        (Revocation(Target.ENGINE, "assaymark", "x", ""), "names no engine"),
    ],
)
def test_what_names_nothing_is_refused_with_what_to_write(one: Revocation, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        revoking.checked(one)


def test_a_package_that_nobody_knows_withdraws_nothing_and_what_is_none_is_refused(service: Service, four: tuple[int, ...]) -> None:
    del four
    with service.database.write() as link:
        done = revoking.revoke_package(service, link, Package("pkg:npm/unheard-of", "<2"), "bad", by=BY)
    assert (done.withdrawn, done.fresh, done.more) == (0, True, False)
    with service.database.read() as link:
        assert revocations.entries(link) == ()
        assert [each.name for each in revocations.page(link, None, Filter(), before=None, limit=5)] == ["pkg:npm/unheard-of <2"]
    with pytest.raises(UsageError, match="no package URL"), service.database.write() as link:
        revoking.revoke_package(service, link, Package("lodash"), "bad", by=BY)
