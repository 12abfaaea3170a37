"""What a trusted key signed and is no approval: times, results, what was revoked. Each is named after what is tried."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from msgspec.structs import replace
from tests.endorsement.approvals import (
    DIGEST,
    HEX,
    KEY,
    RULES,
    claims,
    endorsed,
    endorsed_as,
    later,
    signed_raw,
    statement_of,
    trusting,
)
from tests.endorsement.attacking import (
    ASKED,
    ATTACKS,
    ORDER,
    Attack,
    attack,
    claiming,
    dumped,
    envelope,
    refused,
    signature,
    with_envelope,
    with_signature,
)

from assaymark.endorsement import approval
from assaymark.endorsement.approval import EXTENSION
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.endorsement.trust import LogTrust
from assaymark.endorsement.verify import Refusal

# --- what it says -----------------------------------------------------------------------------------------------------


@attack
def that_it_failed() -> Attack:
    return claiming(Refusal.RESULT, verificationResult="FAILED")


@attack
def that_it_passed_in_other_letters() -> Attack:
    return claiming(Refusal.RESULT, verificationResult="passed")


@attack
def expired() -> Attack:
    return refused(Refusal.EXPIRED, data=endorsed(), now=later(31 * 86_400))


@attack
def expired_at_this_very_second() -> Attack:
    return refused(Refusal.EXPIRED, data=endorsed(), now=approval.instant("2026-12-28T11:00:00Z"))


@attack
def of_tomorrow() -> Attack:
    return refused(Refusal.FUTURE, data=endorsed(claims(time_verified="2026-11-29T12:00:00Z")))


@attack
def older_than_is_asked_for() -> Attack:
    return refused(Refusal.TOO_OLD, data=endorsed(), expected=replace(ASKED, max_age_days=3), now=later(4 * 86_400))


@attack
def older_than_the_trust_document_allows_whatever_is_asked() -> Attack:
    expected = replace(ASKED, max_age_days=300)
    return refused(Refusal.TOO_OLD, data=endorsed(), expected=expected, trusted=trusting(max_age_days=3), now=later(4 * 86_400))


def _times(name: str, text: str) -> Callable[[], Attack]:
    def make() -> Attack:
        said = json.loads(statement_of())
        said["predicate"][EXTENSION]["expires"] = text
        return refused(Refusal.MALFORMED, data=signed_raw(dumped(said)))

    make.__name__ = f"an_end_{name}"
    return make


for _name, _text in {
    "without_a_zone": "2027-11-28T11:00:00",
    "at_a_leap_second": "2026-12-31T23:59:60Z",
    "in_a_year_of_five_digits": "12026-11-28T11:00:00Z",
    "in_the_year_nought": "0000-11-28T11:00:00Z",
    "on_the_thirtieth_of_february": "2027-02-30T11:00:00Z",
    "at_hour_24": "2027-02-28T24:00:00Z",
    "as_a_day_of_a_week": "2027-W01-1T11:00:00Z",
    "without_separators": "20271128T110000Z",
    "in_digits_of_other_scripts": "\u0662027-11-28T11:00:00Z",
    "of_nothing": "",
    "of_seconds_since_1970": "1795860000",
    "with_white_space": " 2027-11-28T11:00:00Z",
    "with_endless_fractions": "2027-11-28T11:00:00." + "0" * 5000 + "Z",
    "in_a_zone_of_a_hundred_hours": "2027-11-28T11:00:00+99:00",
}.items():
    attack(_times(_name, _text))


# --- revoked ----------------------------------------------------------------------------------------------------------


def _revoked(target: Target, name: str, data: bytes | None = None, **more: Any) -> Attack:
    gone = Revocation(target, name, "bad", "2026-11-28T11:30:00Z", **more)
    return refused(Refusal.REVOKED, data=data if data is not None else endorsed(), revoked=(gone,))


def identity() -> str:
    return refused(Refusal.REVOKED, data=endorsed()).tried().id


for _target, _revoked_name in {
    Target.SUBJECT: DIGEST,
    Target.KEY: KEY.public.id,
    Target.COMPONENT: "sha256:" + "3" * 64,
    Target.POLICY: "sha256:" + "2" * 64,
    Target.ENGINE: f"rules@{RULES}",
}.items():
    ATTACKS[f"revoked by its {_target}"] = lambda target=_target, name=_revoked_name: _revoked(target, name)  # type: ignore[misc]


@attack
def revoked_and_signed_again() -> Attack:
    return _revoked(Target.ENDORSEMENT, identity(), endorsed())


@attack
def revoked_and_its_signature_turned_into_the_other_one_that_holds() -> Attack:
    r, s = decode_dss_signature(signature())
    return _revoked(Target.ENDORSEMENT, identity(), with_signature(encode_dss_signature(r, ORDER - s)))


@attack
def revoked_and_its_signature_written_side_by_side() -> Attack:
    r, s = decode_dss_signature(signature())
    return _revoked(Target.ENDORSEMENT, identity(), with_signature(r.to_bytes(32, "big") + s.to_bytes(32, "big")))


@attack
def revoked_and_written_in_the_other_alphabet() -> Attack:
    made = envelope()["dsseEnvelope"]
    other = made["payload"].replace("+", "-").replace("/", "_")
    return _revoked(Target.ENDORSEMENT, identity(), with_envelope(payload=other))


@attack
def revoked_and_written_with_other_white_space() -> Attack:
    return _revoked(Target.ENDORSEMENT, identity(), json.dumps(envelope(), indent=3).encode())


@attack
def revoked_and_given_as_a_bare_envelope() -> Attack:
    return _revoked(Target.ENDORSEMENT, identity(), dumped(envelope()["dsseEnvelope"]))


@attack
def revoked_as_another_of_its_subjects() -> Attack:
    return _revoked(Target.SUBJECT, "gitCommit:" + "4" * 40, endorsed_as(claims(), ({"sha256": HEX}, {"gitCommit": "4" * 40})))


# --- not in the log ---------------------------------------------------------------------------------------------------


@attack
def no_proof_where_the_log_is_asked_for() -> Attack:
    log = LogTrust("log.example", "log.example+00000000+AAAA", required=True)
    return refused(Refusal.NOT_LOGGED, data=endorsed(), trusted=trusting(log=log))
