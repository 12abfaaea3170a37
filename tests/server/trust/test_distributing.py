"""What a server distributes, as a site receives it: by its files, and by one archive."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from assaymark.endorsement import keys
from assaymark.endorsement.distribution import archive, client, roots, updating
from assaymark.endorsement.distribution.client import Age, Keeping
from assaymark.errors import SignatureInvalid, UsageError
from assaymark.jobs.job import JobState
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.service import Service
from assaymark.server.work import distributing, signers
from assaymark.store import distribution


def files(service: Service) -> dict[str, bytes]:
    with service.database.read() as link:
        return distribution.state(link)


def site(folder: Path, service: Service) -> Path:
    updating.begin(folder, files(service)["root.json"], Keeping("https://assay.example/trust/"))
    return folder


def test_a_site_believes_the_key_that_signs(service: Service, tmp_path: Path) -> None:
    with service.database.write() as link:
        signer = signers.signer_of(service, link)
    assert distributing.publish(service)
    folder = site(tmp_path / "site", service)
    held = updating.take(folder, updating.archive(archive.unpacked(archive.packed(files(service)), "a")), service.now())
    assert held.state is Age.FRESH
    assert [key.id for key in held.trust.keys] == [signer.public.id]
    assert client.approved(folder, distributing.EVERYWHERE) is not None


def test_nothing_is_published_again_while_nothing_changed(service: Service) -> None:
    assert distributing.publish(service)
    assert not distributing.publish(service)
    with service.database.write() as link:
        signers.signer_of(service, link)
    assert distributing.publish(service)
    assert not distributing.publish(service)
    assert distributing.publish(service, always=True)


def test_a_change_of_keys_asks_for_publishing(service: Service) -> None:
    with service.database.write() as link:
        signers.signer_of(service, link)
        signers.new_key(service, link)
    with service.database.read() as link:
        rows = service.queue.rows(link, JobState.WAITING, before=None, limit=10)
    assert [row.job.kind for row in rows] == [distributing.KIND]


def test_rotation_reaches_a_site_with_the_end_of_the_old_key(service: Service, tmp_path: Path) -> None:
    with service.database.write() as link:
        old = signers.signer_of(service, link)
    distributing.publish(service)
    folder = site(tmp_path / "site", service)
    updating.take(folder, updating.archive(files(service)), service.now())
    with service.database.write() as link:
        new = signers.new_key(service, link)
    distributing.publish(service)
    held = updating.take(folder, updating.archive(files(service)), service.now())
    assert [key.id for key in held.trust.keys] == [old.public.id, new.public.id]
    assert held.trust.roots[0].until is not None


def test_the_root_is_taken_off_the_server_by_two_people(service: Service, tmp_path: Path) -> None:
    first = distributing.state_of(service)
    assert (first.version, first.is_offline, first.threshold) == (1, False, 1)
    folder = site(tmp_path / "site", service)
    updating.take(folder, updating.archive(files(service)), service.now())
    owners = [keys.private_key(keys.new_key()[0]) for _ in range(2)]
    draft = distributing.draft_root(service, distributing.Owners(tuple(each.public.pem for each in owners), 2), 365)
    half = roots.with_signature(draft, owners[0])
    with service.database.write() as link, pytest.raises(SignatureInvalid, match="missing"):
        distributing.adopt_root(service, link, half)
    with service.database.write() as link:
        assert distributing.adopt_root(service, link, roots.with_signature(half, owners[1])) == 2
    second = distributing.state_of(service)
    assert (second.version, second.is_offline, second.threshold) == (2, True, 2)
    with service.database.read() as link:
        assert "root" not in distribution.role_keys(link)
        assert link.exec_driver_sql("SELECT count(*) FROM trust_role_key WHERE role = 'root' AND sealed IS NOT NULL").scalar() == 0
    assert updating.take(folder, updating.archive(files(service)), service.now()).state is Age.FRESH
    assert updating.prove(folder).version == 2
    assert distributing.publish(service, always=True)


def test_other_keys_sign_what_is_published_once_a_root_names_them(service: Service, tmp_path: Path) -> None:
    distributing.publish(service)
    folder = site(tmp_path / "site", service)
    updating.take(folder, updating.archive(files(service)), service.now())
    with service.database.read() as link:
        before = distribution.role_keys(link)
    distributing.draft_root(service, distributing.Owners(), 365, others=True)
    draft = distributing.draft_root(service, distributing.Owners(), 365, others=True)
    assert not distributing.publish(service), "keys that wait change nothing"
    with service.database.write() as link:
        assert distributing.adopt_root(service, link, draft) == 2
        after = distribution.role_keys(link)
        sealed = "SELECT count(*) FROM trust_role_key WHERE sealed IS NOT NULL"
        assert link.exec_driver_sql(sealed).scalar() == len(roots.ONLINE) + 1, "the private parts of those before are gone"
        assert distribution.waiting_keys(link) == {}
    assert {role for role in after if after[role].keyid != before[role].keyid} == set(roots.ONLINE)
    assert roots.standing(files(service)["root.json"]).roles == {role: (after[role].keyid,) for role in roots.ONLINE}
    assert updating.take(folder, updating.archive(files(service)), service.now()).state is Age.FRESH
    assert updating.prove(folder).version == 2
    assert distributing.publish(service, always=True)


def test_a_root_of_people_names_other_keys_only_when_they_sign_it(service: Service) -> None:
    owner = keys.private_key(keys.new_key()[0])
    first = distributing.draft_root(service, distributing.Owners((owner.public.pem,)), 365)
    with service.database.write() as link:
        distributing.adopt_root(service, link, roots.with_signature(first, owner))
    draft = distributing.draft_root(service, distributing.Owners(), 365, others=True)
    with service.database.write() as link, pytest.raises(SignatureInvalid, match="missing"):
        distributing.adopt_root(service, link, draft)
    with service.database.write() as link:
        assert distributing.adopt_root(service, link, roots.with_signature(draft, owner)) == 3
    said = distributing.state_of(service)
    assert (said.is_offline, said.root_keys) == (True, (owner.public.id,))


def test_a_root_whose_key_lies_here_is_renewed_before_it_ends(service: Service, tmp_path: Path) -> None:
    distributing.publish(service)
    folder = site(tmp_path / "site", service)
    later = service.now() + 280 * 86_400 * SECOND
    moved = msgspec.structs.replace(service, now=lambda: Instant(later))
    assert distributing.publish(moved)
    said = distributing.state_of(moved)
    assert (said.version, said.root_expires_at > later + 300 * 86_400 * SECOND) == (2, True)
    assert updating.take(folder, updating.archive(files(moved)), Instant(later)).state is Age.FRESH
    assert not distributing.publish(moved), "once"


def test_a_root_that_names_strangers_keys_is_not_adopted(service: Service) -> None:
    distributing.state_of(service)
    owner, other = (keys.private_key(keys.new_key("ed25519")[0]) for _ in range(2))
    said = {role: roots.RoleKeys((owner.public if role == "root" else other.public,)) for role in ("root", *roots.ONLINE)}
    draft = roots.with_signature(roots.following(files(service)["root.json"], said, service.now()), owner)
    with service.database.write() as link, pytest.raises(UsageError, match="other keys"):
        distributing.adopt_root(service, link, draft)


def test_files_of_a_state_that_was_replaced_may_still_be_fetched(service: Service) -> None:
    distributing.publish(service)
    before = files(service)
    distributing.publish(service, always=True)
    with service.database.read() as link:
        assert all(distribution.file(link, name) is not None for name in before)
