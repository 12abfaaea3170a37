"""Whoever stands between a server and a site, or brings an archive: what he tries is refused, and what was held stays."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.endorsement.approvals import DIGEST
from tests.endorsement.distributed import NOW, Site, after, begun, key, take

from assaymark.endorsement.distribution import archive, client, repository, roots, updating
from assaymark.endorsement.distribution.client import Age, Keeping
from assaymark.endorsement.distribution.repository import Before
from assaymark.endorsement.distribution.roots import SNAPSHOT, TARGETS, TIMESTAMP
from assaymark.endorsement.distribution.sources import Archive
from assaymark.errors import AssayError, SignatureInvalid, SubjectUnreadable, UsageError

Files = dict[str, bytes]


class Stage:
    """A site that holds the second of two states, the newer of which revokes something."""

    def __init__(self, folder: Path) -> None:
        self.site = Site()
        self.old = self.site.publish()
        self.folder = begun(folder, self.site)
        take(self.folder, self.old)
        self.site.revoke(DIGEST)
        self.new = self.site.publish(after(1))
        take(self.folder, self.new, after(1))

    def refused(self, files: Files, kind: type[AssayError], why: str) -> None:
        with pytest.raises(kind, match=why):
            take(self.folder, files, after(2))
        held = client.held(self.folder, after(2))
        assert held.state is Age.FRESH
        assert len(held.revocations) == 1, "the revocation that was held is held no more"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "site")


def test_rollback_to_an_older_state(stage: Stage) -> None:
    stage.refused(stage.old, UsageError, "older")


def test_rollback_of_the_snapshot_under_a_new_timestamp(stage: Stage) -> None:
    site = stage.site
    behind = repository.publish(site.roots[0], Before(stage.new["timestamp.json"]), site.documents(), site.signers, after(2))
    stage.refused(stage.new | behind.files, UsageError, "older")


def test_another_state_of_the_same_version_is_not_taken(stage: Stage) -> None:
    site = stage.site
    fork = repository.publish(
        site.roots[0], repository.before_of(stage.old), {**site.documents(), "revocations.json": b"{}"}, site.signers, after(2)
    )
    take(stage.folder, stage.new | fork.files, after(2))
    assert len(client.held(stage.folder, after(2)).revocations) == 1


def test_freeze_with_a_timestamp_that_ended(stage: Stage) -> None:
    elsewhere = updating.Source(
        "https://assay.example/trust/", Archive({f"https://assay.example/trust/{k}": v for k, v in stage.new.items()})
    )
    with pytest.raises(UsageError, match="has ended"):
        updating.take(stage.folder, elsewhere, after(26))
    assert client.held(stage.folder, after(26)).state is Age.STALE


def test_freeze_with_an_archive_beyond_the_grace(stage: Stage) -> None:
    with pytest.raises(UsageError, match="has ended"):
        take(stage.folder, stage.new, after(200))
    assert client.held(stage.folder, after(200)).state is Age.CLOSED


def test_a_target_that_was_exchanged(stage: Stage) -> None:
    newer = stage.site.publish(after(2), stage.site.documents() | {"revocations.json": b'{"number":9}'})
    newer = {each: (data if not each.endswith(".revocations.json") else b"{}") for each, data in newer.items()}
    stage.refused(newer, SignatureInvalid, "not what was signed")


def test_a_target_of_the_same_length_from_another_state(stage: Stage) -> None:
    newer = stage.site.publish(after(2), stage.site.documents() | {"revocations.json": b'{"number":7}'})
    newer = {each: (data if not each.endswith(".revocations.json") else b'{"number":1}') for each, data in newer.items()}
    stage.refused(newer, SignatureInvalid, "not what was signed")


def test_a_target_without_end(stage: Stage) -> None:
    newer = stage.site.publish(after(2), stage.site.documents() | {"revocations.json": b'{"number":6}'})
    newer = {each: (data if not each.endswith(".revocations.json") else data + b" " * 10_000_000) for each, data in newer.items()}
    stage.refused(newer, SignatureInvalid, "not what was signed")


def test_a_timestamp_without_end(stage: Stage) -> None:
    stage.refused(stage.new | {"timestamp.json": stage.new["timestamp.json"] + b" " * 20_000}, SignatureInvalid, "not what was signed")


def test_mix_and_match_of_two_states(stage: Stage) -> None:
    newer = stage.site.publish(after(2), stage.site.documents() | {"revocations.json": b"{}"})
    versions = sorted((each for each in newer if each.endswith(".targets.json")), key=lambda each: int(each.partition(".")[0]))
    newer[versions[-1]] = newer[versions[0]]
    stage.refused(newer, AssayError, r"not what was signed|older")


@pytest.mark.parametrize("role", [TIMESTAMP, SNAPSHOT, TARGETS])
def test_a_key_that_has_no_say_in_a_role(stage: Stage, role: str) -> None:
    site = stage.site
    site.signers[role] = key()
    with pytest.raises(SignatureInvalid, match="no say"):  # a server does not even publish it
        site.publish(after(2))
    # The attacker has a root of his own, and so signs what he likes; the site does not follow him.
    draft = roots.first(site.roles([site.owners[0].public]), NOW)
    site.roots[0] = roots.with_signature(draft, site.owners[0])
    forged = site.publish(after(2), site.documents() | {"revocations.json": b"{}"})
    stage.refused({k: v for k, v in forged.items() if k != "1.root.json"}, SignatureInvalid, "not signed by enough")


def test_a_key_of_one_role_signs_for_no_other(stage: Stage) -> None:
    data = json.loads(stage.new["timestamp.json"])
    site = stage.site
    mine = site.signers[SNAPSHOT]
    site.signers[TIMESTAMP] = mine
    with pytest.raises(SignatureInvalid, match="no say"):
        site.publish(after(2))
    data["signed"]["version"] += 1
    stage.refused(stage.new | {"timestamp.json": json.dumps(data).encode()}, SignatureInvalid, "not signed by enough")


def test_a_signature_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    site = Site(owners=2, threshold=2)
    half = json.loads(
        roots.with_signature(roots.following(site.roots[0], site.roles([each.public for each in site.owners], 2), NOW), site.owners[0])
    )
    twice = json.dumps(half | {"signatures": half["signatures"] * 2}).encode()
    with pytest.raises((SignatureInvalid, UsageError)):
        roots.check(twice, site.roots[0])


def test_a_root_of_a_stranger_is_not_followed(stage: Stage) -> None:
    stranger = Site()
    draft = roots.following(stranger.roots[0], stranger.roles([stranger.owners[0].public]), NOW)
    stranger.roots.append(roots.with_signature(draft, stranger.owners[0]))
    stage.refused(stage.new | stranger.publish(after(2)), SignatureInvalid, "not signed by enough")


def test_a_root_that_skips_one_is_not_followed(stage: Stage) -> None:
    site = stage.site
    second = roots.with_signature(roots.following(site.roots[0], site.roles([site.owners[0].public]), NOW), site.owners[0])
    third = roots.with_signature(roots.following(second, site.roles([site.owners[0].public]), NOW), site.owners[0])
    stage.refused(stage.new | {"2.root.json": third}, UsageError, "older|no metadata")


def test_a_root_that_ended_is_not_followed(stage: Stage) -> None:
    site = stage.site
    draft = roots.following(site.roots[0], site.roles([site.owners[0].public]), NOW, days=0)
    site.roots.append(roots.with_signature(draft, site.owners[0]))
    stage.refused(site.publish(after(2)), UsageError, "has ended")


@pytest.mark.parametrize("junk", [b"", b"{}", b"[]", b"null", b'{"signed":{},"signatures":[]}', b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("name", ["timestamp.json", "2.root.json"])
def test_junk_in_place_of_metadata(stage: Stage, name: str, junk: bytes) -> None:
    stage.refused(stage.new | {name: junk}, AssayError, ".")


def test_documents_that_make_no_sense_are_not_taken(stage: Stage) -> None:
    for name, junk in (("trust.json", b"{}"), ("revocations.json", b"[]"), (client.target_of("production"), b'{"a":1}')):
        stage.refused(stage.site.publish(after(2), stage.site.documents() | {name: junk}), UsageError, ".")


def test_documents_that_are_missing_are_not_taken(stage: Stage) -> None:
    lacking = {name: data for name, data in stage.site.documents().items() if name != "revocations.json"}
    stage.refused(stage.site.publish(after(2), lacking), UsageError, "missing")


def test_a_target_whose_name_leads_upward_is_not_followed(stage: Stage, tmp_path: Path) -> None:
    bad = stage.site.documents() | {"../../outside.json": b"{}", "approved/../../../outside.json": b"{}"}
    files = stage.site.publish(after(2), bad)
    with pytest.raises(AssayError):
        take(stage.folder, files, after(2))
    assert not list(tmp_path.rglob("outside*"))


def test_a_root_to_begin_with_has_to_have_signed_itself(tmp_path: Path) -> None:
    site = Site(owners=2, threshold=2)
    half = roots.with_signature(roots.first(site.roles([each.public for each in site.owners], 2), NOW), site.owners[0])
    with pytest.raises(SignatureInvalid, match="enough of its own keys"):
        updating.begin(tmp_path, half, Keeping(""))
    with pytest.raises(UsageError, match="no root"):
        updating.begin(tmp_path, site.publish()["timestamp.json"], Keeping(""))


# --- archives ----------------------------------------------------------------------------------------------------------


def made(*members: tuple[str, bytes], how: Callable[[tarfile.TarInfo], None] = lambda _: None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            how(member)
            file.addfile(member, io.BytesIO(data))
    return out.getvalue()


def test_an_archive_is_the_same_for_the_same_files(stage: Stage) -> None:
    assert archive.packed(stage.new) == archive.packed(dict(reversed(stage.new.items())))
    assert archive.unpacked(archive.packed(stage.new), "a") == stage.new


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../outside", "trust/../../outside", "trust/a/../../b", "trust//etc/passwd", "trust/.hidden", "trust/..",
     "outside.json", "trust/a\\b", "trust/a b", "trust/\n", "trust/", "TRUST/a"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere(name: str) -> None:
    with pytest.raises(UsageError, match="no archive of trust"):
        archive.unpacked(made((name, b"x")), "a")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_what_is_no_plain_file(kind: bytes) -> None:
    def change(member: tarfile.TarInfo) -> None:
        member.type, member.linkname, member.size = kind, "/etc/passwd", 0

    with pytest.raises(UsageError, match="no archive of trust"):
        archive.unpacked(made(("trust/timestamp.json", b""), how=change), "a")


def test_a_name_that_stands_twice() -> None:
    with pytest.raises(UsageError) as told:
        archive.unpacked(made(("trust/timestamp.json", b"a"), ("trust/timestamp.json", b"b")), "a")
    assert "twice" in told.value.why


@pytest.mark.parametrize("size", [0, 1, 511, 512, 1024, 2048, 5000, 5120, -1])
def test_an_archive_that_was_cut_short(stage: Stage, size: int) -> None:
    data = archive.packed(stage.new)
    cut = data[:size] if size else data.rstrip(b"\0")
    with pytest.raises(UsageError, match="no archive of trust"):
        archive.unpacked(cut, "a")


def test_an_archive_that_was_cut_between_two_members_and_closed_again(stage: Stage) -> None:
    files = {name: data for name, data in stage.new.items() if not name.startswith("targets/")}
    newer = stage.site.publish(after(2), stage.site.documents() | {"revocations.json": b'{"number":5}'})
    cut = {name: data for name, data in newer.items() if name in files or not name.startswith("targets/")}
    stage.refused(archive.unpacked(archive.packed(cut), "a"), SubjectUnreadable, "cannot be fetched")


def test_a_member_that_says_it_is_larger_than_it_is() -> None:
    data = bytearray(made(("trust/timestamp.json", b"x")))
    data[124:136] = b"77777777777\0"
    data[148:156] = b" " * 8
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    with pytest.raises(UsageError, match="no archive of trust"):
        archive.unpacked(bytes(data), "a")


def test_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 2)
    with pytest.raises(UsageError) as told:
        archive.unpacked(made(("trust/a", b""), ("trust/b", b""), ("trust/c", b"")), "a")
    assert "more than 2" in told.value.why


@pytest.mark.parametrize("data", [b"", b"no tar at all", b"\x1f\x8b" + b"\0" * 2046, bytes(2048), b"\xff" * 512 + bytes(1024)])
def test_what_is_no_archive(data: bytes) -> None:
    with pytest.raises(UsageError, match="no archive of trust"):
        archive.unpacked(data, "a")
