"""What each reason means, and what to do: for reports whose reader does not know our words."""

from __future__ import annotations

from assaymark.endorsement.verify import Refusal

MEANING: dict[Refusal, tuple[str, str]] = {
    Refusal.TOO_LARGE: ("The bundle is larger than what is read", "Get the endorsement from the server again."),
    Refusal.MALFORMED: ("This is no endorsement", "Get the endorsement from the server again; it was cut, changed, or is of another kind."),
    Refusal.DUPLICATE_NAME: ("A name stands twice, so that readers would differ about what it says", "Ask who made it; do not use it."),
    Refusal.PAYLOAD_TYPE: ("The envelope holds something else than a statement", "Give the bundle of the endorsement."),
    Refusal.UNTRUSTED: ("No trusted key signed it", "Ask who signed it; if that is right, have the key added to the trust document."),
    Refusal.NOT_A_STATEMENT: ("What was signed is no in-toto statement", "Give the bundle of the endorsement."),
    Refusal.PREDICATE_TYPE: ("What was signed says something else than that it is approved", "Give the bundle of the endorsement."),
    Refusal.SUBJECT: ("It is about something else", "Use what was endorsed, or have this endorsed."),
    Refusal.VERIFIER: ("The key does not speak for this verifier", "Ask who signed it; compare with the trust document."),
    Refusal.THRESHOLD: ("Too few keys signed it", "Have the others sign it as well."),
    Refusal.KEY_TIME: ("The key was not valid when it was verified", "Have it endorsed again, with the key of today."),
    Refusal.RESOURCE: ("It is approved as something else", "Compare the resource with what was asked."),
    Refusal.RESULT: ("It did not pass", "Mend what was found, and have it judged again."),
    Refusal.LEVEL: ("A level that was asked for is missing", "Have it judged by the checks of that level."),
    Refusal.LEVEL_TRUST: ("The key may not give this level", "Compare with the trust document."),
    Refusal.ENVIRONMENT: ("It is not approved for this environment", "Have it approved for the environment."),
    Refusal.PLATFORM: ("It was judged for another platform", "Have the image of this platform judged, or use the one that was."),
    Refusal.FUTURE: ("It is of a time that is yet to come", "Set the clocks."),
    Refusal.EXPIRED: ("It expired", "Have it judged again."),
    Refusal.TOO_OLD: ("It was verified too long ago", "Have it judged again."),
    Refusal.REVOKED: ("It was revoked", "Use the next approved version."),
    Refusal.NOT_LOGGED: ("The transparency log does not show it", "Bring the log's proof along; if there is none, do not use it."),
    Refusal.STALE_TRUST: ("The trust document is too old to be believed", "Run `assay trust update`, or bring a newer archive."),
    Refusal.ABSENT: ("There is no endorsement of it", "Have it endorsed, or name where the endorsement lies."),
}
"""Reason -> what it means, what to do."""
