"""The signer of the server's endorsements, and what becomes of its keys.

Guarantees: which key signs is said by whoever runs the machine (`ASSAYMARK_SIGNER`), never by a page: an address can name a library that
is loaded. A key of the server's own is made when it is first needed, and leaves this module only as a signature. A key that signed stays
known for ever, with the moment of its last signature. A key that ended does not come back, so that two processes with two settings are
noticed. Every change of keys makes a new version of the trust document, and every key that follows another a line of the log.
"""

from __future__ import annotations

import threading

import sqlalchemy as sa

from assaymark.endorsement import keys
from assaymark.endorsement.keys import Signer
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.signers.address import OWN
from assaymark.endorsement.signers.opening import open_signer
from assaymark.errors import UsageError
from assaymark.model.assessment import Instant
from assaymark.server.service import Service
from assaymark.server.work import distributing
from assaymark.store import endorsing_keys, log, trail, trust
from assaymark.store.endorsing_keys import EndorsingKey
from assaymark.store.trail import Action
from assaymark.store.trust import Draft, Stated

SERVER = "server"
_opened: dict[str, Signer] = {}
_opening = threading.Lock()


def signer_of(service: Service, link: sa.Connection) -> Signer:
    """What signs now, within the caller's transaction, which writes.

    Raises:
        UsageError: when the key at the address is another than the one that was recorded, or had ended.
        EngineMissing: when the place of the key does not answer.
    """
    address = service.settings.signer
    endorsing_keys.lock(link)
    row = endorsing_keys.present(link)
    if row is None or row.address != address:
        return new_key(service, link, comment="the signer was set" if row is not None else "the first key")
    if address == OWN:
        return _own(service, link, row)
    found = _outside(address)
    if found.public.id != row.keyid:
        _opened.pop(address, None)
        raise UsageError(
            f"the key at {address} is another one",
            why=f"it is {found.public.id}, and {row.keyid} was recorded",
            advice="if it was changed on purpose, say so with `assay trust key new` on this machine",
        )
    return found


def new_key(service: Service, link: sa.Connection, *, actor: str = SERVER, comment: str = "") -> Signer:
    """The key at the address that is set signs from now on: one of its own is made anew, one outside has to be another already.

    Raises:
        UsageError: when the key outside is the one that signs already, or ended before.
    """
    address, now = service.settings.signer, Instant(service.now())
    endorsing_keys.lock(link)
    private: bytes | None = None
    if address == OWN:
        pem, public = keys.new_key()
        private = service.vault.seal(_name(public.id), pem.decode("ascii"))
        signer: Signer = keys.private_key(pem)
    else:
        _opened.pop(address, None)
        signer = _outside(address)
        public = signer.public
    _refuse_known(link, public.id, address)
    before = endorsing_keys.present(link)
    endorsing_keys.add(link, EndorsingKey(0, public.id, public.pem, address, now, None), private)
    _note(link, Draft(now, actor, comment, stated_now(link)), public.id, address)
    distributing.wake(service, link)
    if before is not None:  # the first one is named by what it signs
        facts = {"of": "endorsing", "key": public.id, "before": before.keyid}
        log.append(link, [Entry(EntryType.KEY, now, actor, details=facts)])
    return signer


def stated_now(link: sa.Connection) -> Stated:
    """What an administrator said last."""
    version = trust.newest(link)
    return version.stated if version is not None else Stated()


def _refuse_known(link: sa.Connection, keyid: str, address: str) -> None:
    known = endorsing_keys.known(link, keyid)
    if known is None:
        return
    if known.ended_at is None:
        raise UsageError(f"the key {keyid} signs already", advice=f"put another key at {address} first")
    raise UsageError(
        f"the key {keyid} has ended",
        why=f"another one took its place, and {address} still holds it",
        advice="give every process of this server the same ASSAYMARK_SIGNER, or put a new key there",
    )


def _own(service: Service, link: sa.Connection, row: EndorsingKey) -> Signer:
    private = endorsing_keys.sealed(link, row.id)
    assert private is not None  # noqa: S101 - a key at `own:` was sealed when it was made
    return keys.private_key(service.vault.open(_name(row.keyid), private).value)


def _outside(address: str) -> Signer:
    """Opened once a process: a token's session is dear, and a key file is read again only after a change that somebody said."""
    with _opening:
        if address not in _opened:
            _opened[address] = open_signer(address)
        return _opened[address]


def _note(link: sa.Connection, draft: Draft, keyid: str, address: str) -> None:
    trust.lock(link)
    number = trust.add(link, draft)
    details = {"address": address, "trust": str(number)}
    trail.record(
        link, Action(draft.at, draft.actor, "endorsing-key.added", "success", draft.person, "endorsing-key", keyid, details=details)
    )


def _name(keyid: str) -> str:
    return f"endorsing-key:{keyid}"
