"""From a queued assessment to a recorded verdict, on both databases, with real git."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from assaymark.errors import SubjectUnreadable
from assaymark.model.trigger import RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.model.verdict import State
from assaymark.server.work.assess import abandon
from assaymark.store import components, held


def test_the_first_push_of_the_default_branch_makes_everything_known(shop: Any) -> None:
    number = shop.push(shop.origin.commit(a=shop.bad))
    row = shop.assess(number)
    assert row.state == "pass"
    assert {judged.state for judged in shop.verdict(number).findings} == {State.KNOWN}
    assert any("S602" in rule for rule, _ in shop.open_rows(number))
    assert shop.subject(number).head == row.head


def test_a_push_is_compared_with_what_was_judged_last(shop: Any) -> None:
    first = shop.origin.commit(a=shop.bad)
    shop.assess(shop.push(first))
    worse = shop.origin.commit(b=shop.worse)
    number = shop.push(worse, before=first)
    row = shop.assess(number)
    assert (row.state, row.base, row.head) == ("fail", first, worse)
    assert {judged.finding.place.path for judged in shop.verdict(number).findings if judged.state is State.NEW} == {"b.py"}
    assert row.new_findings == 1


def test_a_name_that_is_no_utf_8_does_not_keep_a_verdict_from_being_told(shop: Any) -> None:
    first = shop.origin.commit(a=shop.fine)
    shop.assess(shop.push(first))
    worse = shop.origin.commit(**{os.fsdecode(b"caf\xe9"): shop.bad})
    number = shop.push(worse, before=first)
    assert shop.assess(number).state == "fail"
    assert {judged.finding.place.path for judged in shop.verdict(number).findings if judged.state is State.NEW} == {"caf\\xe9.py"}


def test_what_a_superseded_push_brought_is_not_lost(shop: Any) -> None:
    first = shop.origin.commit(a=shop.fine)
    shop.assess(shop.push(first))
    worse = shop.origin.commit(b=shop.worse)
    lost = shop.push(worse, before=first)
    fine = shop.origin.commit(c=shop.fine)
    number = shop.push(fine, before=worse)
    assert shop.row(lost).state == "superseded"
    assert shop.assess(number).state == "fail"
    shop.assess(lost)
    assert shop.row(lost).state == "superseded", "it has ended, and a late job changes nothing"


def test_a_merge_request_is_compared_with_where_it_left_the_target(shop: Any) -> None:
    base = shop.origin.commit(a=shop.fine)
    shop.origin.git("checkout", "-q", "-b", "feature")
    head = shop.origin.commit(b=shop.bad)
    shop.origin.git("update-ref", "refs/pull/5/head", head)
    shop.origin.git("checkout", "-q", "main")
    tip = shop.origin.commit(c=shop.worse)
    for stated in ("", tip):
        number = shop.request(head, base=stated)
        row = shop.assess(number)
        assert (row.state, row.base, row.head) == ("fail", base, head)
        assert {judged.finding.place.path for judged in shop.verdict(number).findings} == {"b.py"}
    assert {path for _, path in shop.open_rows(number)} == {"b.py"}
    assert not shop.jobs("inventory"), "a merge request holds what its change brings"


def test_a_new_branch_is_compared_with_where_it_left_the_default_branch(shop: Any) -> None:
    base = shop.origin.commit(a=shop.bad)
    shop.origin.git("checkout", "-q", "-b", "feature")
    head = shop.origin.commit(b=shop.worse)
    row = shop.assess(shop.push(head, ref="refs/heads/feature"))
    assert (row.state, row.base) == ("fail", base)


def test_the_default_branch_is_asked_for_where_nobody_said_it(shop: Any) -> None:
    shop.remote = RemoteRepository("group/shop", shop.origin.url)
    base = shop.origin.commit(a=shop.bad)
    shop.origin.git("checkout", "-q", "-b", "feature")
    head = shop.origin.commit(b=shop.fine)
    shop.origin.git("checkout", "-q", "main")
    assert shop.assess(shop.push(head, ref="refs/heads/feature")).base == base
    assert shop.assess(shop.push(base)).base == ""


def test_after_a_force_push_the_branch_is_compared_with_what_was_judged(shop: Any) -> None:
    root = shop.origin.commit(a=shop.fine)
    shop.assess(shop.push(root))
    old = shop.origin.commit(b=shop.bad)
    shop.assess(shop.push(old, before=root))
    shop.origin.git("reset", "-q", "--hard", root)
    shop.origin.git("reflog", "expire", "--expire=now", "--all")
    new = shop.origin.commit(c=shop.worse)
    shop.origin.git("gc", "-q", "--prune=now")
    number = shop.push(new, before=old)
    row = shop.assess(number)
    assert (row.state, row.base) == ("fail", old)
    assert {(judged.state, judged.finding.place.path) for judged in shop.verdict(number).findings} == {
        (State.FIXED, "b.py"),
        (State.NEW, "c.py"),
    }


def test_a_tag_is_compared_with_the_nearest_one_before_it(shop: Any) -> None:
    def tag(name: str) -> Any:
        shop.origin.git("tag", name)
        about = {"ref": f"refs/tags/{name}", "after": shop.origin.git("rev-parse", name)}
        return shop.assess(shop.accept(Trigger(TriggerKind.TAG, shop.remote, SubjectKind.TAG, **about)))

    one = shop.origin.commit(a=shop.fine)
    assert tag("v1").base == ""
    two = shop.origin.commit(b=shop.worse)
    assert (tag("v2").base, tag("v2-again").base) == (one, one)
    shop.origin.git("checkout", "-q", one)
    shop.origin.commit(c=shop.fine)
    assert tag("v1.1").base == one, "not v2, which came later on another line"
    assert two


def test_a_schedule_looks_at_everything_and_blames_nobody(shop: Any) -> None:
    head = shop.origin.commit(a=shop.bad)
    shop.assess(shop.push(head))
    number = shop.accept(Trigger(TriggerKind.SCHEDULE, shop.remote, ref="refs/heads/main"))
    row = shop.assess(number)
    assert (row.state, row.base, row.head) == ("pass", "", head)
    assert shop.verdict(number).whole


def test_the_inventory_opens_and_closes_what_the_branch_holds(shop: Any) -> None:
    first = shop.origin.commit(a=shop.bad, b=shop.worse)
    number = shop.push(first)
    shop.assess(number)
    shop.take_stock(number)
    assert {path for _, path in shop.open_rows(number)} == {"a.py", "b.py"}
    before = shop.open_rows(number)
    shop.take_stock(number)
    assert shop.open_rows(number) == before
    number = shop.push(shop.origin.commit(a=None), before=first)
    shop.assess(number)
    assert shop.open_rows(number) == before, "a verdict over a change closes nothing"
    assert [job.arguments["head"] for job in shop.jobs("inventory")]
    shop.take_stock(number)
    assert {path for _, path in shop.open_rows(number)} == {"b.py"}


# --- what ends without a verdict -----------------------------------------------------------------------------------------


def test_a_commit_that_is_gone_ends_at_once_and_says_so(shop: Any) -> None:
    shop.origin.commit(a=shop.fine)
    row = shop.assess(shop.push("1" * 40))
    assert row.state == "unproven"
    assert "1" * 40 in row.summary
    assert "deleted or overwritten" in row.summary


def test_a_wrong_policy_ends_at_once_and_says_where(shop: Any) -> None:
    first = shop.origin.commit(a=shop.fine)
    shop.assess(shop.push(first))
    (shop.origin.path / "assay.toml").write_text("[policy]\nfail_on = 'sometimes'\n")
    row = shop.assess(shop.push(shop.origin.commit(), before=first))
    assert row.state == "unproven"
    assert "fail_on" in row.summary


def test_a_repository_that_does_not_answer_is_tried_again_until_the_last_attempt(shop: Any) -> None:
    number = shop.push(shop.origin.commit(a=shop.fine))
    shutil.rmtree(shop.origin.path)
    with pytest.raises(SubjectUnreadable, match="cannot be fetched"):
        shop.assess(number)
    assert shop.row(number).state == "running"
    row = shop.assess(number, shop.attempt(5, is_last=True))
    assert (row.state, row.attempts) == ("unproven", 5)
    assert "cannot be fetched" in row.summary


def test_an_address_that_the_server_may_not_go_to_is_refused(shop: Any) -> None:
    shop.remote = RemoteRepository("evil/x", "https://169.254.169.254/latest")
    row = shop.assess(shop.push("1" * 40))
    assert row.state == "unproven"
    assert "ASSAYMARK_PRIVATE_NETWORKS" in row.summary
    shop.remote = RemoteRepository("evil/y", "file:///etc")
    assert "ASSAYMARK_LOCAL_REPOSITORIES" in shop.assess(shop.push("1" * 40)).summary


def test_what_was_cancelled_ends_cancelled(shop: Any) -> None:
    number = shop.push(shop.origin.commit(a=shop.bad))
    row = shop.assess(number, shop.attempt(stops=True))
    assert row.state == "cancelled"
    assert shop.assess(number).state == "cancelled"


def test_work_that_was_given_up_leaves_an_assessment_that_ended(shop: Any) -> None:
    number = shop.push(shop.origin.commit(a=shop.fine))
    abandon(shop.service, {"assessment": number, "error": "its worker was killed"}, shop.attempt())
    row = shop.row(number)
    assert row.state == "unproven"
    assert "its worker was killed" in row.summary
    abandon(shop.service, {"assessment": number, "error": "other"}, shop.attempt())
    assert shop.row(number).summary == row.summary


def test_a_damaged_copy_is_fetched_anew_on_the_next_attempt(shop: Any) -> None:
    first = shop.origin.commit(a=shop.fine)
    shop.assess(shop.push(first))
    number = shop.push(shop.origin.commit(b=shop.bad), before=first)
    for pack in (shop.service.settings.data / "mirrors").glob("*.git/objects/pack/*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:-60] + b"\0" * 60)
    try:
        row = shop.assess(number)
    except SubjectUnreadable:
        row = shop.assess(number, shop.attempt(2))
    assert row.state == "fail"


def test_running_twice_records_once(shop: Any) -> None:
    number = shop.push(shop.origin.commit(a=shop.bad))
    first = shop.assess(number)
    again = shop.assess(number, shop.attempt(2))
    assert first == again
    assert len(shop.jobs("inventory")) == 1


def test_the_inventory_notes_what_the_branch_holds(shop: Any) -> None:
    number = shop.push(shop.origin.commit(**{"requirements.txt": b"lantern==1.0\n"}))
    shop.assess(number)
    shop.take_stock(number)
    with shop.service.database.read() as link:
        (held_,) = held.holdings(link, shop.subject(number).id)
    assert held_.path == "requirements.txt"
    assert [each.name for each in components.kept(shop.service.blobs, held_.digest).packages] == ["lantern"]
    assert shop.subject(number).grounds
