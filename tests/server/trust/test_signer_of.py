"""Which key endorses, and what becomes of the ones before."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from assaymark.endorsement import keys, trust
from assaymark.errors import UsageError
from assaymark.server.service import Service
from assaymark.server.work import signers, trusting
from assaymark.store import endorsing_keys, trail
from assaymark.store import trust as trust_rows

SAID = b"what is signed"


def key_file(folder: Path, name: str) -> str:
    path = folder / name
    path.write_bytes(keys.new_key()[0])
    path.chmod(0o600)
    return f"file:{path}"


def with_signer(service: Service, address: str) -> Service:
    return replace(service, settings=replace(service.settings, signer=address))


def test_the_first_key_is_made_when_it_is_needed_and_stays(service: Service) -> None:
    with service.database.write() as link:
        first = signers.signer_of(service, link)
    with service.database.write() as link:
        second = signers.signer_of(service, link)
        row = endorsing_keys.present(link)
    assert first.public.id == second.public.id
    assert row is not None
    assert row.keyid == first.public.id
    assert first.public.holds(second.sign(SAID), SAID)


def test_the_private_key_lies_nowhere_in_the_open(service: Service) -> None:
    with service.database.write() as link:
        signers.signer_of(service, link)
        row = endorsing_keys.present(link)
        assert row is not None
        sealed = endorsing_keys.sealed(link, row.id)
    assert sealed
    assert b"PRIVATE" not in sealed


def test_before_the_first_key_nobody_is_believed(service: Service) -> None:
    with service.database.read() as link:
        assert trusting.trust_of(service, link).roots == ()


def test_a_rotated_key_is_believed_for_what_it_had_signed(service: Service) -> None:
    with service.database.write() as link:
        old = signers.signer_of(service, link)
    with service.database.write() as link:
        new = signers.new_key(service, link, actor="anna", comment="as every year")
    with service.database.write() as link:
        assert signers.signer_of(service, link).public.id == new.public.id
        document = trusting.trust_of(service, link)
        events = trail.page(link, trail.Filter(action="endorsing-key.added"), before=None, limit=10)
    opened = trust.opened(document)
    assert [root.keys[0].id for root in opened.roots] == [old.public.id, new.public.id]
    assert (opened.roots[0].until is None, opened.roots[1].until is None) == (False, True)
    assert {root.root.verifier for root in opened.roots} == {f"{service.settings.url}/verifier/1"}
    assert [each.actor for each in events] == ["anna", "server"]


def test_every_change_of_keys_is_a_version_of_the_document(service: Service) -> None:
    with service.database.write() as link:
        signers.signer_of(service, link)
        first = trusting.trust_of(service, link).number
        signers.new_key(service, link)
        assert trusting.trust_of(service, link).number > first
        assert [each.comment for each in trust_rows.page(link, before=None, limit=5)][-1] == "the first key"


def test_a_key_in_a_file_takes_over_when_it_is_set(service: Service, tmp_path: Path) -> None:
    with service.database.write() as link:
        own = signers.signer_of(service, link)
        other = with_signer(service, key_file(tmp_path, "key.pem"))
        outside = signers.signer_of(other, link)
        assert outside.public.id != own.public.id
        assert signers.signer_of(other, link).public.id == outside.public.id
        assert [each.address.partition(":")[0] for each in endorsing_keys.every(link)] == ["file", "own"]


def test_a_key_that_was_exchanged_behind_the_servers_back_does_not_sign(service: Service, tmp_path: Path) -> None:
    address = key_file(tmp_path, "key.pem")
    other = with_signer(service, address)
    with service.database.write() as link:
        signers.signer_of(other, link)
        key_file(tmp_path, "key.pem")
        signers._opened.clear()  # as in another process
        with pytest.raises(UsageError, match="another one"):
            signers.signer_of(other, link)
        new = signers.new_key(other, link, comment="on purpose")
        assert signers.signer_of(other, link).public.id == new.public.id


def test_a_key_that_ended_does_not_come_back(service: Service, tmp_path: Path) -> None:
    one, two = (with_signer(service, key_file(tmp_path, name)) for name in ("one.pem", "two.pem"))
    with service.database.write() as link:
        signers.signer_of(one, link)
        signers.signer_of(two, link)
        with pytest.raises(UsageError, match="has ended"):
            signers.signer_of(one, link)


def test_the_same_key_is_no_new_key(service: Service, tmp_path: Path) -> None:
    one = with_signer(service, key_file(tmp_path, "one.pem"))
    with service.database.write() as link:
        signers.signer_of(one, link)
        with pytest.raises(UsageError, match="signs already"):
            signers.new_key(one, link)
