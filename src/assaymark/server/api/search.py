"""One box: where is X, and am I affected.

Asked by POST only, so that what is typed stands in no URL, log or history; an answer is not remembered under an ``Idempotency-Key``, since
even a digest of a pasted secret would help to guess it.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.secrets.keys import Key
from assaymark.checks.settings import Secret
from assaymark.errors import EngineMissing
from assaymark.model.access import Permission
from assaymark.server.api.moment import moment
from assaymark.server.api.route import Call, Router
from assaymark.server.problem import invalid
from assaymark.server.service import Service
from assaymark.server.work.surroundings import configuration
from assaymark.store import search
from assaymark.store.search import LONGEST, Asker, Found, Keyed, What

router = Router("search")
_LONGEST_SECRET = 64 << 10


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """What is looked for."""

    text: str
    secret: bool = False
    """The text is a secret and nothing else: it is turned into its keyed identity at once and asked for in no other way."""
    as_of: str = ""
    limit: int = 20


@router.add("POST", "/search", Permission.FINDINGS_READ)
def find(call: Call, body: Question) -> Found:
    """Look for an advisory, a component, a secret, a rule, a digest, a fingerprint, a subject or words, whatever the text is.

    Nothing is stored of it.
    """
    if not body.text.strip():
        raise invalid("`text` is empty", "name what you look for")
    longest = _LONGEST_SECRET if body.secret else LONGEST
    if len(body.text) > longest:
        raise invalid(f"`text` is longer than {longest} characters")
    if not 1 <= body.limit <= 200:
        raise invalid("`limit` is not between 1 and 200")
    who = call.who
    asker = Asker(
        findings=who.teams_with(Permission.FINDINGS_READ),
        subjects=who.teams_with(Permission.SUBJECTS_READ),
        assessments=who.teams_with(Permission.ASSESSMENTS_READ),
        at=moment(call, body.as_of),
        limit=body.limit,
    )
    return look(call.service, body.text, asker, is_secret=body.secret)


def look(service: Service, text: str, asker: Asker, *, is_secret: bool = False) -> Found:
    """The answer, for the API and for pages."""
    taken = search.recognise(text.strip())
    keyed = identity(service, text) if is_secret or What.SECRET in taken else None
    if is_secret and keyed is not None:
        with service.database.read() as connection:
            return search.only_secret(connection, keyed, asker)
    index = _advisories(service) if What.ADVISORY in taken else None
    try:
        with service.database.read() as connection:
            return search.search(connection, text, asker, index=index, keyed=keyed)
    finally:
        if index is not None:
            index.close()


def identity(service: Service, text: str) -> Keyed:
    """What the secrets check would call this value."""
    key = Key(configuration(service).key)
    forms = dict.fromkeys((text, text.strip(), text.strip() + "\n"))
    return Keyed(key.id, tuple(key.name_of(Secret(form.encode())) for form in forms))


def _advisories(service: Service) -> Index | None:
    try:
        return Index(configuration(service).advisories)
    except EngineMissing:
        return None


router.operations[-1] = msgspec.structs.replace(router.operations[-1], idempotent=False)
