"""The doors of the rooms beside this one: who signs, whom to believe, what was taken back, the log. Imported when they are needed.

Where a room is not there yet, the smallest true answer stands in for it: the key that signs reports, trust in the server's own keys,
nothing taken back, no log.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

import sqlalchemy as sa

from assaymark.endorsement.keys import Signer
from assaymark.endorsement.revocation import Revocation
from assaymark.endorsement.trust import Trust, TrustRoot
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.server.reports import signing
from assaymark.server.service import Service
from assaymark.server.work.endorsing_text import verifier_of
from assaymark.store import signing_keys
from assaymark.store.tables import metadata


def signer_of(service: Service, link: sa.Connection) -> Signer:
    """What signs endorsements."""
    room = _room("assaymark.server.work.signers")
    return cast("Signer", room.signer_of(service, link)) if room else signing.signer(service, link)


def trust_of(service: Service, link: sa.Connection) -> Trust:
    """Whom this server believes."""
    room = _room("assaymark.server.work.trusting")
    if room:
        return cast("Trust", room.trust_of(service, link))
    own = [TrustRoot(row.keyid, verifier_of(service.settings.url), (row.public,)) for row in signing_keys.every(link)]
    return Trust(tuple(own))


def revocations_of(link: sa.Connection) -> tuple[Revocation, ...]:
    """What was taken back."""
    room = _room("assaymark.store.revocations")
    return cast("tuple[Revocation, ...]", tuple(room.entries(link))) if room else ()


def append(link: sa.Connection, at: Instant, actor: str, about: tuple[tuple[str, ...], str, dict[str, str]], team: TeamId | None) -> None:
    """A line of the transparency log: (digests, name of the endorsement, details); late in the transaction, for it holds a lock."""
    room = _room("assaymark.store.log")
    if room:
        lines = import_module("assaymark.endorsement.log.entry")
        digests, name, details = about
        room.append(link, [lines.Entry(lines.EntryType.ENDORSE, at, actor, digests, name, details)], team=team)


def line_of(link: sa.Connection, name: str) -> Any:
    """The line of the log in which an endorsement was written down, with `seq`; None when it is not there."""
    if "log_entry" not in metadata.tables:
        return None
    query = sa.text("SELECT seq, at FROM log_entry WHERE endorsement = :name AND type = 'endorse' ORDER BY seq LIMIT 1")
    return link.execute(query, {"name": name}).first()


def _room(name: str) -> Any:
    """The module; None where it is not part of this release."""
    return import_module(name) if find_spec(name) is not None else None
