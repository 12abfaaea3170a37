"""Whom this server believes, as one document: its own keys for its own verifier, what an administrator said of others, its log.

Own keys have no beginning: whoever gets one can write any time, and a verdict may be older than the key that endorses it. They have an
end: what a key that was replaced would still sign is not believed.

Who is believed from when on, and who not any more, stands in the transparency log, where nobody takes it out unseen.
"""

from __future__ import annotations

import sqlalchemy as sa

from assaymark.endorsement.approval import stamp
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.trust import LogTrust, OpenRoot, OpenTrust, Trust, TrustRoot
from assaymark.model.assessment import Instant
from assaymark.server.service import Service
from assaymark.store import endorsing_keys, log_heads, trust
from assaymark.store.endorsing_keys import EndorsingKey
from assaymark.store.trust import Stated

VERIFIER_MAJOR = 1
OWN = "this server"


def verifier_of(service: Service) -> str:
    """Id of the verifier that this server is, in what it endorses."""
    return f"{service.settings.url}/verifier/{VERIFIER_MAJOR}"


def trust_of(service: Service, link: sa.Connection) -> Trust:
    """The document as it stands now; before the first key there is nobody to believe."""
    version = trust.newest(link)
    stated = version.stated if version is not None else Stated()
    own = tuple(_own(service, row) for row in reversed(endorsing_keys.every(link)))
    return Trust(
        (*own, *stated.roots), version.id if version is not None else 0, stated.max_age_days, _log(link, required=stated.log_required)
    )


def said(before: OpenTrust, after: OpenTrust, at: Instant, actor: str, number: int) -> list[Entry]:
    """What the log says of a change: a root that is not believed any more, one that is from now on; of one that was changed both."""
    gone = [root for root in before.roots if root.root not in after.trust.roots]
    come = [root for root in after.roots if root.root not in before.trust.roots]
    return [
        Entry(EntryType.KEY, at, actor, details=_said_of(root, now, number))
        for now, roots in (("not any more", gone), ("from now on", come))
        for root in roots
    ]


def _said_of(found: OpenRoot, now: str, number: int) -> dict[str, str]:
    root = found.root
    return {
        "of": "trust", "root": root.name, "verifier": root.verifier, "believed": now, "trust": str(number),
        "keys": ", ".join(key.id for key in found.keys), "threshold": str(root.threshold),
    }  # fmt: skip


def _log(link: sa.Connection, *, required: bool) -> LogTrust | None:
    """The transparency log of this server, once it has a key."""
    found = log_heads.present_key(link)
    return LogTrust(found[0].name, found[0].verifier, required) if found is not None else None


def _own(service: Service, row: EndorsingKey) -> TrustRoot:
    until = stamp(row.ended_at) if row.ended_at is not None else ""
    return TrustRoot(f"{OWN}, key {row.id}", verifier_of(service), (row.public,), until=until)
