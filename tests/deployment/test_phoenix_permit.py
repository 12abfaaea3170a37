"""Whether something may run: asked anew each time, of endorsements as `assay verify` asks, and of break-glass orders."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.deployment.phoenix_sample import ONE, TWO
from tests.endorsement.approvals import VERIFIER, signer
from tests.endorsement.asking.pipeline import Pipeline, at

from assaymark.deployment.drivers.driver import Pair
from assaymark.deployment.phoenix import breakglass, fresh
from assaymark.deployment.phoenix.breakglass import LEVEL, PREDICATE, Said, Wanted
from assaymark.deployment.phoenix.fresh import believing
from assaymark.deployment.phoenix.permit import Endorsed, Permitted, Sources, Standing
from assaymark.deployment.phoenix.terms import Believe, Breakglass, Terms
from assaymark.endorsement import approval, bundle, dsse
from assaymark.endorsement.asking import believed
from assaymark.endorsement.asking.bundles import Found
from assaymark.endorsement.keys import KeySigner
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named, Statement, written
from assaymark.errors import SignatureInvalid, SubjectUnreadable, UsageError
from assaymark.model.assessment import SECOND, Instant

PAIR = Pair("production", "web")


def now() -> Instant:
    return Instant(time.time_ns() // 1000)


class Gate:
    """A permit over a trust folder, endorsements in memory, and a folder of orders."""

    def __init__(self, folder: Path) -> None:
        self.pipeline = Pipeline(folder / "pipeline")
        self.orders = folder / "orders"
        self.glass = signer()
        (folder / "glass.pub").write_text(self.glass.public.pem)
        self.terms = Terms("folder", levels=("ORG_QUALITY_APPROVED",), breakglass=Breakglass((str(folder / "glass.pub"),), 8))
        self.bundles: list[bytes] = []
        self.back = ""

    def ask(self, digest: str = ONE, pair: Pair = PAIR) -> Permitted:
        sources = Sources(
            believing(Believe(str(self.pipeline.trust))), lambda _: [Found("here", each) for each in self.bundles], self.orders,
            lambda _digest, _pair: self.back,
        )  # fmt: skip
        return Endorsed(self.terms, sources)(digest, pair, now())

    def approve(self, digest: str = ONE, **claims: Any) -> None:
        self.bundles.append(self.pipeline.endorsed({"sha256": digest.removeprefix("sha256:")}, **claims))

    def order(self, digest: str = ONE, *signers: KeySigner, name: str = "one", **said: Any) -> bytes:
        """An order in the folder."""
        words = replace(Said("production", "web", "ada", "the site is down", at(-60), at(3600)), **said)
        data = breakglass.written(Wanted(digest, PAIR), words, *(signers or (self.glass,)))
        self.lay(data, name)
        return data

    def lay(self, data: bytes, name: str = "one") -> None:
        self.orders.mkdir(exist_ok=True)
        (self.orders / f"{name}.breakglass.json").write_bytes(data)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def test_an_approval_permits_its_digest_in_its_environment(gate: Gate) -> None:
    gate.approve()
    held = gate.ask()
    assert (held.ok, held.standing, held.reasons) == (True, Standing.APPROVED, ())
    assert held.expires > now()
    assert gate.ask(TWO).standing is Standing.REFUSED
    assert gate.ask(pair=Pair("development", "web")).standing is Standing.REFUSED


def test_an_index_of_which_one_platform_was_judged_permits_that_one(gate: Gate) -> None:
    made = gate.pipeline.claim().extension
    gate.approve(extension=replace(made, platforms=("linux/amd64", "linux/arm64/v8"), platforms_unjudged=("linux/s390x",)))
    held = gate.ask()
    assert (held.ok, ["linux/s390x" in note for note in held.notes]) == (True, [True]), "nobody said which platform runs there"
    for platform, ok in (("linux/amd64", True), ("linux/arm64", True), ("linux/arm", False), ("linux/s390x", False)):
        gate.terms = replace(gate.terms, platform=platform)
        held = gate.ask()
        assert (held.ok, held.notes, held.standing) == (ok, (), Standing.APPROVED if ok else Standing.REFUSED), platform
    assert "platform-not-judged" in held.reasons[0]


def test_how_it_stands_is_told_apart(gate: Gate) -> None:
    assert gate.ask().standing is Standing.UNPROVEN
    made = gate.pipeline.claim()
    gate.approve(extension=replace(made.extension, expires=at(-60)), time_verified=at(-3600))
    assert gate.ask().standing is Standing.EXPIRED
    gate.approve()
    assert gate.ask().ok
    gate.pipeline.revoke(Revocation(Target.SUBJECT, ONE, "hostile", at(-60)))
    assert gate.ask().standing is Standing.REVOKED
    gate.pipeline.trust.joinpath("trust.json").write_text("{")
    assert gate.ask().standing is Standing.UNPROVEN


def test_a_server_can_only_take_away(gate: Gate) -> None:
    gate.approve()
    gate.back = "an advisory"
    assert gate.ask().standing is Standing.REVOKED
    gate.bundles.clear()
    gate.back = ""
    assert not gate.ask().ok


def test_newer_trust_is_fetched_before_each_question_and_its_absence_is_said(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    gate.approve()
    folder = gate.pipeline.trust
    (folder / "settings.json").write_text('{"source":"https://assay.example/trust/","graceHours":72,"environments":[]}')
    monkeypatch.setattr(believed, "_kept", lambda place, _: _plain(place))
    asked: list[Instant] = []

    def fetch(_folder: Path, at: Instant) -> None:
        asked.append(at)
        if len(asked) > 2:
            raise SubjectUnreadable("it cannot be fetched from", why="no route")

    believe = believing(Believe(str(folder)), fetch)
    assert [believe(Instant(number)).notes for number in (1, 2)] == [(), ()]
    assert "no route" in believe(Instant(3)).notes[-1]
    assert "no route" in believe(Instant(4)).notes[-1]
    assert len(asked) == 3  # after a failure it is left alone for a while
    monkeypatch.setattr(fresh, "PAUSE_SECONDS", 0.0)
    believe = believing(Believe(str(folder)), fetch)
    for number in (5, 6):
        assert "no route" in believe(Instant(number)).notes[-1]
    assert len(asked) == 5
    believing(Believe(str(folder), update=False), fetch)(Instant(7))
    assert len(asked) == 5


def test_a_server_that_never_ends_its_answer_is_not_waited_for(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    (gate.pipeline.trust / "settings.json").write_text('{"source":"https://assay.example/trust/","graceHours":72,"environments":[]}')
    monkeypatch.setattr(believed, "_kept", lambda place, _: _plain(place))
    monkeypatch.setattr(fresh, "SECONDS", 0.05)
    over, begun = threading.Event(), []

    def fetch(_folder: Path, at: Instant) -> None:
        begun.append(at)
        over.wait(10)

    believe = believing(Believe(str(gate.pipeline.trust)), fetch)
    assert "did not come" in believe(Instant(1)).notes[-1]
    monkeypatch.setattr(fresh, "SECONDS", 5.0)
    believe(Instant(2))
    assert len(begun) == 1
    over.set()


def test_of_two_endorsements_the_one_that_was_taken_back_says_more(gate: Gate) -> None:
    made = gate.pipeline.claim()
    gate.approve(extension=replace(made.extension, expires=at(-60)), time_verified=at(-3600))
    gate.approve(resource_uri="oci://registry.example/other")
    other = gate.ask().endorsement
    gate.pipeline.revoke(Revocation(Target.ENDORSEMENT, other, "bad rules", at(-60)))
    assert gate.ask().standing is Standing.REVOKED


def _plain(folder: Path) -> believed.Believed:
    (folder / "settings.json").rename(folder / "away")
    try:
        return believed.from_place(str(folder), "", now())
    finally:
        (folder / "away").rename(folder / "settings.json")


# --- break-glass -----------------------------------------------------------------------------------------------------


def test_an_order_permits_what_nothing_approves_and_says_what_it_overrides(gate: Gate) -> None:
    gate.order()
    held = gate.ask()
    assert (held.ok, held.standing) == (True, Standing.BREAKGLASS)
    assert "no-endorsement" in held.reasons[0]
    assert "ada" in held.notes[-1]
    assert now() < held.expires < now() + 2 * 3600 * SECOND
    gate.approve()
    assert gate.ask().standing is Standing.APPROVED


def test_an_order_also_permits_what_was_revoked(gate: Gate) -> None:
    gate.approve()
    gate.pipeline.revoke(Revocation(Target.SUBJECT, ONE, "hostile", at(-60)))
    gate.order()
    assert gate.ask().standing is Standing.BREAKGLASS


def test_an_order_counts_also_when_no_trust_can_be_read_but_only_by_keys_of_the_terms(gate: Gate) -> None:
    gate.order()
    gate.pipeline.trust.joinpath("trust.json").write_text("{")
    assert gate.ask().standing is Standing.BREAKGLASS
    gate.order(ONE, signer())
    assert not gate.ask().ok


Attack = Callable[[Gate], object]


def signed(gate: Gate, predicate: object, kind: str = PREDICATE, *more: Named) -> None:
    """A statement that the right key signed, of whatever it is."""
    about = Statement((Named("x", {"sha256": "1" * 64}), *more), kind, predicate)
    gate.lay(bundle.written(dsse.sign(PAYLOAD_TYPE, written(about), gate.glass)))


def stolen(gate: Gate) -> None:
    gate.order()
    gate.pipeline.revoke(Revocation(Target.KEY, gate.glass.public.id, "stolen", at(-60)))


ATTACKS: dict[str, Attack] = {
    "another key": lambda gate: gate.order(ONE, signer()),
    "the key of endorsements": lambda gate: gate.order(ONE, gate.pipeline.key),
    "another digest": lambda gate: gate.order(TWO),
    "another component": lambda gate: gate.order(component="api"),
    "another environment": lambda gate: gate.order(environment="staging"),
    "ended": lambda gate: gate.order(issued=at(-7200), expires=at(-1)),
    "not yet": lambda gate: gate.order(issued=at(3600), expires=at(7200)),
    "for too long": lambda gate: gate.order(expires=at(9 * 3600)),
    "an endorsement by the glass key": lambda gate: signed(gate, gate.pipeline.claim(), approval.PREDICATE),
    "an order as another kind of statement": lambda gate: signed(gate, _words(), PREDICATE + "x"),
    "a second subject": lambda gate: signed(gate, _words(), PREDICATE, Named("y", {"sha256": "2" * 64})),
    "a member that is not known": lambda gate: signed(gate, {"anywhere": True, **_plain_words()}),
    "a time without its zone": lambda gate: signed(gate, {**_plain_words(), "expires": "2999-01-01"}),
    "changed after it was signed": lambda gate: gate.lay(gate.order().replace(b'"sig":"', b'"sig":"AAAA', 1)),
    "its key was revoked": stolen,
    "no order at all": lambda gate: gate.lay(b"\x00\xff"),
}


def _words() -> Said:
    return Said("production", "web", "ada", "the site is down", at(-60), at(3600))


def _plain_words() -> dict[str, str]:
    said = _words()
    return {name: getattr(said, name) for name in said.__struct_fields__}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_order_that_does_not_hold_permits_nothing(gate: Gate, name: str) -> None:
    ATTACKS[name](gate)
    held = gate.ask()
    assert (held.ok, held.breakglass) == (False, "")


def test_an_order_of_two_people_by_a_trust_root_with_the_level_by_name(gate: Gate) -> None:
    one, two = signer(), signer()
    pems = (one.public.pem, two.public.pem)
    gate.pipeline.believe(keys=pems, threshold=2, levels=(LEVEL,), environments=("prod*",))
    gate.order(ONE, one)
    assert not gate.ask().ok
    gate.order(ONE, one, two)
    assert gate.ask().ok
    gate.pipeline.believe(keys=pems, threshold=2, levels=("*",))
    assert not gate.ask().ok
    gate.pipeline.believe(keys=pems, threshold=2, levels=(LEVEL,), environments=("staging",))
    assert not gate.ask().ok
    assert VERIFIER


def test_an_order_says_who_and_why(gate: Gate) -> None:
    for wrong in ({"reason": " "}, {"actor": ""}, {"expires": at(-3600)}, {"reason": "x" * 1001}):
        with pytest.raises(UsageError):
            gate.order(**wrong)
    with pytest.raises(UsageError):
        gate.order("latest")


def test_an_order_by_its_id_is_revoked_like_an_endorsement(gate: Gate) -> None:
    data = gate.order()
    held = gate.ask()
    gate.pipeline.revoke(Revocation(Target.ENDORSEMENT, held.breakglass, "over", at(-1)))
    assert not gate.ask().ok
    trust = believing(Believe(str(gate.pipeline.trust)))(now())
    with pytest.raises(SignatureInvalid):
        breakglass.verified(data, Wanted(ONE, PAIR), gate.terms.breakglass, trust, now())
