"""Laws of revocation: what is revoked is never approved, whatever else is in the list, in any order; revoking more approves nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.endorsement.approvals import DIGEST, KEY, NOW, RESOURCE, RULES, VERIFIER, claims, endorsed, signer, statement_of

from assaymark.endorsement import revocation, trust
from assaymark.endorsement.revocation import OpenRevocations, Revocation, Revocations, Target
from assaymark.endorsement.trust import OpenTrust, Trust, TrustRoot
from assaymark.endorsement.verify import Expected, Refusal, Verification, verify
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.digest import sha256

OTHER = signer("ed25519")
ONE, TWO = endorsed(), endorsed(None, KEY, OTHER)
VERIFIED = claims().verified_at
COVERED = [
    (Target.ENDORSEMENT, str(sha256(statement_of()))),
    (Target.SUBJECT, DIGEST),
    (Target.KEY, KEY.public.id),
    (Target.ENGINE, "assaymark@0.1.0"),
    (Target.ENGINE, f"rules@{RULES}"),
    (Target.COMPONENT, "sha256:" + "3" * 64),
    (Target.POLICY, "sha256:" + "2" * 64),
]
"""Names by which it can be found."""
STRANGE = [
    (Target.ENDORSEMENT, "sha256:" + "0" * 64), (Target.SUBJECT, DIGEST.upper()), (Target.KEY, "SHA256:" + "A" * 43),
    (Target.ENGINE, "assaymark@0.1"), (Target.COMPONENT, DIGEST), (Target.POLICY, "sha256:" + "2" * 63),
]  # fmt: skip
"""Names that are near, and others."""
YEAR = 366 * 86_400


def moment(seconds: int, hours: int = 0) -> str:
    """So many seconds from when it was verified, as somebody so many hours to the east writes it."""
    zone = dt.timezone(dt.timedelta(hours=hours))
    return dt.datetime.fromtimestamp(VERIFIED / SECOND + seconds, dt.UTC).astimezone(zone).isoformat()


def row(of: tuple[Target, str], since: int | None = None, until: int | None = None, hours: int = 0) -> Revocation:
    begins, ends = ("" if each is None else moment(each, hours) for each in (since, until))
    return Revocation(of[0], of[1], "law", "2026-11-28T11:30:00Z", begins, ends)


BEFORE = st.none() | st.integers(-YEAR, 0)
AFTER = st.none() | st.integers(0, YEAR)
HOURS = st.integers(-12, 14)
COVERING = st.builds(row, st.sampled_from(COVERED), BEFORE, AFTER, HOURS)
MISSING = st.one_of(
    st.builds(row, st.sampled_from(STRANGE), BEFORE, AFTER, HOURS),
    st.builds(row, st.sampled_from(COVERED), st.integers(1, YEAR), AFTER.map(lambda each: each and each + YEAR), HOURS),
    st.builds(row, st.sampled_from(COVERED), BEFORE.map(lambda each: each and each - YEAR), st.integers(-YEAR, -1), HOURS),
)
ANY = st.lists(COVERING | MISSING, max_size=6)


def trusting(threshold: int, *roots: tuple[Any, ...]) -> OpenTrust:
    given_roots = roots or ((KEY, OTHER),)
    return trust.opened(
        Trust(tuple(TrustRoot(f"r{number}", VERIFIER, tuple(key.public.pem for key in held), min(threshold, len(held)))
                    for number, held in enumerate(given_roots)))
    )  # fmt: skip


def asked(data: bytes, entries: list[Revocation], trusted: OpenTrust) -> Verification:
    return verify(data, DIGEST, Expected(RESOURCE), trusted, revocation.opened(entries), now=NOW)


def reasons(answer: Verification) -> set[Refusal]:
    return {each.reason for each in answer.refused}


@given(ANY, COVERING, ANY)
def test_what_is_covered_once_is_refused_wherever_that_stands(before: list[Revocation], one: Revocation, after: list[Revocation]) -> None:
    answer = asked(ONE, [*before, one, *after], trusting(1))
    assert not answer.ok
    assert Refusal.REVOKED in reasons(answer)


@given(st.lists(MISSING, max_size=8))
def test_what_is_not_covered_is_not_refused(entries: list[Revocation]) -> None:
    assert asked(ONE, entries, trusting(1)).ok


@given(ANY, st.randoms(use_true_random=False))
def test_the_order_of_entries_changes_no_answer(entries: list[Revocation], chance: Any) -> None:
    mixed = list(entries)
    chance.shuffle(mixed)
    for data, threshold in ((ONE, 1), (TWO, 1), (TWO, 2)):
        one, two = (asked(data, each, trusting(threshold)) for each in (entries, mixed))
        assert (one.ok, reasons(one), one.id, one.root) == (two.ok, reasons(two), two.id, two.root)


KEYS = st.builds(row, st.sampled_from([(Target.KEY, KEY.public.id), (Target.KEY, OTHER.public.id)]), BEFORE, AFTER, HOURS)
ROOTS = st.lists(st.sampled_from([(KEY,), (OTHER,), (KEY, OTHER)]), min_size=1, max_size=3)


@given(ANY, st.lists(COVERING | MISSING | KEYS, max_size=4), st.integers(1, 2), ROOTS)
def test_revoking_more_never_approves_more(few: list[Revocation], more: list[Revocation], threshold: int, roots: list[Any]) -> None:
    trusted = trusting(threshold, *roots)
    for data in (ONE, TWO):
        before, after = asked(data, few, trusted), asked(data, [*few, *more], trusted)
        assert before.ok or not after.ok


@given(st.lists(KEYS, min_size=1, max_size=4), st.integers(1, 2))
def test_of_two_keys_a_revoked_one_counts_no_more_and_the_other_still_does(entries: list[Revocation], threshold: int) -> None:
    left = 2 - len({each.name for each in entries})
    assert asked(TWO, entries, trusting(threshold)).ok is (left >= threshold)


@given(st.sampled_from(COVERED), st.none() | st.integers(-5, 5), st.none() | st.integers(-5, 5), HOURS)
def test_a_window_covers_its_ends_and_nothing_beyond(of: tuple[Target, str], since: int | None, until: int | None, hours: int) -> None:
    inside = (since is None or since <= 0) and (until is None or until >= 0)
    assert asked(ONE, [row(of, since, until, hours)], trusting(1)).ok is not inside


@given(st.sampled_from(COVERED), st.lists(st.none() | st.integers(-9, 9), min_size=3, max_size=3))
def test_two_windows_that_meet_cover_what_one_over_both_does(of: tuple[Target, str], ends: list[int | None]) -> None:
    first, middle, last = ends
    if middle is None or (first is not None and first > middle) or (last is not None and last < middle):
        return
    parts = [row(of, first, middle), row(of, middle, last)]
    assert asked(ONE, parts, trusting(1)).ok is asked(ONE, [row(of, first, last)], trusting(1)).ok


@settings(max_examples=50)
@given(ANY)
def test_the_document_says_what_its_entries_say(entries: list[Revocation]) -> None:
    data = msgspec.json.encode(Revocations(len(entries), tuple(entries)))
    read: OpenRevocations = revocation.read(data)
    assert read == revocation.opened(entries)


@given(ANY, st.integers(0, 40 * 86_400))
def test_what_is_revoked_does_not_come_back_with_time(entries: list[Revocation], seconds: int) -> None:
    later = verify(ONE, DIGEST, Expected(RESOURCE), trusting(1), revocation.opened(entries), now=Instant(NOW + seconds * SECOND))
    assert asked(ONE, entries, trusting(1)).ok or not later.ok
