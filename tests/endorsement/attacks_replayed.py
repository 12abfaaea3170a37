"""Good endorsements of something else, and by keys that may not say so. Each is named after what is tried."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from msgspec.structs import replace
from tests.endorsement.approvals import (
    DIGEST,
    HEX,
    KEY,
    RESOURCE,
    VERIFIER,
    claims,
    endorsed,
    endorsed_as,
    signed_raw,
    signer,
    statement_of,
    trusting,
)
from tests.endorsement.attacking import (
    ASKED,
    ORDER,
    OTHER,
    Attack,
    attack,
    claiming,
    envelope,
    refused,
    signature,
    with_envelope,
)

from assaymark.endorsement.revocation import Revocation, Target
from assaymark.endorsement.statement import Named
from assaymark.endorsement.trust import Trust, TrustRoot, opened
from assaymark.endorsement.verify import Refusal

# --- replayed ---------------------------------------------------------------------------------------------------------


@attack
def replayed_for_another_digest() -> Attack:
    return refused(Refusal.SUBJECT, data=endorsed(), digest="sha256:" + "cd" * 32)


@attack
def replayed_for_a_digest_in_capitals() -> Attack:
    return refused(Refusal.SUBJECT, data=endorsed(), digest=f"sha256:{HEX.upper()}")


@attack
def replayed_for_the_beginning_of_its_digest() -> Attack:
    return refused(Refusal.SUBJECT, data=endorsed(), digest=f"sha256:{HEX[:32]}")


@attack
def replayed_for_no_digest() -> Attack:
    return refused(Refusal.SUBJECT, data=endorsed_as(claims(), ({"": ""}, {"sha256": ""})), digest="")


@attack
def the_same_hex_under_another_algorithm() -> Attack:
    return refused(Refusal.SUBJECT, data=endorsed(), digest=f"gitCommit:{HEX}")


@attack
def a_subject_with_several_digests_of_which_another_has_this_hex() -> Attack:
    return refused(Refusal.SUBJECT, data=endorsed_as(claims(), ({"sha256": "cd" * 32, "gitTree": HEX, "dirHash": HEX},)))


@attack
def a_weak_digest_beside_a_strong_one() -> Attack:
    data = endorsed_as(claims(), ({"sha256": HEX, "md5": "ab" * 16, "sha1": "ab" * 20},))
    return refused(Refusal.SUBJECT, data=data, digest="md5:" + "ab" * 16)


@attack
def sha1_beside_a_strong_one() -> Attack:
    data = endorsed_as(claims(), ({"sha256": HEX, "sha1": "ab" * 20},))
    return refused(Refusal.SUBJECT, data=data, digest="sha1:" + "ab" * 20)


@attack
def an_unknown_algorithm() -> Attack:
    return refused(Refusal.SUBJECT, data=endorsed_as(claims(), ({"sha257": HEX},)), digest=f"sha257:{HEX}")


@attack
def a_subject_named_like_the_digest() -> Attack:
    return refused(Refusal.SUBJECT, data=signed_raw(statement_of(subjects=(Named(DIGEST, {"sha256": "cd" * 32}),))))


@attack
def a_subject_without_a_digest() -> Attack:
    return refused(Refusal.SUBJECT, data=signed_raw(statement_of(subjects=(Named("web", {}),))))


@attack
def the_digest_in_letters_that_look_alike() -> Attack:
    data = endorsed_as(claims(), ({"sha256": HEX.replace("a", "\u0430")},))
    return refused(Refusal.SUBJECT, data=data, digest="sha256:" + HEX.replace("a", "\u0430"))


@attack
def replayed_for_another_resource() -> Attack:
    return refused(Refusal.RESOURCE, data=endorsed(), expected=replace(ASKED, resource="oci://registry.example/shop/web2"))


@attack
def a_resource_that_only_looks_alike() -> Attack:
    return claiming(Refusal.RESOURCE, resourceUri=RESOURCE.replace("e", "\u0435", 1))


@attack
def a_resource_beyond_what_the_key_speaks_for() -> Attack:
    return refused(Refusal.RESOURCE, data=endorsed(), trusted=trusting(resources=("oci://registry.example/other/*",)))


@attack
def replayed_in_another_environment() -> Attack:
    return refused(Refusal.ENVIRONMENT, data=endorsed(), expected=replace(ASKED, environment="development"))


@attack
def replayed_on_a_platform_that_nobody_judged() -> Attack:
    made = replace(claims().extension, platforms=("linux/amd64",), platforms_unjudged=("linux/arm64",))
    return refused(Refusal.PLATFORM, data=endorsed(claims(extension=made)), expected=replace(ASKED, platform="linux/arm64"))


@attack
def a_platform_that_begins_like_the_one_that_was_judged() -> Attack:
    made = replace(claims().extension, platforms=("linux/arm64",))
    return refused(Refusal.PLATFORM, data=endorsed(claims(extension=made)), expected=replace(ASKED, platform="linux/arm"))


@attack
def an_environment_that_the_key_does_not_speak_for() -> Attack:
    return refused(Refusal.ENVIRONMENT, data=endorsed(), trusted=trusting(environments=("staging",)))


# --- who may say it ---------------------------------------------------------------------------------------------------


@attack
def in_the_name_of_another_verifier() -> Attack:
    return claiming(Refusal.VERIFIER, verifier={"id": "https://assay.example/verifier/2"})


@attack
def in_the_name_of_a_verifier_with_a_slash_more() -> Attack:
    return claiming(Refusal.VERIFIER, verifier={"id": VERIFIER + "/"})


@attack
def by_a_key_that_is_trusted_for_another_verifier() -> Attack:
    roots = (TrustRoot("a", VERIFIER, (KEY.public.pem,)), TrustRoot("b", "https://other.example", (OTHER.public.pem,)))
    return refused(Refusal.VERIFIER, data=endorsed(None, OTHER), trusted=opened(Trust(roots)))


@attack
def two_half_trusted_keys_do_not_make_a_whole_one() -> Attack:
    """One key speaks for this verifier elsewhere, the other for this resource in another name."""
    roots = (
        TrustRoot("a", VERIFIER, (KEY.public.pem,), resources=("oci://elsewhere/*",)),
        TrustRoot("b", "https://other.example", (OTHER.public.pem,)),
    )
    return refused(Refusal.RESOURCE, data=endorsed(None, KEY, OTHER), trusted=opened(Trust(roots)))


@attack
def one_key_twice_is_not_two() -> Attack:
    return refused(Refusal.THRESHOLD, data=endorsed(None, KEY, KEY), trusted=trusting(KEY, OTHER, threshold=2))


@attack
def one_signature_twice_under_two_keyids_is_not_two() -> Attack:
    sig = envelope()["dsseEnvelope"]["signatures"][0]["sig"]
    data = with_envelope(signatures=[{"sig": sig, "keyid": KEY.public.id}, {"sig": sig, "keyid": OTHER.public.id}])
    return refused(Refusal.THRESHOLD, data=data, trusted=trusting(KEY, OTHER, threshold=2))


@attack
def two_forms_of_one_signature_are_not_two() -> Attack:
    r, s = decode_dss_signature(signature())
    forms = (signature(), encode_dss_signature(r, ORDER - s), r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    data = with_envelope(signatures=[{"sig": base64.b64encode(each).decode()} for each in forms])
    return refused(Refusal.THRESHOLD, data=data, trusted=trusting(KEY, OTHER, threshold=2))


@attack
def a_strangers_signature_beside_a_good_one_is_not_two() -> Attack:
    return refused(Refusal.THRESHOLD, data=endorsed(None, KEY, signer()), trusted=trusting(KEY, OTHER, threshold=2))


@attack
def a_revoked_key_does_not_count_for_a_threshold() -> Attack:
    gone = Revocation(Target.KEY, OTHER.public.id, "stolen", "2026-11-28T11:30:00Z")
    return refused(Refusal.THRESHOLD, data=endorsed(None, KEY, OTHER), trusted=trusting(KEY, OTHER, threshold=2), revoked=(gone,))


@attack
def before_the_key_was_trusted() -> Attack:
    return refused(Refusal.KEY_TIME, data=endorsed(), trusted=trusting(since="2026-11-28T11:00:01Z"))


@attack
def after_the_key_was_trusted() -> Attack:
    return refused(Refusal.KEY_TIME, data=endorsed(), trusted=trusting(until="2026-11-28T10:59:59Z"))


@attack
def a_level_that_the_key_may_not_give() -> Attack:
    trusted = trusting(levels=("ORG_QUALITY_APPROVED", "SLSA_BUILD_LEVEL_1"))
    return refused(Refusal.LEVEL_TRUST, data=endorsed(), trusted=trusted)


@attack
def a_level_of_another_track() -> Attack:
    expected = replace(ASKED, levels=("SLSA_SOURCE_LEVEL_1",))
    return refused(Refusal.LEVEL, data=endorsed(), expected=expected)


@attack
def a_level_below_the_one_that_is_asked_for() -> Attack:
    return refused(Refusal.LEVEL, data=endorsed(), expected=replace(ASKED, levels=("SLSA_BUILD_LEVEL_3",)))


@attack
def a_level_with_too_many_digits() -> Attack:
    return refused(Refusal.LEVEL, data=endorsed(claims(verified_levels=("ORG_QUALITY_APPROVED", "SLSA_BUILD_LEVEL_22"))))
