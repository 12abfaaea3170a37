"""A site takes what was published, and goes on with it until it is too old."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.endorsement.approvals import DIGEST, endorsed
from tests.endorsement.approvals import NOW as THEN
from tests.endorsement.distributed import HOUR, NOW, Site, after, begun, key, take

from assaymark.endorsement.distribution import client, roots, updating
from assaymark.endorsement.distribution.client import Age
from assaymark.endorsement.distribution.sources import Archive
from assaymark.endorsement.verify import Expected, Refusal, verify
from assaymark.errors import SignatureInvalid, UsageError
from assaymark.model.assessment import Instant


@pytest.fixture
def site() -> Site:
    made = Site()
    made.publish()
    return made


def test_what_was_published_is_held(site: Site, tmp_path: Path) -> None:
    held = take(begun(tmp_path, site), site.files)
    assert held.state is Age.FRESH
    assert held.refused is None
    assert [root.root.name for root in held.trust.roots] == ["ours"]
    found = client.approved(tmp_path, "production")
    assert found is not None
    assert [each.digest for each in found.digests] == [DIGEST]
    assert client.approved(tmp_path, "test/eu") is not None
    assert client.approved(tmp_path, "nowhere") is None


def test_a_revocation_reaches_the_site_and_refuses(site: Site, tmp_path: Path) -> None:
    folder, data = begun(tmp_path, site), endorsed()
    before = take(folder, site.files)
    assert verify(data, DIGEST, Expected(), before.trust, before.revocations, now=THEN).ok
    site.revoke(DIGEST)
    after_it = take(folder, site.publish(after(1)), after(1))
    said = verify(data, DIGEST, Expected(), after_it.trust, after_it.revocations, now=THEN)
    assert [each.reason for each in said.refused] == [Refusal.REVOKED]


@pytest.mark.parametrize(
    ("hours", "state"), [(0, Age.FRESH), (23.9, Age.FRESH), (24, Age.STALE), (95.9, Age.STALE), (96, Age.CLOSED), (9999, Age.CLOSED)]
)
def test_a_state_is_fresh_then_stale_then_closed(site: Site, tmp_path: Path, hours: float, state: Age) -> None:
    take(begun(tmp_path, site), site.files)
    assert client.held(tmp_path, after(hours)).state is state


def test_a_closed_state_lets_nothing_pass_also_for_who_forgets_to_look(site: Site, tmp_path: Path) -> None:
    take(begun(tmp_path, site, grace=0), site.files)
    held = client.held(tmp_path, after(24))
    assert held.refused is not None
    assert held.refused.reason is Refusal.STALE_TRUST
    assert not verify(endorsed(), DIGEST, Expected(), held.trust, held.revocations, now=THEN).ok


def test_a_clock_that_is_set_back_makes_nothing_young_again(site: Site, tmp_path: Path) -> None:
    take(begun(tmp_path, site), site.files, after(48))
    assert client.held(tmp_path, NOW).state is Age.STALE


def test_publishing_again_keeps_a_site_fresh(site: Site, tmp_path: Path) -> None:
    folder = begun(tmp_path, site)
    take(folder, site.files)
    for hour in range(12, 24 * 30, 12):
        take(folder, site.publish(after(hour)), after(hour))
    assert client.held(folder, after(24 * 30 - 12)).state is Age.FRESH
    assert len([each for each in (folder / "states").iterdir() if each.name.isdecimal()]) == 2


def test_targets_that_stay_are_not_signed_anew_each_time(site: Site) -> None:
    first = site.before
    site.publish(after(1))
    assert (site.before.targets, site.before.snapshot) == (first.targets, first.snapshot)
    assert site.before.timestamp != first.timestamp
    site.publish(after(24 * 5))
    assert site.before.targets != first.targets


def test_a_site_keeps_the_environments_that_it_is_told(site: Site, tmp_path: Path) -> None:
    folder = begun(tmp_path, site, environments=("test/eu",))
    take(folder, site.files)
    assert client.approved(folder, "test/eu") is not None
    with pytest.raises(UsageError, match="cannot be read"):
        client.approved(folder, "production")
    assert updating.prove(folder).version == 1


def test_an_archive_within_the_grace_is_stale_from_the_beginning(site: Site, tmp_path: Path) -> None:
    held = take(begun(tmp_path, site), site.files, after(60))
    assert held.state is Age.STALE
    assert held.closes_at == after(96)


def test_a_server_that_gives_what_has_ended_is_refused_at_once(site: Site, tmp_path: Path) -> None:
    place = "https://assay.example/trust/"
    source = updating.Source(place, Archive({place + name: data for name, data in site.files.items()}))
    with pytest.raises(UsageError, match="has ended"):
        updating.take(begun(tmp_path, site), source, after(60))


def test_two_owners_sign_the_root_and_one_is_not_enough(tmp_path: Path) -> None:
    site = Site(owners=2, threshold=2)
    site.publish()
    assert take(begun(tmp_path / "a", site), site.files).state is Age.FRESH
    draft = roots.following(site.roots[0], site.roles([each.public for each in site.owners], 2), NOW)
    half = roots.with_signature(draft, site.owners[0])
    with pytest.raises(SignatureInvalid, match="missing") as told:
        roots.check(half, site.roots[0])
    assert site.owners[1].public.id in told.value.why
    roots.check(roots.with_signature(half, site.owners[1]), site.roots[0])


def test_new_owners_take_over_with_the_signature_of_the_old(site: Site, tmp_path: Path) -> None:
    folder = begun(tmp_path, site)
    take(folder, site.files)
    owners = [key("ecdsa-p256"), key("ecdsa-p256")]
    draft = site.sign(roots.following(site.roots[0], site.roles([each.public for each in owners], 2), NOW), owners)
    with pytest.raises(SignatureInvalid, match="missing"):
        roots.check(draft, site.roots[0])
    whole = roots.with_previous_signature(draft, site.roots[0], site.owners[0])
    roots.check(whole, site.roots[0])
    site.roots.append(whole)
    take(folder, site.publish(after(1)), after(1))
    assert updating.prove(folder).version == 2
    assert sorted(each.public.id for each in owners) == sorted(updating.prove(folder).keyids)


def test_online_keys_are_exchanged_by_a_new_root(site: Site, tmp_path: Path) -> None:
    folder = begun(tmp_path, site)
    take(folder, site.files)
    site.signers = {role: key() for role in site.signers}
    draft = roots.following(site.roots[0], site.roles([site.owners[0].public]), NOW)
    site.roots.append(roots.with_signature(draft, site.owners[0]))
    take(folder, site.publish(after(1)), after(1))
    assert client.held(folder, after(1)).state is Age.FRESH


def test_a_stranger_signs_no_root(site: Site) -> None:
    with pytest.raises(UsageError, match="no say"):
        roots.with_signature(site.roots[0], key())
    with pytest.raises(UsageError, match="no say"):
        roots.with_previous_signature(site.roots[0], site.roots[0], key())


def test_an_updater_that_broke_off_leaves_the_last_known_good(site: Site, tmp_path: Path) -> None:
    folder = begun(tmp_path, site)
    take(folder, site.files)
    site.revoke(DIGEST)
    files = site.publish(after(1))
    for name in [each for each in files if each.startswith("targets/") and "revocations" in each]:
        del files[name]
    with pytest.raises(Exception, match="cannot be fetched"):
        take(folder, files, after(1))
    assert client.held(folder, after(1)).revocations == {}
    assert not list((folder / "states").glob("draft*"))


def test_a_state_in_use_is_read_to_its_end(site: Site, tmp_path: Path) -> None:
    folder = begun(tmp_path, site)
    take(folder, site.files)
    present = (folder / "current").resolve()
    take(folder, site.publish(after(1)), after(1))
    assert (present / "trust.json").exists()


@pytest.mark.parametrize("name", ["trust.json", "revocations.json", "targets.json", "timestamp.json", "state.json"])
@pytest.mark.parametrize("how", ["changed", "cut", "gone"])
def test_a_folder_that_was_damaged_is_refused(site: Site, tmp_path: Path, name: str, how: str) -> None:
    take(begun(tmp_path, site), site.files)
    path = (tmp_path / "current").resolve() / name
    data = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(data[: len(data) // 2] if how == "cut" else b"[" + data[1:])
    with pytest.raises(UsageError):
        client.held(tmp_path, NOW)


def test_proof_finds_a_folder_that_was_made_up_whole(site: Site, tmp_path: Path) -> None:
    take(begun(tmp_path / "ours", site), site.files)
    other = Site()
    other.publish()
    take(begun(tmp_path / "theirs", other), other.files)
    shutil.rmtree(tmp_path / "ours" / "states")
    shutil.copytree(tmp_path / "theirs" / "states", tmp_path / "ours" / "states")
    assert client.held(tmp_path / "ours", NOW).state is Age.FRESH  # digests alone do not find it
    with pytest.raises(SignatureInvalid):
        updating.prove(tmp_path / "ours")


def test_a_folder_begins_to_trust_once(site: Site, tmp_path: Path) -> None:
    begun(tmp_path, site)
    with pytest.raises(UsageError, match="already"):
        begun(tmp_path, site)


def test_nothing_is_held_before_the_first_state(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no trust"):
        client.held(tmp_path, NOW)
    begun(tmp_path, site)
    with pytest.raises(UsageError, match="holds no trust"):
        client.held(tmp_path, Instant(NOW + HOUR))
